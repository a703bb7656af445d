"""The same image twice, from nothing and in another place each time: the digests say whether builds can be repeated."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from toolchain import debian, images
from toolchain.places import CACHE, CHECKOUT, ToolError, docker_runs
from toolchain.progress import step

TAG = "localhost/kai-snapshot-operator:twice"
_ONCE = "import sys; from toolchain import twice; twice.once(sys.argv[1])"


def main() -> int:
    """Builds twice and prints the digests. Returns 1 where they differ, and prints which files do."""
    if docker_runs():
        raise ToolError(
            "this compares what buildah builds; with Docker it is BuildKit that has to be told: see docs/operations.md"
        )
    CACHE.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=CACHE, prefix="twice-") as directory:
        layouts = [Path(directory) / name / "layout" for name in ("first", "the-second-time")]
        for layout in layouts:
            with step(f"{TAG}, base and all, in a place of its own"):
                _elsewhere(layout)
        digests = [_digest(layout) for layout in layouts]
        for digest in digests:
            print(f"    {digest}")
        if len(set(digests)) > 1:
            print("\n".join(differences(*layouts)))
            return 1
    print("the same image, twice")
    return 0


def once(layout: str) -> None:
    """What each of the two processes does, whose cache is a directory of its own."""
    CACHE.mkdir(parents=True)
    images.make_base()
    images.build(TAG, dockerfile=CHECKOUT / "Dockerfile", context=CHECKOUT, arguments={})
    images.export(TAG, Path(layout))


def _elsewhere(layout: Path) -> None:
    cache = layout.parent / "cache"
    cache.mkdir(parents=True)
    environment = {
        **os.environ,
        "XDG_CACHE_HOME": str(cache),
        "PYTHONPATH": str(CHECKOUT / "tools"),
        "SOURCE_DATE_EPOCH": debian.source_date_epoch(),
    }
    subprocess.run([sys.executable, "-c", _ONCE, str(layout)], check=True, env=environment)
    shutil.rmtree(cache)


def _digest(layout: Path) -> str:
    (manifest,) = json.loads((layout / "index.json").read_text())["manifests"]
    return str(manifest["digest"])


def differences(first: Path, second: Path) -> Iterator[str]:
    """What two images in the form of the Open Container Initiative do not have in common, a line each."""
    manifests = [_blob(layout, _digest(layout)) for layout in (first, second)]
    configurations = [
        _blob(layout, manifest["config"]["digest"]) for layout, manifest in zip((first, second), manifests, strict=True)
    ]
    for key in sorted(configurations[0].keys() | configurations[1].keys()):
        if key != "rootfs" and configurations[0].get(key) != configurations[1].get(key):
            yield f"configuration: {key}"
    for number, pair in enumerate(zip(*(manifest["layers"] for manifest in manifests), strict=True)):
        if pair[0]["digest"] != pair[1]["digest"]:
            entries = [_entries(layout, layer["digest"]) for layout, layer in zip((first, second), pair, strict=True)]
            changed = sorted(
                name for name in entries[0].keys() | entries[1].keys() if entries[0].get(name) != entries[1].get(name)
            )
            yield from (f"layer {number}: {name}" for name in changed or ["the order or form of its files"])


def _blob(layout: Path, digest: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_path(layout, digest).read_text())
    return document


def _entries(layout: Path, digest: str) -> dict[str, tuple[object, ...]]:
    with tarfile.open(_path(layout, digest)) as layer:
        return {
            entry.name: (
                entry.mode,
                entry.uid,
                entry.gid,
                entry.mtime,
                entry.type,
                entry.linkname,
                entry.pax_headers,
                _content(layer, entry),
            )
            for entry in layer
        }


def _content(layer: tarfile.TarFile, entry: tarfile.TarInfo) -> str:
    file = layer.extractfile(entry) if entry.isfile() else None
    return sha256(file.read()).hexdigest() if file is not None else ""


def _path(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")
