"""How far the search for victims goes: by steps, where KAI goes by the clock."""

import math
from pathlib import Path
from typing import Any

import pytest

from kai_snapshot.api.result import JobOutcome, Outcome, ReplayResult
from kai_snapshot.simulator.budget import Budget, limits
from support.clusters import Kind, Object, snapshot
from support.simulated import simulated, write

FEW = "1ms"
"""One step."""


def test_kais_own_limits_hold_where_the_configuration_says_nothing() -> None:
    own = limits({})
    assert own.of_action("reclaim").left == 300_000
    assert own.of_job(own.of_action("reclaim")).left == 240_000
    job = own.of_job(own.of_action("reclaim"))
    assert [own.of_generator(name, job).left for name in ("sg-nodelocalgreedy", "sg-multinodegang")] == [
        30_000,
        120_000,
    ]


@pytest.mark.parametrize(
    ("said", "action", "job", "greedy", "gang"),
    [
        ({"maxActionSearchDuration": {"reclaim": "10s"}}, 10_000, 10_000, 30_000, 120_000),
        ({"maxActionSearchDuration": {"preempt": "10s"}}, 300_000, 240_000, 30_000, 120_000),
        ({"maxActionSearchDuration": {"default": "1m"}}, 60_000, 60_000, 30_000, 120_000),
        ({"maxActionSearchDuration": {"default": "0s"}}, math.inf, 240_000, 30_000, 120_000),
        ({"maxJobSearchDuration": "20s"}, 300_000, 20_000, 30_000, 120_000),
        ({"maxGeneratorSearchDuration": {"default": "1s"}}, 300_000, 240_000, 1_000, 1_000),
        ({"maxGeneratorSearchDuration": {"MultiNodeGang": "0s"}}, 300_000, 240_000, 30_000, math.inf),
        ({"maxActionSearchDuration": "5m", "maxJobSearchDuration": {}}, 300_000, 240_000, 30_000, 120_000),
        (
            {"maxActionSearchDuration": {"default": "1s"}, "minJobSearchDuration": "2s"},
            1_000,
            2_000,
            30_000,
            120_000,
        ),
    ],
)
def test_the_configuration_sets_limits(said: Object, action: float, job: float, greedy: float, gang: float) -> None:
    found = limits(said)
    of_action = found.of_action("reclaim")
    of_job = found.of_job(of_action)
    assert (of_action.left, of_job.left) == (action, job)
    assert found.of_generator("sg-nodelocalgreedy", of_job).left == greedy
    assert found.of_generator("sg-multinodegang", of_job).left == gang


MINIMUM = "minJobSearchDuration must be less than maxJobSearchDuration"


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({}, ""),
        ({"maxJobSearchDuration": "20s", "minJobSearchDuration": "19s"}, ""),
        ({"maxJobSearchDuration": "20s", "minJobSearchDuration": "20s"}, MINIMUM),
        ({"minJobSearchDuration": "4m"}, MINIMUM),
        ({"maxJobSearchDuration": "0s", "minJobSearchDuration": "5m"}, ""),
        ({"maxJobSearchDuration": "-1s"}, "maxJobSearchDuration must be non-negative"),
        ({"minJobSearchDuration": "-1s"}, "minJobSearchDuration must be non-negative"),
        ({"maxActionSearchDuration": {"other": "-1ns"}}, 'maxActionSearchDuration["other"] must be non-negative'),
        (
            {"maxGeneratorSearchDuration": {"NodeLocalGreedy": "-1s"}},
            'maxGeneratorSearchDuration["NodeLocalGreedy"] must be non-negative',
        ),
    ],
)
def test_limits_that_the_scheduler_refuses_are_refused_in_its_words(said: Object, fault: str) -> None:
    assert limits(said).fault == fault


@pytest.mark.parametrize(
    ("said", "unknown"),
    [
        ({}, ""),
        ({"default": "1s", "NodeLocalGreedy": "1s", "MultiNodeGang": "1s"}, ""),
        ({"default": "1s", "sg-multinodegang": "1s"}, "sg-multinodegang"),
    ],
)
def test_a_way_to_search_that_there_is_not_is_named(said: Object, unknown: str) -> None:
    assert limits({"maxGeneratorSearchDuration": said}).unknown == unknown


