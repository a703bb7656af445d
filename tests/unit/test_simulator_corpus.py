"""The simulator beside the real tool v0.17.0: on the corpus, and on 147 small clusters of a rule or two each."""

import pytest

from kai_snapshot.agreement import Agreement, Category, agreement, ensemble, overlap, overlap_within
from kai_snapshot.api.result import Outcome, ReplayResult
from support.simulated import (
    CASES,
    CORPUS,
    MINI,
    MINI_CASES,
    RANDOM,
    expected,
    expected_mini,
    of_case,
    simulated,
    tool,
)

SEEDS = range(1, 5)
LEAST = {
    Category.PLACEMENTS: 0.98,
    Category.EVICTIONS: 0.95,
    Category.PIPELINED: 0.95,
    Category.JOB_OUTCOMES: 0.95,
}


def decided(result: ReplayResult) -> dict[str, object]:
    return {
        "bound": {each.pod: each.node for each in result.placements},
        "evicted": sorted(each.pod for each in result.evictions),
        "pipelined": sorted(each.pod for each in result.pipelined),
        "jobs": {each.name: each.outcome.value for each in result.pod_groups},
    }


def total(category: Category) -> Agreement:
    found = [agreement(ensemble([of_case(case)]), tool(case))[category] for case in CASES]
    return sum(found[1:], found[0])


def test_the_corpus_is_there() -> None:
    assert (len(CASES), len(MINI_CASES), len(RANDOM & set(MINI_CASES))) == (20, 147, 3)


@pytest.mark.parametrize("case", [case for case in MINI_CASES if case not in RANDOM])
def test_a_rule_gives_exactly_what_the_tool_gives(case: str) -> None:
    found = expected_mini(case)
    assert decided(simulated(MINI / f"{case}.zip")) == {
        key: sorted(found[key]) if isinstance(found[key], list) else found[key]
        for key in ("bound", "evicted", "pipelined", "jobs")
    }


@pytest.mark.parametrize("case", [case for case in MINI_CASES if case not in RANDOM])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_rule_does_not_depend_on_the_order_of_jobs(case: str, seed: int) -> None:
    path = MINI / f"{case}.zip"
    assert decided(simulated(path, seed=seed)) == decided(simulated(path))


@pytest.mark.parametrize("case", [*CASES, *(f"mini/{case}" for case in MINI_CASES if case not in RANDOM)])
def test_every_queue_has_the_share_that_the_tool_prints(case: str) -> None:
    mini = case.startswith("mini/")
    result = simulated(CORPUS / f"{case}.zip") if mini else of_case(case)
    shares = {each.name: each.resources.gpu for each in result.queues}
    found = expected_mini(case.removeprefix("mini/")) if mini else expected(case)
    for name, queue in found["queues"].items():
        share = shares[name]
        assert share.fair_share == pytest.approx(queue["gpuFairShare"], abs=0.001)
        assert share.requested == pytest.approx(queue["gpuRequested"], abs=0.001)
        assert share.allocated == pytest.approx(queue["gpuAllocated"], abs=0.001)
        assert share.deserved == pytest.approx(queue["gpuDeserved"], abs=0.001)
        assert share.limit == pytest.approx(queue["gpuLimit"], abs=0.001)
    assert shares.keys() == found["queues"].keys()


@pytest.mark.parametrize("category", Category)
def test_what_the_tool_always_decides_the_simulator_decides(category: Category) -> None:
    assert total(category).recall >= LEAST[category]


@pytest.mark.parametrize("category", Category)
def test_what_the_simulator_decides_the_tool_may_decide(category: Category) -> None:
    assert total(category).precision >= LEAST[category]


def test_a_simulation_and_a_run_have_as_much_in_common_as_two_runs() -> None:
    ours = [overlap(ensemble([of_case(case)]), tool(case)) for case in CASES]
    theirs = [overlap_within(tool(case)) for case in CASES]
    assert sum(ours) >= sum(theirs) - 0.2


@pytest.mark.parametrize("case", ["04-gang+selector", "12-gang+fraction+running", "08-gang+limit"])
def test_a_seed_gives_the_same_again(case: str) -> None:
    first, again = of_case(case, seed=7), of_case(case, seed=7)
    assert first.model_copy(update={"durations_ms": again.durations_ms}) == again


def test_seeds_find_what_the_tool_finds_now_and_then() -> None:
    assert len({str(decided(of_case("04-gang+selector", seed=seed))) for seed in SEEDS}) > 1


def test_an_unknown_action_stops_all_of_them() -> None:
    result = of_case("22-unknown-action")
    assert (result.outcome, result.pod_groups) == (Outcome.INCOMPLETE, ())
    assert "`defragment`" in result.message
