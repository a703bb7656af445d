"""Drives a SnapshotReplay: read it, observe, decide, write the status, act."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import ValidationError

from kai_snapshot.api.problem import Problem
from kai_snapshot.api.snapshotreplay import ReplayVersion, SnapshotReplay
from kai_snapshot.api.transfer import Part
from kai_snapshot.cluster import REPLAYS, Object
from kai_snapshot.errors import TerminalError, TransientError
from kai_snapshot.jobs.build import job
from kai_snapshot.jobs.images import image_for
from kai_snapshot.reconcile import rejection
from kai_snapshot.reconcile import replay as decision
from kai_snapshot.reconcile.observed import Observed, Waiting
from kai_snapshot.reconcile.plan import Action, Announce, CreateJob, DeleteJob, ExpireJob, SuspendJob, warning
from kai_snapshot.runs import jobs
from kai_snapshot.runs.observe import observe
from kai_snapshot.runs.services import Services, now
from kai_snapshot.runs.write import announce, write_status


@dataclass(frozen=True)
class Looked:
    """When to look again, and the capture whose news are awaited."""

    again_at: datetime | None = None
    waits_for: str | None = None


async def drive(services: Services, namespace: str, name: str) -> Looked:
    """One look at the replay. Raises SnapshotError if the API server fails."""
    resource = await asyncio.to_thread(services.cluster.get, REPLAYS, namespace, name)
    if resource is None:
        return Looked()
    try:
        replay = SnapshotReplay.model_validate(resource)
    except ValidationError as error:
        await write_status(services, REPLAYS, resource, rejection.status(resource, error, now()))
        return Looked()
    if replay.metadata.deletion_timestamp is not None:
        return Looked()  # Jobs and Secrets go with it, results with the archive
    observed = await asyncio.to_thread(observe, services, replay)
    again_at = await _step(services, replay, resource, observed)
    reference = replay.spec.source.capture_ref
    waits = isinstance(observed.resolution, Waiting) and reference is not None
    return Looked(again_at, waits_for=reference.name if waits and reference is not None else None)


async def _step(services: Services, replay: SnapshotReplay, resource: Object, observed: Observed) -> datetime | None:
    def image(wanted: ReplayVersion, captured_version: str) -> str:
        if replay.spec.engine == "Simulator":
            return services.image
        return image_for(wanted, captured_version=captured_version, template=services.settings.tool_image)

    plan = decision.reconcile(replay, observed, now(), image_for=image)
    written = await write_status(services, REPLAYS, resource, plan.status.dump(), read=replay.status.dump())
    services.metrics.replay_seen(replay.status, plan.status)
    current = replay.model_copy(update={"status": plan.status})
    refused: dict[int, Problem] = {}
    for action in plan.actions:
        if isinstance(action, CreateJob):
            try:
                await asyncio.to_thread(_create_job, services, current, action.index, action.attempt)
            except TerminalError as error:
                refused[action.index] = Problem.of(error)
            except TransientError as error:  # a quota, an admission policy: it is tried again
                await announce(services, REPLAYS, resource, warning(error.reason, error.message))
                raise
        else:
            await _act(services, resource, action)
    if not refused:
        return plan.again_at
    return await _step(services, current, written, replace(observed, refused=refused))


async def _act(services: Services, resource: Object, action: Action) -> None:
    namespace = resource["metadata"]["namespace"]
    match action:
        case DeleteJob(job_name):
            await asyncio.to_thread(services.cluster.delete_job, namespace, job_name)
        case SuspendJob(job_name, suspend):
            await asyncio.to_thread(services.cluster.suspend_job, namespace, job_name, suspend=suspend)
        case ExpireJob(job_name, ttl):
            await asyncio.to_thread(services.cluster.expire_job, namespace, job_name, ttl)
        case Announce() as event:
            await announce(services, REPLAYS, resource, event)
        case _:
            raise AssertionError(f"no action of a replay: {action}")


def _create_job(services: Services, replay: SnapshotReplay, index: int, attempt: int) -> None:
    """Creates the Job and then its Secret, which needs the Job's UID. What is there already is taken as it is.

    Raises TerminalError: NameTaken, or InvalidSpec if the API server refuses the Job.
    """
    wanted = job(
        replay,
        index=index,
        attempt=attempt,
        image=replay.status.results[index].image,
        operator_image=services.image,
        transfer_url=services.settings.transfer_url,
    )
    meta = replay.metadata
    part = Part(uid=meta.uid, namespace=meta.namespace, name=meta.name, index=index, attempt=attempt)
    authorities = services.presented.authorities
    jobs.create(services.cluster, wanted, token=services.tokens.issue(part), authorities=authorities, owner=meta.uid)
