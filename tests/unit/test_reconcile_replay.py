"""What is done about a SnapshotReplay, in every state it can be found in."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot.api.problem import Problem
from kai_snapshot.api.result import SIMULATED, Outcome
from kai_snapshot.compatibility import SnapshotFacts
from kai_snapshot.errors import Reason
from kai_snapshot.jobs.pods import Finding
from kai_snapshot.reconcile.observed import Refused
from kai_snapshot.reconcile.plan import Announce, CreateJob, DeleteJob, ExpireJob
from kai_snapshot.reconcile.replay import LOOK_AGAIN
from kai_snapshot.reconcile.version import StoredResult
from support import kstatus
from support.replayworld import FOUND, NOT_YET, World, facts, pinned, stored
from support.resources import CREATED


def test_a_replay_waits_for_its_capture_and_says_so() -> None:
    world = World()
    world.look(resolution=NOT_YET)
    assert world.condition("Ready") == ("Unknown", "WaitingForCapture")
    assert world.condition("SourceResolved") == ("False", "WaitingForCapture")
    assert kstatus.verdict(world.resource) == "InProgress"
    assert world.plan.again_at == world.now + timedelta(minutes=1)


def test_a_replay_does_not_wait_for_ever() -> None:
    world = World(startingDeadlineSeconds=60)
    world.look(resolution=NOT_YET)
    world.look(resolution=NOT_YET, after=60)
    assert world.condition("Ready") == ("False", "CaptureNotFound")
    assert world.condition("Finished") == ("True", "Failed")
    assert kstatus.verdict(world.resource) == "Failed"


def test_an_archive_that_is_not_what_it_should_be_is_not_replayed() -> None:
    world = World()
    world.look(resolution=Refused(Problem(reason=Reason.CHECKSUM_MISMATCH, message="damaged")))
    assert world.condition("Stalled") == ("True", "ChecksumMismatch")
    assert world.actions(CreateJob) == []


def test_the_archive_is_pinned_once_and_the_first_job_follows() -> None:
    world = pinned()
    assert world.resource["status"]["resolvedSource"]["id"] == "20261122T090000Z"
    assert world.outcomes() == ["Pending", "Pending"]
    assert [r["image"] for r in world.resource["status"]["results"]] == ["tool:v0.17.0", "tool:v0.14.7"]
    assert world.actions(CreateJob) == [CreateJob(0, 1)]
    world.look(resolution=replace(FOUND, source=FOUND.source.model_copy(update={"id": "20261122T100000Z"})))
    assert world.resource["status"]["resolvedSource"]["id"] == "20261122T090000Z"


def test_a_job_is_noted_when_it_is_seen_so_a_crash_in_between_makes_no_second_one() -> None:
    world = pinned()
    world.jobs[0, 1] = facts(0)
    world.look()
    assert world.outcomes() == ["Running", "Pending"]
    assert world.actions(CreateJob) == []


def test_a_job_whose_pod_waits_may_lack_its_token() -> None:
    world = pinned()
    world.jobs[0, 1] = facts(0, not_started_since=CREATED)
    world.look()
    assert world.actions(CreateJob) == [CreateJob(0, 1)]


def test_versions_run_one_after_the_other() -> None:
    world = pinned()
    world.jobs[0, 1] = facts(0, ended=True)
    world.look(results={0: stored()})
    assert world.outcomes() == ["Succeeded", "Pending"]
    assert world.actions(CreateJob) == [CreateJob(1, 1)]


def test_parallelism_lets_versions_run_side_by_side() -> None:
    assert pinned(parallelism=2).actions(CreateJob) == [CreateJob(0, 1), CreateJob(1, 1)]


def test_the_simulator_has_one_result_of_the_version_whose_rules_it_has() -> None:
    world = World(engine="Simulator", versions=None)
    world.look(resolution=replace(FOUND, facts=(SnapshotFacts(version="v0.9.0"),)))
    world.look()
    assert world.actions(CreateJob) == [CreateJob(0, 1)]
    (result,) = world.resource["status"]["results"]
    assert result["name"] == SIMULATED
    assert "compatibility" not in result or result["compatibility"] == [], "that is about the tool"
    world.finish(results={0: stored()})
    assert world.condition("Ready") == ("True", "Succeeded")
    assert world.resource["status"]["summary"] == f"1/1 replayed: {SIMULATED} 41 ms"


def test_all_versions_replayed_is_ready() -> None:
    world = pinned()
    world.finish(results={0: stored(), 1: stored()})
    assert world.condition("Ready") == ("True", "Succeeded")
    assert world.condition("Finished") == ("True", "Succeeded")
    status = world.resource["status"]
    assert status["outcome"] == "Succeeded"
    assert status["summary"] == "2/2 replayed: AsCaptured 41 ms, v0.14.7 41 ms"
    assert status["results"][0]["counts"] == {
        "placements": 1, "evictions": 0, "pipelined": 0, "unschedulable": 0, "errors": 2,
    }  # fmt: skip
    assert status["results"][0]["actions"] == [{"name": "allocate", "ms": 30}, {"name": "reclaim", "ms": 5}]
    assert status["results"][0]["logURI"] == "s3://archives/l.gz"
    assert kstatus.verdict(world.resource) == "Current"


def test_a_panic_is_a_finding_and_the_other_versions_go_on() -> None:
    world = pinned()
    world.look(results={0: stored(Outcome.PANICKED)})
    assert world.actions(CreateJob) == [CreateJob(1, 1)]
    world.finish(results={1: stored()})
    assert world.condition("Ready") == ("False", "ReplayFailed")
    assert world.resource["status"]["outcome"] == "PartiallyFailed"
    assert world.resource["status"]["summary"] == "1/2 replayed: v0.14.7 41 ms; AsCaptured Panicked"


def test_a_job_that_ended_without_a_result_is_tried_once_more_under_another_name_and_then_lost() -> None:
    world = pinned(versions=[{"name": "v0.17.0"}])
    world.jobs[0, 1] = facts(0, ended=True, message="evicted")
    world.look()
    assert world.actions(CreateJob) == [CreateJob(0, 2)]
    assert world.resource["status"]["results"][0]["attempt"] == 2
    world.jobs[0, 2] = facts(0, 2, ended=True, message="evicted again")
    world.look()
    assert world.outcomes() == ["ResultLost"]
    assert "evicted again" in world.resource["status"]["results"][0]["message"]


def test_a_result_that_arrived_counts_although_its_job_is_gone() -> None:
    world = pinned(versions=[{"name": "v0.17.0"}])
    world.jobs[0, 1] = facts(0)
    world.look()
    world.jobs.clear()
    world.look(results={0: stored()})
    assert world.outcomes() == ["Succeeded"]


def test_a_job_that_somebody_deleted_is_made_again_under_another_name() -> None:
    world = pinned(versions=[{"name": "v0.17.0"}])
    world.jobs[0, 1] = facts(0)
    world.look()
    world.jobs.clear()
    world.look()
    assert world.actions(CreateJob) == [CreateJob(0, 2)]


def test_what_only_the_pod_can_tell_ends_the_version_and_then_its_job() -> None:
    world = pinned(versions=[{"name": "v0.17.0"}])
    world.jobs[0, 1] = facts(0, finding=Finding(Outcome.IMAGE_PULL_FAILED, "no such image"))
    world.look()
    assert world.outcomes() == ["ImagePullFailed"]
    assert world.actions(DeleteJob) == [], "not before the outcome is in the status"
    world.look()
    assert world.actions(DeleteJob) == [DeleteJob("compare-0")]


def test_an_image_that_cannot_be_pulled_is_looked_at_again_just_when_it_is_given_up() -> None:
    world = pinned(versions=[{"name": "v0.17.0"}])
    moment = world.now + timedelta(seconds=20)
    world.jobs[0, 1] = facts(0, pull_fails_at=moment)
    assert world.look().again_at == moment
    assert world.look(after=19).again_at == moment + LOOK_AGAIN, "it is not asked for over and over"


def test_an_image_that_cannot_be_pulled_holds_up_no_other_version() -> None:
    world = pinned()
    world.jobs[0, 1] = facts(0, pull_fails_at=world.now + timedelta(minutes=2))
    world.look()
    assert world.outcomes() == ["Running", "Pending"]
    assert world.actions(CreateJob) == [CreateJob(1, 1)]


def test_a_pod_that_never_starts_ends_the_version() -> None:
    world = pinned(versions=[{"name": "v0.17.0"}], startingDeadlineSeconds=60)
    world.jobs[0, 1] = facts(0, not_started_since=CREATED, message="the pod is not scheduled: no node")
    world.look()
    assert world.outcomes() == ["Running"]
    world.look(after=60)
    assert world.outcomes() == ["Failed"]
    assert "no node" in world.resource["status"]["results"][0]["message"]


def test_a_job_that_cannot_be_created_ends_the_version_with_the_reason() -> None:
    world = pinned()
    world.look(refused={0: Problem(reason=Reason.NAME_TAKEN, message="the Job compare-0 belongs to something else")})
    assert world.outcomes() == ["Failed", "Pending"]
    assert world.actions(CreateJob) == [CreateJob(1, 1)]


def test_a_version_without_an_image_ends_at_once_and_the_others_run() -> None:
    world = pinned(versions=[{"name": "none"}, {"name": "v0.14.7"}])
    assert world.outcomes() == ["IncompatibleSnapshot", "Pending"]
    assert world.actions(CreateJob) == [CreateJob(1, 1)]


def test_a_version_without_an_image_is_announced_like_any_other() -> None:
    world = World(versions=[{"name": "none"}, {"name": "v0.14.7"}])
    world.look(resolution=FOUND)
    assert [event.reason for event in world.actions(Announce)] == ["SourceResolved", "VersionFailed"]


def test_jobs_expire_once_their_outcome_is_in_the_status() -> None:
    world = pinned(versions=[{"name": "v0.17.0"}], jobTTLSecondsAfterFinished=120)
    world.jobs[0, 1] = facts(0, ended=True)
    world.look(results={0: stored()})
    assert world.actions(ExpireJob) == []
    world.look()
    assert world.actions(ExpireJob) == [ExpireJob("compare-0", 120)]
    world.jobs[0, 1] = facts(0, ended=True, expires=True)
    before = world.resource["status"]
    world.look()
    assert (world.plan.actions, world.resource["status"]) == ((), before)


def test_a_suspended_replay_starts_nothing_and_lets_end_what_runs() -> None:
    world = World(suspend=True)
    world.look()
    assert world.condition("Ready") == ("Unknown", "Suspended")
    world.resource["spec"]["suspend"] = False
    world.look(resolution=FOUND)
    world.look()
    world.jobs[0, 1] = facts(0)
    world.look()
    world.resource["spec"]["suspend"] = True
    world.look(results={0: stored()})
    assert world.outcomes() == ["Succeeded", "Pending"]
    assert world.actions(CreateJob) == []
    assert world.condition("Ready") == ("Unknown", "Suspended")


def test_the_archive_is_looked_for_anew_if_it_was_removed_while_it_was_being_pinned() -> None:
    world = World()
    world.look(resolution=FOUND)
    world.look(archive_gone=True)
    assert "resolvedSource" not in world.resource["status"]
    assert world.condition("Reconciling") == ("True", "ProgressingWithRetry")
    world.look(resolution=FOUND)
    world.look()
    assert world.actions(CreateJob) == [CreateJob(0, 1)]


def test_while_the_storage_is_away_nothing_is_lost_and_the_reason_is_said() -> None:
    world = pinned(versions=[{"name": "v0.17.0"}])
    world.jobs[0, 1] = facts(0)
    world.look()
    away = Problem(reason=Reason.ACCESS_DENIED, message="wrong keys")
    world.jobs[0, 1] = facts(0, ended=True)
    world.look(storage_problem=away)
    assert world.outcomes() == ["Running"]
    assert world.condition("Ready") == ("Unknown", "ProgressingWithRetry")
    assert world.plan.again_at is not None
    world.look(results={0: stored()})
    assert world.outcomes() == ["Succeeded"]


def test_while_the_storage_is_away_no_job_is_started_and_a_finding_still_ends_its_version() -> None:
    world = pinned()
    world.jobs[0, 1] = facts(0, finding=Finding(Outcome.OOM_KILLED, "limit"))
    world.look(storage_problem=Problem(reason=Reason.STORAGE_UNREACHABLE, message="gone"))
    assert world.outcomes() == ["OOMKilled", "Pending"]
    assert world.actions(CreateJob) == []


def test_a_refused_version_takes_nothing_from_one_that_runs() -> None:
    world = pinned(parallelism=2)
    world.jobs[0, 1] = facts(0)
    world.look()
    world.look(refused={1: Problem(reason=Reason.NAME_TAKEN, message="taken")})
    assert world.outcomes() == ["Running", "Failed"]


def test_everything_unfinished_is_looked_at_again_by_itself() -> None:
    world = pinned()
    assert world.plan.again_at == world.now + timedelta(minutes=1)


@pytest.mark.parametrize("kind", [Announce])
def test_each_end_is_announced_once(kind: type) -> None:
    world = pinned(versions=[{"name": "v0.17.0"}])
    world.look(results={0: stored()})
    assert [action.reason for action in world.actions(kind)] == ["VersionReplayed", "ReplayFinished"]
    world.look()
    assert world.actions(kind) == []


STEPS = st.lists(
    st.sampled_from(["run", "end", "result", "vanish", "panic", "stall", "suspend", "resume"]), max_size=25
)


@given(steps=STEPS, parallelism=st.integers(1, 2))
def test_whatever_happens_outcomes_never_change_back_and_no_job_name_is_used_twice(
    steps: list[str], parallelism: int
) -> None:
    world = pinned(parallelism=parallelism)
    created: list[tuple[int, int]] = []
    final: dict[int, str] = {}

    def act() -> None:
        for action in world.actions(CreateJob):
            if (action.index, action.attempt) not in world.jobs:
                assert (action.index, action.attempt) not in created
                created.append((action.index, action.attempt))
                world.jobs[action.index, action.attempt] = facts(action.index, action.attempt)

    act()
    for step in steps:
        results: dict[int, StoredResult] = {}
        live = [key for key, job in world.jobs.items() if not job.ended]
        unfinished = [i for i, o in enumerate(world.outcomes()) if o in ("Pending", "Running")]
        match step:
            case "end" if live:
                world.jobs[live[0]] = facts(*live[0], ended=True)
            case "vanish" if live and world.outcomes()[live[0][0]] == "Running":
                del world.jobs[live[0]]
            case "result" | "panic" if unfinished:
                results[unfinished[0]] = stored(Outcome.PANICKED if step == "panic" else Outcome.SUCCEEDED)
            case "stall" if live:
                world.jobs[live[0]] = facts(*live[0], finding=Finding(Outcome.OOM_KILLED, "limit"))
            case "suspend" | "resume":
                world.resource["spec"]["suspend"] = step == "suspend"
        world.look(results=results)
        act()
        for index, outcome in enumerate(world.outcomes()):
            assert final.get(index, outcome) == outcome
            if outcome not in ("Pending", "Running"):
                final[index] = outcome
        assert all(attempt <= 2 for _, attempt in created)
