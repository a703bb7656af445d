"""Snapshot documents of any size, in the shapes KAI writes them, streamed: for tests, stand-ins and the benchmark.

Run it to have one on disk: `PYTHONPATH=tests python -m support.documents --megabytes 150 big.zip`.
"""

import argparse
import zipfile
from collections.abc import Callable, Iterator
from enum import Enum
from hashlib import blake2b
from pathlib import Path
from string import Template
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import orjson

Json = dict[str, Any]
Element = Callable[[int], bytes]

OBJECTS: Json = orjson.loads((Path(__file__).parent.parent / "data" / "objects.json").read_bytes())
"""One object of each kind, `$name` where objects of a kind differ; and what is always the same."""
CONFIG: Json = OBJECTS["config"]
POD: Json = OBJECTS["pod"]
PENDING_POD = POD | {
    "spec": {name: value for name, value in POD["spec"].items() if name != "nodeName"},
    "status": OBJECTS["pendingStatus"],
}
WHOLE_POD = POD | {
    "metadata": POD["metadata"] | {"managedFields": OBJECTS["managedFields"]},
    "spec": POD["spec"] | {"containers": [POD["spec"]["containers"][0] | OBJECTS["wholeContainer"]]},
}
ALWAYS = ["persistentVolumeClaims", "csiStorageCapacities", "storageClasses", "csiDrivers", "resourceClaims"]
SINCE_V015 = ["persistentVolumes", "resourceSlices", "deviceClasses", "topologies", "nodeResourceTopologies"]
PODS_PER_NODE, PODS_PER_GROUP, QUEUES, PENDING_EVERY = 8, 4, 20, 5


class Shape(Enum):
    """How a version of the scheduler lays the document out."""

    LINES = "v0.15 and later: a newline after each element; pods are stripped of what the scheduler does not read"
    COMPACT = "up to v0.14: one line, whole pods, no discovery"


class Writable(Protocol):
    """Where bytes go: a file, a member of a ZIP archive."""

    def write(self, data: bytes, /) -> int:
        """Takes all of them and says how many."""


class Document(NamedTuple):
    """What was written: the size of the JSON in bytes and how many objects each list has."""

    size: int
    counts: dict[str, int]


def write_archive(path: Path, *, pods: int, shape: Shape = Shape.LINES, config: Json | None = CONFIG) -> Document:
    """A snapshot archive of `pods` pods and what goes with them."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("snapshot.json", "w", force_zip64=True) as member,
    ):
        return write_document(member, pods=pods, shape=shape, config=config)


def write_document(out: Writable, *, pods: int, shape: Shape = Shape.LINES, config: Json | None = CONFIG) -> Document:
    """The JSON document alone, piece by piece to `out.write`."""
    size = sum(out.write(piece) for piece in document(pods=pods, shape=shape, config=config))
    return Document(size, {name: many for name, (many, _) in lists(pods, shape).items()})


def pods_for(size: int, shape: Shape = Shape.LINES) -> int:
    """How many pods make a document of at least `size` bytes."""
    few, many = (sum(map(len, document(pods=pods, shape=shape))) for pods in (800, 1600))
    return 1600 + max(0, size - many) * 800 // (many - few)


def document(*, pods: int, shape: Shape = Shape.LINES, config: Json | None = CONFIG) -> Iterator[bytes]:
    """The JSON document in pieces of one element."""
    end = b"\n" if shape is Shape.LINES else b""
    yield b'{"config":' + orjson.dumps(config) + end
    yield b',"schedulerParams":' + orjson.dumps(OBJECTS["schedulerParams"]) + end
    yield b',"rawObjects":{'
    for position, (name, (many, element)) in enumerate(lists(pods, shape).items()):
        yield b'%s"%s":' % (b"," if position else b"", name.encode())
        yield from _list(many, element, end)
    yield b"}"
    if shape is Shape.LINES:
        discovery = OBJECTS["discovery"]
        yield b',"discovery":{"serverVersion":' + orjson.dumps(discovery["serverVersion"]) + end + b',"resources":'
        yield from _list(len(discovery["resources"]), lambda index: orjson.dumps(discovery["resources"][index]), end)
        yield b"}"
    yield b"}"


def _list(many: int, element: Element | None, end: bytes) -> Iterator[bytes]:
    if element is None:  # a list the scheduler does not watch
        yield b"null" + end
        return
    yield b"["
    for index in range(many):
        yield (b"," if index else b"") + element(index) + end
    yield b"]"


def lists(pods: int, shape: Shape) -> dict[str, tuple[int, Element | None]]:
    """How many objects each list has, and what makes them."""
    nodes = -(-pods // PODS_PER_NODE)
    running, pending = _made(POD if shape is Shape.LINES else WHOLE_POD), _made(PENDING_POD)
    found: dict[str, tuple[int, Element | None]] = {
        "pods": (pods, lambda index: running(index) if index % PENDING_EVERY else pending(index)),
        "nodes": (nodes, _made(OBJECTS["node"], of_node=True)),
        "queues": (QUEUES, _made(OBJECTS["queue"])),
        "podGroups": (-(-pods // PODS_PER_GROUP), _made(OBJECTS["podGroup"], of_group=True)),
        "bindRequests": (0, None),
        "priorityClasses": (4, _made(OBJECTS["priorityClass"])),
        "configMaps": (nodes // 10, _made(OBJECTS["configMap"])),
    }
    return found | dict.fromkeys(ALWAYS + (SINCE_V015 if shape is Shape.LINES else []), (0, None))


def _made(template: Json, *, of_node: bool = False, of_group: bool = False) -> Element:
    """What makes the objects of a list; `index` counts pods unless it is of a node or a PodGroup."""
    text = Template(orjson.dumps(template).decode())

    def element(index: int) -> bytes:
        group = index if of_group else index // PODS_PER_GROUP
        return text.substitute(
            index=index,
            uid=_uid(text.template[:100], index),
            owner=_uid("job", group),
            version=1_000_000 + index * 7,
            created=f"2026-11-{1 + index % 21:02d}T{index % 24:02d}:{index % 60:02d}:10Z",
            group=f"job-{group:06d}",
            team=f"team-{group % QUEUES}",
            node=f"gpu-{index if of_node else index // PODS_PER_NODE:05d}",
            position=index % PODS_PER_GROUP,
            gpus=1 + index % 8,
            high=index // 256 % 256,
            low=index % 256,
        ).encode()

    return element


def _uid(kind: str, index: int) -> str:
    return str(UUID(bytes=blake2b(f"{kind}/{index}".encode(), digest_size=16).digest(), version=4))


def main() -> None:
    """Write one archive, for a look at it or for a stand-in to serve."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("path", type=Path)
    options.add_argument("--megabytes", type=int, default=150)
    options.add_argument("--shape", choices=[shape.name.lower() for shape in Shape], default="lines")
    given = options.parse_args()
    shape = Shape[given.shape.upper()]
    written = write_archive(given.path, pods=pods_for(given.megabytes * 10**6, shape), shape=shape)
    print(f"{given.path}: {written.size} bytes of JSON, {written.counts}")  # noqa: T201


if __name__ == "__main__":
    main()
