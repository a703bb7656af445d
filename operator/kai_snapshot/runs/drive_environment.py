"""Drives the environment beside a SnapshotCapture's newest archive: observe, decide, act, write the status.

It is looked at under a key of its own: a storage or a node that is slow holds up no capture.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from pydantic import ValidationError

from kai_snapshot.api.environmentindex import NodeRecord
from kai_snapshot.api.environmentspec import EnvironmentStatus
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.snapshotcapture import SnapshotCapture
from kai_snapshot.api.transfer import NodePart
from kai_snapshot.cluster import CAPTURES, Object
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.jobs.nodejob import node_job
from kai_snapshot.reconcile import environment as decision
from kai_snapshot.reconcile.plan import Action, Announce, CreateNodeJob, DeleteJob, RecordNode, StartStep
from kai_snapshot.runs import jobs
from kai_snapshot.runs.environmentplans import put_record
from kai_snapshot.runs.observe_environment import observe
from kai_snapshot.runs.request import EnvironmentRequest
from kai_snapshot.runs.services import Services, check_privileged, now, secrets_of, store_for
from kai_snapshot.runs.write import announce, write_status
from kai_snapshot.stores import layout

STEP_DEADLINE: Final = timedelta(minutes=10)


async def drive(services: Services, namespace: str, name: str, look_again: Callable[[], None]) -> datetime | None:
    """One look at it. Returns when to look again; `look_again` is called when a step ends.

    Raises SnapshotError if the API server fails, or refuses the status.
    """
    key = f"{namespace}/{name}"
    resource = await asyncio.to_thread(services.cluster.get, CAPTURES, namespace, name)
    capture = _readable(resource)
    beside = capture.status.environment if capture is not None and capture.metadata.deletion_timestamp is None else None
    if resource is None or capture is None or beside is None or beside.outcome != "Running":
        services.environments.forget(key)
        return None
    if capture.spec.environment is not None and beside.retry_time is not None and now() < beside.retry_time:
        return beside.retry_time
    observed = await asyncio.to_thread(observe, services, capture, beside, _step_state(services, key, beside))
    return await _decide(services, capture, resource, observed, look_again)


def _readable(resource: Object | None) -> SnapshotCapture | None:
    """What cannot be read is said to be so by the capture's own look."""
    try:
        return SnapshotCapture.model_validate(resource) if resource is not None else None
    except ValidationError:
        return None


def _step_state(services: Services, key: str, beside: EnvironmentStatus) -> decision.StepState:
    """What the child process of this environment is at. One that ended well has left something in the storage."""
    for step in ("Close", "Plan"):
        child = services.environments.get(key, id_=f"{beside.id}/{step}", attempt=1)
        if child is None:
            continue
        answer = child.answer
        if answer is None:
            return "Running"
        if answer.reason is not None:
            at = child.ended_at or datetime.now(UTC)
            late = answer.reason == Reason.DEADLINE_EXCEEDED  # the wait for its place included
            transient = late or answer.kind == "Transient"
            return decision.StepFailed(Problem.of(answer.error()), transient=transient, at=at)
    return None


async def _decide(
    services: Services,
    capture: SnapshotCapture,
    resource: Object,
    observed: decision.Observed,
    look_again: Callable[[], None],
) -> datetime | None:
    """Acts before it writes, so that one look writes once: a Job, a record or a child is its own trace."""
    plan = decision.reconcile(capture, observed, now())
    failure = await _act_on_all(services, capture, plan.actions, look_again)
    if failure is not None:
        beside = plan.status.environment
        if observed.problem is not None or beside is None or beside.outcome != "Running":
            raise failure
        return await _decide(services, capture, resource, replace(observed, problem=Problem.of(failure)), look_again)
    await write_status(services, CAPTURES, resource, plan.status.dump(), read=capture.status.dump())
    for action in plan.actions:
        if isinstance(action, Announce):
            await announce(services, CAPTURES, resource, action)
    return plan.again_at


