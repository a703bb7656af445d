"""What is done about an environment that is under way, whatever is seen of it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot.api.environmentdocument import Subtype
from kai_snapshot.api.environmentindex import EnvironmentPlan, PlannedNode, StoredDocument
from kai_snapshot.api.environmentspec import Environment, EnvironmentStatus
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.snapshotcapture import SnapshotCapture
from kai_snapshot.errors import Reason
from kai_snapshot.jobs.nodefacts import NodeJob
from kai_snapshot.reconcile.environment import ALLOWANCE, Observed, StepFailed, begin, needed, reconcile
from kai_snapshot.reconcile.plan import CreateNodeJob, DeleteJob, Plan, RecordNode, StartStep
from support.resources import CREATED, capture

BEGUN = CREATED + timedelta(minutes=1)
FORBIDDEN = 'pods "x" is forbidden: violates PodSecurity "restricted:latest"'
QUOTA = 'pods "x" is forbidden: exceeded quota: pods'


def planned(*nodes: str) -> EnvironmentPlan:
    return EnvironmentPlan(
        mode="PerNode",
        matching=len(nodes),
        nodes=tuple(PlannedNode(name=node, facts=Subtype(subtype="node")) for node in nodes),
        cluster=StoredDocument(sha256="0" * 64, size_bytes=1),
    )


def job(node: str, *, after: float = 0, has_pod: bool = True, **facts: Any) -> NodeJob:
    created = BEGUN + timedelta(seconds=after)
    return NodeJob(name=f"job-{node}", node=node, uid=node, created=created, has_pod=has_pod, **facts)


def look(
    *,
    at: float,
    wanted: Mapping[str, Any] | None = None,
    jobs: tuple[NodeJob, ...] = (),
    status: Mapping[str, Any] | None = None,
    **observed: Any,
) -> Plan[Any]:
    environment = {"mode": "PerNode", "timeoutSeconds": 300, **(wanted or {})}
    beside = {"id": "20261122T100000Z", "startTime": BEGUN.isoformat(), **(status or {})}
    resource = capture(environment=environment, status={"observedGeneration": 1, "environment": beside})
    seen = Observed(jobs={each.node: each for each in jobs}, **observed)
    return reconcile(SnapshotCapture.model_validate(resource), seen, BEGUN + timedelta(seconds=at))


def actions(plan: Plan[Any], kind: type) -> list[Any]:
    return [action for action in plan.actions if isinstance(action, kind)]


def problems(plan: Plan[Any]) -> dict[str, Reason]:
    return {action.node: action.problem.reason for action in actions(plan, RecordNode)}


class TestAJob:
    def test_has_its_time_and_then_is_given_up_with_what_it_was_at(self) -> None:
        waits = job("a", waiting="Unschedulable: 0/1 nodes are available")
        early = look(at=299, plan=planned("a"), jobs=(waits,))
        assert problems(early) == {}
        assert early.again_at == BEGUN + timedelta(seconds=300), "no event tells of that moment"
        late = look(at=300, plan=planned("a"), jobs=(waits,))
        (record,) = actions(late, RecordNode)
        assert record.problem.reason == Reason.DEADLINE_EXCEEDED
        assert "Unschedulable" in record.problem.message
        assert actions(late, DeleteJob) == [DeleteJob("job-a")]
        assert late.again_at == BEGUN + timedelta(seconds=300), "what is recorded is looked at at once"

    def test_without_a_pod_is_looked_at_soon(self) -> None:
        plan = look(at=1, plan=planned("a"), jobs=(job("a", has_pod=False),))
        assert plan.again_at == BEGUN + timedelta(seconds=6)

    @pytest.mark.parametrize(
        ("why", "at", "expected"),
        [
            pytest.param(FORBIDDEN, 1, Reason.POD_FORBIDDEN, id="Pod Security stays as it is"),
            pytest.param(QUOTA, 1, None, id="a quota may have room again"),
            pytest.param(QUOTA, 300, Reason.POD_FORBIDDEN, id="but not for ever"),
        ],
    )
    def test_whose_pod_is_not_admitted(self, why: str, at: float, expected: Reason | None) -> None:
        plan = look(at=at, plan=planned("a"), jobs=(job("a", has_pod=False),), refused={"a": why})
        assert problems(plan) == ({"a": expected} if expected else {})

    def test_whose_pod_waits_may_wait_for_its_token(self) -> None:
        assert actions(look(at=5, plan=planned("a"), jobs=(job("a"),)), CreateNodeJob) == [CreateNodeJob("a")]
        assert actions(look(at=5, plan=planned("a"), jobs=(job("a", started=True),)), CreateNodeJob) == []

    def test_outlives_no_environment(self) -> None:
        gone = StepFailed(Problem(reason=Reason.ARCHIVE_NOT_FOUND, message="gone"), transient=False, at=BEGUN)
        jobs = (job("a"), job("b", ended=True))
        plan = look(at=5, plan=planned("b"), recorded=frozenset("b"), jobs=jobs, step=gone)
        assert plan.status.environment.outcome == "Failed"
        assert actions(plan, DeleteJob) == [DeleteJob("job-a")], "what is over may stay"

    def test_that_failed_is_recorded_with_its_own_reason(self) -> None:
        failed = job("a", ended=True, problem=Problem(reason=Reason.GPU_NOT_FOUND, message="none"))
        plan = look(at=5, plan=planned("a"), jobs=(failed,))
        assert problems(plan) == {"a": Reason.GPU_NOT_FOUND}
        assert actions(plan, DeleteJob) == [], "somebody may want its log"

    def test_whose_pod_can_never_start_is_not_waited_for(self) -> None:
        hopeless = job("a", problem=Problem(reason=Reason.COLLECTION_FAILED, message="ImagePullBackOff"))
        assert actions(look(at=5, plan=planned("a"), jobs=(hopeless,)), DeleteJob) == [DeleteJob("job-a")]


class TestTheStatus:
    def test_names_what_some_of_the_nodes_are_at(self) -> None:
        jobs = tuple(job(node, waiting="its pod runs") for node in "abcd")
        plan = look(at=5, plan=planned(*"abcde"), jobs=jobs, recorded=frozenset("e"), captured=1)
        beside = plan.status.environment
        assert beside.message == "a: its pod runs; b: its pod runs; c: its pod runs"
        assert (beside.nodes.total, beside.nodes.captured, beside.nodes.failed) == (5, 1, 0)

    def test_is_left_alone_but_for_the_environment(self) -> None:
        plan = look(at=5, plan=planned("a"))
        assert plan.status.observed_generation == 1
        assert [each.type for each in plan.status.conditions] == ["EnvironmentCaptured"]
        assert plan.status.conditions[0].observed_generation == 1


class TestAStep:
    def test_that_failed_is_tried_again_after_a_while(self) -> None:
        failed = StepFailed(Problem(reason=Reason.STORAGE_UNREACHABLE, message="away"), transient=True, at=BEGUN)
        early, late = look(at=29, step=failed), look(at=30, step=failed)
        assert (early.actions, early.again_at) == ((), BEGUN + timedelta(seconds=30))
        assert actions(late, StartStep) == [StartStep("Plan")]
        assert early.status.environment.retry_time == early.again_at
        assert late.status.environment.retry_time is None

    def test_that_keeps_failing_ends_the_environment(self) -> None:
        failed = StepFailed(Problem(reason=Reason.STORAGE_UNREACHABLE, message="away"), transient=True, at=BEGUN)
        plan = look(at=ALLOWANCE.total_seconds(), step=failed)
        assert (plan.status.environment.outcome, plan.status.environment.reason) == ("Failed", "StorageUnreachable")

    def test_that_runs_is_not_started_twice(self) -> None:
        assert look(at=1, step="Running").actions == ()


def test_a_storage_that_stays_away_ends_the_environment() -> None:
    away = Problem(reason=Reason.STORAGE_UNREACHABLE, message="away")
    assert look(at=60, problem=away).again_at is not None
    plan = look(at=ALLOWANCE.total_seconds(), problem=away)
    assert (plan.status.environment.outcome, plan.again_at) == ("Failed", None)


def test_one_trouble_after_half_an_hour_ends_no_environment_that_takes_longer() -> None:
    away = Problem(reason=Reason.STORAGE_UNREACHABLE, message="away")
    at = ALLOWANCE.total_seconds()
    nodes = {"matching": 2, "total": 2, "captured": 1}
    plan = look(at=at, problem=away, status={"nodes": nodes}, wanted={"parallelism": 1})
    assert plan.status.environment.outcome == "Running"
    assert plan.status.environment.nodes.captured == 1
    assert plan.status.environment.retry_time == plan.again_at == BEGUN + timedelta(seconds=at + 30)
    assert look(at=at, status={"nodes": nodes}, plan=planned("a", "b")).status.environment.retry_time is None


def test_nodes_whose_turn_never_came_are_given_up_at_the_end() -> None:
    end = 2 * 300 + ALLOWANCE.total_seconds()
    plan = look(at=end, plan=planned("a", "b"), wanted={"parallelism": 1})
    assert problems(plan) == {"a": Reason.DEADLINE_EXCEEDED, "b": Reason.DEADLINE_EXCEEDED}
    assert actions(plan, CreateNodeJob) == []


def test_nodes_that_could_not_be_begun_say_what_was_in_the_way() -> None:
    status = {"message": "Forbidden: exceeded quota: jobs", "retryTime": BEGUN.isoformat()}
    (record,) = actions(look(at=3600, plan=planned("a"), status=status), RecordNode)
    assert record.problem.message == "its turn did not come in time: Forbidden: exceeded quota: jobs"


@given(data=st.data(), parallelism=st.integers(1, 5), count=st.integers(1, 12))
def test_it_ends_whatever_becomes_of_its_nodes(data: st.DataObject, parallelism: int, count: int) -> None:
    """Never more at work than wanted, no node begun twice, and all of them over in the end."""
    nodes = [f"n{number:02}" for number in range(count)]
    jobs: dict[str, NodeJob] = {}
    recorded: set[str] = set()
    begun: list[str] = []
    now = 0.0
    for _ in range(20 * count):
        plan = look(
            at=now,
            wanted={"parallelism": parallelism, "maxNodes": 1000},
            plan=planned(*nodes),
            jobs=tuple(jobs.values()),
            recorded=frozenset(recorded),
        )
        if actions(plan, StartStep):
            break
        for action in plan.actions:
            match action:
                case CreateNodeJob(node) if node not in jobs:
                    begun.append(node)
                    jobs[node] = job(node, after=now)
                case RecordNode(node):
                    recorded.add(node)
                case DeleteJob(name):
                    jobs = {node: each for node, each in jobs.items() if each.name != name}
        assert len(set(jobs) - recorded) <= parallelism
        for node in list(jobs):
            if data.draw(st.booleans()):
                recorded.add(node)  # a document came
        assert plan.again_at is not None
        now = max((plan.again_at - BEGUN).total_seconds(), now)
    assert recorded == set(nodes)
    assert sorted(begun) == sorted(set(begun))


class TestAnotherRun:
    def wanted(self) -> Any:
        return SnapshotCapture.model_validate(capture(environment={"mode": "ClusterOnly"})).spec

    def status(self, **changes: Any) -> EnvironmentStatus:
        return EnvironmentStatus(id="20261122T090000Z", start_time=BEGUN, **changes)

    def test_begins_one_that_is_compared_with_the_last_that_was_good(self) -> None:
        def following(before: EnvironmentStatus) -> str | None:
            begun, _ = begin(self.wanted(), before, "20261122T100000Z", BEGUN)
            assert begun is not None
            assert (begun.id, begun.outcome) == ("20261122T100000Z", "Running")
            return begun.previous

        assert following(self.status(outcome="Succeeded", sha256="0" * 64)) == "20261122T090000Z"
        assert following(self.status(outcome="Failed", previous="20261122T080000Z")) == "20261122T080000Z"

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            pytest.param({}, ["20261122T090000Z"], id="the first, under way"),
            pytest.param({"previous": "20261122T080000Z"}, ["20261122T090000Z", "20261122T080000Z"], id="under way"),
            pytest.param({"outcome": "Succeeded", "sha256": "0" * 64}, ["20261122T090000Z"], id="compared with next"),
            pytest.param({"outcome": "Failed", "previous": "20261122T080000Z"}, ["20261122T080000Z"], id="failed"),
            pytest.param({"outcome": "Failed"}, [], id="none was ever good"),
        ],
    )
    def test_leaves_what_is_needed_for_it(self, status: dict[str, Any], expected: list[str]) -> None:
        assert list(needed(self.status(**status))) == expected

    def test_leaves_alone_one_that_is_under_way(self) -> None:
        before = self.status()
        begun, told = begin(self.wanted(), before, "20261122T100000Z", BEGUN)
        assert begun is before
        assert [event.reason for event in told] == ["EnvironmentSkipped"]  # type: ignore[union-attr]


@pytest.mark.parametrize(("mode", "nodes"), [("ClusterOnly", 0), ("SingleNode", 1), ("PerNode", 7)])
def test_a_mode_says_how_many_nodes_are_wanted(mode: str, nodes: int) -> None:
    assert Environment.model_validate({"mode": mode, "maxNodes": 7}).nodes_wanted == nodes


def test_of_the_cluster_alone_no_gpu_can_be_required() -> None:
    with pytest.raises(ValueError, match="mode ClusterOnly starts no pod"):
        Environment.model_validate({"mode": "ClusterOnly", "requireGPU": True})
