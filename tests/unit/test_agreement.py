"""How far two engines agree, worked out by hand."""

import pytest

from kai_snapshot.agreement import (
    Agreement,
    Category,
    Ensemble,
    agreement,
    ensemble,
    overlap,
    overlap_within,
    share_difference,
)
from kai_snapshot.api.result import (
    Engine,
    Eviction,
    Frequencies,
    JobOutcome,
    Outcome,
    Placement,
    PodGroupResult,
    QueueResources,
    QueueResult,
    QueueShare,
    ReplayResult,
    Runs,
)


def run(binds: dict[str, str], evicted: tuple[str, ...] = (), jobs: tuple[str, ...] = ()) -> ReplayResult:
    return ReplayResult(
        engine=Engine(),
        outcome=Outcome.SUCCEEDED,
        placements=tuple(Placement(pod=pod, node=node) for pod, node in binds.items()),
        evictions=tuple(Eviction(pod=pod, action="reclaim") for pod in evicted),
        pod_groups=tuple(PodGroupResult(name=name, outcome=JobOutcome.ALLOCATED) for name in jobs),
    )


TOOL = ensemble([run({"a": "n1", "b": "n1"}, ("x",)), run({"a": "n1", "b": "n2"}, ("x",))])


def test_what_is_certain_must_be_found_and_what_is_found_must_be_possible() -> None:
    found = agreement(ensemble([run({"a": "n1", "b": "n3"}, jobs=("j",))]), TOOL)
    assert found[Category.PLACEMENTS] == Agreement(certain=1, found=1, own=2, possible=1)
    assert found[Category.EVICTIONS] == Agreement(certain=1, found=0, own=0, possible=0)
    assert found[Category.POD_GROUPS] == Agreement(certain=0, found=0, own=1, possible=0)


def test_of_several_runs_counts_what_most_have() -> None:
    ours = ensemble([run({"a": "n1"}), run({"a": "n1", "b": "n2"}), run({"b": "n2"}), run({"a": "n1"})])
    assert agreement(ours, TOOL)[Category.PLACEMENTS] == Agreement(certain=1, found=1, own=1, possible=1)


def test_parts_of_nothing_are_whole() -> None:
    nothing = Agreement(0, 0, 0, 0)
    assert (nothing.recall, nothing.precision) == (1.0, 1.0)
    assert Agreement(4, 1, 2, 1) + nothing == Agreement(4, 1, 2, 1)
    assert (Agreement(4, 1, 2, 1).recall, Agreement(4, 1, 2, 1).precision) == (0.25, 0.5)


def test_overlap_is_what_both_have_of_what_either_has() -> None:
    one = ensemble([run({"a": "n1", "b": "n1"}, ("x",))])
    assert overlap(one, one) == 1.0
    assert overlap(one, ensemble([run({"a": "n1", "b": "n2"}, ("x",))])) == pytest.approx(2 / 4)
    assert overlap(ensemble([run({})]), ensemble([run({})])) == 1.0


def test_two_runs_of_an_ensemble_overlap_as_far_as_they_are_alike() -> None:
    assert overlap_within(TOOL) == pytest.approx(2 / 4)
    assert overlap_within(ensemble([run({"a": "n1"})])) == 1.0


def test_a_repeated_result_counts_as_so_many_runs() -> None:
    frequencies = Frequencies(
        placements={"a": {"n1": 2}, "b": {"n1": 1, "n2": 1}}, evictions={"x": 2}, pipelined={}, pod_groups={}
    )
    runs = Runs(count=2, outcomes={Outcome.SUCCEEDED: 2}, distinct=2, shown=1, frequencies=frequencies)
    repeated = run({"a": "n1", "b": "n1"}, ("x",)).model_copy(update={"runs": runs})
    assert ensemble([repeated]) == Ensemble(TOOL.runs, TOOL.counts)


def test_shares_differ_by_the_most_that_one_queue_does() -> None:
    def queue(name: str, share: float | None) -> QueueResult:
        nothing = QueueShare()
        shares = QueueResources(gpu=QueueShare(fair_share=share), cpu=nothing, memory=nothing)
        return QueueResult(name=name, resources=shares)

    assert share_difference([queue("a", 1.0), queue("b", 2.5)], [queue("a", 1.0), queue("b", 2.0)]) == 0.5
    assert share_difference([queue("a", 1.0)], [queue("b", 1.0)]) == float("inf")