async def _act_on_all(
    services: Services, capture: SnapshotCapture, actions: Iterable[Action], look_again: Callable[[], None]
) -> SnapshotError | None:
    """The first failure: one that is lasting is one node's, and the others go on."""
    first: SnapshotError | None = None
    for action in actions:
        try:
            await _act(services, capture, action, look_again)
        except TerminalError as error:
            first = first or error
        except SnapshotError as error:
            return first or error
    return first


async def _act(services: Services, capture: SnapshotCapture, action: Action, look_again: Callable[[], None]) -> None:
    match action:
        case StartStep(step):
            _start(services, capture, step, look_again)
        case CreateNodeJob(node):
            await asyncio.to_thread(_create_job, services, capture, node)
        case RecordNode(node, problem):
            await asyncio.to_thread(_record, services, capture, node, problem)
        case DeleteJob(name):
            await asyncio.to_thread(services.cluster.delete_job, capture.metadata.namespace, name)
        case Announce():
            pass  # news, once the status says so
        case _:
            raise AssertionError(f"no action of an environment: {action}")


def _start(
    services: Services, capture: SnapshotCapture, step: Literal["Plan", "Close"], look_again: Callable[[], None]
) -> None:
    meta, spec, beside = capture.metadata, capture.spec, capture.status.environment
    assert spec.environment is not None
    assert beside is not None
    wanted, run, previous = spec.environment, beside.id, beside.previous
    key = f"{meta.namespace}/{meta.name}"

    async def request() -> EnvironmentRequest:
        credentials, ca = await asyncio.to_thread(secrets_of, services.cluster, meta.namespace, spec.storage)
        return EnvironmentRequest(
            step=step,
            id=run,
            namespace=meta.namespace,
            name=meta.name,
            environment=wanted,
            connection=services.connection,
            previous=previous,
            storage=spec.storage,
            keys=credentials,
            ca=ca.decode("ascii", "replace") if ca is not None else None,
            claims_dir=services.settings.claims_dir,
            spool_dir=services.settings.spool_dir,
        )

    services.environments.forget(key)  # a try before that failed
    services.environments.start(
        key, f"{run}/{step}", request, attempt=1, deadline_seconds=STEP_DEADLINE.total_seconds(), on_end=look_again
    )


def _create_job(services: Services, capture: SnapshotCapture, node: str) -> None:
    """Creates the Job and its Secret, unless they are there.

    That it is not allowed, or that the API server will never take it, is what becomes of the node.
    """
    meta, wanted, beside = capture.metadata, capture.spec.environment, capture.status.environment
    assert wanted is not None
    assert beside is not None
    job = node_job(
        capture,
        wanted,
        run=beside.id,
        node=node,
        operator_image=services.image,
        transfer_url=services.settings.transfer_url,
    )
    part = NodePart(uid=meta.uid, namespace=meta.namespace, name=meta.name, run=beside.id, node=node)
    try:
        if wanted.privileged:
            check_privileged(services.settings, meta.namespace)
        authorities = services.presented.authorities
        jobs.create(services.cluster, job, token=services.tokens.issue(part), authorities=authorities, owner=meta.uid)
    except TerminalError as error:
        _record(services, capture, node, Problem.of(error))
    except TransientError as error:
        if not decision.stays_forbidden(error.message):
            raise
        _record(services, capture, node, Problem(reason=Reason.POD_FORBIDDEN, message=error.message))


def _record(services: Services, capture: SnapshotCapture, node: str, problem: Problem) -> None:
    """Writes down why a node has no document, unless it has one by now."""
    meta, beside = capture.metadata, capture.status.environment
    assert beside is not None
    folder = layout.CaptureFolder(meta.namespace, meta.name)
    store = store_for(services, meta.namespace, capture.spec.storage)
    with services.locks.of((meta.uid, beside.id, node)):
        if store.stat(folder.environment(beside.id).record(node)) is not None:
            return
        if put_record(store, folder, beside.id, NodeRecord(node=node, problem=problem)):
            services.metrics.node_failed()
