"""What is in an image: Debian's packages and Python's, as the image's own records have them."""

import json
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser, HeaderParser
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_RECORDS: Final = re.compile(r"(?:\./)?(?P<path>var/lib/dpkg/status|(?:usr/lib|etc)/os-release|.*\.dist-info/METADATA)")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9+.-]+")


@dataclass(frozen=True)
class Package:
    """One package."""

    name: str
    version: str
    needs: frozenset[str]
    """Names of packages of the same kind; they may not be there."""
    licence: str = ""
    """An SPDX expression, where the package says one."""
    architecture: str = ""


@dataclass(frozen=True)
class Contents:
    """All that is in an image."""

    digest: str
    """The image's ID: the SHA-256 of its configuration, and so of everything in it."""
    release: str
    """Debian's, as a purl wants it: debian-12."""
    debian: tuple[Package, ...]
    python: tuple[Package, ...]


def read(archive: Path) -> Contents:
    """What is in an image, in the form of `docker save`."""
    with tarfile.open(archive) as image:
        (manifest,) = json.loads(_file(image, "manifest.json"))
        records: dict[str, bytes] = {}
        for layer in manifest["Layers"]:
            records |= dict(_records(image, layer))
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', records["usr/lib/os-release"].decode(), re.MULTILINE))
    metadata = (BytesHeaderParser().parsebytes(text) for path, text in records.items() if path.endswith("/METADATA"))
    return Contents(
        digest=Path(manifest["Config"]).stem,
        release=f"{release['ID']}-{release['VERSION_ID']}",
        debian=tuple(_in_order(_debian(records["var/lib/dpkg/status"].decode()))),
        python=tuple(_in_order(_python(each) for each in metadata)),
    )


def _in_order(packages: Iterable[Package]) -> list[Package]:
    return sorted(packages, key=lambda package: (package.name, package.version))


def _file(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None, name
    return file.read()


def _records(image: tarfile.TarFile, layer: str) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=image.extractfile(layer)) as files:
        for entry in files:
            found = _RECORDS.fullmatch(entry.name)
            if found is not None and entry.isfile():
                yield found["path"], _file(files, entry.name)


def _debian(status: str) -> Iterator[Package]:
    for paragraph in status.strip().split("\n\n"):
        fields = HeaderParser().parsestr(paragraph)
        if fields["Status"] == "install ok installed":
            needed = f"{fields.get('Depends', '')},{fields.get('Pre-Depends', '')}"
            needs = {found[0] for each in re.split(r"[,|]", needed) if (found := _NAME.match(each.strip()))}
            yield Package(
                fields["Package"], fields["Version"], frozenset(needs), architecture=fields.get("Architecture", "")
            )


def _python(metadata: Message) -> Package:
    needs = (Requirement(text) for text in metadata.get_all("Requires-Dist", ()))
    wanted = {canonicalize_name(each.name) for each in needs if each.marker is None or each.marker.evaluate(_NO_EXTRA)}
    return Package(
        canonicalize_name(metadata["Name"]),
        metadata["Version"],
        frozenset(wanted),
        licence=metadata.get("License-Expression", ""),
    )


_NO_EXTRA: Final[Mapping[str, str]] = {"extra": ""}
