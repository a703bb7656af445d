"""The Helm chart comes to what kustomize comes to, and Helm takes over what kustomize installed."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_kind.cluster import KindCluster

from chart.render import CHART
from chart.sources import components
from stage import stage
from stage.kube import Kube
from stage.stage import Cast
from support.helm import KEPT, Helm, HelmError, by_name
from support.operatorpod import Operator
from toolchain.places import CHECKOUT

EXACTLY = {"namespace": {"create": True}, "crds": {"keep": False}}
VALUES: dict[str, dict[str, Any]] = {
    **{name: {name: {"enabled": True}} for name in components()},
    "claim": {"claims": ["archives"]},
    "namespace": {"namespaces": ["team-a"]},
}
"""What a component is in the chart."""
ALL: dict[str, Any] = {key: value for values in VALUES.values() for key, value in values.items()}
NEEDS = {"pages": ("claim", "pages")}


@pytest.fixture
def helm(tmp_path: Path) -> Helm:
    return Helm(tmp_path / "helm")


def kustomized(kube: Kube, directory: Path, *names: str) -> list[Any]:
    """What kustomize makes of the base and these components."""
    overlay = directory / "overlay"
    overlay.mkdir()
    inside = Path(*[".."] * (len(overlay.resolve().parts) - 1)) / CHECKOUT.relative_to("/") / "manifests"
    kustomization = {
        "resources": [str(inside)],
        "components": [str(inside / "components" / each) for each in names],
    }
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return list(yaml.safe_load_all(kube.run("kustomize", str(overlay))))


@pytest.mark.parametrize(
    "names",
    [(), *(NEEDS.get(name, (name,)) for name in components()), tuple(components())],
    ids="+".join,
)
def test_helm_comes_to_exactly_what_kustomize_comes_to(
    kube: Kube, helm: Helm, tmp_path: Path, names: tuple[str, ...]
) -> None:
    values = {key: value for name in names for key, value in VALUES[name].items()}
    ours = by_name(helm.objects(stage.NAMESPACE, {**EXACTLY, **values}))
    assert ours == by_name(kustomized(kube, tmp_path, *names))


def test_by_default_the_namespace_is_helms_to_make_and_the_kinds_outlive_the_release(
    kube: Kube, helm: Helm, tmp_path: Path
) -> None:
    wanted = by_name(kustomized(kube, tmp_path))
    del wanted["Namespace", "", stage.NAMESPACE]
    for (kind, _, _), each in wanted.items():
        if kind == "CustomResourceDefinition":
            each["metadata"]["annotations"] = KEPT
    assert by_name(helm.objects(stage.NAMESPACE, {})) == wanted


def test_in_another_namespace_nothing_is_left_of_the_first(helm: Helm) -> None:
    objects = helm.objects("elsewhere", {**EXACTLY, **ALL})
    # captures, replays and what describes them may name any namespace
    text = yaml.safe_dump([each for each in objects if each["kind"] != "CustomResourceDefinition"])
    assert "kai-snapshots" not in text
    assert "elsewhere" in text


def test_values_reach_the_pod(helm: Helm) -> None:
    values: dict[str, Any] = {
        "image": {"repository": "registry.example.com/operator", "tag": "1", "digest": f"sha256:{'0' * 64}"},
        "imagePullSecrets": [{"name": "pull"}],
        "settings": {"KAI_SNAPSHOT_TOOL_IMAGE": "tool:{version}", "KAI_SNAPSHOT_CONCURRENT_CAPTURES": 3},
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "resources": {"limits": {"memory": "2Gi"}},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "system-cluster-critical",
        "podAnnotations": {"example.com/a": "b"},
        "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn"}},
        "pages": {
            "enabled": True,
            "s3": {"uri": "s3://bucket/prefix", "credentialsSecret": "reader"},
            "args": ["--behind-tls"],
            "resources": {"limits": {"memory": "3Gi"}},
        },
    }
    objects = by_name(helm.objects(stage.NAMESPACE, values))
    deployment = objects["Deployment", stage.NAMESPACE, stage.OPERATOR]
    template = deployment["spec"]["template"]
    pod = template["spec"]
    operator, pages = pod["containers"]
    image = f"registry.example.com/operator:1@sha256:{'0' * 64}"
    assert [container["image"] for container in (operator, pages)] == [image, image]
    environment = {each["name"]: each.get("value") for each in operator["env"]}
    assert environment["KAI_SNAPSHOT_TOOL_IMAGE"] == "tool:{version}"
    assert environment["KAI_SNAPSHOT_CONCURRENT_CAPTURES"] == "3"
    assert environment["HTTPS_PROXY"] == "http://proxy:3128"
    for name in ("imagePullSecrets", "nodeSelector", "tolerations", "affinity", "priorityClassName"):
        assert pod[name] == values[name]
    assert [container["resources"]["limits"] for container in (operator, pages)] == [
        {"memory": "2Gi"},
        {"memory": "3Gi"},
    ]
    assert values["podAnnotations"].items() <= template["metadata"]["annotations"].items()
    account = objects["ServiceAccount", stage.NAMESPACE, stage.OPERATOR]
    assert account["metadata"]["annotations"] == values["serviceAccount"]["annotations"]
    assert {"--s3=s3://bucket/prefix", "--behind-tls"} <= set(pages["args"])
    assert pages["envFrom"] == [{"secretRef": {"name": "reader"}}]
    assert not [mount for mount in pages["volumeMounts"] if mount["name"].startswith("claim-")]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"setings": {}}, "additional properties 'setings' not allowed"),
        ({"settings": {"KAI_SNAPSHOT_TOOL": "x"}}, "additional properties 'KAI_SNAPSHOT_TOOL' not allowed"),
        ({"namespaces": ["Team A"]}, "does not match pattern"),
        ({"pages": {"enabled": True}}, 'pages.claim is "archives", which claims does not name'),
    ],
)
def test_values_that_come_to_nothing_are_refused(helm: Helm, values: dict[str, Any], says: str) -> None:
    with pytest.raises(HelmError, match=says):
        helm.objects(stage.NAMESPACE, values)


def test_helm_finds_nothing_wrong_with_the_chart(helm: Helm) -> None:
    assert "0 chart(s) failed" in helm.run("lint", "--strict", str(CHART))


def test_helm_takes_over_what_kustomize_installed_and_the_operator_runs_on(
    kube: Kube, kind_cluster: KindCluster, helm: Helm, players: Cast, operator: Operator
) -> None:
    repository, _, tag = players.operator.reference.rpartition(":")
    values = {
        **{name: ALL[name] for name in ("claims", "namespaces", "pages")},
        "image": {"repository": repository, "tag": tag},
        "extraEnv": [  # in the order that the stage has them: another would be another pod
            {"name": "KAI_SNAPSHOT_TOOL_IMAGE", "value": players.tool_template},
            {"name": "KAI_SNAPSHOT_PRIVILEGED_NAMESPACES", "value": f"{stage.NAMESPACE},{stage.OTHER_NAMESPACE}"},
        ],
    }
    where = [f"--namespace={stage.NAMESPACE}", f"--kubeconfig={kind_cluster.kubeconfig_path.absolute()}"]
    taking = ["--take-ownership", "--force-conflicts"]
    before = kube.list("pods", stage.NAMESPACE, selector="app.kubernetes.io/component=operator")
    try:
        helm.run("install", "kai-snapshot", str(CHART), *where, *taking, values=values)
        helm.run("upgrade", "kai-snapshot", str(CHART), *where, values=values)
        owned = kube.get("deployment", stage.OPERATOR, stage.NAMESPACE)
        assert owned is not None
        assert owned["metadata"]["annotations"]["meta.helm.sh/release-name"] == "kai-snapshot"
        kube.rolled_out(stage.OPERATOR, stage.NAMESPACE)
        after = kube.list("pods", stage.NAMESPACE, selector="app.kubernetes.io/component=operator")
        assert [pod["metadata"]["uid"] for pod in after] == [pod["metadata"]["uid"] for pod in before]
    finally:  # the release is forgotten, and what it is made of stays
        kube.run("delete", "secret", f"--namespace={stage.NAMESPACE}", "--selector=owner=helm")
