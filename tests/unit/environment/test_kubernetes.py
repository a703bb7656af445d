"""What Kubernetes objects say, and what a stored snapshot does."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

from kai_snapshot.environment import cluster
from kai_snapshot.environment.kubernetes import of_node, policy, provider, server
from kai_snapshot.errors import Reason, TerminalError
from support.zips import archive as zipped


def pod(*containers: str, init: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "namespace": "a"},
        "spec": {
            "containers": [{"name": "c", "image": each} for each in containers],
            "initContainers": [{"name": "i", "image": each} for each in init],
        },
    }


def images(pods: Iterable[dict[str, Any]]) -> dict[str, str]:
    facts = cluster.ClusterFacts()
    for each in pods:
        facts.add_pod(each)
    return facts.images


@pytest.mark.parametrize(
    ("reference", "name", "tag"),
    [
        ("nginx", "nginx", "latest"),
        ("docker.io/library/nginx:1.21", "nginx", "1.21"),
        ("registry:5000/org/tool", "tool", "latest"),
        ("ghcr.io/kai-scheduler/kai-scheduler/scheduler:v0.17.0@sha256:abc", "scheduler", "v0.17.0"),
        ("ghcr.io/a/b@sha256:abc", "b", "latest"),
    ],
)
def test_an_image_is_its_last_part_and_its_tag(reference: str, name: str, tag: str) -> None:
    assert images([pod(reference)]) == {name: tag}


def test_the_images_are_of_all_containers_and_the_greatest_tag_counts() -> None:
    pods = [pod("a:2", init=("b:1",)), pod("a:1", ""), {"metadata": {"name": "x"}}]
    assert images(pods) == {"a": "2", "b": "1"}
    assert images(reversed(pods)) == {"a": "2", "b": "1"}


def test_a_policy_is_flat_text() -> None:
    spec = {
        "driver": {"version": "570", "enabled": True, "empty": {}, "none": None},
        "tolerations": [{"key": "gpu", "effect": "NoSchedule"}],
        "args": [],
        "count": 3,
        "share": 0.5,
    }
    assert policy([{"spec": spec}, {"spec": None}, {}]).data == {
        "driver.version": "570",
        "driver.enabled": "true",
        "driver.none": "<nil>",
        "tolerations": '[{"effect":"NoSchedule","key":"gpu"}]',
        "count": "3",
        "share": "0.5",
    }


def test_a_node_says_who_provides_it_and_what_runs_on_it() -> None:
    node = {
        "metadata": {"name": "gpu-1"},
        "spec": {"providerID": "aws:///eu-central-1a/i-0abc"},
        "status": {
            "nodeInfo": {
                "containerRuntimeVersion": "containerd://1.7.27",
                "kubeletVersion": "v1.33.5",
                "kernelVersion": "6.8.0",
                "operatingSystem": "linux",
                "osImage": "Ubuntu 24.04.3 LTS",
            }
        },
    }
    assert of_node(node).data == {
        "source-node": "gpu-1", "provider": "eks", "provider-id": "aws:///eu-central-1a/i-0abc",
        "container-runtime-id": "containerd://1.7.27", "container-runtime-name": "containerd",
        "container-runtime-version": "1.7.27", "kubelet-version": "v1.33.5", "kernel-version": "6.8.0",
        "operating-system": "linux", "os-image": "Ubuntu 24.04.3 LTS",
    }  # fmt: skip
    assert of_node({"metadata": {"name": "bare"}}).data == {"source-node": "bare"}


@pytest.mark.parametrize(
    ("provider_id", "name"),
    [
        ("aws:///a/b", "eks"),
        ("gce://p/z/n", "gke"),
        ("azure:///s", "aks"),
        ("oci://x", "oke"),
        ("Kind://a", "kind"),
        ("", ""),
    ],
)
def test_a_provider(provider_id: str, name: str) -> None:
    assert provider(provider_id) == name


def test_the_version_has_three_parts() -> None:
    answer = {"gitVersion": "v1.35.4", "platform": "linux/amd64", "goVersion": "go1.25", "major": "1"}
    assert server(answer).data == {"version": "v1.35.4", "platform": "linux/amd64", "goVersion": "go1.25"}


def test_a_stored_snapshot_has_version_images_nodes_and_topology(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(
        zipped(
            orjson.dumps(
                {
                    "config": {},
                    "schedulerParams": {},
                    "rawObjects": {
                        "pods": [pod("scheduler:v0.17.0")],
                        "nodes": [{"metadata": {"name": "n", "labels": {"zone": "a"}}}, {"metadata": {"name": "m"}}],
                    },
                    "discovery": {"serverVersion": {"gitVersion": "v1.35.4"}, "resources": []},
                }
            )
        )
    )
    facts = cluster.of_archive(archive)
    k8s = {part.subtype: part.data for part in facts.k8s("n").subtypes}
    assert k8s == {
        "server": {"version": "v1.35.4"}, "image": {"scheduler": "v0.17.0"}, "policy": {}, "node": {"source-node": "n"},
    }  # fmt: skip
    assert facts.topology.count == 2
    assert facts.k8s("other").subtypes[3].data == {}


def test_a_snapshot_with_something_else_in_its_lists_is_not_whole(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(zipped(orjson.dumps({"rawObjects": {"nodes": [{"metadata": {"labels": {}}}]}})))
    with pytest.raises(TerminalError, match=r"rawObjects\.nodes") as caught:
        cluster.of_archive(archive)
    assert caught.value.reason is Reason.INCOMPLETE_SNAPSHOT
