"""The bill of materials as CycloneDX has it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from sbom.contents import Contents, Package

NAME: Final = "kai-snapshot-operator"


def render(contents: Contents, *, version: str, epoch: int) -> str:
    """The document, in JSON; the same for the same image. Raises ValueError if it is not as CycloneDX 1.6 wants it."""
    image = Component(
        name=NAME,
        type=ComponentType.CONTAINER,
        version=version,
        bom_ref=NAME,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=contents.digest)],
    )
    bom = Bom(
        metadata=BomMetaData(component=image, timestamp=datetime.fromtimestamp(epoch, UTC)),
        serial_number=uuid5(NAMESPACE_URL, f"sha256:{contents.digest}"),
    )
    kinds = (
        {package.name: (package, _debian(package, contents.release)) for package in contents.debian},
        {package.name: (package, _python(package)) for package in contents.python},
    )
    for packages in kinds:
        for package, component in packages.values():
            bom.components.add(component)
            bom.register_dependency(component, _there(packages, package.needs))
    bom.register_dependency(image, bom.components)
    text = JsonV1Dot6(bom).output_as_string(indent=2) + "\n"
    check(text)
    return text


def check(text: str) -> None:
    """Raises ValueError with what is wrong with a document."""
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong is not None:
        raise ValueError(f"this is no CycloneDX 1.6: {wrong}")


def _there(packages: dict[str, tuple[Package, Component]], names: Iterable[str]) -> list[Component]:
    return [packages[name][1] for name in sorted(names) if name in packages]


def _debian(package: Package, release: str) -> Component:
    where = {"arch": package.architecture, "distro": release}
    return _component(package, PackageURL("deb", "debian", package.name, package.version, qualifiers=where))


def _python(package: Package) -> Component:
    return _component(package, PackageURL("pypi", None, package.name, package.version))


def _component(package: Package, purl: PackageURL) -> Component:
    return Component(
        name=package.name,
        version=package.version,
        purl=purl,
        bom_ref=purl.to_string(),
        licenses=[LicenseFactory().make_from_string(package.licence)] if package.licence else [],
    )
