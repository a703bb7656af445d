"""The environment of a cluster: a Job for each node, followed to its document, and nothing left behind."""

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from kai_snapshot.api.environmentdocument import (
    NEWER_API_VERSION,
    CollectorStatus,
    Measurement,
    MeasurementType,
    Subtype,
)
from kai_snapshot.environment import frame
from kai_snapshot.environment.assemble import assemble
from kai_snapshot.environment.configmap import config_map
from kai_snapshot.environment.diff import diff
from kai_snapshot.environment.text import decode
from kai_snapshot.errors import Reason, SnapshotError
from kai_snapshot.jobs.environment import NodeLook
from kai_snapshot.runs import nodes
from kai_snapshot.runs.nodes import NodeResult, NodesWanted, apply_config_maps, of_cluster, of_nodes
from kai_snapshot.source import ApiConnection
from support.apiserver import ApiServer, serving

Object = dict[str, Any]
AT = datetime(2026, 3, 12, 9, 41, 27, tzinfo=UTC)
JOBS = "/apis/batch/v1/namespaces/env/jobs"
PODS = "/api/v1/namespaces/env/pods"
LOOK = NodeLook(image="kai-snapshot-operator:1.0.0")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(nodes, "PODLESS_SECONDS", 0.05)


def printed(node: str) -> str:
    """What a pod on that node writes to its log."""
    os = Measurement(type="OS", subtypes=(Subtype(subtype="release", data={"ID": node}),))
    document = assemble([os], (), node_name=node, at=AT, api_version="aicr.nvidia.com/v1alpha1")
    return f"gpu: Succeeded\n{frame.encode(document)}"


