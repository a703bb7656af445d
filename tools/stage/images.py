"""The images of the stage, each built once from what it is made of and loaded into a cluster once."""

import io
import json
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from stage.kube import Kube
from toolchain import images, programs
from toolchain.places import BIN, CACHE, CHECKOUT

TESTS = CHECKOUT / "tests"
STANDINS = TESTS / "standins"
CORPUS = TESTS / "data" / "corpus"
TOOL_VERSIONS = ("v0.14.7", "v0.17.0")
SCHEDULER_VERSION = "v0.17.0"
_KEPT_SECONDS = 2 * 24 * 3600

Report = Callable[[str], None]


@dataclass(frozen=True)
class Image:
    """An image, and what it is made of."""

    name: str
    dockerfile: Path
    context: Path
    sources: tuple[Path, ...]
    arguments: tuple[tuple[str, str], ...] = ()
    version: str | None = None
    """Its tag, where that has a meaning; else it is tagged by its contents."""
    aliases: tuple[str, ...] = ()
    """Further names that it has in a cluster."""

    @cached_property
    def key(self) -> str:
        """Another one for other contents."""
        digest = sha256()
        for path in (self.dockerfile, *self.sources):
            for file in sorted(_files(path)):
                digest.update(f"{file}\0".encode() + sha256(file.read_bytes()).digest())
        return digest.hexdigest()[:12]

    @property
    def repository(self) -> str:
        """Its name without the tag."""
        return f"localhost/{self.name}-{self.key}" if self.version else f"localhost/{self.name}"

    @property
    def reference(self) -> str:
        """As a pod names it."""
        return f"{self.repository}:{self.version or self.key}"

    @property
    def archive(self) -> Path:
        """Where it is kept once it is built."""
        return CACHE / "archives" / f"{self.name}-{self.version or 'latest'}-{self.key}.tar"

    @property
    def mark(self) -> str:
        """How a cluster notes that it has it, by all its names."""
        return "-as-".join([self.archive.name, *(sha256(alias.encode()).hexdigest()[:12] for alias in self.aliases)])

    def build(self, report: Report) -> None:
        """Builds it unless that was done before; builds of days ago are dropped."""
        if self.archive.exists():
            return
        report(f"building the image {self.name}:{self.version or self.key}")
        for old in self.archive.parent.glob(f"{self.name}-{self.version or 'latest'}-*.tar"):
            if time.time() - old.stat().st_mtime > _KEPT_SECONDS:
                old.unlink()
        images.build(self.reference, dockerfile=self.dockerfile, context=self.context, arguments=dict(self.arguments))
        unfinished = self.archive.with_suffix(".unfinished")
        images.save(self.reference, unfinished)
        unfinished.rename(self.archive)


def _files(path: Path) -> Iterable[Path]:
    if path.is_file():
        return [path]
    return (file for file in path.rglob("*") if file.is_file() and file.suffix != ".pyc")


def operator() -> Image:
    """The operator, from the project's Dockerfile."""
    parts = ("operator", "requirements", "pyproject.toml", "README.md", "LICENSE")
    sources = tuple(CHECKOUT / part for part in parts)
    return Image("kai-snapshot-operator", CHECKOUT / "Dockerfile", CHECKOUT, sources)


def scheduler() -> Image:
    """The stand-in for the scheduler."""
    sources = (TESTS / "support" / "scheduler.py", CORPUS)
    return Image("scheduler-standin", STANDINS / "scheduler" / "Dockerfile", TESTS, sources, version=SCHEDULER_VERSION)


def s3_server() -> Image:
    """The S3 server."""
    program = (BIN / "versitygw").resolve()
    return Image("versitygw", STANDINS / "s3" / "Dockerfile", program.parent, (program,))


def snapshot_tool(version: str, *, behaviour: str = "") -> Image:
    """The stand-in for snapshot-tool of that version; with a behaviour one that makes trouble."""
    directory = STANDINS / "snapshot-tool"
    app = _compiled(programs.Module(directory, ".", ("snapshot-tool",)), directory / "app")
    return Image(
        f"snapshot-tool-standin{'-' if behaviour else ''}{behaviour}",
        directory / "Dockerfile",
        TESTS,
        (app, CORPUS),
        arguments=(("VERSION", version), ("BEHAVIOUR", behaviour)),
        version=version,
    )


def _compiled(module: programs.Module, place: Path) -> Path:
    """The one program of a Go module, where its Dockerfile expects it."""
    go = programs.find_go()
    if not programs.is_built(module, go):
        programs.build(module, go, lambda *_: None)
    programs.link_all(module, go)
    built = BIN / module.programs[0]
    if not place.exists() or place.read_bytes() != built.read_bytes():
        shutil.copy(built, place)
    return place


def load(kube: Kube, cluster: str, *, kind: Path, wanted: Iterable[Image], report: Report) -> None:
    """Builds the images and brings them into the cluster, unless they are there; a ConfigMap notes what is."""
    noted = kube.get("configmap", "loaded-images", "stage")
    there = set((noted or {}).get("data", {}))
    for image in wanted:
        if image.mark in there:
            continue
        image.build(report)
        report(f"loading the image {', '.join((image.reference, *image.aliases))}")
        with _named(image) as archive:
            command: list[str | Path] = [kind, "load", "image-archive", archive, "--name", cluster]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        there.add(image.mark)
        metadata = {"name": "loaded-images", "namespace": "stage"}
        note = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict.fromkeys(there, image.name)}
        kube.apply(note)


@contextmanager
def _named(image: Image) -> Iterator[Path]:
    """The image's archive with all its names in it."""
    if not image.aliases:
        yield image.archive
        return
    with tempfile.TemporaryDirectory(dir=image.archive.parent) as directory:
        named = Path(directory, image.archive.name)
        with tarfile.open(image.archive) as source, tarfile.open(named, "w") as target:
            for member in source:
                if member.name == "manifest.json":
                    body = _manifest(source, member, image)
                    member.size = len(body)
                    target.addfile(member, io.BytesIO(body))
                elif member.name != "repositories":  # the names once more, in a form of old
                    target.addfile(member, source.extractfile(member) if member.isfile() else None)
        yield named


def _manifest(source: tarfile.TarFile, member: tarfile.TarInfo, image: Image) -> bytes:
    file = source.extractfile(member)
    assert file is not None
    (only,) = json.load(file)
    return json.dumps([only | {"RepoTags": [image.reference, *image.aliases]}]).encode()
