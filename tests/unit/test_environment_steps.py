"""The steps of an environment in a child process: what is planned from an archive, and what is summed up."""

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from kai_snapshot.api.environmentdocument import EnvironmentDocument
from kai_snapshot.api.environmentindex import EnvironmentIndex, EnvironmentPlan, NodeRecord
from kai_snapshot.api.manifest import CaptureIdentity, Manifest
from kai_snapshot.environment.text import decode
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.runs import environmentsteps as steps
from kai_snapshot.runs.request import EnvironmentRequest
from kai_snapshot.source import ApiConnection
from kai_snapshot.stores import layout
from kai_snapshot.stores.memory import MemoryStore
from support.apiserver import ApiServer, serving
from support.nodearchive import snapshot

pytestmark = pytest.mark.asyncio

RUN, BEFORE = "20261122T100000Z", "20261122T090000Z"
MOMENT = datetime(2026, 11, 22, 10, tzinfo=UTC)
FOLDER = layout.CaptureFolder("kai-snapshots", "hourly")
POLICIES = "/apis/nvidia.com/v1/clusterpolicies"
NODES = {"gpu-2": {"pool": "gpu", "zone": "a"}, "gpu-1": {"pool": "gpu", "zone": "b"}, "cpu-1": {"pool": "cpu"}}


@pytest_asyncio.fixture
async def api() -> AsyncIterator[ApiServer]:
    """A cluster with the GPU operator."""
    server = ApiServer()
    group = {"name": "nvidia.com", "preferredVersion": {"groupVersion": "nvidia.com/v1"}}
    server.objects = {
        "/apis": {"groups": [group]},
        "/apis/nvidia.com/v1": {"resources": [{"name": "clusterpolicies", "kind": "ClusterPolicy"}]},
    }
    server.lists = {POLICIES: [{"metadata": {"name": "p"}, "spec": {"driver": {"version": "570.158.01"}}}]}
    async with serving(server):
        yield server


@pytest.fixture
def store() -> MemoryStore:
    content = snapshot(NODES)
    sha256 = hashlib.sha256(content).hexdigest()
    manifest = Manifest(
        id=RUN,
        archive=layout.archive_name(RUN, sha256),
        capture=CaptureIdentity(namespace="kai-snapshots", name="hourly"),
        sha256=sha256,
        size_bytes=len(content),
        uncompressed_bytes=9,
        scheduled_for=MOMENT,
        captured_at=MOMENT,
        trigger="Manual",
    )
    store = MemoryStore()
    store.put(FOLDER.archive(RUN, sha256), io.BytesIO(content))
    store.put(FOLDER.manifest(RUN), io.BytesIO(manifest.encode()))
    return store


def request(spool: Path, url: str = "http://127.0.0.1:1", **environment: Any) -> EnvironmentRequest:
    return EnvironmentRequest.model_validate(
        {
            "step": "Plan",
            "id": RUN,
            "namespace": "kai-snapshots",
            "name": "hourly",
            "environment": {"mode": "PerNode", **environment},
            "connection": ApiConnection(server=url),
            "storage": {"s3": {"bucket": "archives"}},
            "claimsDir": "/claims",
            "spoolDir": spool,
        }
    )


async def planned(store: MemoryStore, wanted: EnvironmentRequest) -> EnvironmentPlan:
    await asyncio.to_thread(steps.plan, store, wanted)
    with store.open(FOLDER.environment(RUN).plan) as file:
        return EnvironmentPlan.decode(file.read(), where="plan")


def cluster_document(store: MemoryStore) -> EnvironmentDocument:
    with store.open(FOLDER.environment(RUN).cluster) as file:
        return decode(file.read(), where="cluster")


