"""What to do about a SnapshotReplay.

The archive is pinned once. Then each version goes Pending -> Running -> a final outcome: a Job is created first and
noted in the status when it is seen, so an operator that dies in between finds it again; a final outcome comes from the
result in the storage, or from the Job when it can bring none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from kai_snapshot.api.conditions import (
    FINISHED,
    READY,
    RECONCILING,
    SOURCE_RESOLVED,
    STALLED,
    Condition,
    claim,
    is_true,
    shorten,
    update,
)
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.snapshotreplay import ResolvedSource, SnapshotReplay, SnapshotReplayStatus, VersionResult
from kai_snapshot.errors import Reason
from kai_snapshot.jobs.read import JobFacts
from kai_snapshot.reconcile import version
from kai_snapshot.reconcile.plan import (
    Action,
    CreateJob,
    DeleteJob,
    ExpireJob,
    Plan,
    earliest,
    normal,
    warning,
)

LOOK_AGAIN = timedelta(minutes=1)


@dataclass(frozen=True)
class Waiting:
    """The source cannot be resolved yet."""

    problem: Problem


@dataclass(frozen=True)
class Refused:
    """The source cannot be resolved, and will not be."""

    problem: Problem


Resolution = ResolvedSource | Waiting | Refused | None


@dataclass(frozen=True)
class Observed:
    """What is known besides the object."""

    resolution: Resolution = None
    """While nothing is pinned yet."""
    results: Mapping[int, version.StoredResult] = field(default_factory=dict)
    """By the version's index; only of versions whose outcome is not in the status yet."""
    jobs: Mapping[tuple[int, int], JobFacts] = field(default_factory=dict)
    """By the version's index and the attempt."""
    refused: Mapping[int, Problem] = field(default_factory=dict)
    """Versions that can have no Job, or whose result cannot be read, by index."""
    storage_problem: Problem | None = None
    """Why it is not known at present which results there are."""
    archive_gone: bool = False
    """The archive that was pinned is not there any more, and nothing has been started yet."""


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
    results = tuple(
        version.refuse(result, observed.refused[index])
        if index in observed.refused
        else version.fold(
            replay,
            result,
            observed.jobs.get((index, result.attempt)),
            now,
            stored=observed.results.get(index),
            storage_known=observed.storage_problem is None,
        )
        for index, result in enumerate(status.results)
    )
    actions = (
        *_clear_up(replay, observed),
        *_news(status.results, results),
        *_next_jobs(replay, results, observed),
    )
    return _conclude(replay, status.model_copy(update={"results": results}), actions, observed, now)


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
        case ResolvedSource() as source:
            results = tuple(version.first_result(wanted, source, image_for) for wanted in replay.spec.versions)
            pinned = status.model_copy(update={"resolved_source": source, "start_time": now, "results": results})
            found = normal("SourceResolved", f"replaying {source.uri}")
            pending = tuple(VersionResult(name=wanted.name) for wanted in replay.spec.versions)
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
    room = replay.spec.parallelism - sum(result.outcome == "Running" for result in results)
    pending = [index for index, result in enumerate(results) if result.outcome == "Pending"]
    return (*waiting, *(CreateJob(index, results[index].attempt) for index in pending[: max(room, 0)]))


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
    done = [result for result in status.results if version.is_final(result)]
    resolved = claim(
        SOURCE_RESOLVED, "True", Reason.RESOLVED, status.resolved_source.uri if status.resolved_source else ""
    )
    summary = _summary(status.results)
    if len(done) < len(status.results):
        running = status.model_copy(update={"summary": summary})
        claims = (*_under_way(replay, running, observed.storage_problem), resolved)
        return _plan(replay, running, claims, actions, now, again_at=again_at or _look_again(observed, now))
    succeeded = sum(result.outcome == "Succeeded" for result in done)
    reason = Reason.SUCCEEDED if succeeded == len(done) else Reason.PARTIALLY_FAILED if succeeded else Reason.FAILED
    ended = status.model_copy(update={"completion_time": now, "outcome": reason.value, "summary": summary})
    if reason is Reason.SUCCEEDED:
        claims = (claim(READY, "True", Reason.SUCCEEDED, summary),)
    else:
        claims = (
            claim(READY, "False", Reason.REPLAY_FAILED, _failures(done)),
            claim(STALLED, "True", Reason.REPLAY_FAILED, _failures(done)),
        )
    end = (normal if reason is Reason.SUCCEEDED else warning)("ReplayFinished", summary)
    return _plan(replay, ended, (*claims, resolved, claim(FINISHED, "True", reason, summary)), (*actions, end), now)


def _look_again(observed: Observed, now: datetime) -> datetime:
    due = (job.pull_fails_at for job in observed.jobs.values())
    return min((now + LOOK_AGAIN, *(moment for moment in due if moment is not None and moment > now)))


def _under_way(
    replay: SnapshotReplay, status: SnapshotReplayStatus, storage_problem: Problem | None
) -> tuple[Condition, ...]:
    if storage_problem is not None:
        message = f"{status.summary}; {storage_problem.reason}: {storage_problem.message}"
        return _progress(Reason.PROGRESSING_WITH_RETRY, message)
    if replay.spec.suspend and not any(result.outcome == "Running" for result in status.results):
        return _progress(Reason.SUSPENDED, "suspended: set spec.suspend to false to go on")
    return _progress(Reason.PROGRESSING, status.summary or "")


def _unpin(replay: SnapshotReplay, status: SnapshotReplayStatus, now: datetime) -> Plan[SnapshotReplayStatus]:
    """The archive was removed while it was being pinned: another is looked for."""
    message = "the archive that was found has been removed meanwhile; looking for another"
    fresh = status.model_copy(update={"resolved_source": None, "start_time": None, "results": ()})
    return _plan(replay, fresh, _progress(Reason.PROGRESSING_WITH_RETRY, message), (), now, again_at=now)


def _progress(reason: Reason, message: str) -> tuple[Condition, ...]:
    return claim(READY, "Unknown", reason, message), claim(RECONCILING, "True", reason, message)


def _summary(results: tuple[VersionResult, ...]) -> str:
    """`2/3 replayed: v0.16.3 120 ms, v0.17.0 131 ms; main Panicked`, at most 1 KiB."""
    good = [result for result in results if result.outcome == "Succeeded"]
    bad = [result for result in results if version.is_final(result) and result.outcome != "Succeeded"]
    told = ", ".join(f"{result.name} {version.timing(result)}".rstrip() for result in good)
    failed = ", ".join(f"{result.name} {result.outcome}" for result in bad)
    return shorten(
        f"{len(good)}/{len(results)} replayed" + (f": {told}" if told else "") + (f"; {failed}" if failed else "")
    )


def _failures(results: list[VersionResult]) -> str:
    return "; ".join(
        f"{result.name} {result.outcome}: {result.message}".rstrip(": ")
        for result in results
        if result.outcome != "Succeeded"
    )


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
