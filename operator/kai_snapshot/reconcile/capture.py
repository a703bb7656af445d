"""What to do about a SnapshotCapture.

`status.active` is the memory of a run: it is written before the capturing process starts, with `lastScheduleTime`, and
stays until the run's end is in the history. So a crash between any two steps is healed by looking again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from kai_snapshot import schedule
from kai_snapshot.api.conditions import shorten
from kai_snapshot.api.ids import run_id
from kai_snapshot.api.manifest import Manifest
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.snapshotcapture import (
    RUN_REQUESTED_AT,
    ActiveRun,
    ArchiveTotals,
    CaptureRecord,
    Schedule,
    SnapshotCapture,
    SnapshotCaptureStatus,
    StoredCapture,
)
from kai_snapshot.errors import Reason, SnapshotError
from kai_snapshot.reconcile import capture_conditions, environment
from kai_snapshot.reconcile.capture_origin import how, remark
from kai_snapshot.reconcile.plan import Action, Plan, StartRun, normal, warning

SUSPENDED = "suspended"
RETRY_AFTER = timedelta(seconds=10)
LOOK_AGAIN = timedelta(minutes=10)
"""A run's end is told; should that be missed, it is seen then."""


@dataclass(frozen=True)
class Captured:
    """A run that stored its archive, and what the storage held after old archives were removed."""

    manifest: Manifest
    uri: str
    totals: ArchiveTotals | None = None
    pruned: int = 0
    prune_problem: Problem | None = None


@dataclass(frozen=True)
class Failed:
    """A try that failed."""

    problem: Problem
    transient: bool


RunState = Literal["Running"] | Captured | Failed | None


@dataclass(frozen=True)
class Observed:
    """What is known besides the object: this process's name, its try of the active run, what bars the storage."""

    operator: str
    run: RunState = None
    storage_problem: Problem | None = None


def reconcile(capture: SnapshotCapture, observed: Observed, now: datetime) -> Plan[SnapshotCaptureStatus]:
    """The plan for this capture at this moment."""
    status, actions = _enter(capture, now)
    if status.active is not None:
        status, more = _follow(capture, status, status.active, observed, now)
        actions += more
    again_at = _look_again(status, now)
    if status.active is None and observed.storage_problem is None:
        status, more, again_at = _start(capture, status, observed.operator, now)
        actions += more
    status = status.model_copy(
        update={"conditions": capture_conditions.conditions(capture, status, observed.storage_problem, now)}
    )
    return Plan(status, actions, again_at)


def _enter(capture: SnapshotCapture, now: datetime) -> tuple[SnapshotCaptureStatus, tuple[Action, ...]]:
    """Takes note of the generation, and of when the schedule that is in force began to be."""
    status, spec = capture.status, capture.spec
    changes: dict[str, object] = {"observed_generation": capture.metadata.generation}
    actions: tuple[Action, ...] = ()
    if spec.schedule is not None:
        in_force = SUSPENDED if spec.suspend else f"{spec.schedule.cron} {spec.schedule.time_zone}"
        if status.schedule_in_force is None:
            changes["schedule_base_time"] = capture.metadata.creation_timestamp
        elif status.schedule_in_force != in_force:
            changes["schedule_base_time"] = now
            if SUSPENDED in (in_force, status.schedule_in_force):
                actions = (normal("Suspended" if spec.suspend else "Resumed", "the schedule is " + in_force),)
        changes["schedule_in_force"] = in_force
        changes["next_schedule_time"] = None if spec.suspend else status.next_schedule_time
    return status.model_copy(update=changes), actions


