"""The bill of materials is what the image's own records say, and valid CycloneDX."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from sbom import contents, document
from sbom.contents import Contents

OS_RELEASE = 'PRETTY_NAME="Debian GNU/Linux 12"\nVERSION_ID="12"\nID=debian\n'
STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9

Package: bash
Status: install ok installed
Architecture: amd64
Version: 1:5.2-2+b7
Pre-Depends: libc6 (>= 2.36), libtinfo6
Depends: base-files | awk

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""
METADATA = {
    "yarl": "Name: yarl\nVersion: 1.2\nLicense-Expression: Apache-2.0\nRequires-Dist: Multi_Dict>=1\n"
    'Requires-Dist: backport; python_version < "3"\nRequires-Dist: sphinx; extra == "docs"\n',
    "multi_dict": "Name: Multi.Dict\nVersion: 3\n",
}


def tar(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def found(tmp_path: Path) -> Contents:
    site = "opt/x/lib/python3.11/site-packages"
    base = tar({"usr/lib/os-release": OS_RELEASE.encode(), "var/lib/dpkg/status": STATUS.encode(), "bin/sh": b""})
    own = tar({f"{site}/{name}-1.dist-info/METADATA": text.encode() for name, text in METADATA.items()})
    manifest = [{"Config": f"{'ab' * 32}.json", "Layers": ["1.tar", "2.tar"]}]
    image = tmp_path / "image.tar"
    image.write_bytes(tar({"1.tar": base, "2.tar": own, "manifest.json": json.dumps(manifest).encode()}))
    return contents.read(image)


def rendered(found: Contents) -> dict[str, Any]:
    text = document.render(found, version="1.2.3", epoch=1_767_225_600)
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def test_it_has_every_package_that_is_installed(found: Contents) -> None:
    assert {each["purl"] for each in rendered(found)["components"]} == {
        "pkg:deb/debian/bash@1:5.2-2%2Bb7?arch=amd64&distro=debian-12",
        "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12",
        "pkg:pypi/multi-dict@3",
        "pkg:pypi/yarl@1.2",
    }


def test_it_says_which_needs_which_of_those_that_are_there(found: Contents) -> None:
    needed = {each["ref"].partition("@")[0]: each.get("dependsOn", []) for each in rendered(found)["dependencies"]}
    assert needed["pkg:pypi/yarl"] == ["pkg:pypi/multi-dict@3"]
    assert needed["pkg:deb/debian/bash"] == ["pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12"]
    assert len(needed["kai-snapshot-operator"]) == 4


def test_it_names_the_image_and_licences_that_are_said(found: Contents) -> None:
    made = rendered(found)
    image = made["metadata"]["component"]
    assert (image["type"], image["version"]) == ("container", "1.2.3")
    assert image["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    licences = {each["name"]: each.get("licenses") for each in made["components"]}
    assert licences["yarl"] == [{"license": {"id": "Apache-2.0"}}]
    assert licences["bash"] is None


def test_of_the_same_image_it_is_the_same(found: Contents) -> None:
    assert rendered(found) == rendered(found)


def test_what_is_no_bill_of_materials_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no CycloneDX 1\.6"):
        document.check('{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "x"}]}')
