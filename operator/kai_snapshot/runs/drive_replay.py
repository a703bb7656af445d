"""Drives a SnapshotReplay: read it, observe, decide, write the status, act."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import ValidationError

from kai_snapshot.api.conditions import FINISHED, is_true
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.snapshotreplay import ReplayVersion, ResolvedSource, SnapshotReplay
from kai_snapshot.api.transfer import Part
from kai_snapshot.cluster import REPLAYS, AlreadyExistsError, Object
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.jobs import names
from kai_snapshot.jobs.build import job, token_secret
from kai_snapshot.jobs.images import image_for
from kai_snapshot.jobs.read import JobFacts, job_facts
from kai_snapshot.reconcile import rejection, version
from kai_snapshot.reconcile import replay as decision
from kai_snapshot.reconcile.plan import Announce, CreateJob, DeleteJob, ExpireJob, warning
from kai_snapshot.runs.resolve import resolve
from kai_snapshot.runs.results import RESULT_BYTES, summarize
from kai_snapshot.runs.services import Services, now, store_for
from kai_snapshot.runs.write import announce, write_status
from kai_snapshot.stores import Store, layout, location, read

JOBS_LINGER = timedelta(days=1)
"""How long after its end and the TTL of its Jobs a replay is looked over for Jobs that are left."""


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
    observed = await asyncio.to_thread(_observe, services, replay)
    again_at = await _step(services, replay, resource, observed)
    reference = replay.spec.source.capture_ref
    waits = isinstance(observed.resolution, decision.Waiting) and reference is not None
    return Looked(again_at, waits_for=reference.name if waits and reference is not None else None)


async def _step(
    services: Services, replay: SnapshotReplay, resource: Object, observed: decision.Observed
) -> datetime | None:
    def image(wanted: ReplayVersion, captured_version: str) -> str:
        return image_for(wanted, captured_version=captured_version, template=services.settings.tool_image)

    plan = decision.reconcile(replay, observed, now(), image_for=image)
    written = await write_status(services, REPLAYS, resource, plan.status.dump())
    services.metrics.replay_seen(replay.status, plan.status)
    current = replay.model_copy(update={"status": plan.status})
    refused: dict[int, Problem] = {}
    for action in plan.actions:
        match action:
            case CreateJob(index, attempt):
                try:
                    await asyncio.to_thread(_create_job, services, current, index, attempt)
                except TerminalError as error:
                    refused[index] = Problem.of(error)
                except TransientError as error:  # a quota, an admission policy: it is tried again
                    await announce(services, REPLAYS, resource, warning(error.reason, error.message))
                    raise
            case DeleteJob(job_name):
                await asyncio.to_thread(services.cluster.delete_job, replay.metadata.namespace, job_name)
            case ExpireJob(job_name, ttl):
                await asyncio.to_thread(services.cluster.expire_job, replay.metadata.namespace, job_name, ttl)
            case Announce() as event:
                await announce(services, REPLAYS, resource, event)
            case _:
                raise AssertionError(f"no action of a replay: {action}")
    if not refused:
        return plan.again_at
    return await _step(services, current, written, replace(observed, refused=refused))


def _observe(services: Services, replay: SnapshotReplay) -> decision.Observed:
    status = replay.status
    finished = is_true(status.conditions, FINISHED)
    if status.resolved_source is None:
        wanted = not finished and not replay.spec.suspend
        return decision.Observed(resolution=resolve(services, replay) if wanted else None)
    if finished and _jobs_are_gone(replay, now()):
        return decision.Observed()
    jobs = _jobs(services, replay)
    if finished:
        return decision.Observed(jobs=jobs)
    try:
        return _observe_storage(services, replay, jobs)
    except SnapshotError as error:
        return decision.Observed(jobs=jobs, storage_problem=Problem.of(error))


def _jobs_are_gone(replay: SnapshotReplay, moment: datetime) -> bool:
    ended = replay.status.completion_time
    ttl = timedelta(seconds=replay.spec.job_ttl_seconds_after_finished)
    return ended is not None and moment > ended + ttl + JOBS_LINGER


def _jobs(services: Services, replay: SnapshotReplay) -> Mapping[tuple[int, int], JobFacts]:
    selector = f"{names.JOB_SELECTOR},{names.REPLAY_UID}={replay.metadata.uid}"
    found = services.cluster.jobs(replay.metadata.namespace, selector)
    pods = services.cluster.pods(replay.metadata.namespace, selector) if found else []
    facts = (job_facts(one, pods, now=now()) for one in found)
    return {(fact.index, fact.attempt): fact for fact in facts}


def _observe_storage(
    services: Services, replay: SnapshotReplay, jobs: Mapping[tuple[int, int], JobFacts]
) -> decision.Observed:
    """With the results that have arrived since the status was written. Raises SnapshotError if it cannot be known."""
    source = replay.status.resolved_source
    assert source is not None
    store = store_for(services, replay.metadata.namespace, source.storage)
    begun = bool(jobs) or any(result.outcome != "Pending" or result.attempt > 1 for result in replay.status.results)
    if not begun and store.stat(source.key) is None:
        return decision.Observed(archive_gone=True)
    folder = layout.replay_folder(source.key, replay.metadata.name, uid=replay.metadata.uid)
    there = {entry.key for entry in store.list(folder.prefix)}
    results, refused = {}, {}
    for index, result in enumerate(replay.status.results):
        if version.is_final(result) or folder.result(index) not in there:
            continue
        try:
            results[index] = _result(store, source, folder, index, there, attempt=result.attempt)
        except TerminalError as error:
            refused[index] = Problem.of(error)
    return decision.Observed(jobs=jobs, results=results, refused=refused)


def _result(
    store: Store, source: ResolvedSource, folder: layout.ReplayFolder, index: int, there: set[str], *, attempt: int
) -> version.StoredResult:
    key = folder.result(index)
    uri = location(source.storage, key)
    result, counts = summarize(read(store, key, limit=RESULT_BYTES), where=uri)
    logs = (folder.log(index, tried) for tried in range(attempt, 0, -1))
    log = next((key for key in logs if key in there), None)
    return version.StoredResult(result, counts, uri, location(source.storage, log) if log is not None else None)


def _create_job(services: Services, replay: SnapshotReplay, index: int, attempt: int) -> None:
    """Creates the Job and then its token, which needs the Job's UID. What is there already is taken as it is.

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
    try:
        created = services.cluster.create_job(wanted)
    except AlreadyExistsError:
        created = _adopted(services, replay, wanted["metadata"]["name"])
    meta = replay.metadata
    part = Part(uid=meta.uid, namespace=meta.namespace, name=meta.name, index=index, attempt=attempt)
    try:
        services.cluster.create_secret(token_secret(created, services.tokens.issue(part)))
    except AlreadyExistsError as error:
        _check_secret(services, created, error)


def _adopted(services: Services, replay: SnapshotReplay, name: str) -> Object:
    found = services.cluster.job(replay.metadata.namespace, name)
    if found is None:
        raise TransientError(Reason.PROGRESSING, f"job {name} has just gone")
    if not _owned(found, replay.metadata.uid):
        raise TerminalError(
            Reason.NAME_TAKEN,
            f"the Job {replay.metadata.namespace}/{name} exists and belongs to something else: "
            "delete it, or create the SnapshotReplay under another name",
        )
    return found


def _check_secret(services: Services, created: Object, error: AlreadyExistsError) -> None:
    meta = created["metadata"]
    name = names.secret_name(meta["name"])
    owners = services.cluster.secret_owners(meta["namespace"], name)
    if meta["uid"] not in owners:
        raise TerminalError(
            Reason.NAME_TAKEN, f"the Secret {meta['namespace']}/{name} exists and belongs to something else: delete it"
        ) from error


def _owned(resource: Object, uid: str) -> bool:
    return any(owner.get("uid") == uid for owner in resource["metadata"].get("ownerReferences", ()))
