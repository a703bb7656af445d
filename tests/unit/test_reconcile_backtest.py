"""What is done about a replay of many archives: an Indexed Job per version, one after the other."""

from dataclasses import replace
from typing import Any

import pytest

from kai_snapshot.api.problem import Problem
from kai_snapshot.api.result import Outcome
from kai_snapshot.api.snapshotreplay import ActionDuration, ResolvedArchives
from kai_snapshot.errors import Reason
from kai_snapshot.jobs.pods import Finding
from kai_snapshot.reconcile.backtest import Collected, Totals
from kai_snapshot.reconcile.plan import CreateJob, DeleteJob, ExpireJob, SuspendJob
from support import kstatus
from support.replayworld import FOUND, World, facts
from support.resources import CREATED

MANY = replace(
    FOUND,
    source=FOUND.source.model_copy(
        update={
            "archives": ResolvedArchives(
                count=4,
                first="20261122T060000Z",
                last="20261122T090000Z",
                digest="0" * 64,
                plan_uri="s3://archives/plan.json",
            )
        }
    ),
)


def totals(succeeded: int = 4, trouble: str = "") -> Totals:
    return Totals(
        succeeded=succeeded,
        total_ms=50,
        actions=(ActionDuration(name="allocate", ms=30, p90_ms=60, max_ms=90),),
        first_failure=trouble,
    )


def collected(*done: int, of: Totals | None = None) -> Collected:
    return Collected(frozenset(done), of)


def pinned(**spec: Any) -> World:
    world = World(**spec)
    world.look(resolution=MANY)
    world.look()
    return world


def of(world: World, index: int = 0) -> dict[str, Any]:
    return dict(world.resource["status"]["results"][index])


def test_the_plan_is_pinned_as_count_first_last_and_digest() -> None:
    world = pinned()
    assert world.resource["status"]["resolvedSource"]["archives"]["count"] == 4
    assert of(world)["archives"] == {"total": 4, "done": 0}
    found = next(c for c in world.resource["status"]["conditions"] if c["type"] == "SourceResolved")
    assert found["message"] == "4 archives, 20261122T060000Z to 20261122T090000Z"


def test_the_versions_run_one_after_the_other_whatever_the_parallelism_of_their_archives() -> None:
    world = pinned(parallelism=4)
    assert world.actions(CreateJob) == [CreateJob(0, 1)]
    world.jobs[0, 1] = facts(0)
    world.look(collected={0: collected(0, 2)})
    assert world.actions(CreateJob) == []
    assert of(world)["archives"] == {"total": 4, "done": 2}
    assert world.resource["status"]["summary"] == "0/2 replayed; AsCaptured 2/4 archives"


def test_a_version_is_over_when_its_job_has_ended_and_all_its_results_were_read() -> None:
    world = pinned()
    world.jobs[0, 1] = facts(0, ended=True)
    world.look(collected={0: collected(0, 1, 2, 3, of=totals())})
    assert world.outcomes() == ["Succeeded", "Pending"]
    assert of(world)["totalMs"] == 50
    assert of(world)["actions"] == [{"name": "allocate", "ms": 30, "p90Ms": 60, "maxMs": 90}]
    assert of(world)["archives"] == {"total": 4, "done": 4, "succeeded": 4, "failed": 0}
    assert world.actions(CreateJob) == [CreateJob(1, 1)]
    world.look()
    assert world.actions(ExpireJob) == [ExpireJob("compare-0", 3600)]


def test_archives_that_fail_leave_the_version_partially_failed() -> None:
    world = pinned()
    world.jobs[0, 1] = facts(0, ended=True)
    world.look(collected={0: collected(0, 1, 2, 3, of=totals(2, "20261122T070000Z Panicked: nil map"))})
    assert world.outcomes()[0] == "PartiallyFailed"
    assert of(world)["message"] == "2 of 4 archives: 20261122T070000Z Panicked: nil map"
    assert of(world)["archives"] == {"total": 4, "done": 4, "succeeded": 2, "failed": 2}


def test_a_pod_that_starts_late_ends_nothing_once_something_is_done() -> None:
    world = pinned(startingDeadlineSeconds=60)
    world.jobs[0, 1] = facts(0, not_started_since=CREATED, message="no room")
    world.look(after=600, collected={0: collected(0)})
    assert of(world)["outcome"] == "Running"


