"""The two steps of an environment that take time and memory, each in a child process of the operator.

Plan reads the archive: what it says of the cluster, and which nodes are to be recorded. Close sums up what was
recorded, and compares it with the environment before.
"""

import asyncio
import hashlib
import io
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

import orjson

from kai_snapshot import __version__
from kai_snapshot.api.conditions import shorten
from kai_snapshot.api.environmentdocument import (
    CollectorReport,
    CollectorStatus,
    EnvironmentDocument,
    MeasurementType,
)
from kai_snapshot.api.environmentdrift import Change, EnvironmentDrift
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
from kai_snapshot.runs.spool import check_room, holding
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
    check_room(archive, size=manifest.size_bytes)
    download(store, folder.prefix + manifest.archive, archive, sha256=manifest.sha256, progress=lambda _: None)
    wanted = request.environment
    started = time.monotonic()
    facts = of_archive(archive)
    lacks = asyncio.run(_add_policies(facts, request.connection))
    took = round(time.monotonic() - started, 3)
    here = folder.environment(request.id)
    matching = _matching(facts, wanted.node_selector)
    fitting = [name for name in matching if here.holds(name)]
    if len(fitting) < len(matching):
        lacks = "; ".join((*filter(None, (lacks,)), _too_long(len(matching) - len(fitting))))
    reports = (
        CollectorReport(name="k8s", status=CollectorStatus.SUCCEEDED, duration_seconds=took, message=lacks),
        CollectorReport(name="topology", status=CollectorStatus.SUCCEEDED, duration_seconds=took),
    )
    measurements = (facts.k8s(), facts.topology.measurement(wanted.max_nodes_per_entry))
    document = EnvironmentDocument.compose(
        measurements, source_node=CLUSTER, version=__version__, at=manifest.captured_at, collectors=reports
    )
    planned = EnvironmentPlan(
        mode=wanted.mode,
        matching=len(matching),
        nodes=tuple(PlannedNode(name=name, facts=facts.nodes[name]) for name in fitting[: wanted.nodes_wanted]),
        measurements=measurements,
        collectors=reports,
        cluster=put_document(store, here.cluster, document),
    )
    store.put(here.plan, io.BytesIO(planned.encode()))


def _too_long(count: int) -> str:
    return f"{count} nodes are left out: their names are no names of nodes, or longer than a file's name may be"


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
    """Stores a document in YAML. Raises SnapshotError: InvalidEnvironment if it could not be read again."""
    content = encode(document, "yaml")
    if len(content) > DOCUMENT_BYTES:
        message = f"{key} would be larger than {DOCUMENT_BYTES >> 20} MiB: lower environment.maxNodesPerEntry"
        raise TerminalError(Reason.INVALID_ENVIRONMENT, message)
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
        path = request.spool_dir / "drift.json"
        index = index.model_copy(update={"drift": _drift(store, folder, index, since=request.previous, path=path)})
    store.put(here.index, io.BytesIO(index.encode()))


@dataclass(frozen=True)
class Compared:
    """What changed of a node or the cluster, or why that is not known."""

    name: str
    drift: EnvironmentDrift | None
    why_not: str = ""


def _drift(
    store: Store, folder: layout.CaptureFolder, index: EnvironmentIndex, *, since: str, path: Path
) -> DriftBrief:
    """What cannot be compared is said, and keeps back neither the rest nor the index: retention may have taken it.

    Raises TransientError: SpoolFull, SpoolFailed, and what the store raises.
    """
    before, here = folder.environment(since), folder.environment(index.id)
    try:
        earlier = load_index(read(store, before.index, limit=INDEX_BYTES), before)
    except (TerminalError, MemoryError) as error:
        return DriftBrief(since=since, message=shorten(f"nothing was compared: {_why(error)}"))
    with holding(path), path.open("wb") as file:
        found = brief(_written(file, _comparisons(store, before, here, earlier, index), since=since), since=since)
    store.put(here.drift, path)
    return found


def _written(file: BinaryIO, found: Iterable[Compared], *, since: str) -> Iterator[Compared]:
    """Writes each as it comes: all changes of a thousand nodes would not fit into memory."""
    file.write(b'{"since":' + orjson.dumps(since) + b',"documents":[')
    separator = b""
    for each in found:
        if each.drift is not None and each.drift.changes:
            file.write(separator + orjson.dumps(each.drift.dump()))
            separator = b","
        yield each
    file.write(b"]}")


def brief(found: Iterable[Compared], *, since: str) -> DriftBrief:
    """What a status says of what changed, by the node or the cluster."""
    nodes = changes = left_out = 0
    examples: list[str] = []
    why_not: list[str] = []
    for each in found:
        if each.drift is None:
            left_out += 1
            why_not += [f"{each.name}: {each.why_not}"] if len(why_not) < EXAMPLES else []
        elif each.drift.changes:
            nodes += each.name != _THE_CLUSTER
            changes += len(each.drift.changes)
            examples += [_line(each.name, change) for change in each.drift.changes[: EXAMPLES - len(examples)]]
    more = f" and {left_out - len(why_not)} more" if left_out > len(why_not) else ""
    message = f"not compared: {'; '.join(why_not)}{more}" if left_out else ""
    return DriftBrief(since=since, nodes=nodes, changes=changes, examples=tuple(examples), message=shorten(message))


def _line(name: str, change: Change) -> str:
    before, after = (value if value is not None else "(none)" for value in (change.baseline, change.target))
    return f"{name}: {change.path} {before} -> {after}"[:200]


def _comparisons(
    store: Store,
    before: layout.EnvironmentFolder,
    here: layout.EnvironmentFolder,
    earlier: EnvironmentIndex,
    index: EnvironmentIndex,
) -> Iterator[Compared]:
    """Of the cluster, and of each node that has a document on both sides, without what they say of the cluster."""
    if earlier.cluster.sha256 != index.cluster.sha256:
        yield _compared(store, _THE_CLUSTER, before.cluster, here.cluster)
    known = {record.node for record in earlier.nodes if record.document is not None}
    for record in index.nodes:
        if record.document is not None and record.node in known:
            yield _compared(store, record.node, before.node(record.node), here.node(record.node))


def _compared(store: Store, name: str, baseline: str, target: str) -> Compared:
    try:
        documents = [decode(read(store, key, limit=DOCUMENT_BYTES), where=key) for key in (baseline, target)]
        if name != _THE_CLUSTER:
            documents = [_without_cluster(each) for each in documents]
        return Compared(name, diff(*documents, baseline_source=baseline, target_source=target))
    except (TerminalError, MemoryError) as error:
        return Compared(name, None, _why(error))


def _why(error: TerminalError | MemoryError) -> str:
    if isinstance(error, MemoryError):
        return "it takes more memory than this process may have"
    return f"{error.reason}: {error.message}"


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
