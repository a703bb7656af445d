"""Images of the stage, as they are loaded into a cluster."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from stage import images
from stage.images import Image


class Noting:
    """A cluster that keeps notes."""

    def __init__(self) -> None:
        self.noted: dict[str, Any] | None = None

    def get(self, kind: str, name: str, namespace: str) -> dict[str, Any] | None:
        return self.noted

    def apply(self, note: dict[str, Any]) -> None:
        self.noted = note


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Image:
    """An image whose archive is there, as `docker save` and buildah write it."""
    monkeypatch.setattr(images, "CACHE", tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    image = Image("x", tmp_path / "Dockerfile", tmp_path, (), aliases=("registry.example.com/x:0.1.0",))
    image.archive.parent.mkdir()
    manifest = [{"Config": "c.json", "RepoTags": [image.reference], "Layers": ["layer.tar"]}]
    with tarfile.open(image.archive, "w") as archive:
        for name, body in (("layer.tar", b"files"), ("repositories", b"{}"), ("manifest.json", _json(manifest))):
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return image


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def test_an_image_is_loaded_once_by_all_its_names(built: Image, tmp_path: Path) -> None:
    kind = tmp_path / "kind"
    kind.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/called; cp "$3" {tmp_path}/loaded.tar\n')
    kind.chmod(0o755)
    cluster = Noting()
    for _ in range(2):
        images.load(cluster, "c", kind=kind, wanted=[built], report=lambda _: None)  # type: ignore[arg-type]
    assert len((tmp_path / "called").read_text().splitlines()) == 1
    with tarfile.open(tmp_path / "loaded.tar") as loaded:
        bodies = {member.name: loaded.extractfile(member).read() for member in loaded}  # type: ignore[union-attr]
    assert bodies["layer.tar"] == b"files"
    (manifest,) = json.loads(bodies["manifest.json"])
    assert manifest == {
        "Config": "c.json",
        "RepoTags": [built.reference, "registry.example.com/x:0.1.0"],
        "Layers": ["layer.tar"],
    }
    assert sorted(bodies) == ["layer.tar", "manifest.json"]