def test_what_a_part_spends_is_spent_of_the_whole() -> None:
    whole = Budget(3)
    part = Budget(10, whole)
    part.spend(3)
    assert part.left == 7
    assert part.over
    assert whole.over


def result(directory: Path, **budgets: Any) -> ReplayResult:
    """Of a full cluster whose jobs reclaim and preempt."""
    document = snapshot(Kind(nodes=10, jobs_per_node=7.5), 1)
    document["config"]["scenarioSearchBudgets"] = budgets
    return simulated(write(document, directory / "snapshot.zip"))


def got_room(found: ReplayResult) -> set[str]:
    return {each.name for each in found.pod_groups if each.outcome in (JobOutcome.RECLAIMED, JobOutcome.PREEMPTED)}


def ended(found: ReplayResult) -> list[str]:
    return [text for text in found.approximate if "ended" in text]


def test_a_search_that_meets_no_limit_is_the_same_as_without(tmp_path: Path) -> None:
    own, without = result(tmp_path), result(tmp_path, maxActionSearchDuration={"default": "0s"})
    assert got_room(own)
    assert not ended(own)
    assert own.model_copy(update={"durations_ms": None}) == without.model_copy(update={"durations_ms": None})


def test_an_action_ends_at_its_limit_and_says_for_whom_it_found_nothing(tmp_path: Path) -> None:
    found = result(tmp_path, maxActionSearchDuration={"default": FEW})
    assert not got_room(found)
    assert {text.split("`")[1] for text in ended(found)} == {"consolidation", "reclaim", "preempt"}
    assert any("reclaim was ended before it found victims for it" in each.message for each in found.waiting)


def test_only_the_action_that_is_limited_ends(tmp_path: Path) -> None:
    found = result(tmp_path, maxActionSearchDuration={"reclaim": FEW})
    outcomes = {each.outcome for each in found.pod_groups}
    assert JobOutcome.RECLAIMED not in outcomes
    assert JobOutcome.PREEMPTED in outcomes
    assert {text.split("`")[1] for text in ended(found)} == {"reclaim"}


def test_a_way_to_search_that_ends_at_its_limit_ends_no_action(tmp_path: Path) -> None:
    found = result(tmp_path, maxGeneratorSearchDuration={"default": FEW})
    assert ended(found)
    assert all(text.startswith("whom `") for text in ended(found))


def test_with_limits_that_the_scheduler_refuses_nobody_has_to_go_and_that_is_said(tmp_path: Path) -> None:
    """As snapshot-tool v0.17.0 has it of this very cluster."""
    found = result(tmp_path, maxJobSearchDuration="20s", minJobSearchDuration="20s")
    assert (found.outcome, found.evictions) == (Outcome.SUCCEEDED, ())
    assert found.placements == result(tmp_path).placements
    assert list(found.durations_ms.actions) == list(result(tmp_path).durations_ms.actions)
    assert [(each.source, each.message) for each in found.errors] == [
        (action, f"Invalid scenario search budget for {action}: {MINIMUM}")
        for action in ("consolidation", "reclaim", "preempt")
    ]
    assert found.error_count == 3
    assert not found.approximate
    assert not any("limits of the search" in each for each in found.unmodelled)
    text = f"No room is made for it: scenarioSearchBudgets is not valid ({MINIMUM})"
    assert any(text in each.message for each in found.waiting)


def test_with_a_way_to_search_that_there_is_not_the_scheduler_does_nothing(tmp_path: Path) -> None:
    found = result(tmp_path, maxGeneratorSearchDuration={"Other": "-1s"})
    assert (found.outcome, found.placements, found.pod_groups) == (Outcome.FAILED, (), ())
    assert 'unknown scenario generator budget key "Other"' in found.message
    assert any("scenarioSearchBudgets" in each.message for each in found.waiting)
    assert not found.durations_ms.actions
