"""What manifests/ says twice is the same in both places."""

from pathlib import Path
from typing import Any

import yaml
from typer.testing import CliRunner

from kai_snapshot.cli.app import app

MANIFESTS = Path(__file__).parents[2] / "manifests"


def role(file: Path, name: str) -> Any:
    """The rules of a Role."""
    found = yaml.safe_load_all(file.read_text())
    return next(each["rules"] for each in found if each["kind"] == "Role" and each["metadata"]["name"] == name)


def test_the_operator_may_do_the_same_in_every_namespace_it_serves() -> None:
    own = role(MANIFESTS / "rbac" / "served.yaml", "kai-snapshot-served")
    assert role(MANIFESTS / "components" / "namespace" / "rbac.yaml", "kai-snapshot-served") == own


def documents(component: str) -> list[Any]:
    """All objects, and the kustomization, of a component."""
    files = sorted((MANIFESTS / "components" / component).glob("*.yaml"))
    return [each for file in files for each in yaml.safe_load_all(file.read_text())]


def test_the_pages_are_served_where_the_service_and_the_policy_lead_and_only_to_who_may_read() -> None:
    found = {each["kind"]: each for each in documents("pages")}
    patch = yaml.safe_load(found["Component"]["patches"][0]["patch"])
    container = next(each["value"] for each in patch if each["path"].endswith("containers/-"))
    (port,) = container["ports"]
    assert found["Service"]["spec"]["ports"][0]["targetPort"] == port["name"]
    assert found["NetworkPolicy"]["spec"]["ingress"][0]["ports"] == [{"port": port["name"]}]
    assert f"--listen=0.0.0.0:{port['containerPort']}" in container["args"]
    assert "--sign-in=kai-snapshots" in container["args"]
    done = CliRunner().invoke(app, [*container["args"], "--help"])
    assert done.exit_code == 0
    assert found["Role"]["rules"] == [
        {"apiGroups": ["kai-snapshot.io"], "resources": ["snapshotcaptures"], "verbs": ["list"]}
    ]


def test_the_pages_run_from_the_operators_image_with_no_more_than_it_has() -> None:
    operator = yaml.safe_load((MANIFESTS / "deployment.yaml").read_text())["spec"]["template"]["spec"]["containers"][0]
    patch = yaml.safe_load({each["kind"]: each for each in documents("pages")}["Component"]["patches"][0]["patch"])
    container = next(each["value"] for each in patch if each["path"].endswith("containers/-"))
    assert container["image"] == operator["image"]
    assert container["securityContext"] == operator["securityContext"]
