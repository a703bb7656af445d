"""What manifests/ says twice is the same in both places."""

from pathlib import Path
from typing import Any

import yaml

MANIFESTS = Path(__file__).parents[2] / "manifests"


def role(file: Path, name: str) -> Any:
    """The rules of a Role."""
    found = yaml.safe_load_all(file.read_text())
    return next(each["rules"] for each in found if each["kind"] == "Role" and each["metadata"]["name"] == name)


def test_the_operator_may_do_the_same_in_every_namespace_it_serves() -> None:
    own = role(MANIFESTS / "rbac" / "served.yaml", "kai-snapshot-served")
    assert role(MANIFESTS / "components" / "namespace" / "rbac.yaml", "kai-snapshot-served") == own