def node_of(job: Object) -> str:
    terms = job["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
    (term,) = terms["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    (name,) = term["matchFields"][0]["values"]
    assert isinstance(name, str)
    return name


def cluster(*names: str) -> ApiServer:
    """A cluster of these nodes, in which every pod succeeds at once."""
    server = ApiServer(places={JOBS})
    server.lists["/api/v1/nodes"] = [
        {"metadata": {"name": name, "labels": {"gpu": "true" if name.startswith("gpu") else "false"}}} for name in names
    ]
    server.lists["/api/v1/pods"] = [
        {"metadata": {"name": "p"}, "spec": {"containers": [{"image": "scheduler:v0.17.0"}]}}
    ]
    server.objects["/version"] = {"gitVersion": "v1.35.4"}
    server.objects["/apis"] = {
        "groups": [{"name": "nvidia.com", "preferredVersion": {"groupVersion": "nvidia.com/v1"}}]
    }
    server.objects["/apis/nvidia.com/v1"] = {
        "resources": [
            {"name": "clusterpolicies", "kind": "ClusterPolicy"},
            {"name": "clusterpolicies/status", "kind": "ClusterPolicy"},
        ]
    }
    server.lists["/apis/nvidia.com/v1/clusterpolicies"] = [{"spec": {"driver": {"version": "570"}}}]
    server.lists["/api/v1/namespaces/env/events"] = []
    server.lists[PODS] = []
    server.created = lambda path, job: run(server, job, "Succeeded", log=printed(node_of(job)))
    return server


def run(server: ApiServer, job: Object, phase: str, *, log: str = "", **status: Any) -> None:
    """As the Job controller and the kubelet do."""
    name = job["metadata"]["name"]
    labels = {"batch.kubernetes.io/job-name": name}
    pod = {"metadata": {"name": f"{name}-x", "labels": labels}, "status": {"phase": phase, **status}}
    server.lists[PODS].append(pod)
    server.texts[f"{PODS}/{name}-x/log"] = log


def look(server: ApiServer, **wanted: Any) -> tuple[list[NodeResult], list[str]]:
    said: list[str] = []

    async def conversation() -> list[NodeResult]:
        async with serving(server):
            connection = ApiConnection(server=server.url)
            return await of_nodes(connection, NodesWanted(namespace="env", **wanted), LOOK, tell=said.append)

    return asyncio.run(conversation()), said


def created(server: ApiServer) -> list[Object]:
    return [content for method, _, content in server.writes if method == "POST"]


def removed(server: ApiServer) -> list[str]:
    return [path.rpartition("/")[2] for method, path, _ in server.writes if method == "DELETE"]


def test_every_node_has_a_document_with_what_is_known_of_its_cluster() -> None:
    server = cluster("gpu-1", "gpu-2")
    results, _ = look(server, api_version=NEWER_API_VERSION)
    assert [each.node for each in results] == ["gpu-1", "gpu-2"]
    for result in results:
        document = result.document
        assert document is not None
        assert document.source_node == result.node
        assert document.api_version == "aicr.run/v1"
        assert [each.type for each in document.measurements] == ["K8s", "OS", "NodeTopology"]
        k8s = document.measurement(MeasurementType.K8S)
        assert k8s is not None
        assert {each.subtype: dict(each.data) for each in k8s.subtypes} == {
            "server": {"version": "v1.35.4"}, "image": {"scheduler": "v0.17.0"}, "policy": {"driver.version": "570"},
            "node": {"source-node": result.node},
        }  # fmt: skip
        assert {each.name for each in document.collectors} == {"k8s", "topology"}


def test_no_two_runs_make_jobs_of_one_name_and_nothing_is_left() -> None:
    server = cluster("a", "b")
    look(server)
    look(server)
    made = [each["metadata"]["name"] for each in created(server)]
    assert len(set(made)) == 4
    assert all(re.fullmatch(r"kai-snapshot-env-[0-9a-f]{8}-[01]", each) for each in made)
    assert sorted(removed(server)) == sorted(made)


def test_what_a_kill_leaves_behind_goes_by_itself() -> None:
    server = cluster("a")
    look(server, cleanup=False)
    assert removed(server) == []
    (job,) = created(server)
    assert job["spec"]["ttlSecondsAfterFinished"] > 0
    assert job["spec"]["activeDeadlineSeconds"] > 300


def test_a_run_that_is_stopped_removes_its_jobs() -> None:
    server = cluster("a", "b")
    both = asyncio.Event()

    def kubelet(path: str, job: Object) -> None:
        run(server, job, "Running")
        if len(created(server)) == 2:
            both.set()

    server.created = kubelet

    async def stopped() -> None:
        async with serving(server):
            connection, wanted = ApiConnection(server=server.url), NodesWanted(namespace="env")
            task = asyncio.create_task(of_nodes(connection, wanted, LOOK, tell=lambda line: None))
            await both.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(stopped())
    assert sorted(removed(server)) == sorted(each["metadata"]["name"] for each in created(server))


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ({}, ["a", "gpu-1", "gpu-2"]),
        ({"selector": "gpu=true"}, ["gpu-1", "gpu-2"]),
        ({"names": ["gpu-2", "a"]}, ["a", "gpu-2"]),
        ({"max_nodes": 1}, ["a"]),
        ({"parallelism": 1}, ["a", "gpu-1", "gpu-2"]),
    ],
)
def test_nodes_are_chosen(wanted: dict[str, Any], chosen: list[str]) -> None:
    server = cluster("gpu-2", "gpu-1", "a")
    results, said = look(server, **wanted)
    assert [each.node for each in results] == chosen
    assert sorted(node_of(each) for each in created(server)) == chosen
    assert bool(wanted.get("max_nodes")) == any("the first 1 by name" in line for line in said)


@pytest.mark.parametrize("wanted", [{"selector": "gpu=no"}, {"names": ["a", "gone"]}])
def test_a_node_that_is_not_there_is_told_before_anything_is_made(wanted: dict[str, Any]) -> None:
    server = cluster("a")
    with pytest.raises(SnapshotError) as caught:
        look(server, **wanted)
    assert caught.value.reason is Reason.NODE_NOT_FOUND
    assert server.writes == []


