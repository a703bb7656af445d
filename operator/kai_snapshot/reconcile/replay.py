"""What to do about a SnapshotReplay.

The archive is pinned once. Then each version goes Pending -> Running -> a final outcome: a Job is created first and
noted in the status when it is seen, so an operator that dies in between finds it again; a final outcome comes from the
result in the storage, or from the Job when it can bring none. When all versions are over they are compared.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from kai_snapshot import compatibility
from kai_snapshot.api.comparison import ReplayComparison
from kai_snapshot.api.conditions import (
    FINISHED,
    READY,
    RECONCILING,
    SOURCE_RESOLVED,
    STALLED,
    Condition,
    claim,
    is_true,
    update,
)
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.snapshotreplay import (
    ReplayVersion,
    SnapshotReplay,
    SnapshotReplayStatus,
    VersionResult,
)
from kai_snapshot.errors import Reason
from kai_snapshot.jobs.images import target_version
from kai_snapshot.jobs.read import JobFacts
from kai_snapshot.reconcile import backtest, version
from kai_snapshot.reconcile.observed import Found, Observed, Refused, Resolution, Waiting
from kai_snapshot.reconcile.plan import (
    Action,
    CreateJob,
    DeleteJob,
    ExpireJob,
    Plan,
    SuspendJob,
    earliest,
    normal,
    warning,
)
from kai_snapshot.reconcile.verdict import needs_comparison, summary, verdict

LOOK_AGAIN = timedelta(minutes=1)


def reconcile(
    replay: SnapshotReplay, observed: Observed, now: datetime, *, image_for: version.ImageFor
) -> Plan[SnapshotReplayStatus]:
    """The plan for this replay at this moment."""
    status = replay.status.model_copy(update={"observed_generation": replay.metadata.generation})
    if is_true(status.conditions, FINISHED):
        kept = tuple(
            c.model_copy(update={"observed_generation": replay.metadata.generation}) for c in status.conditions
        )
        return Plan(status.model_copy(update={"conditions": kept}), _clear_up(replay, observed))
    if status.resolved_source is None:
        return _resolve(replay, status, observed.resolution, now, image_for=image_for)
    if observed.archive_gone:
        return _unpin(replay, status, now)
    results = tuple(_fold(replay, index, observed, now) for index in range(len(status.results)))
    actions = (
        *_clear_up(replay, observed),
        *_news(status.results, results),
        *_next_jobs(replay, results, observed),
        *_held_back(replay, observed),
    )
    return _conclude(replay, status.model_copy(update={"results": results}), actions, observed, now)


def is_over(resource: Mapping[str, Any]) -> bool:
    """Whether a replay, as the API server has it, is Finished and its status is of its newest generation.

    Then nothing is left to do but to let go of its Jobs.
    """
    generation, status = resource["metadata"]["generation"], resource.get("status", {})
    finished = (each for each in status.get("conditions", ()) if (each["type"], each["status"]) == (FINISHED, "True"))
    return status.get("observedGeneration") == generation and any(
        each.get("observedGeneration") == generation for each in finished
    )


def _fold(replay: SnapshotReplay, index: int, observed: Observed, now: datetime) -> VersionResult:
    result = replay.status.results[index]
    if index in observed.refused:
        return version.refuse(result, observed.refused[index])
    job = observed.jobs.get((index, result.attempt))
    known = observed.storage_problem is None
    if result.archives is not None:
        collected = observed.collected.get(index, backtest.Collected(frozenset())) if known else None
        return backtest.fold(replay, result, job, now, collected=collected)
    return version.fold(replay, result, job, now, stored=observed.results.get(index), storage_known=known)


def _resolve(
    replay: SnapshotReplay,
    status: SnapshotReplayStatus,
    resolution: Resolution,
    now: datetime,
    *,
    image_for: version.ImageFor,
) -> Plan[SnapshotReplayStatus]:
    deadline = replay.metadata.creation_timestamp + timedelta(seconds=replay.spec.starting_deadline_seconds)
    match resolution:
        case Found(source, facts):
            results = tuple(
                version.first_result(wanted, source, image_for, compatibility=_compatibility(replay, wanted, facts))
                for wanted in replay.spec.planned_versions
            )
            pinned = status.model_copy(update={"resolved_source": source, "start_time": now, "results": results})
            found = normal("SourceResolved", f"replaying {source.what()}")
            pending = tuple(VersionResult(name=wanted.name) for wanted in replay.spec.planned_versions)
            # the first Job follows once the pin can be seen by who removes archives, and the archive is still there
            return _conclude(replay, pinned, (found, *_news(pending, results)), Observed(), now, again_at=now)
        case Refused(problem):
            return _give_up(replay, status, problem, now)
        case Waiting(problem) if now >= deadline and not replay.spec.suspend:
            late = Problem(
                reason=Reason.CAPTURE_NOT_FOUND if problem.reason == Reason.WAITING_FOR_CAPTURE else problem.reason,
                message=f"{problem.message} (startingDeadlineSeconds {replay.spec.starting_deadline_seconds} are over)",
            )
            return _give_up(replay, status, late, now)
        case Waiting(problem):
            unresolved = claim(SOURCE_RESOLVED, "False", problem.reason, problem.message)
            claims = (*_progress(problem.reason, problem.message), unresolved)
            return _plan(replay, status, claims, (), now, again_at=earliest(deadline, now + LOOK_AGAIN))
    claims = _progress(Reason.SUSPENDED, "suspended: set spec.suspend to false to replay")
    return _plan(replay, status, claims, (), now)


def _compatibility(
    replay: SnapshotReplay, wanted: ReplayVersion, facts: tuple[compatibility.SnapshotFacts, ...]
) -> tuple[str, ...]:
    if replay.spec.engine == "Simulator":  # all that is known of versions is about the tool's
        return ()
    mode = replay.spec.prepare.config
    reports = (
        compatibility.report(each, target_version(wanted, captured_version=each.version), config=mode) for each in facts
    )
    return compatibility.told(dict.fromkeys(finding for report in reports for finding in report))


def _give_up(
    replay: SnapshotReplay, status: SnapshotReplayStatus, problem: Problem, now: datetime
) -> Plan[SnapshotReplayStatus]:
    ended = status.model_copy(
        update={"completion_time": now, "outcome": "Failed", "summary": f"not replayed: {problem.reason}"}
    )
    claims = (
        claim(READY, "False", problem.reason, problem.message),
        claim(STALLED, "True", problem.reason, problem.message),
        claim(SOURCE_RESOLVED, "False", problem.reason, problem.message),
        claim(FINISHED, "True", Reason.FAILED, problem.message),
    )
    return _plan(replay, ended, claims, (warning(problem.reason, problem.message),), now)


def _next_jobs(replay: SnapshotReplay, results: tuple[VersionResult, ...], observed: Observed) -> tuple[Action, ...]:
    """Jobs to create; a Job whose pod waits is among them, for it may wait for its token."""
    waiting = [
        CreateJob(index, result.attempt)
        for index, result in enumerate(results)
        if result.outcome == "Running"
        and (job := observed.jobs.get((index, result.attempt))) is not None
        and job.not_started_since is not None
    ]
    if replay.spec.suspend or observed.storage_problem is not None:
        return tuple(waiting)
    # with many archives, those of one version run side by side, and the versions one after the other
    at_once = 1 if any(result.archives is not None for result in results) else replay.spec.parallelism
    room = at_once - sum(
        _takes_room(result, observed.jobs.get((i, result.attempt))) for i, result in enumerate(results)
    )
    pending = [index for index, result in enumerate(results) if result.outcome == "Pending"]
    return (*waiting, *(CreateJob(index, results[index].attempt) for index in pending[: max(room, 0)]))


def _held_back(replay: SnapshotReplay, observed: Observed) -> tuple[Action, ...]:
    """The pods of many archives are held back with the replay; what they were at is begun anew."""
    return tuple(
        SuspendJob(job.name, replay.spec.suspend)
        for (index, _), job in observed.jobs.items()
        if replay.status.results[index].archives is not None and not job.ended and job.suspended != replay.spec.suspend
    )


def _takes_room(result: VersionResult, job: JobFacts | None) -> bool:
    """One whose image cannot be pulled disturbs no other, and holds up none."""
    return result.outcome == "Running" and (job is None or job.pull_fails_at is None)


def _news(before: tuple[VersionResult, ...], after: tuple[VersionResult, ...]) -> tuple[Action, ...]:
    return tuple(
        normal("VersionReplayed", f"{new.name}: {version.line(new)}")
        if new.outcome == "Succeeded"
        else warning("VersionFailed", f"{new.name}: {version.line(new)}: {new.message}".rstrip(": "))
        for old, new in zip(before, after, strict=True)
        if version.is_final(new) and not version.is_final(old)
    )


def _clear_up(replay: SnapshotReplay, observed: Observed) -> tuple[Action, ...]:
    """Jobs whose outcome is in the status as it was read are not needed any more."""
    actions: list[Action] = []
    for (index, attempt), job in observed.jobs.items():
        result = replay.status.results[index]
        if not version.is_final(result) and attempt >= result.attempt:
            continue
        if not job.ended and result.result_uri is None:
            actions.append(DeleteJob(job.name))
        elif not job.expires:
            actions.append(ExpireJob(job.name, replay.spec.job_ttl_seconds_after_finished))
    return tuple(actions)


def _conclude(
    replay: SnapshotReplay,
    status: SnapshotReplayStatus,
    actions: tuple[Action, ...],
    observed: Observed,
    now: datetime,
    *,
    again_at: datetime | None = None,
) -> Plan[SnapshotReplayStatus]:
    source = status.resolved_source
    resolved = claim(SOURCE_RESOLVED, "True", Reason.RESOLVED, source.what() if source else "")
    over = all(version.is_final(result) for result in status.results)
    if not over or (observed.compared is None and needs_comparison(replay.spec, status)):
        running = status.model_copy(update={"summary": summary(status.results)})
        claims = (*_under_way(replay, running, observed.storage_problem), resolved)
        # all are over: they are compared at the next look, which is at once unless the storage fails
        soon = now if over and observed.storage_problem is None else _look_again(observed, now)
        return _plan(replay, running, claims, actions, now, again_at=again_at or soon)
    end = verdict(replay.spec, status.results, observed.compared)
    comparison = observed.compared if isinstance(observed.compared, ReplayComparison) else None
    ended = status.model_copy(
        update={
            "completion_time": now,
            "outcome": end.outcome.value,
            "summary": end.summary,
            "comparison": comparison,
        }
    )
    told = (normal if end.good else warning)("ReplayFinished", end.summary)
    return _plan(replay, ended, (*end.claims, resolved), (*actions, told), now)


def _look_again(observed: Observed, now: datetime) -> datetime:
    due = (job.pull_fails_at for job in observed.jobs.values())
    return min((now + LOOK_AGAIN, *(moment for moment in due if moment is not None and moment > now)))


def _under_way(
    replay: SnapshotReplay, status: SnapshotReplayStatus, storage_problem: Problem | None
) -> tuple[Condition, ...]:
    if storage_problem is not None:
        message = f"{status.summary}; {storage_problem.reason}: {storage_problem.message}"
        return _progress(Reason.PROGRESSING_WITH_RETRY, message)
    at_work = any(result.outcome == "Running" and result.archives is None for result in status.results)
    if replay.spec.suspend and not at_work:
        return _progress(Reason.SUSPENDED, "suspended: set spec.suspend to false to go on")
    return _progress(Reason.PROGRESSING, status.summary or "")


def _unpin(replay: SnapshotReplay, status: SnapshotReplayStatus, now: datetime) -> Plan[SnapshotReplayStatus]:
    """The archive was removed while it was being pinned: another is looked for."""
    message = "the archive that was found has been removed meanwhile; looking for another"
    fresh = status.model_copy(update={"resolved_source": None, "start_time": None, "results": ()})
    return _plan(replay, fresh, _progress(Reason.PROGRESSING_WITH_RETRY, message), (), now, again_at=now)


def _progress(reason: Reason, message: str) -> tuple[Condition, ...]:
    return claim(READY, "Unknown", reason, message), claim(RECONCILING, "True", reason, message)


def _plan(
    replay: SnapshotReplay,
    status: SnapshotReplayStatus,
    claims: tuple[Condition, ...],
    actions: tuple[Action, ...],
    now: datetime,
    *,
    again_at: datetime | None = None,
) -> Plan[SnapshotReplayStatus]:
    conditions = update(replay.status.conditions, claims, now=now, generation=replay.metadata.generation)
    return Plan(status.model_copy(update={"conditions": conditions}), actions, again_at)
