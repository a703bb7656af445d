"""What is done about a SnapshotCapture, in every state it can be found in."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot.api.base import rfc3339
from kai_snapshot.api.manifest import BuiltFromAPI, CaptureIdentity, Manifest, SchedulerIdentity
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.snapshotcapture import RUN_REQUESTED_AT, ArchiveTotals, SnapshotCapture
from kai_snapshot.errors import Reason
from kai_snapshot.reconcile.capture import Captured, Failed, Observed, reconcile
from kai_snapshot.reconcile.plan import Announce, Plan, StartRun
from support import kstatus
from support.resources import CREATED, capture

HOURLY = {"cron": "0 * * * *"}
ME = "operator-1_aaaa"
TRANSIENT = Failed(Problem(reason=Reason.SOURCE_TIMEOUT, message="silent"), transient=True)
TERMINAL = Failed(Problem(reason=Reason.PLUGIN_DISABLED, message="switch it on"), transient=False)


class World:
    """A capture, and time: each step is one look, its status kept as the API server keeps it."""

    def __init__(self, **spec: Any) -> None:
        self.now = CREATED + timedelta(seconds=1)
        self.resource = capture(**spec)
        self.operator = ME
        self.plan: Plan[Any]

    def annotate(self, value: str) -> None:
        self.resource["metadata"]["annotations"] = {RUN_REQUESTED_AT: value}

    def change(self, **spec: Any) -> None:
        self.resource["spec"] = {**self.resource["spec"], **spec}
        self.resource["metadata"]["generation"] += 1

    def look(self, run: Any = None, *, after: float = 0, storage_problem: Problem | None = None) -> Plan[Any]:
        self.now += timedelta(seconds=after)
        observed = Observed(operator=self.operator, run=run, storage_problem=storage_problem)
        self.plan = reconcile(SnapshotCapture.model_validate(self.resource), observed, self.now)
        self.resource["status"] = self.plan.status.dump()
        kstatus.check(self.resource)
        return self.plan

    @property
    def started(self) -> list[str]:
        return [action.active.id for action in self.plan.actions if isinstance(action, StartRun)]

    @property
    def events(self) -> list[str]:
        return [action.reason for action in self.plan.actions if isinstance(action, Announce)]

    def condition(self, type_: str) -> tuple[str, str] | None:
        found = [c for c in self.resource["status"]["conditions"] if c["type"] == type_]
        return (found[0]["status"], found[0]["reason"]) if found else None


def captured(
    id_: str, moment: datetime = CREATED, *, healed: bool = False, built: BuiltFromAPI | None = None
) -> Captured:
    manifest = Manifest(
        id=id_,
        archive=f"{id_}-00000000.zip",
        capture=CaptureIdentity(cluster_uid="c", namespace="kai-snapshots", name="hourly"),
        sha256="0" * 64,
        size_bytes=1000,
        uncompressed_bytes=9000,
        scheduler=SchedulerIdentity(version="v0.17.0"),
        scheduled_for=moment,
        captured_at=moment,
        trigger="Schedule",
        healed=healed,
        built_from_api=built,
    )
    return Captured(manifest, f"s3://archives/{id_}.zip", totals=ArchiveTotals(count=3, bytes=3000))


def test_a_one_shot_capture_starts_at_once_and_is_named_by_its_creation() -> None:
    world = World()
    world.look()
    assert world.started == ["20261122T100000Z"]
    assert world.condition("Ready") == ("Unknown", "Progressing")
    assert kstatus.verdict(world.resource) == "InProgress"


def test_a_one_shot_capture_that_is_stored_is_ready_and_finished() -> None:
    world = World()
    world.look()
    world.look(captured("20261122T100000Z"), after=3)
    assert world.condition("Ready") == ("True", "Succeeded")
    assert world.condition("Finished") == ("True", "Succeeded")
    assert world.resource["status"]["lastSuccessfulCapture"]["schedulerVersion"] == "v0.17.0"
    assert world.resource["status"]["archives"] == {"count": 3, "bytes": 3000}
    assert "active" not in world.resource["status"]
    assert kstatus.verdict(world.resource) == "Current"


def test_a_healed_archive_is_said_to_be_healed() -> None:
    world = World()
    world.look()
    world.look(captured("20261122T100000Z", healed=True))
    assert world.condition("Ready") == ("True", "SucceededHealed")


def test_an_archive_that_no_scheduler_served_is_told_of_in_every_place() -> None:
    world = World()
    world.look()
    down = Problem(reason=Reason.NO_SCHEDULER_POD, message="Deployment a/b is scaled to 0")
    world.look(captured("20261122T100000Z", built=BuiltFromAPI(because=down)))
    assert world.condition("Ready") == ("True", "SucceededFromAPI")
    status = world.resource["status"]
    said = "the scheduler did not answer: NoSchedulerPod: Deployment a/b is scaled to 0"
    assert any(said in each["message"] for each in status["conditions"] if each["type"] == "Ready")
    assert status["lastSuccessfulCapture"]["builtFromAPI"] is True
    assert status["history"][0]["reason"] == "SucceededFromAPI"
    assert said in status["history"][0]["message"]
    assert status["consecutiveFailures"] == 0
    (event,) = [each for each in world.plan.actions if isinstance(each, Announce)]
    assert (event.type, event.reason) == ("Warning", "SucceededFromAPI")
    assert said in event.message
    assert kstatus.verdict(world.resource) == "Current"


def test_a_finished_capture_is_left_alone() -> None:
    world = World()
    world.look()
    world.look(captured("20261122T100000Z"))
    before = world.resource["status"]
    world.look(after=86400)
    assert (world.resource["status"], world.plan.actions, world.plan.again_at) == (before, (), None)


def test_a_failure_that_may_heal_is_tried_again_after_ten_and_twenty_seconds_and_then_final() -> None:
    world = World()
    world.look()
    world.look(TRANSIENT)
    assert world.started == []
    assert world.plan.again_at == world.now + timedelta(seconds=10)
    assert world.condition("Reconciling") == ("True", "ProgressingWithRetry")
    world.look(after=10)
    assert world.started == ["20261122T100000Z"]
    world.look(TRANSIENT)
    assert world.plan.again_at == world.now + timedelta(seconds=20)
    world.look(after=20)
    world.look(TRANSIENT)
    assert world.condition("Ready") == ("False", "SourceTimeout")
    assert world.condition("Stalled") == ("True", "SourceTimeout")
    assert world.condition("Finished") == ("True", "Failed")
    assert kstatus.verdict(world.resource) == "Failed"


def test_a_failure_that_needs_a_person_is_not_tried_again() -> None:
    world = World()
    world.look()
    world.look(TERMINAL)
    assert world.condition("Ready") == ("False", "PluginDisabled")
    assert world.events == ["PluginDisabled"]


def test_no_retry_starts_beyond_the_deadline_of_the_run() -> None:
    world = World(activeDeadlineSeconds=15)
    world.look()
    world.look(TRANSIENT, after=10)
    assert world.condition("Finished") == ("True", "Failed")


def test_a_run_whose_operator_died_is_the_next_try() -> None:
    world = World()
    world.look()
    world.operator = "operator-2_bbbb"
    world.look(after=60)
    assert world.resource["status"]["active"]["attempt"] == 2
    assert world.resource["status"]["active"]["operator"] == "operator-2_bbbb"
    world.look(after=10)
    assert world.started == ["20261122T100000Z"]


def test_a_try_that_only_waited_for_its_time_is_not_lost_with_its_operator() -> None:
    world = World()
    world.look()
    world.look(TRANSIENT)
    world.operator = "operator-2_bbbb"
    world.look(after=60)
    assert (world.resource["status"]["active"]["attempt"], world.started) == (2, ["20261122T100000Z"])


@pytest.mark.parametrize("attempt", [2**31 - 1, 0, -(2**31)])
def test_a_number_of_tries_that_nobody_made_is_no_matter(attempt: int) -> None:
    world = World()
    world.look()
    world.resource["status"]["active"]["attempt"] = attempt
    world.look(run=TRANSIENT, after=1)
    assert world.resource["status"]["conditions"]


def test_a_run_interrupted_without_retries_left_is_recorded_as_interrupted() -> None:
    world = World(retries=0)
    world.look()
    world.operator = "operator-2_bbbb"
    world.look(after=60)
    assert world.condition("Ready") == ("False", "Interrupted")


def test_a_status_that_was_not_written_leads_to_the_same_run_again() -> None:
    world = World()
    first = world.look().status.active
    del world.resource["status"]
    assert world.look(after=5).status.active.id == first.id


def test_a_suspended_one_shot_capture_waits() -> None:
    world = World(suspend=True)
    world.look()
    assert world.started == []
    assert world.condition("Ready") == ("Unknown", "Suspended")
    world.change(suspend=False)
    world.look(after=60)
    assert world.started == ["20261122T100000Z"]


def test_a_request_to_run_a_finished_one_shot_capture_is_refused_once_with_a_reason() -> None:
    world = World()
    world.look()
    world.look(captured("20261122T100000Z"))
    world.annotate("again")
    world.look()
    assert world.events == ["RunRequestIgnored"]
    world.look()
    assert world.events == []


def test_a_storage_that_is_not_there_stalls_the_capture_until_it_is() -> None:
    world = World()
    world.look(storage_problem=Problem(reason=Reason.CLAIM_NOT_MOUNTED, message="mount it"))
    assert world.started == []
    assert world.condition("Stalled") == ("True", "ClaimNotMounted")
    world.look(after=60)
    assert world.started == ["20261122T100000Z"]


def test_a_schedule_does_not_run_at_creation_but_says_when_it_will() -> None:
    world = World(schedule=HOURLY)
    world.look()
    assert world.started == []
    assert world.condition("Ready") == ("True", "Scheduled")
    assert world.resource["status"]["nextScheduleTime"] == "2026-11-22T11:00:00Z"
    assert world.plan.again_at == CREATED + timedelta(hours=1)


def test_immediate_runs_once_at_creation() -> None:
    world = World(schedule={**HOURLY, "immediate": True})
    world.look()
    assert world.started == ["20261122T100001Z"]
    world.look(captured("20261122T100001Z"), after=5)
    world.look(after=60)
    assert world.started == []


def test_immediate_waits_for_a_storage_that_is_not_there_yet() -> None:
    world = World(schedule={**HOURLY, "immediate": True})
    world.look(storage_problem=Problem(reason=Reason.CLAIM_NOT_MOUNTED, message="mount it"))
    world.look(after=30)
    assert len(world.started) == 1


def test_a_reason_that_another_release_wrote_is_passed_on() -> None:
    world = World()
    world.look()
    world.look(TERMINAL)
    world.resource["status"]["history"][0]["reason"] = "FromTheFuture"
    world.look()
    assert world.condition("Ready") == ("False", "FromTheFuture")


def test_a_slot_is_run_once_and_recorded_before_it_starts() -> None:
    world = World(schedule=HOURLY)
    world.look()
    world.look(after=3600)
    assert world.started == ["20261122T110000Z"]
    assert world.resource["status"]["lastScheduleTime"] == "2026-11-22T11:00:00Z"
    assert world.condition("Ready") == ("True", "Scheduled")
    assert kstatus.verdict(world.resource) == "Current"
    world.look("Running", after=5)
    assert world.started == []
    world.look(captured("20261122T110000Z", CREATED + timedelta(hours=1)), after=5)
    assert world.condition("LastCaptureSucceeded") == ("True", "Succeeded")
    world.look(after=60)
    assert world.started == []


def test_after_a_long_absence_exactly_one_run_is_made_up_for_and_the_rest_is_told() -> None:
    world = World(schedule=HOURLY)
    world.look()
    world.look(after=5 * 3600 + 60)
    assert world.started == ["20261122T150000Z"]
    assert world.events == ["MissedSchedule"]
    world.look(captured("20261122T150000Z"), after=5)
    world.look(after=5)
    assert (world.started, world.events) == ([], [])


def test_beyond_the_starting_deadline_nothing_is_made_up_for_and_it_is_told_once() -> None:
    world = World(schedule=HOURLY)
    world.look()
    world.look(after=5 * 3600 + 1800)
    assert (world.started, world.events) == ([], ["MissedSchedule"])
    world.look(after=5)
    assert world.events == []


def test_resuming_after_200_slots_runs_nothing_at_once() -> None:
    world = World(schedule=HOURLY, suspend=True)
    world.look()
    assert world.condition("Ready") == ("True", "Suspended")
    assert "nextScheduleTime" not in world.resource["status"]
    world.look(after=200 * 3600)
    world.change(suspend=False)
    world.look(after=30)
    assert world.started == []
    assert world.events == ["Resumed"]
    assert kstatus.verdict(world.resource) == "Current"


def test_a_changed_schedule_catches_up_on_nothing_of_the_new_one() -> None:
    world = World(schedule={"cron": "0 0 1 1 *"})
    world.look()
    world.change(schedule={"cron": "* * * * *"})
    world.look(after=1800)
    assert (world.started, world.events) == ([], [])


def test_one_failed_run_leaves_a_schedule_ready_and_three_do_not() -> None:
    world = World(schedule=HOURLY)
    world.look()
    for failures in (1, 2, 3):
        world.now = CREATED + timedelta(hours=failures)
        world.look()
        world.look(TERMINAL, after=1)
        assert world.condition("LastCaptureSucceeded") == ("False", "PluginDisabled")
        expected = ("True", "Scheduled") if failures < 3 else ("False", "CaptureFailing")
        assert world.condition("Ready") == expected
    assert kstatus.verdict(world.resource) == "InProgress"
    world.now = CREATED + timedelta(hours=4)
    world.look()
    world.look(captured("20261122T140000Z"), after=1)
    assert world.condition("Ready") == ("True", "Scheduled")
    assert world.resource["status"].get("consecutiveFailures") == 0


def test_a_request_runs_also_while_suspended_and_only_once() -> None:
    world = World(schedule=HOURLY, suspend=True)
    world.look()
    world.annotate("2026-11-22")
    world.look()
    assert len(world.started) == 1
    assert world.started[0].startswith("20261122T100001Z-")
    world.look(captured(world.started[0]), after=5)
    world.look()
    assert world.started == []


def test_a_request_during_a_run_is_served_after_it() -> None:
    world = World(schedule=HOURLY)
    world.look()
    world.look(after=3600)
    world.annotate("now")
    world.look("Running", after=1)
    assert world.started == []
    world.look(captured("20261122T110000Z"), after=1)
    assert len(world.started) == 1
    assert world.resource["status"]["active"]["trigger"] == "Manual"


@pytest.mark.parametrize(
    ("timing", "reason"),
    [
        pytest.param({"cron": "0 0 30 2 *"}, "InvalidSchedule", id="a day that never comes"),
        pytest.param({"cron": "61 * * * *"}, "InvalidSchedule", id="a minute that does not exist"),
        pytest.param({"cron": "0 * * * *", "timeZone": "Europe/Atlantis"}, "UnknownTimeZone", id="an unknown zone"),
    ],
)
def test_a_schedule_that_cannot_be_kept_stalls(timing: dict[str, str], reason: str) -> None:
    world = World(schedule=timing)
    world.look()
    assert world.condition("Stalled") == ("True", reason)
    assert world.started == []


def test_the_history_is_bounded() -> None:
    world = World(schedule={"cron": "* * * * *"}, historyLimit=2)
    world.look()
    for _ in range(4):
        world.look(after=60)
        world.look(captured(world.started[0]), after=1)
    assert len(world.resource["status"]["history"]) == 2


def test_what_could_not_be_pruned_is_told_and_the_run_is_good() -> None:
    world = World(schedule=HOURLY)
    world.look()
    world.look(after=3600)
    stored = captured("20261122T110000Z")
    blocked = Captured(
        stored.manifest, stored.uri, prune_problem=Problem(reason=Reason.ACCESS_DENIED, message="no right to delete")
    )
    world.look(blocked)
    assert world.events == ["Succeeded", "PruneBlocked"]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["nothing", "captured", "transient", "terminal", "restart", "suspend", "resume", "request"]),
        st.integers(0, 4000),
    ),
    max_size=30,
)


@given(steps=STEPS, scheduled=st.booleans())
def test_whatever_happens_there_is_never_more_than_one_run_and_every_status_conforms(
    steps: list[tuple[str, int]], scheduled: bool
) -> None:
    world = World(**({"schedule": HOURLY} if scheduled else {}))
    running: str | None = None
    finished: list[str] = []
    for step, seconds in steps:
        run: Any = "Running" if running else None
        match step:
            case "captured" if running:
                run = captured(running)
            case "transient" if running:
                run = TRANSIENT
            case "terminal" if running:
                run = TERMINAL
            case "restart":
                world.operator += "x"
                run = running = None
            case "suspend" | "resume":
                world.change(suspend=step == "suspend")
            case "request":
                world.annotate(rfc3339(world.now))
        if run not in ("Running", None):
            finished += [running] if isinstance(run, Captured) and running else []
            running = None
        world.look(run, after=seconds)
        assert len(world.started) <= 1
        if world.started:
            assert running is None
            running = world.started[0]
            assert world.plan.status.active.id == running
    assert len(finished) == len(set(finished)), "a slot was captured twice"
