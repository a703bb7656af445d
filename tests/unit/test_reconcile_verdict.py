"""What is said of a replay whose versions are all over: Ready, or a gate that stays shut."""

from typing import Any

import pytest

from kai_snapshot.api.comparison import ActionSlowdown, ElementCounts, ReplayComparison, VersionComparison
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.result import Outcome
from kai_snapshot.errors import Reason
from kai_snapshot.reconcile.plan import Announce
from support import kstatus
from support.replayworld import World, pinned, stored

SLOWER = ReplayComparison(
    baseline="AsCaptured",
    first_different="v0.14.7",
    uri="s3://archives/comparison.json",
    versions=(
        VersionComparison(
            name="v0.14.7",
            total_slowdown_percent=41,
            actions=(ActionSlowdown(name="allocate", slowdown_percent=55),),
            evictions=ElementCounts(differing=2, varying=3),
            examples=("ns/pod evicted only at v0.14.7",),
        ),
    ),
)


def ended(compared: Any = SLOWER, outcomes: tuple[Outcome, Outcome] | None = None, **spec: Any) -> World:
    world = pinned(**spec)
    first, second = outcomes or (Outcome.SUCCEEDED, Outcome.SUCCEEDED)
    world.look(results={0: stored(first), 1: stored(second)})
    assert world.condition("Finished") is None, "not before the versions are compared"
    assert world.condition("Reconciling") == ("True", "Progressing")
    assert world.plan.again_at == world.now
    world.look(compared=compared)
    return world


def test_a_difference_alone_is_told_and_is_no_failure() -> None:
    world = ended()
    assert world.condition("Ready") == ("True", "Succeeded")
    assert world.resource["status"]["comparison"]["firstDifferent"] == "v0.14.7"
    assert world.resource["status"]["summary"] == (
        "2/2 replayed: AsCaptured 41 ms, v0.14.7 41 ms; v0.14.7 differs: 2 evictions, +41% time"
    )


def test_a_gate_that_is_met_opens() -> None:
    world = ended(expectations={"maxTotalSlowdownPercent": 50, "unchanged": ["Placements"]})
    assert world.condition("Ready") == ("True", "ExpectationsMet")
    assert world.condition("Finished") == ("True", "Succeeded")
    assert kstatus.verdict(world.resource) == "Current"


@pytest.mark.parametrize(
    ("expectations", "word"),
    [
        pytest.param({"maxTotalSlowdownPercent": 25}, "+41%", id="too slow"),
        pytest.param({"maxActionSlowdownPercent": 25}, "allocate", id="an action too slow"),
        pytest.param({"unchanged": ["Evictions"]}, "2 evictions", id="other evictions"),
    ],
)
def test_a_gate_that_is_not_met_stays_shut_and_fails_who_waits_for_it(expectations: dict[str, Any], word: str) -> None:
    world = ended(expectations=expectations)
    assert world.condition("Ready") == ("False", "ExpectationsNotMet")
    assert world.condition("Stalled") == ("True", "ExpectationsNotMet")
    assert world.condition("Finished") == ("True", "ExpectationsNotMet")
    assert world.resource["status"]["outcome"] == "Succeeded"
    assert kstatus.verdict(world.resource) == "Failed"
    ready = next(c for c in world.resource["status"]["conditions"] if c["type"] == "Ready")
    assert word in ready["message"]
    assert "v0.14.7" in ready["message"]
    assert [(a.type, a.reason) for a in world.actions(Announce)] == [("Warning", "ReplayFinished")]


def test_a_version_that_fails_where_only_the_baseline_must_succeed_leaves_the_gate_open() -> None:
    panicked = (Outcome.SUCCEEDED, Outcome.PANICKED)
    world = ended(ReplayComparison(baseline="AsCaptured"), panicked, expectations={"requireSuccess": "Baseline"})
    assert world.condition("Ready") == ("True", "ExpectationsMet")
    assert world.condition("Finished") == ("True", "PartiallyFailed")
    world = ended(
        ReplayComparison(baseline="v0.14.7"), panicked, baseline="v0.14.7", expectations={"requireSuccess": "Baseline"}
    )
    assert world.condition("Ready") == ("False", "ExpectationsNotMet")


def test_a_gate_does_not_open_because_nothing_could_be_compared() -> None:
    lost = Problem(reason=Reason.INVALID_RESULT, message="1.result.json was damaged")
    assert ended(lost, expectations={}).condition("Ready") == ("False", "ExpectationsNotMet")


def test_without_a_gate_versions_that_could_not_be_compared_are_told() -> None:
    lost = Problem(reason=Reason.INVALID_RESULT, message="1.result.json was damaged")
    world = ended(lost)
    assert world.condition("Ready") == ("True", "Succeeded")
    assert "not compared: 1.result.json was damaged" in world.resource["status"]["summary"]
    assert "comparison" not in world.resource["status"]


def test_one_version_of_one_archive_has_nothing_to_be_compared_with() -> None:
    world = pinned(versions=[{"name": "v0.17.0"}])
    world.look(results={0: stored()})
    assert world.condition("Finished") == ("True", "Succeeded")


def test_while_the_storage_is_away_the_comparison_waits() -> None:
    world = pinned()
    world.look(results={0: stored(), 1: stored()})
    world.look(compared=None, storage_problem=Problem(reason=Reason.STORAGE_UNREACHABLE, message="gone"))
    assert world.condition("Ready") == ("Unknown", "ProgressingWithRetry")
    assert world.plan.again_at is not None
    assert world.plan.again_at > world.now
    world.look(compared=SLOWER)
    assert world.condition("Finished") == ("True", "Succeeded")
