"""The two steps of an environment that take time and memory, each in a child process of the operator.

Plan reads the archive: what it says of the cluster, and which nodes are to be recorded. Close sums up what was
recorded, and compares it with the environment before.
"""

import asyncio
import hashlib
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Final

import orjson

from kai_snapshot import __version__
from kai_snapshot.api.environmentdocument import (
    CollectorReport,
    CollectorStatus,
    EnvironmentDocument,
    MeasurementType,
)
from kai_snapshot.api.environmentdrift import EnvironmentDrift
from kai_snapshot.api.environmentindex import (
    EnvironmentIndex,
    EnvironmentPlan,
    PlannedNode,
    StoredDocument,
)
from kai_snapshot.api.environmentspec import DriftBrief
from kai_snapshot.environment.assemble import CLUSTER
from kai_snapshot.environment.cluster import ClusterFacts, of_archive
from kai_snapshot.environment.diff import diff
from kai_snapshot.environment.text import decode, encode
from kai_snapshot.environment.topology import Label
from kai_snapshot.errors import Reason, SnapshotError, TerminalError
from kai_snapshot.runs import catalog
from kai_snapshot.runs.download import download
from kai_snapshot.runs.environmentplans import INDEX_BYTES, load_index, load_plan, load_record
from kai_snapshot.runs.request import Answer, EnvironmentRequest
from kai_snapshot.source import ApiConnection, KubernetesApi
from kai_snapshot.source.clusterfacts import policies
from kai_snapshot.stores import Store, layout, open_store, read

POLICY_SECONDS: Final = 30
DOCUMENT_BYTES: Final = 16 << 20
READERS: Final = 8
EXAMPLES: Final = 3
_THE_CLUSTER: Final = "the cluster"
"""What no node can be called."""


def answer(request: EnvironmentRequest) -> Answer:
    """One step, with its failure as an answer."""
    try:
        store = open_store(
            request.storage,
            credentials=request.keys,
            ca=request.ca.encode() if request.ca is not None else None,
            claims_root=request.claims_dir,
        )
        (plan if request.step == "Plan" else close)(store, request)
    except SnapshotError as error:
        return Answer.of(error)
    except MemoryError:
        message = "the process that reads the archive reached its memory limit: please report the size of the cluster"
        return Answer.of(TerminalError(Reason.OUT_OF_MEMORY, message))
    return Answer()


def plan(store: Store, request: EnvironmentRequest) -> None:
    """Stores the document of the cluster and then the plan. Raises SnapshotError."""
    folder = layout.CaptureFolder(request.namespace, request.name)
    manifest = catalog.manifest(store, folder.manifest(request.id))
    archive = request.spool_dir / "snapshot.zip"
    download(store, folder.prefix + manifest.archive, archive, sha256=manifest.sha256, progress=lambda _: None)
    wanted = request.environment
    started = time.monotonic()
    facts = of_archive(archive)
    lacks = asyncio.run(_add_policies(facts, request.connection))
    took = round(time.monotonic() - started, 3)
    reports = (
        CollectorReport(name="k8s", status=CollectorStatus.SUCCEEDED, duration_seconds=took, message=lacks),
        CollectorReport(name="topology", status=CollectorStatus.SUCCEEDED, duration_seconds=took),
    )
    matching = _matching(facts, wanted.node_selector)
    measurements = (facts.k8s(), facts.topology.measurement(wanted.max_nodes_per_entry))
    document = EnvironmentDocument.compose(
        measurements, source_node=CLUSTER, version=__version__, at=manifest.captured_at, collectors=reports
    )
    here = folder.environment(request.id)
    planned = EnvironmentPlan(
        mode=wanted.mode,
        matching=len(matching),
        nodes=tuple(PlannedNode(name=name, facts=facts.nodes[name]) for name in matching[: wanted.nodes_wanted]),
        measurements=measurements,
        collectors=reports,
        cluster=put_document(store, here.cluster, document),
    )
    store.put(here.plan, io.BytesIO(planned.encode()))


async def _add_policies(facts: ClusterFacts, connection: ApiConnection) -> str | None:
    """ClusterPolicies, which are in no archive. Why they are not there: rights are missing, the API server is away."""
    try:
        async with asyncio.timeout(POLICY_SECONDS), KubernetesApi.connect(connection) as api:
            await policies(api, facts)
    except SnapshotError as error:
        return f"ClusterPolicies: {error.reason}: {error.message}"
    except TimeoutError:
        return f"ClusterPolicies: the API server did not answer within {POLICY_SECONDS} s"
    return None


