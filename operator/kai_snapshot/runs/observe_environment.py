"""Observe an environment that is under way: its Jobs, its part of the storage, the child process of its next step."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import replace

from kai_snapshot.api.environmentindex import StoredEnvironment
from kai_snapshot.api.environmentspec import EnvironmentStatus
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.snapshotcapture import SnapshotCapture
from kai_snapshot.errors import Reason, SnapshotError, TerminalError
from kai_snapshot.jobs import names
from kai_snapshot.jobs.nodefacts import NodeJob, node_job_facts
from kai_snapshot.reconcile.environment import Concluded, Observed, StepFailed, StepState
from kai_snapshot.runs import catalog
from kai_snapshot.runs.environmentplans import INDEX_BYTES, load_index
from kai_snapshot.runs.services import Services, now, store_for
from kai_snapshot.stores import Store, layout, location, read


def observe(services: Services, capture: SnapshotCapture, status: EnvironmentStatus, step: StepState) -> Observed:
    """What is known now. That the API server or the storage fails is part of the answer."""
    seen = Observed(step=step)
    try:
        # Jobs before the storage: a pod ends once its document is there
        seen = replace(seen, jobs=_jobs(services, capture, status))
        return _observe_storage(services, capture, status, seen) if capture.spec.environment is not None else seen
    except SnapshotError as error:
        return replace(seen, problem=Problem.of(error))


def _observe_storage(
    services: Services, capture: SnapshotCapture, status: EnvironmentStatus, seen: Observed
) -> Observed:
    meta = capture.metadata
    folder = layout.CaptureFolder(meta.namespace, meta.name)
    here = folder.environment(status.id)
    store = store_for(services, meta.namespace, capture.spec.storage)
    if store.stat(folder.manifest(status.id)) is None:
        return replace(seen, archive_gone=True)
    entries = list(store.list(here.prefix))
    there = {entry.key for entry in entries}
    if here.plan not in there:
        return seen
    plan = services.plans.load(store, here, uid=meta.uid)
    recorded = here.recorded(entries)
    captured = sum(here.node(node) in there for node in recorded)
    seen = replace(seen, plan=plan, recorded=frozenset(recorded), captured=captured)
    if here.index in there:
        try:
            return replace(seen, concluded=_conclude(services, capture, store, folder, status.id))
        except TerminalError as error:
            if error.reason not in (Reason.ARCHIVE_NOT_FOUND, Reason.INVALID_ENVIRONMENT):
                raise  # wrong keys or a full bucket may be put right
            return replace(seen, step=StepFailed(Problem.of(error), transient=False, at=now()))
    return replace(seen, refused=_refused(services, meta.namespace, seen.jobs))


def _jobs(services: Services, capture: SnapshotCapture, status: EnvironmentStatus) -> Mapping[str, NodeJob]:
    """By node."""
    namespace = capture.metadata.namespace
    selector = f"{names.ENVIRONMENT_SELECTOR},{names.CAPTURE_UID}={capture.metadata.uid},{names.RUN}={status.id}"
    found = services.cluster.jobs(namespace, selector)
    if not found:
        return {}
    pods = services.cluster.pods(namespace, selector)
    facts = (node_job_facts(each, pods, now=now()) for each in found)
    return {fact.node: fact for fact in facts}


def _refused(services: Services, namespace: str, jobs: Mapping[str, NodeJob]) -> Mapping[str, str]:
    """Why Jobs have no pod, as far as the Job controller has said it: nothing else does."""
    told = {
        node: services.cluster.why_no_pod(namespace, job.uid)
        for node, job in jobs.items()
        if not job.has_pod and job.problem is None
    }
    return {node: message for node, message in told.items() if message}


def _conclude(
    services: Services, capture: SnapshotCapture, store: Store, folder: layout.CaptureFolder, run: str
) -> Concluded:
    """Names the index in the manifest. Raises TerminalError(ArchiveNotFound) if the archive is gone meanwhile."""
    here = folder.environment(run)
    content = read(store, here.index, limit=INDEX_BYTES)
    index = load_index(content, here)
    digest = hashlib.sha256(content).hexdigest()
    documents = sum(record.document is not None for record in index.nodes)
    beside = StoredEnvironment(sha256=digest, documents=documents, failed=len(index.nodes) - documents)
    with services.locks.of(folder):  # a manifest that retention removes meanwhile must not come back
        manifest = catalog.manifest(store, folder.manifest(run))
        if manifest.environment != beside:
            extended = manifest.model_copy(update={"environment": beside})
            store.put(folder.manifest(run), io.BytesIO(extended.encode()))
    return Concluded(index, location(capture.spec.storage, here.index), digest)
