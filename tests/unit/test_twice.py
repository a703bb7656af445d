"""Two builds of an image are compared to the last file."""

import io
import json
import tarfile
from hashlib import sha256
from pathlib import Path
from typing import Any

from toolchain.twice import differences


def blob(layout: Path, content: bytes) -> dict[str, Any]:
    digest = sha256(content).hexdigest()
    place = layout / "blobs" / "sha256" / digest
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return {"digest": f"sha256:{digest}", "size": len(content)}


def layer(files: dict[str, bytes], *, mtime: int = 0) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), mtime
            tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def layout(place: Path, *layers: bytes, **configuration: Any) -> Path:
    manifest = {
        "config": blob(place, json.dumps(configuration).encode()),
        "layers": [blob(place, each) for each in layers],
    }
    (place / "index.json").write_text(json.dumps({"manifests": [blob(place, json.dumps(manifest).encode())]}))
    return place


def test_the_same_image_has_no_differences(tmp_path: Path) -> None:
    first, second = (layout(tmp_path / name, layer({"a": b"1"}), created="then") for name in ("first", "second"))
    assert list(differences(first, second)) == []


def test_what_differs_is_named(tmp_path: Path) -> None:
    first = layout(tmp_path / "first", layer({"a": b"1"}), layer({"b": b"2", "c": b"3"}), created="then", user="u")
    second = layout(
        tmp_path / "second", layer({"a": b"1"}, mtime=1), layer({"b": b"x", "d": b"3"}), created="now", user="u"
    )
    assert list(differences(first, second)) == [
        "configuration: created",
        "layer 0: a",
        "layer 1: b",
        "layer 1: c",
        "layer 1: d",
    ]


def test_an_order_that_differs_is_a_difference(tmp_path: Path) -> None:
    first = layout(tmp_path / "first", layer({"a": b"1", "b": b"2"}))
    second = layout(tmp_path / "second", layer({"b": b"2", "a": b"1"}))
    assert list(differences(first, second)) == ["layer 0: the order or form of its files"]
