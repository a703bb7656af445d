"""The operator's image: what is in it is what was locked, and nothing in it depends on when it was built."""

import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sbom import contents, document
from stage.kube import Kube
from stage.stage import Cast
from toolchain.debian import source_date_epoch
from toolchain.places import CHECKOUT, docker_runs

LOCKED = re.compile(r"^([a-z0-9-]+==[^\\]+?) *\\?$", re.MULTILINE)


def test_its_bill_of_materials_is_valid_and_has_all_that_is_locked(kube: Kube, players: Cast) -> None:
    found = contents.read(players.operator.archive)
    document.check(document.render(found, version="0", epoch=0))
    requirements = map(Requirement, LOCKED.findall((CHECKOUT / "requirements" / "runtime.txt").read_text()))
    locked = {
        (canonicalize_name(each.name), str(each.specifier).removeprefix("=="))
        for each in requirements
        if each.marker is None or each.marker.evaluate()
    }
    installed = {(each.name, each.version) for each in found.python if each.name != document.NAME}
    assert len(locked) > 20
    assert installed == locked
    assert {"busybox-static", "libc6", "python3"} <= {each.name for each in found.debian}


def test_all_in_it_is_of_one_time_and_what_python_compiled_is_found_by_what_it_was_made_from(
    kube: Kube, players: Cast
) -> None:
    epoch = None if docker_runs() else int(source_date_epoch())  # BuildKit would have to be told: docs/operations.md
    compiled = 0
    for entry, head in entries(players.operator.archive):
        assert epoch in (None, entry.mtime), entry.name
        if entry.name.startswith("opt/kai-snapshot/") and entry.name.endswith(".pyc"):
            compiled += 1
            assert int.from_bytes(head[4:8], "little") == 1, f"{entry.name} is compared with its source"
    assert compiled > 1000


def entries(archive: Path) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """All files of all layers, each with its beginning."""
    with tarfile.open(archive) as image:
        manifest = image.extractfile("manifest.json")
        assert manifest is not None
        for name in json.load(manifest)[0]["Layers"]:
            with tarfile.open(fileobj=image.extractfile(name)) as layer:
                for entry in layer:
                    file = layer.extractfile(entry) if entry.isfile() else None
                    yield entry, file.read(16) if file is not None else b""
