"""What manifests/ says twice is the same in both places."""

from pathlib import Path
from typing import Any

import yaml
from typer.testing import CliRunner

from kai_snapshot.cli.app import app
from kai_snapshot.jobs import names
from kai_snapshot.source.connection import SERVICE_ACCOUNT

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


def test_the_transfer_endpoint_is_where_the_label_is_that_the_one_who_acts_puts_on_its_pod() -> None:
    service = yaml.safe_load((MANIFESTS / "service.yaml").read_text())
    template = yaml.safe_load((MANIFESTS / "deployment.yaml").read_text())["spec"]["template"]
    assert service["spec"]["selector"] == {**template["metadata"]["labels"], names.ACTIVE: "true"}
    rules = role(MANIFESTS / "rbac" / "operator.yaml", "kai-snapshot-operator")
    assert {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "patch"]} in rules


def test_a_standby_is_disturbed_and_replaced_one_at_a_time() -> None:
    found = {each["kind"]: each for each in documents("standby")}
    deployment = yaml.safe_load((MANIFESTS / "deployment.yaml").read_text())
    budget = found["PodDisruptionBudget"]["spec"]
    assert budget["selector"] == deployment["spec"]["selector"]
    patch = {each["path"]: each["value"] for each in yaml.safe_load(found["Component"]["patches"][0]["patch"])}
    assert patch["/spec/replicas"] == 2
    rolling = patch["/spec/strategy"]["rollingUpdate"]
    assert (rolling["maxSurge"], rolling["maxUnavailable"], budget["maxUnavailable"]) == (0, 1, 1)
    (spread,) = patch["/spec/template/spec/topologySpreadConstraints"]
    assert spread["labelSelector"] == deployment["spec"]["selector"]


def operators_pod() -> Any:
    """The spec of the operator's pod."""
    return yaml.safe_load((MANIFESTS / "deployment.yaml").read_text())["spec"]["template"]["spec"]


def added_by_pages() -> dict[str, list[Any]]:
    """What the component adds to the operator's pod, by the list that it is added to."""
    patch = yaml.safe_load({each["kind"]: each for each in documents("pages")}["Component"]["patches"][0]["patch"])
    added: dict[str, list[Any]] = {"volumes": [], "containers": []}
    for each in patch:
        assert (each["op"], each["path"].rpartition("/")[2]) == ("add", "-")
        added[each["path"].split("/")[-2]].append(each["value"])
    return added


def test_the_pages_run_from_the_operators_image_with_no_more_than_it_has() -> None:
    (operator,), (container,) = operators_pod()["containers"], added_by_pages()["containers"]
    assert container["image"] == operator["image"]
    assert container["securityContext"] == operator["securityContext"]


def mounted(container: Any, volumes: list[Any]) -> Any:
    """The volume that a container has for its service account."""
    (name,) = (each["name"] for each in container["volumeMounts"] if each["mountPath"] == str(SERVICE_ACCOUNT))
    return next(each for each in volumes if each["name"] == name)


def test_the_operator_alone_has_the_token_and_has_all_that_would_be_mounted() -> None:
    pod, added = operators_pod(), added_by_pages()
    (operator,), (pages,) = pod["containers"], added["containers"]
    assert pod["automountServiceAccountToken"] is False
    sources = {
        kind: source
        for each in mounted(operator, pod["volumes"])["projected"]["sources"]
        for kind, source in each.items()
    }
    paths = [sources["serviceAccountToken"]["path"]]
    paths += [item["path"] for kind in ("configMap", "downwardAPI") for item in sources[kind]["items"]]
    assert sorted(paths) == ["ca.crt", "namespace", "token"]
    authority = mounted(pages, added["volumes"])
    assert authority["configMap"] == sources["configMap"]
    with_token = {each["name"] for each in pod["volumes"] if "serviceAccountToken" in str(each)}
    assert not with_token & {each["name"] for each in pages["volumeMounts"]}
    assert "serviceAccountToken" not in str(added)
