"""The steps of an environment in a child process: what is planned from an archive, and what is summed up."""

import asyncio
import hashlib
import io
import shutil
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import pytest_asyncio

from kai_snapshot.api.environmentdocument import EnvironmentDocument, Measurement, MeasurementType, Subtype
from kai_snapshot.api.environmentindex import EnvironmentIndex, EnvironmentPlan, NodeRecord, StoredDocument
from kai_snapshot.api.manifest import CaptureIdentity, Manifest
from kai_snapshot.environment.text import decode, encode
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.runs import environmentsteps as steps
from kai_snapshot.runs.request import EnvironmentRequest
from kai_snapshot.runs.spool import RESERVE
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
    return with_archive(NODES)


def with_archive(nodes: Mapping[str, Mapping[str, str]]) -> MemoryStore:
    content = snapshot(nodes)
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


async def closed(store: MemoryStore, wanted: EnvironmentRequest) -> EnvironmentIndex:
    await asyncio.to_thread(steps.close, store, wanted.model_copy(update={"step": "Close", "previous": BEFORE}))
    with store.open(FOLDER.environment(RUN).index) as file:
        return EnvironmentIndex.decode(file.read(), where="index")


def with_documents(store: MemoryStore, run: str, **nodes: bytes) -> tuple[NodeRecord, ...]:
    """Records of nodes, each with this document."""
    records = []
    for name, content in nodes.items():
        node = name.replace("_", "-")
        stored = StoredDocument(sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))
        records.append(NodeRecord(node=node, document=stored))
        store.put(FOLDER.environment(run).node(node), io.BytesIO(content))
        store.put(FOLDER.environment(run).record(node), io.BytesIO(records[-1].encode()))
    return tuple(records)


def with_index_before(store: MemoryStore, plan: EnvironmentPlan, nodes: tuple[NodeRecord, ...]) -> None:
    before = EnvironmentIndex(
        id=BEFORE, mode="PerNode", matching=3, cluster=plan.cluster, nodes=nodes, completed_at=MOMENT
    )
    store.put(FOLDER.environment(BEFORE).index, io.BytesIO(before.encode()))


def swapping(value: int) -> bytes:
    data = {"/proc/sys/vm/swappiness": str(value)}
    found = Measurement(type=MeasurementType.OS, subtypes=(Subtype(subtype="sysctl", data=data),))
    return encode(EnvironmentDocument.compose((found,), source_node="n", version="1", at=MOMENT, collectors=()), "yaml")


async def test_one_that_retention_took_before_is_not_compared_with(store: MemoryStore, tmp_path: Path) -> None:
    wanted = request(tmp_path, mode="SingleNode")
    for node in (await planned(store, wanted)).nodes:
        record = NodeRecord(node=node.name)
        store.put(FOLDER.environment(RUN).record(node.name), io.BytesIO(record.encode()))
    index = await closed(store, wanted)
    assert [each.node for each in index.nodes] == ["cpu-1"]
    assert index.drift is not None
    assert (index.drift.since, index.drift.changes) == (BEFORE, 0)
    assert index.drift.message.startswith("nothing was compared: ArchiveNotFound: ")


async def test_without_room_for_the_archive_the_step_is_tried_again(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "open_store", lambda *_, **__: store)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=RESERVE))  # and none for the archive
    said = await asyncio.to_thread(steps.answer, request(tmp_path))
    assert (said.kind, said.reason) == ("Transient", Reason.SPOOL_FULL)


async def test_a_disk_that_fails_while_the_drift_is_written_is_said_with_the_directory(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = request(tmp_path, mode="ClusterOnly")
    with_index_before(store, await planned(store, wanted), ())
    (tmp_path / "drift.json").mkdir()
    monkeypatch.setattr(steps, "open_store", lambda *_, **__: store)
    last = wanted.model_copy(update={"step": "Close", "previous": BEFORE})
    said = await asyncio.to_thread(steps.answer, last)
    assert (said.kind, said.reason) == ("Transient", Reason.SPOOL_FAILED)
    assert str(tmp_path) in said.message


@pytest.mark.parametrize(
    ("poison", "why"),
    [
        pytest.param(b"{", "InvalidEnvironment: ", id="damaged"),
        pytest.param(b" " * (steps.DOCUMENT_BYTES + 1), "StorageRefused: ", id="too large"),
        pytest.param(b"dense", "it takes more memory than this process may have", id="too dense"),
    ],
)
async def test_a_document_that_cannot_be_compared_keeps_back_neither_the_others_nor_the_index(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, poison: bytes, why: str
) -> None:
    def decoded(content: bytes, *, where: str) -> EnvironmentDocument:
        if content == b"dense":
            raise MemoryError
        return decode(content, where=where)

    monkeypatch.setattr(steps, "decode", decoded)
    wanted = request(tmp_path)
    plan = await planned(store, wanted)
    before = with_documents(store, BEFORE, cpu_1=swapping(60), gpu_1=poison, gpu_2=swapping(60))
    with_documents(store, RUN, cpu_1=swapping(10), gpu_1=swapping(60), gpu_2=swapping(20))
    with_index_before(store, plan, before)
    drift = (await closed(store, wanted)).drift
    assert drift is not None
    assert (drift.nodes, drift.changes) == (2, 2)
    assert drift.examples[0] == "cpu-1: OS.sysctl./proc/sys/vm/swappiness 60 -> 10"
    assert drift.message.startswith(f"not compared: gpu-1: {why}")
    with store.open(FOLDER.environment(RUN).drift) as file:
        kept = orjson.loads(file.read())
    assert (kept["since"], [len(each["changes"]) for each in kept["documents"]]) == (BEFORE, [1, 1])


async def test_what_could_not_be_read_again_is_not_stored(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "DOCUMENT_BYTES", 100)
    with pytest.raises(TerminalError, match=r"lower environment\.maxNodesPerEntry"):
        await planned(store, request(tmp_path))
    assert store.stat(FOLDER.environment(RUN).plan) is None


async def test_nodes_whose_names_no_key_can_have_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    store = with_archive({"gpu-1": {}, "n" * 253: {}, "n/../m": {}})
    plan = await planned(store, request(tmp_path))
    assert ([node.name for node in plan.nodes], plan.matching) == (["gpu-1"], 3)
    assert plan.collectors[0].message is not None
    assert "2 nodes are left out" in plan.collectors[0].message


async def test_no_secret_is_in_what_a_request_prints_as(tmp_path: Path) -> None:
    wanted = request(tmp_path).model_copy(update={"connection": ApiConnection(server="https://api", token="s3cr3t")})
    assert "s3cr3t" not in repr(wanted)