@pytest.mark.parametrize(
    ("environment", "nodes", "matching"),
    [
        pytest.param({}, ["cpu-1", "gpu-1", "gpu-2"], 3, id="all of them, by name"),
        pytest.param({"nodeSelector": {"pool": "gpu"}}, ["gpu-1", "gpu-2"], 2, id="with a label"),
        pytest.param({"nodeSelector": {"pool": "gpu", "zone": "a"}}, ["gpu-2"], 1, id="with all labels"),
        pytest.param({"nodeSelector": {"pool": "none"}}, [], 0, id="none"),
        pytest.param({"maxNodes": 1}, ["cpu-1"], 3, id="no more than wanted"),
        pytest.param({"mode": "SingleNode"}, ["cpu-1"], 3, id="one"),
        pytest.param({"mode": "ClusterOnly"}, [], 3, id="the cluster alone"),
    ],
)
async def test_nodes_are_those_of_the_archive(
    store: MemoryStore, tmp_path: Path, environment: dict[str, Any], nodes: list[str], matching: int
) -> None:
    plan = await planned(store, request(tmp_path, **environment))
    assert [node.name for node in plan.nodes] == nodes
    assert plan.matching == matching


async def test_the_clusters_document_is_of_the_moment_of_the_archive(store: MemoryStore, tmp_path: Path) -> None:
    plan = await planned(store, request(tmp_path))
    document = cluster_document(store)
    assert document.metadata["timestamp"] == "2026-11-22T10:00:00Z"
    assert [each.type for each in document.measurements] == ["K8s", "NodeTopology"]
    with store.open(FOLDER.environment(RUN).cluster) as file:
        assert plan.cluster.sha256 == hashlib.sha256(file.read()).hexdigest()


async def test_cluster_policies_come_from_the_api_server(store: MemoryStore, tmp_path: Path, api: ApiServer) -> None:
    plan = await planned(store, request(tmp_path, api.url))
    policy = cluster_document(store).measurements[0].subtype("policy")
    assert policy is not None
    assert policy.data == {"driver.version": "570.158.01"}
    assert policy.lacks is None
    assert [each.message for each in plan.collectors] == [None, None]


async def test_that_they_may_not_be_listed_is_said_and_nothing_else_is_lost(
    store: MemoryStore, tmp_path: Path, api: ApiServer
) -> None:
    api.statuses[POLICIES] = 403
    plan = await planned(store, request(tmp_path, api.url))
    (told, _) = plan.collectors
    assert told.message is not None
    assert told.message.startswith("ClusterPolicies: Forbidden: ")
    policy = cluster_document(store).measurements[0].subtype("policy")
    assert policy is not None
    assert (policy.lacks or "").startswith("Forbidden: "), "it must not look like a cluster that has none"
    assert len(plan.nodes) == 3


async def test_an_archive_that_was_changed_is_not_read(store: MemoryStore, tmp_path: Path) -> None:
    (key,) = (entry.key for entry in store.list() if entry.key.endswith(".zip"))
    store.put(key, io.BytesIO(snapshot({})))
    with pytest.raises(TerminalError) as error:
        await asyncio.to_thread(steps.plan, store, request(tmp_path))
    assert error.value.reason == Reason.CHECKSUM_MISMATCH


async def test_one_that_retention_took_before_is_not_compared_with(store: MemoryStore, tmp_path: Path) -> None:
    wanted = request(tmp_path, mode="SingleNode")
    plan = await planned(store, wanted)
    for node in plan.nodes:
        record = NodeRecord(node=node.name)
        store.put(FOLDER.environment(RUN).record(node.name), io.BytesIO(record.encode()))
    await asyncio.to_thread(steps.close, store, wanted.model_copy(update={"step": "Close", "previous": BEFORE}))
    with store.open(FOLDER.environment(RUN).index) as file:
        index = EnvironmentIndex.decode(file.read(), where="index")
    assert (index.drift, [each.node for each in index.nodes]) == (None, ["cpu-1"])


async def test_no_secret_is_in_what_a_request_prints_as(tmp_path: Path) -> None:
    wanted = request(tmp_path).model_copy(update={"connection": ApiConnection(server="https://api", token="s3cr3t")})
    assert "s3cr3t" not in repr(wanted)
