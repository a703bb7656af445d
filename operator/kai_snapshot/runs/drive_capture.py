"""Drives a SnapshotCapture: read it, observe, decide, write the status, act."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from pydantic import ValidationError

from kai_snapshot.api.manifest import Manifest
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.snapshotcapture import (
    ARCHIVE_CLEANUP_FINALIZER,
    SKIP_ARCHIVE_CLEANUP,
    ActiveRun,
    SnapshotCapture,
)
from kai_snapshot.cluster import CAPTURES, Object
from kai_snapshot.errors import Reason, SnapshotError
from kai_snapshot.reconcile import capture as decision
from kai_snapshot.reconcile import capture_conditions, environment, rejection
from kai_snapshot.reconcile.capture_origin import how
from kai_snapshot.reconcile.plan import Announce, StartRun
from kai_snapshot.retention import LEFT_BEHIND
from kai_snapshot.runs.children import Child
from kai_snapshot.runs.pins import Pins, pins
from kai_snapshot.runs.prune import Pruned, prune, remove_all
from kai_snapshot.runs.request import CaptureAnswer, CaptureRequest
from kai_snapshot.runs.services import Services, now, secrets_of, storage_problem, store_for
from kai_snapshot.runs.tables import prune_tables, redaction_of, tables_of
from kai_snapshot.runs.write import announce, write_status
from kai_snapshot.stores import layout, owner

logger = logging.getLogger(__name__)


async def drive(services: Services, namespace: str, name: str, look_again: Callable[[], None]) -> datetime | None:
    """One look at the capture. Returns when to look again; `look_again` is called when its run ends.

    Raises SnapshotError if the API server or, on deletion, the storage fails: look again after a while.
    """
    key = f"{namespace}/{name}"
    resource = await asyncio.to_thread(services.cluster.get, CAPTURES, namespace, name)
    if resource is None:
        services.children.forget(key)
        services.metrics.capture_gone(namespace, name)
        return None
    try:
        capture = SnapshotCapture.model_validate(resource)
    except ValidationError as error:
        if _may_go(resource):
            await asyncio.to_thread(services.cluster.set_finalizers, CAPTURES, resource, _without_ours(resource))
        else:
            await write_status(services, CAPTURES, resource, rejection.status(resource, error, now()))
        return None
    if capture.metadata.deletion_timestamp is not None:
        await _release(services, capture, resource, key)
        return None
    if await _finalizer_changed(services, capture, resource):
        return None  # the change is seen, and looked at, as an event
    return await _step(services, capture, resource, key, look_again)


def _may_go(resource: Object) -> bool:
    """Whether a person has said that an object which is being deleted need not wait for its archives."""
    meta = resource["metadata"]
    return "deletionTimestamp" in meta and meta.get("annotations", {}).get(SKIP_ARCHIVE_CLEANUP) == "true"


def _without_ours(resource: Object) -> tuple[str, ...]:
    return tuple(name for name in resource["metadata"].get("finalizers", ()) if name != ARCHIVE_CLEANUP_FINALIZER)


async def _step(
    services: Services, capture: SnapshotCapture, resource: Object, key: str, look_again: Callable[[], None]
) -> datetime | None:
    child = _child(services, capture, key)
    observed = decision.Observed(
        operator=services.identity,
        run=await _run_state(services, capture, child),
        storage_problem=_storage_problem(services, capture),
    )
    plan = decision.reconcile(capture, observed, now())
    await write_status(services, CAPTURES, resource, plan.status.dump(), read=capture.status.dump())
    services.metrics.capture_seen(capture, plan.status)
    if child is not None and child.answer is not None:
        services.children.forget(key)
        _count(services, capture, child)
    for action in plan.actions:
        match action:
            case StartRun(active):
                _start(services, capture, key, active, look_again)
            case Announce(reason=reason) as event:
                if reason == Reason.MISSED_SCHEDULE:
                    services.metrics.schedule_missed(capture)
                await announce(services, CAPTURES, resource, event)
            case _:
                raise AssertionError(f"no action of a capture: {action}")
    return plan.again_at


def _storage_problem(services: Services, capture: SnapshotCapture) -> Problem | None:
    redaction = capture.spec.redaction
    for storage in (capture.spec.storage, *([redaction.table] if redaction is not None else [])):
        if problem := storage_problem(services.settings, capture.metadata.namespace, storage):
            return problem
    return None


def _child(services: Services, capture: SnapshotCapture, key: str) -> Child[CaptureAnswer] | None:
    active = capture.status.active
    return services.children.get(key, id_=active.id, attempt=active.attempt) if active is not None else None


async def _run_state(
    services: Services, capture: SnapshotCapture, child: Child[CaptureAnswer] | None
) -> decision.RunState:
    if child is None:
        return None
    answer = child.answer
    if answer is None:
        return "Running"
    if answer.manifest is None:
        error = answer.error()
        return decision.Failed(Problem.of(error), transient=answer.kind == "Transient")
    try:
        pruned = await asyncio.to_thread(_prune, services, capture)
    except SnapshotError as error:
        return decision.Captured(answer.manifest, answer.uri, prune_problem=Problem.of(error))
    return decision.Captured(answer.manifest, answer.uri, totals=pruned.totals, pruned=pruned.archives)


def _prune(services: Services, capture: SnapshotCapture) -> Pruned:
    store = store_for(services, capture.metadata.namespace, capture.spec.storage)
    with services.locks.of(_folder(capture)):
        pruned = prune(
            store,
            _folder(capture),
            capture.spec.retention,
            now=now(),
            pinned=lambda: _pins(services, capture),
            ours=_ours(services, capture),
        )
        if (tables := tables_of(services, capture)) is not None:
            prune_tables(tables, store, _folder(capture), owner=_owner(services, capture), now=now())
    return pruned


def _pins(services: Services, capture: SnapshotCapture) -> Pins:
    replays = services.cluster.unfinished_replays(capture.metadata.namespace)
    return pins(replays, capture.spec.storage, _folder(capture), also=environment.needed(capture.status.environment))


def _ours(services: Services, capture: SnapshotCapture) -> Callable[[Manifest], bool]:
    who = (services.cluster_uid, capture.metadata.namespace, capture.metadata.name)
    return lambda manifest: (manifest.capture.cluster_uid, manifest.capture.namespace, manifest.capture.name) == who


def _owner(services: Services, capture: SnapshotCapture) -> str:
    return owner(capture.spec.storage, services.cluster_uid)


def _folder(capture: SnapshotCapture) -> layout.CaptureFolder:
    return layout.CaptureFolder(capture.metadata.namespace, capture.metadata.name)


def _start(
    services: Services, capture: SnapshotCapture, key: str, active: ActiveRun, look_again: Callable[[], None]
) -> None:
    deadline = active.start_time + timedelta(seconds=capture.spec.active_deadline_seconds)

    async def request() -> CaptureRequest:
        credentials, ca = await asyncio.to_thread(
            secrets_of, services.cluster, capture.metadata.namespace, capture.spec.storage
        )
        return CaptureRequest(
            id=active.id,
            trigger=active.trigger,
            scheduled_for=active.scheduled_for,
            namespace=capture.metadata.namespace,
            name=capture.metadata.name,
            source=capture.spec.source,
            connection=services.connection,
            storage=capture.spec.storage,
            keys=credentials,
            ca=ca.decode("ascii", "replace") if ca is not None else None,
            claims_dir=services.settings.claims_dir,
            spool_dir=services.settings.spool_dir,
            redaction=await asyncio.to_thread(redaction_of, services, capture),
        )

    services.children.start(
        key,
        active.id,
        request,
        attempt=active.attempt,
        deadline_seconds=max((deadline - now()).total_seconds(), 1),
        on_end=look_again,
    )


def _count(services: Services, capture: SnapshotCapture, child: Child[CaptureAnswer]) -> None:
    answer = child.answer
    assert answer is not None
    reason = answer.reason or (how(answer.manifest) if answer.manifest else Reason.SUCCEEDED)
    outcome = "Failed" if answer.reason is not None else "Succeeded"
    services.metrics.run_over(capture, outcome=outcome, reason=reason, seconds=child.duration_seconds)


async def _finalizer_changed(services: Services, capture: SnapshotCapture, resource: Object) -> bool:
    """With `deletionPolicy: Delete`, and only then, the object waits for us when it is deleted."""
    finalizers = capture.metadata.finalizers
    wanted = tuple(name for name in finalizers if name != ARCHIVE_CLEANUP_FINALIZER)
    if capture.spec.deletion_policy == "Delete":
        wanted = (*wanted, ARCHIVE_CLEANUP_FINALIZER)
    if set(wanted) == set(finalizers):
        return False
    await asyncio.to_thread(services.cluster.set_finalizers, CAPTURES, resource, wanted)
    return True


async def _release(services: Services, capture: SnapshotCapture, resource: Object, key: str) -> None:
    """Removes the archives if that is the policy, then lets the object go."""
    await services.children.stop(key)  # or it might store one more
    await services.environments.stop(key)
    if ARCHIVE_CLEANUP_FINALIZER not in capture.metadata.finalizers:
        return
    if capture.spec.deletion_policy == "Delete" and not _may_go(resource):
        await _clean_up(services, capture, resource, key)
        if await services.environments.stop(key):  # begun by a look that had not seen the deletion
            await _clean_up(services, capture, resource, key)
    await asyncio.to_thread(services.cluster.set_finalizers, CAPTURES, resource, _without_ours(resource))


async def _clean_up(services: Services, capture: SnapshotCapture, resource: Object, key: str) -> None:
    """Removes the archives.

    Raises SnapshotError if that fails, but not where the namespace goes: keys and rights go with it.
    """
    try:
        removed = await asyncio.to_thread(_remove_all, services, capture)
    except SnapshotError as error:
        if not await asyncio.to_thread(services.cluster.is_terminating, capture.metadata.namespace):
            problem = Problem.of(error)
            blocked = capture_conditions.deletion_blocked(capture, problem, now())
            await write_status(services, CAPTURES, resource, blocked.dump())
            raise
        logger.warning("%s goes with its namespace, its archives stay: %s: %s", key, error.reason, error.message)
    else:
        logger.info("%s is deleted: %d archives removed", key, removed)


def _remove_all(services: Services, capture: SnapshotCapture) -> int:
    store = store_for(services, capture.metadata.namespace, capture.spec.storage)
    tables = tables_of(services, capture)
    with services.locks.of(_folder(capture)):
        removed = remove_all(store, _folder(capture), ours=_ours(services, capture))
        if tables is not None:
            prune_tables(tables, store, _folder(capture), owner=_owner(services, capture), now=None)
            tables.abort_unfinished(_folder(capture).prefix, before=now() - LEFT_BEHIND)
    return removed