def _follow(
    capture: SnapshotCapture, status: SnapshotCaptureStatus, active: ActiveRun, observed: Observed, now: datetime
) -> tuple[SnapshotCaptureStatus, tuple[Action, ...]]:
    """What the run in progress needs: its end recorded, its next try, or nothing."""
    match observed.run:
        case "Running":
            return status, ()
        case Captured() as captured:
            return _succeed(capture, status, active, captured, now)
        case Failed(problem, transient):
            return _retry_or_fail(capture, status, active, problem, now, retry=transient)
    if now < active.attempt_time:
        return status, ()
    if active.operator == observed.operator:
        return status, (StartRun(active),)
    if active.message:  # a try that was waiting for its time when the operator before went away
        again = active.model_copy(update={"operator": observed.operator, "message": ""})
        return status.model_copy(update={"active": again}), (StartRun(again),)
    lost = Problem(reason=Reason.INTERRUPTED, message="the operator stopped while the run was under way")
    adopted = active.model_copy(update={"operator": observed.operator})
    return _retry_or_fail(capture, status, adopted, lost, now, retry=True)


def _retry_or_fail(
    capture: SnapshotCapture,
    status: SnapshotCaptureStatus,
    active: ActiveRun,
    problem: Problem,
    now: datetime,
    *,
    retry: bool,
) -> tuple[SnapshotCaptureStatus, tuple[Action, ...]]:
    earlier = min(active.attempt, capture.spec.retries) - 1  # what stands in a status may be anything
    attempt_time = now + RETRY_AFTER * 2**earlier
    if retry and active.attempt <= capture.spec.retries and attempt_time < _deadline(capture, active):
        again = active.model_copy(
            update={
                "attempt": active.attempt + 1,
                "attempt_time": attempt_time,
                "message": shorten(f"{problem.reason}: {problem.message}"),
            }
        )
        return status.model_copy(update={"active": again}), ()
    return _fail(capture, status, active, problem, now)


def _deadline(capture: SnapshotCapture, active: ActiveRun) -> datetime:
    return active.start_time + timedelta(seconds=capture.spec.active_deadline_seconds)


def _fail(
    capture: SnapshotCapture, status: SnapshotCaptureStatus, active: ActiveRun, problem: Problem, now: datetime
) -> tuple[SnapshotCaptureStatus, tuple[Action, ...]]:
    record = CaptureRecord(
        id=active.id,
        trigger=active.trigger,
        outcome="Failed",
        reason=problem.reason,
        message=shorten(problem.message)[:512],
        completion_time=now,
    )
    ended = status.model_copy(
        update={
            "active": None,
            "consecutive_failures": status.consecutive_failures + 1,
            "history": (record, *status.history)[: capture.spec.history_limit],
        }
    )
    return ended, (warning(problem.reason, f"run {active.id} failed: {problem.message}"),)


def _succeed(
    capture: SnapshotCapture, status: SnapshotCaptureStatus, active: ActiveRun, captured: Captured, now: datetime
) -> tuple[SnapshotCaptureStatus, tuple[Action, ...]]:
    manifest = captured.manifest
    reason, known = how(manifest), remark(manifest)
    record = CaptureRecord(
        id=active.id,
        trigger=active.trigger,
        outcome="Succeeded",
        reason=reason,
        message=shorten(known)[:512],
        completion_time=now,
        size_bytes=manifest.size_bytes,
    )
    stored = StoredCapture(
        id=manifest.id,
        uri=captured.uri,
        sha256=manifest.sha256,
        size_bytes=manifest.size_bytes,
        captured_at=manifest.captured_at,
        scheduler_version=manifest.scheduler.version or "",
        object_counts=manifest.object_counts,
        healed=manifest.healed,
        built_from_api=manifest.built_from_api is not None,
    )
    beside, more = environment.begin(capture.spec, status.environment, manifest.id, now)
    ended = status.model_copy(
        update={
            "active": None,
            "environment": beside,
            "consecutive_failures": 0,
            "last_successful_time": now,
            "last_successful_capture": stored,
            "history": (record, *status.history)[: capture.spec.history_limit],
            "archives": captured.totals or status.archives,
        }
    )
    told = f"run {active.id} stored {captured.uri}"
    actions: tuple[Action, ...] = (warning(reason, f"{told}; {known}") if known else normal(reason, told), *more)
    if captured.pruned:
        actions += (normal("ArchivesPruned", f"{captured.pruned} archives removed by retention"),)
    if captured.prune_problem is not None:
        problem = captured.prune_problem
        actions += (warning("PruneBlocked", f"old archives could not be removed: {problem.reason}: {problem.message}"),)
    return ended, actions


