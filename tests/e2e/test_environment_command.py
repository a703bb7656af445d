"""`kai-snapshot environment` on a real cluster: a Job on a node, a document from its log, nothing left behind."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pytest_kind.cluster import KindCluster

from kai_snapshot.api.environmentdocument import CollectorStatus, EnvironmentDocument, MeasurementType
from kai_snapshot.environment.text import decode, decode_all
from stage import stage
from stage.kube import Kube
from support import aicr

SCHEMA = json.loads((Path(__file__).parents[1] / "data/environment/aicr-snapshot.schema.json").read_bytes())
Done = subprocess.CompletedProcess[bytes]
Command = Callable[..., Done]


@pytest.fixture
def environment(kube: Kube, kind_cluster: KindCluster) -> Command:
    """Runs the command with the cluster's kubeconfig."""

    def run(*arguments: str) -> Done:
        program = Path(sys.executable).with_name("kai-snapshot")
        words = [program, "environment", *arguments, "--kubeconfig", kind_cluster.kubeconfig_path]
        return subprocess.run(words, capture_output=True, timeout=300, check=False)

    return run


@pytest.fixture
def workplace(kube: Kube, tag: str) -> Iterator[str]:
    """A namespace that lets pods see their node."""
    name = f"environment-{tag}"
    labels = {"pod-security.kubernetes.io/enforce": "privileged"}
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    yield name
    kube.delete("namespace", name, wait=False)


@pytest.fixture
def node(kube: Kube) -> str:
    """The node with a kubelet."""
    name = kube.list("pods", stage.NAMESPACE)[0]["spec"]["nodeName"]
    assert isinstance(name, str)
    return name


def document(done: Done) -> EnvironmentDocument:
    assert done.returncode == 0, done.stderr.decode()
    return decode(done.stdout, where="standard output")


def types(found: EnvironmentDocument) -> list[str]:
    return [each.type for each in found.measurements]


def test_a_node_is_looked_at_where_only_restricted_pods_may_run(environment: Command, kube: Kube, node: str) -> None:
    done = environment("nodes", node, "-o", "json")
    found = document(done)
    Draft202012Validator(SCHEMA).validate(json.loads(done.stdout))
    metadata, _ = aicr.read_json(done.stdout)
    assert metadata["source-node"] == node
    assert types(found) == ["K8s", "GPU", "OS", "NodeTopology"]
    (systemd,) = (each for each in found.collectors if each.name == "systemd")
    assert systemd.status is CollectorStatus.FAILED
    assert "--privileged" in (systemd.message or "")
    os = found.measurement(MeasurementType.OS)
    assert os is not None
    assert os.subtype("release") is None, "the container's own is not the node's"
    info = kube.list("nodes")[0]["status"]["nodeInfo"]
    sysctl = os.subtype("sysctl")
    assert sysctl is not None
    assert sysctl.data["/proc/sys/kernel/osrelease"] == info["kernelVersion"]
    assert kube.list("jobs", stage.NAMESPACE, selector="app.kubernetes.io/managed-by=kai-snapshot") == []


def test_with_privileges_it_sees_the_nodes_distribution(
    environment: Command, workplace: str, node: str, kube: Kube
) -> None:
    image = kube.get("deployment", stage.OPERATOR, stage.NAMESPACE)
    assert image is not None
    reference = image["spec"]["template"]["spec"]["containers"][0]["image"]
    found = document(environment("nodes", node, "--privileged", "-n", workplace, "--image", reference))
    os = found.measurement(MeasurementType.OS)
    assert os is not None
    release = os.subtype("release")
    assert release is not None
    assert release.data["ID"]


def test_privileges_that_the_namespace_forbids_are_told(environment: Command, node: str) -> None:
    done = environment("nodes", node, "--privileged", "--timeout", "60")
    assert done.returncode == 3
    assert b"CollectionFailed" in done.stderr
    assert b"violates PodSecurity" in done.stderr


def test_a_gpu_that_is_required_and_not_there_is_a_finding(environment: Command, node: str) -> None:
    done = environment("nodes", node, "--require-gpu")
    assert done.returncode == 1
    assert f"GPUNotFound: A GPU is required, and {node} shows none" in done.stderr.decode()


def test_two_at_once_do_not_collide(environment: Command, node: str) -> None:
    with ThreadPoolExecutor(2) as both:
        found = list(both.map(lambda _: document(environment("nodes", node)), range(2)))
    assert [each.source_node for each in found] == [node, node]


def test_a_document_is_kept_in_a_config_map(environment: Command, kube: Kube, tag: str, tmp_path: Path) -> None:
    for _ in range(2):  # made, and then taken over
        done = environment("cluster", "-f", f"cm://{stage.NAMESPACE}/environment-{tag}")
        assert done.returncode == 0, done.stderr.decode()
    kept = kube.get("configmap", f"environment-{tag}", stage.NAMESPACE)
    assert kept is not None
    _, values = aicr.read_yaml(kept["data"]["snapshot.yaml"].encode())
    assert values["NodeTopology"]["summary"]["node-count"] == len(kube.list("nodes"))
    whole = ("--output=json", "--show-managed-fields")
    shown = kube.run("get", "configmap", f"environment-{tag}", f"--namespace={stage.NAMESPACE}", *whole)
    assert {each["manager"] for each in json.loads(shown)["metadata"]["managedFields"]} == {"kai-snapshot"}
    file = tmp_path / "a.yaml"
    file.write_text(kept["data"]["snapshot.yaml"])
    assert len(decode_all(file.read_bytes(), where="x")) == 1
    kube.delete("configmap", f"environment-{tag}", stage.NAMESPACE)
