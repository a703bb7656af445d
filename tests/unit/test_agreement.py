"""How far two engines agree, worked out by hand."""

from datetime import UTC, datetime

import pytest

from kai_snapshot.agreement import (
    Agreement,
    Category,
    Ensemble,
    agreement,
    document,
    ensemble,
    overlap,
    overlap_within,
)
from kai_snapshot.api.agreementdocument import AgreementDocument, Disagreement, ShareDifference
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
    ReplayedArchive,
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
    assert found[Category.JOB_OUTCOMES] == Agreement(certain=0, found=0, own=1, possible=0)


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


class TestDocument:
    ARCHIVE = ReplayedArchive(name="incident.zip", sha256="1" * 64)
    NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)

    def of(self, ours: ReplayResult, *theirs: ReplayResult) -> AgreementDocument:
        return document(ours, theirs, archive=self.ARCHIVE, now=self.NOW)

    def test_it_names_first_whom_it_misses_then_whom_it_should_not_have(self) -> None:
        found = self.of(
            run({"a": "n3", "b": "n1", "c": "n1"}), run({"a": "n1", "b": "n1", "d": "n1"}), run({"a": "n1", "d": "n1"})
        )
        assert found.placements.disagreeing == (
            Disagreement(name="a", tool={"n1": 2}, simulator={"n3": 1}),
            Disagreement(name="d", tool={"n1": 2}, simulator={}),
            Disagreement(name="c", tool={}, simulator={"n1": 1}),
        )
        assert (found.placements.certain, found.placements.found) == (2, 0)
        assert (found.placements.own, found.placements.possible) == (3, 1)

    def test_it_says_what_came_of_whom(self) -> None:
        found = self.of(run({}, ("x",)), run({}, jobs=("j",)))
        assert found.evictions.disagreeing == (Disagreement(name="x", tool={}, simulator={"Evicted": 1}),)
        assert found.job_outcomes.disagreeing == (Disagreement(name="j", tool={"Allocated": 1}, simulator={}),)

    def test_overlaps_are_of_each_category_and_of_all(self) -> None:
        found = self.of(run({"a": "n1"}, ("x",)), run({"a": "n1"}, ("x",)), run({"a": "n2"}, ("x",)))
        assert found.placements.overlap == pytest.approx(1 / 3)
        assert found.placements.tool_overlap == 0
        assert (found.evictions.overlap, found.evictions.tool_overlap) == (1.0, 1.0)
        assert found.overlap == pytest.approx(1.5 / 2.5)
        assert found.tool_overlap == pytest.approx(1 / 3)

    def test_a_single_run_does_not_tell_how_the_tool_agrees_with_itself(self) -> None:
        found = self.of(run({"a": "n1"}), run({"a": "n1"}))
        assert (found.tool_runs, found.tool_overlap, found.placements.tool_overlap) == (1, None, None)

    @pytest.mark.parametrize(
        ("ours", "theirs", "differing"),
        [
            (2.0, [2.0, 2.0], []),
            (2.0009, [2.0], []),
            (41.4, [41.399], []),
            (2.0012, [2.0], [2.0]),
            (2.5, [2.5, 2.0], [2.0]),
            (None, [2.0], [2.0]),
        ],
        ids=["equal", "cut off", "the last digit", "another", "another in one result", "no such queue"],
    )
    def test_fair_shares_are_equal_to_three_decimals(
        self, ours: float | None, theirs: list[float], differing: list[float]
    ) -> None:
        mine = run({}).model_copy(update={"queues": () if ours is None else queues(ours)})
        found = self.of(mine, *(run({}).model_copy(update={"queues": queues(each)}) for each in theirs))
        assert found.fair_shares.compared == 1
        assert found.fair_shares.differing == tuple(
            ShareDifference(queue="q", resource="gpu", tool=each, simulator=ours) for each in differing
        )

    def test_it_holds_if_all_shares_are_equal_and_all_is_found_that_is_certain(self) -> None:
        share, other = (run({"a": "n1"}).model_copy(update={"queues": queues(each)}) for each in (1.0, 2.0))
        more = share.model_copy(update={"evictions": (Eviction(pod="x", action="reclaim"),)})
        assert self.of(share, share).holds
        assert self.of(more, share).holds
        assert not self.of(share, more).holds
        assert not self.of(share, other).holds


def queues(share: float) -> tuple[QueueResult, ...]:
    nothing = QueueShare()
    shares = QueueResources(gpu=QueueShare(fair_share=share), cpu=nothing, memory=nothing)
    return (QueueResult(name="q", resources=shares),)