def _matching(facts: ClusterFacts, selector: Mapping[str, str]) -> list[str]:
    """The nodes with all these labels, by name."""
    found = set(facts.nodes)
    for key, value in selector.items():
        found &= set(facts.topology.labels.get(Label(key, value), ()))
    return sorted(found)


def put_document(store: Store, key: str, document: EnvironmentDocument) -> StoredDocument:
    """Stores a document in YAML. Raises SnapshotError."""
    content = encode(document, "yaml")
    store.put(key, io.BytesIO(content))
    return StoredDocument(sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))


def close(store: Store, request: EnvironmentRequest) -> None:
    """Stores what changed since the environment before, and then the index. Raises SnapshotError."""
    folder = layout.CaptureFolder(request.namespace, request.name)
    here = folder.environment(request.id)
    planned = load_plan(store, here)
    with ThreadPoolExecutor(READERS) as readers:
        records = tuple(readers.map(lambda node: load_record(store, here, node.name), planned.nodes))
    index = EnvironmentIndex(
        id=request.id,
        mode=planned.mode,
        matching=planned.matching,
        cluster=planned.cluster,
        nodes=records,
        completed_at=datetime.now(UTC),
    )
    if request.previous is not None:
        index = index.model_copy(update={"drift": _drift(store, folder, index, since=request.previous)})
    store.put(here.index, io.BytesIO(index.encode()))


def _drift(store: Store, folder: layout.CaptureFolder, index: EnvironmentIndex, *, since: str) -> DriftBrief | None:
    """None if there is nothing to compare with: retention may have taken it meanwhile."""
    before = folder.environment(since)
    try:
        earlier = load_index(read(store, before.index, limit=INDEX_BYTES), before)
        found = list(_drifts(store, before, folder.environment(index.id), earlier, index))
    except TerminalError as error:
        if error.reason not in (Reason.ARCHIVE_NOT_FOUND, Reason.INVALID_ENVIRONMENT):
            raise
        return None
    content = orjson.dumps({"since": since, "documents": [each.dump() for _, each in found if each.changes]})
    store.put(folder.environment(index.id).drift, io.BytesIO(content))
    return brief(found, since=since)


def brief(found: Sequence[tuple[str, EnvironmentDrift]], *, since: str) -> DriftBrief:
    """What a status says of what changed, by the node or the cluster."""
    changed = [(name, each) for name, each in found if each.changes]
    examples = (
        f"{name}: {change.path} {change.baseline if change.baseline is not None else '(none)'} -> "
        f"{change.target if change.target is not None else '(none)'}"
        for name, each in changed
        for change in each.changes
    )
    return DriftBrief(
        since=since,
        nodes=sum(name != _THE_CLUSTER for name, _ in changed),
        changes=sum(len(each.changes) for _, each in changed),
        examples=tuple(example[:200] for example, _ in zip(examples, range(EXAMPLES), strict=False)),
    )


def _drifts(
    store: Store,
    before: layout.EnvironmentFolder,
    here: layout.EnvironmentFolder,
    earlier: EnvironmentIndex,
    index: EnvironmentIndex,
) -> Iterator[tuple[str, EnvironmentDrift]]:
    """Of the cluster, and of each node that has a document on both sides, without what they say of the cluster."""
    if earlier.cluster.sha256 != index.cluster.sha256:
        yield _THE_CLUSTER, _compared(store, before.cluster, here.cluster, of_node=False)
    known = {record.node for record in earlier.nodes if record.document is not None}
    for record in index.nodes:
        if record.document is not None and record.node in known:
            yield record.node, _compared(store, before.node(record.node), here.node(record.node), of_node=True)


def _compared(store: Store, baseline: str, target: str, *, of_node: bool) -> EnvironmentDrift:
    before, after = (decode(read(store, key, limit=DOCUMENT_BYTES), where=key) for key in (baseline, target))
    if of_node:
        before, after = _without_cluster(before), _without_cluster(after)
    return diff(before, after, baseline_source=baseline, target_source=target)


def _without_cluster(document: EnvironmentDocument) -> EnvironmentDocument:
    """The same without what every node's document repeats."""
    kept = (
        each.model_copy(update={"subtypes": tuple(s for s in each.subtypes if s.subtype == "node")})
        if each.type == MeasurementType.K8S
        else each
        for each in document.measurements
        if each.type != MeasurementType.NODE_TOPOLOGY
    )
    return document.model_copy(update={"measurements": tuple(kept)})
