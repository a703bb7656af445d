"""What a SnapshotCapture says of itself in its conditions.

A scheduled capture stays Ready while a run is in progress and after a failed one: only `failureThreshold` failures in a
row, or something a person must mend, change that.
"""

from datetime import datetime

from kai_snapshot import schedule
from kai_snapshot.api.base import rfc3339
from kai_snapshot.api.conditions import (
    ENVIRONMENT_CAPTURED,
    FINISHED,
    LAST_CAPTURE_SUCCEEDED,
    READY,
    RECONCILING,
    STALLED,
    Condition,
    ConditionStatus,
    claim,
    update,
)
from kai_snapshot.api.environmentspec import EnvironmentStatus
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.snapshotcapture import SKIP_ARCHIVE_CLEANUP, Schedule, SnapshotCapture, SnapshotCaptureStatus
from kai_snapshot.errors import Reason, SnapshotError


def conditions(
    capture: SnapshotCapture, status: SnapshotCaptureStatus, storage_problem: Problem | None, now: datetime
) -> tuple[Condition, ...]:
    """All conditions of the capture with this status."""
    timing = capture.spec.schedule
    if timing is None:
        claims = _one_shot_claims(status, storage_problem)
    else:
        claims = (*_scheduled_claims(capture, timing, status, storage_problem), *_last_capture(status))
    claims += _environment(status.environment)
    return update(capture.status.conditions, claims, now=now, generation=capture.metadata.generation)


def _stalled(reason: str, message: str) -> tuple[Condition, ...]:
    return claim(READY, "False", reason, message), claim(STALLED, "True", reason, message)


def _one_shot_claims(status: SnapshotCaptureStatus, storage_problem: Problem | None) -> tuple[Condition, ...]:
    if status.history:
        last = status.history[0]
        reason = last.reason
        if last.outcome == "Succeeded":
            stored = status.last_successful_capture
            where = f"stored {stored.uri}" if stored else ""
            where += f"; {last.message}" if last.message else ""
            return claim(READY, "True", reason, where), claim(FINISHED, "True", Reason.SUCCEEDED, where)
        return *_stalled(reason, last.message), claim(FINISHED, "True", Reason.FAILED, last.message)
    if status.active is not None:
        retrying = status.active.attempt > 1
        reason = Reason.PROGRESSING_WITH_RETRY if retrying else Reason.PROGRESSING
        return (
            claim(READY, "Unknown", Reason.PROGRESSING, status.active.message or "capturing"),
            claim(RECONCILING, "True", reason, status.active.message or "capturing"),
        )
    if storage_problem is not None:
        return _stalled(storage_problem.reason, storage_problem.message)
    message = "suspended: set spec.suspend to false to capture"
    return claim(READY, "Unknown", Reason.SUSPENDED, message), claim(RECONCILING, "True", Reason.SUSPENDED, message)


def _scheduled_claims(
    capture: SnapshotCapture, timing: Schedule, status: SnapshotCaptureStatus, storage_problem: Problem | None
) -> tuple[Condition, ...]:
    try:
        schedule.Timetable.parse(timing.cron, timing.time_zone)
    except SnapshotError as error:
        return _stalled(error.reason, error.message)
    if storage_problem is not None:
        return _stalled(storage_problem.reason, storage_problem.message)
    if status.consecutive_failures >= capture.spec.failure_threshold and status.history:
        last = status.history[0]
        message = f"{status.consecutive_failures} runs in a row failed, the last with {last.reason}: {last.message}"
        return (
            claim(READY, "False", Reason.CAPTURE_FAILING, message),
            claim(RECONCILING, "True", Reason.PROGRESSING_WITH_RETRY, "the next run tries again"),
        )
    if capture.spec.suspend:
        return (claim(READY, "True", Reason.SUSPENDED, "no run is started by schedule"),)
    following = f"next run {rfc3339(status.next_schedule_time)}" if status.next_schedule_time else ""
    return (claim(READY, "True", Reason.SCHEDULED, following),)


def _last_capture(status: SnapshotCaptureStatus) -> tuple[Condition, ...]:
    if not status.history:
        return ()
    last = status.history[0]
    succeeded = last.outcome == "Succeeded"
    return (claim(LAST_CAPTURE_SUCCEEDED, "True" if succeeded else "False", last.reason, last.message),)


def with_environment(
    status: SnapshotCaptureStatus, beside: EnvironmentStatus | None, now: datetime
) -> SnapshotCaptureStatus:
    """The status with that environment and its condition; all else is as it was, and said of the same generation."""
    rest = tuple(each for each in status.conditions if each.type != ENVIRONMENT_CAPTURED)
    told = update(status.conditions, _environment(beside), now=now, generation=status.observed_generation)
    return status.model_copy(update={"environment": beside, "conditions": (*rest, *told)})


def _environment(beside: EnvironmentStatus | None) -> tuple[Condition, ...]:
    """An aspect of its own: whatever becomes of the environment, the archive is what it is."""
    if beside is None:
        return ()
    state: dict[str, ConditionStatus] = {"Running": "Unknown", "Succeeded": "True"}
    message = f"run {beside.id}: {beside.message}"
    return (claim(ENVIRONMENT_CAPTURED, state.get(beside.outcome, "False"), beside.reason, message),)


def deletion_blocked(capture: SnapshotCapture, problem: Problem, now: datetime) -> SnapshotCaptureStatus:
    """The status while archives cannot be deleted that must go with the object."""
    message = (
        f"the archives cannot be deleted: {problem.reason}: {problem.message}; it is tried again. "
        f"To let the object go without them, annotate it with {SKIP_ARCHIVE_CLEANUP}=true"
    )
    claims = (
        claim(READY, "False", Reason.DELETION_BLOCKED, message),
        claim(RECONCILING, "True", Reason.PROGRESSING_WITH_RETRY, message),
    )
    conditions = update(capture.status.conditions, claims, now=now, generation=capture.metadata.generation)
    return capture.status.model_copy(
        update={"conditions": conditions, "observed_generation": capture.metadata.generation, "active": None}
    )