def _look_again(status: SnapshotCaptureStatus, now: datetime) -> datetime | None:
    if status.active is None:
        return None
    return status.active.attempt_time if status.active.attempt_time > now else now + LOOK_AGAIN


def _start(
    capture: SnapshotCapture, status: SnapshotCaptureStatus, operator: str, now: datetime
) -> tuple[SnapshotCaptureStatus, tuple[Action, ...], datetime | None]:
    """Starts the run that is due, if one is, and says when to look again."""
    requested = capture.metadata.annotations.get(RUN_REQUESTED_AT)
    timing = capture.spec.schedule
    if timing is None:
        return *_start_once(capture, status, operator, requested, now), None
    if requested is not None and requested != status.last_handled_run_request:
        handled = status.model_copy(update={"last_handled_run_request": requested})
        return *_run(handled, operator, "Manual", run_id(now, requested), scheduled_for=now, now=now), None
    if capture.spec.suspend:
        return status, (), None
    if timing.immediate and not status.history:
        return *_run(status, operator, "Immediate", run_id(now), scheduled_for=now, now=now), None
    return _start_by_schedule(capture, timing, status, operator, now)


def _start_once(
    capture: SnapshotCapture, status: SnapshotCaptureStatus, operator: str, requested: str | None, now: datetime
) -> tuple[SnapshotCaptureStatus, tuple[Action, ...]]:
    created = capture.metadata.creation_timestamp
    asked = requested is not None and requested != status.last_handled_run_request
    handled = status.model_copy(update={"last_handled_run_request": requested})
    if not status.history:
        if capture.spec.suspend:
            return status, ()
        # a request that came before the run is this run
        return _run(handled, operator, "OneShot", run_id(created), scheduled_for=created, now=now)
    if not asked:
        return status, ()
    message = "a one-shot capture runs once: create a new SnapshotCapture, or use one with a schedule"
    return handled, (warning(Reason.RUN_REQUEST_IGNORED, message),)


def _start_by_schedule(
    capture: SnapshotCapture, timing: Schedule, status: SnapshotCaptureStatus, operator: str, now: datetime
) -> tuple[SnapshotCaptureStatus, tuple[Action, ...], datetime | None]:
    try:
        due = _due(capture, timing, status, now)
    except SnapshotError:  # the conditions say it
        return status.model_copy(update={"next_schedule_time": None}), (), None
    noted = status.model_copy(
        update={"next_schedule_time": due.next, "last_schedule_time": due.newest or status.last_schedule_time}
    )
    actions: tuple[Action, ...] = ()
    if due.missed:
        count = f"{due.missed}{'' if due.missed < schedule.MISSED_LIMIT else ' or more'} runs were missed"
        made_up = (
            "the newest is made up for"
            if due.run
            else f"later than startingDeadlineSeconds {timing.starting_deadline_seconds}"
        )
        actions = (warning(Reason.MISSED_SCHEDULE, f"{count}; {made_up}"),)
    if due.run is None:
        return noted, actions, due.next
    started, start = _run(noted, operator, "Schedule", run_id(due.run), scheduled_for=due.run, now=now)
    return started, actions + start, due.next


def _due(capture: SnapshotCapture, timing: Schedule, status: SnapshotCaptureStatus, now: datetime) -> schedule.Due:
    return schedule.due(
        schedule.Timetable.parse(timing.cron, timing.time_zone),
        now,
        base=status.schedule_base_time or capture.metadata.creation_timestamp,
        last=status.last_schedule_time,
        deadline=timedelta(seconds=timing.starting_deadline_seconds),
        delay=schedule.jitter(capture.metadata.uid, timing.jitter_seconds),
    )


def _run(
    status: SnapshotCaptureStatus, operator: str, trigger: str, id_: str, *, scheduled_for: datetime, now: datetime
) -> tuple[SnapshotCaptureStatus, tuple[Action, ...]]:
    active = ActiveRun(
        id=id_, trigger=trigger, scheduled_for=scheduled_for, start_time=now, attempt_time=now, operator=operator
    )
    return status.model_copy(update={"active": active}), (StartRun(active),)