def test_a_suspended_replay_holds_the_pods_back_and_goes_on_later() -> None:
    world = pinned()
    world.jobs[0, 1] = facts(0)
    world.look(collected={0: collected(0)})
    world.resource["spec"]["suspend"] = True
    world.look(collected={0: collected(0)})
    assert world.actions(SuspendJob) == [SuspendJob("compare-0", True)]
    assert world.condition("Ready") == ("Unknown", "Suspended")
    world.jobs[0, 1] = facts(0, suspended=True, not_started_since=CREATED)
    world.look(after=90000, collected={0: collected(0)})
    assert world.actions(SuspendJob) == []
    world.resource["spec"]["suspend"] = False
    world.look(collected={0: collected(0)})
    assert world.actions(SuspendJob) == [SuspendJob("compare-0", False)]


def test_a_job_that_ended_early_is_made_again_once_and_only_then_is_the_rest_lost() -> None:
    world = pinned()
    world.jobs[0, 1] = facts(0, ended=True, message="DeadlineExceeded")
    world.look(collected={0: collected(0, 1, of=totals(2))})
    assert world.actions(CreateJob) == [CreateJob(0, 2)]
    assert of(world)["archives"]["done"] == 2
    world.jobs[0, 2] = facts(0, 2, ended=True, message="DeadlineExceeded")
    world.look(collected={0: collected(0, 1, 2, of=totals(3))})
    assert of(world)["outcome"] == "PartiallyFailed"
    assert of(world)["message"] == "1 of 4 archives: DeadlineExceeded"


def test_a_job_that_somebody_deleted_is_made_again_unless_all_results_are_there() -> None:
    world = pinned()
    world.jobs[0, 1] = facts(0)
    world.look(collected={0: collected(0)})
    del world.jobs[0, 1]
    world.look(collected={0: collected(0, 1, 2, 3, of=totals())})
    assert world.outcomes() == ["Succeeded", "Pending"]

    world = pinned()
    world.jobs[0, 1] = facts(0)
    world.look(collected={0: collected(0)})
    del world.jobs[0, 1]
    world.look(collected={0: collected(0, of=totals(1))})
    assert world.actions(CreateJob) == [CreateJob(0, 2)]


def test_an_image_that_cannot_be_pulled_ends_the_version_and_its_job() -> None:
    world = pinned()
    world.jobs[0, 1] = facts(0, finding=Finding(Outcome.IMAGE_PULL_FAILED, "no such image"))
    world.look(collected={0: collected()})
    assert world.outcomes()[0] == "ImagePullFailed"
    assert world.actions(CreateJob) == [CreateJob(1, 1)]
    world.look()
    assert world.actions(DeleteJob) == [DeleteJob("compare-0")]


def test_while_the_storage_is_away_nothing_is_taken_for_lost() -> None:
    world = pinned()
    world.jobs[0, 1] = facts(0)
    world.look(collected={0: collected(0)})
    world.jobs[0, 1] = facts(0, ended=True)
    away = Problem(reason=Reason.STORAGE_UNREACHABLE, message="gone")
    world.look(storage_problem=away)
    assert world.outcomes() == ["Running", "Pending"]


def test_a_pod_that_never_starts_ends_the_version() -> None:
    world = pinned(startingDeadlineSeconds=60)
    world.jobs[0, 1] = facts(0, not_started_since=CREATED, message="no node")
    world.look(after=60, collected={0: collected()})
    assert world.outcomes()[0] == "Failed"


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        pytest.param((4, 4), ("True", "Succeeded", "Succeeded"), id="all archives at all versions"),
        pytest.param((4, 2), ("False", "ReplayFailed", "PartiallyFailed"), id="some archives"),
        pytest.param((2, 2), ("False", "ReplayFailed", "PartiallyFailed"), id="some archives at each version"),
        pytest.param((0, 0), ("False", "ReplayFailed", "Failed"), id="none at all"),
    ],
)
def test_the_replay_succeeds_if_every_archive_does_at_every_version(
    outcomes: tuple[int, int], expected: tuple[str, str, str]
) -> None:
    world = pinned()
    for index, succeeded in enumerate(outcomes):
        world.jobs[index, 1] = facts(index, ended=True)
        world.finish(collected={index: collected(0, 1, 2, 3, of=totals(succeeded, "" if succeeded == 4 else "bad"))})
    assert (*(world.condition("Ready") or ()), world.resource["status"]["outcome"]) == expected
    assert kstatus.verdict(world.resource) in ("Current", "Failed")