ENDED = {
    "containerStatuses": [{"name": "environment", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]
}


@pytest.mark.parametrize(
    ("phase", "status", "log", "says"),
    [
        ("Failed", ENDED, "", "status 137 (OOMKilled)"),
        ("Succeeded", {}, "nothing", "no whole document"),
        ("Succeeded", {}, printed("../good"), "about another node"),
        ("Pending", {"conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no room"}
        ]}, "", "nothing came within 1 s: Unschedulable: no room"),
    ],
    ids=["killed", "without a document", "of another node", "never scheduled"],
)  # fmt: skip
def test_a_node_that_fails_does_not_end_the_others(phase: str, status: Object, log: str, says: str) -> None:
    server = cluster("bad", "good")

    def kubelet(path: str, job: Object) -> None:
        if node_of(job) == "bad":
            run(server, job, phase, log=log, **status)
        else:
            run(server, job, "Succeeded", log=printed("good"))

    server.created = kubelet
    bad, good = look(server, timeout_seconds=1)[0]
    assert good.document is not None
    assert bad.error is not None
    assert bad.error.reason is Reason.COLLECTION_FAILED
    assert says in bad.error.message
    assert len(removed(server)) == 2


def test_a_pod_that_may_not_be_made_is_told_at_once() -> None:
    server = cluster("a")
    server.created = lambda path, job: None
    server.lists["/api/v1/namespaces/env/events"] = [
        {"metadata": {"name": "e"}, "message": 'pods "x" is forbidden: violates PodSecurity "restricted:latest"'}
    ]
    (result,), _ = look(server, timeout_seconds=60)
    assert result.error is not None
    assert "violates PodSecurity" in result.error.message


def test_what_the_pods_wrote_beside_their_documents_can_be_seen() -> None:
    assert "a: gpu: Succeeded" in look(cluster("a"))[1]


def test_no_such_namespace_is_told() -> None:
    server = cluster("a")
    server.places = set()
    (result,), _ = look(server)
    assert result.error is not None
    assert result.error.reason is Reason.INVALID_SPEC
    assert "no namespace env" in result.error.message


def test_a_right_that_is_missing_is_said_in_the_document() -> None:
    server = cluster("a")
    server.statuses["/api/v1/pods"] = 403
    (result,), _ = look(server)
    assert result.document is not None
    k8s = next(each for each in result.document.collectors if each.name == "k8s")
    assert k8s.status is CollectorStatus.SUCCEEDED
    assert "May not list pods" in (k8s.message or "")
    (whole,), _ = look(cluster("a"))
    assert whole.document is not None
    drift = diff(whole.document, result.document)
    assert (drift.changes, drift.not_compared) == ((), ("K8s.image",)), "nobody removed the images"


def test_a_cluster_is_known_without_a_pod() -> None:
    server = cluster("a", "b")

    async def conversation() -> Any:
        async with serving(server):
            connection = ApiConnection(server=server.url)
            return await of_cluster(connection, api_version="aicr.nvidia.com/v1alpha1", max_nodes_per_entry=1)

    document = asyncio.run(conversation())
    assert document.source_node == "cluster"
    assert [each.type for each in document.measurements] == ["K8s", "NodeTopology"]
    topology = document.measurement(MeasurementType.NODE_TOPOLOGY)
    assert topology is not None
    assert topology.subtype("label").data == {"gpu": "false|a (+1 more)"}
    assert server.writes == []


def test_a_document_is_written_into_a_config_map_by_server_side_apply() -> None:
    server = ApiServer(places={"/api/v1/namespaces/env/configmaps/"})

    document = frame.decode(printed("a"), where="x")
    assert document is not None

    async def conversation() -> None:
        async with serving(server):
            made = config_map(document, "yaml", namespace="env", name="a")
            await apply_config_maps(ApiConnection(server=server.url), [made])

    asyncio.run(conversation())
    ((method, path, content),) = server.writes
    assert (method, path) == ("PATCH", "/api/v1/namespaces/env/configmaps/a")
    assert server.requests == [f"PATCH {path}?fieldManager=kai-snapshot&force=true"]
    assert decode(content["data"]["snapshot.yaml"].encode(), where="x") == document
