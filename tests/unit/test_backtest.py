"""Many archives at several versions: quantiles, sums, the worst, and what of it a status says."""

import random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot import compare
from kai_snapshot.api.backtestdocument import ArchivesBesideBaseline, BacktestDocument
from kai_snapshot.api.comparison import ActionSlowdown, ElementCounts
from kai_snapshot.compare.quantiles import quantiles
from support.results import ensemble, findings, repeated, result, sample

Result = dict[str, Any] | None


def backtest(*archives: tuple[Result, ...], baseline: str = "v0") -> BacktestDocument:
    """Each archive with its results, by version; None is lost."""
    names = [f"v{number}" for number in range(len(archives[0]))]
    many = compare.Backtest(names, baseline)
    for number, results in enumerate(archives):
        found = [
            findings(document, name) if document is not None else compare.Findings(name=name, outcome="ResultLost")
            for name, document in zip(names, results, strict=True)
        ]
        many.add(f"archive-{number}", found[names.index(baseline)], found)
    return many.finish()


def beside(document: BacktestDocument, version: int = 1) -> ArchivesBesideBaseline:
    found = document.versions[version].baseline
    assert found is not None
    return found


SAME, PANIC = result(), result(outcome="Panicked")


class TestQuantiles:
    @pytest.mark.parametrize(
        ("times", "expected"),
        [
            ([5], (5, 5, 5, 5)),
            ([2, 1], (1, 2, 2, 2)),
            (list(range(1, 101)), (50, 90, 99, 100)),
            (list(range(1, 11)), (5, 9, 10, 10)),
        ],
        ids=["one", "two", "a hundred", "ten"],
    )
    def test_by_nearest_rank(self, times: list[int], expected: tuple[int, ...]) -> None:
        found = quantiles(times)
        assert found is not None
        assert (found.p50_ms, found.p90_ms, found.p99_ms, found.max_ms) == expected

    def test_of_nothing_there_are_none(self) -> None:
        assert quantiles([]) is None

    @given(st.lists(st.integers(0, 10**6), min_size=1))
    def test_each_is_one_of_the_times_and_they_rise(self, times: list[int]) -> None:
        found = quantiles(times)
        assert found is not None
        rising = [found.p50_ms, found.p90_ms, found.p99_ms, found.max_ms]
        assert set(rising) <= set(times)
        assert rising == sorted(rising)
        assert sum(time <= found.p90_ms for time in times) >= 0.9 * len(times)


class TestVersions:
    def test_outcomes_are_counted(self) -> None:
        document = backtest((SAME, SAME), (SAME, PANIC), (None, None), (SAME, SAME))
        counts = [(each.archives, each.succeeded, each.failed, each.lost) for each in document.versions]
        assert counts == [(4, 3, 0, 1), (4, 2, 1, 1)]

    def test_times_are_those_of_archives_that_succeeded(self) -> None:
        archives = [(result(total=100 + n, actions={"reclaim": n}),) for n in range(10)]
        (version,) = backtest(*archives, (result(total=9000, outcome="DeadlineExceeded"),), (None,)).versions
        assert version.total is not None
        assert (version.total.p50_ms, version.total.max_ms) == (104, 109)
        assert [(each.name, each.p90_ms) for each in version.actions] == [("reclaim", 8)]
        assert version.baseline is None

    def test_no_archive_that_succeeded_has_no_times(self) -> None:
        (version,) = backtest((PANIC,), (None,)).versions
        assert (version.total, version.actions) == (None, ())


class TestElements:
    def test_differences_of_all_archives_are_summed(self) -> None:
        first = (repeated(3, evictions={"a/b": 3}), repeated(3, evictions={"c/d": 3, "e/f": 1}))
        second = (repeated(3, placements={"a/b": {"n1": 3}}), repeated(3, placements={"a/b": {"n2": 3}}))
        found = beside(backtest(first, second, (repeated(3), repeated(3))))
        assert found.evictions == ElementCounts(differing=2, varying=1)
        assert found.placements == ElementCounts(differing=1)
        assert found.changed == ("archive-0", "archive-1")
        assert found.complete == 3
        assert 0 < (found.expected_by_chance or 0) < 0.1

    def test_an_archive_that_ran_once_leaves_open_what_is_chance(self) -> None:
        assert beside(backtest((repeated(3), repeated(3)), (SAME, SAME))).expected_by_chance is None

    def test_another_outcome_is_a_change_and_its_elements_are_not_counted(self) -> None:
        found = beside(backtest((result(evictions=["a/b"]), PANIC), (PANIC, PANIC), (SAME, SAME)))
        assert found.changed == ("archive-0",)
        assert (found.complete, found.evictions.differing) == (1, 0)
        assert found.worst[0].example == "Succeeded -> Panicked"

    def test_a_lost_result_is_no_change(self) -> None:
        found = beside(backtest((SAME, None), (None, SAME)))
        assert (found.changed, found.worst, found.complete) == ((), (), 0)

    def test_the_worst_have_another_outcome_then_most_differences_then_the_largest_slowdown(self) -> None:
        some, slow, slower = result(evictions=["a/b"]), result(total=400), result(total=900)
        more = result(evictions=["a/b", "c/d"])
        archives = [(SAME, each) for each in (SAME, slow, some, slower, more, PANIC)]
        worst = beside(backtest(*archives)).worst
        assert [each.id[-1] for each in worst] == ["5", "4", "2", "3", "1"]
        assert [each.slowdown_percent for each in worst] == [None, None, None, 800, 300]

    def test_only_twenty_of_the_worst_are_named(self) -> None:
        archives = [(SAME, result(evictions=[f"a/{n}" for n in range(number)])) for number in range(50)]
        found = beside(backtest(*archives))
        assert [each.differing for each in found.worst] == list(range(49, 29, -1))
        assert len(found.changed) == 49


class TestTimes:
    def test_a_small_slowdown_of_all_archives_is_beyond_the_noise_of_each(self) -> None:
        found = beside(backtest(*[(result(total=1000), result(total=1100))] * 50))
        assert (found.total.baseline_ms, found.total.ms, found.total.ratio) == (50_000, 55_000, 1.1)
        assert (found.total.noise_ms, found.total.beyond_noise) == (1415, True)
        assert not beside(backtest(*[(result(total=1000), result(total=1100))] * 2)).total.beyond_noise

    def test_one_slow_archive_among_many_that_are_alike_is_named_and_no_slowdown_of_all(self) -> None:
        archives = [(result(total=100), result(total=100))] * 99
        found = beside(backtest(*archives, (result(total=100), result(total=380))))
        assert not found.total.beyond_noise
        assert [(each.id, each.slowdown_percent) for each in found.worst] == [("archive-99", 280)]

    def test_actions_are_summed_one_by_one(self) -> None:
        slow = result(actions={"allocate": 10, "reclaim": 900})
        document = backtest(*[(result(actions={"allocate": 10, "reclaim": 300}), slow)] * 9)
        assert compare.brief(document).versions[0].actions == (ActionSlowdown(name="reclaim", slowdown_percent=200),)


class TestFirstDifferent:
    def test_it_is_the_first_that_differs_from_its_predecessor_with_any_archive(self) -> None:
        other = result(evictions=["a/b"])
        document = backtest((SAME, SAME, SAME, SAME), (SAME, SAME, other, other), (SAME, SAME, SAME, None))
        assert document.first_different == "v2"
        assert [each.differs_from_previous for each in document.versions] == [0, 0, 1, 0]

    def test_it_does_not_depend_on_the_baseline(self) -> None:
        other = result(evictions=["a/b"])
        archives = [(SAME, other, other), (SAME, SAME, SAME)]
        assert {backtest(*archives, baseline=f"v{n}").first_different for n in range(3)} == {"v1"}


class TestBrief:
    def test_it_names_three_archives_and_counts_the_rest(self) -> None:
        archives = [(SAME, result(evictions=[f"a/{n}" for n in range(number)])) for number in range(50)]
        (version,) = compare.brief(backtest(*archives)).versions
        assert version.worst_archives == ("archive-49", "archive-48", "archive-47")
        assert version.changed_archives == 49
        assert version.evictions.differing == sum(range(50))
        assert version.examples[0] == "archive-49: a/0 evicted only at v1"

    @pytest.mark.parametrize(
        ("archives", "complete", "comparable"),
        [
            ([(SAME, SAME)] * 4, True, True),
            ([(SAME, SAME)] * 3 + [(SAME, PANIC)], False, True),
            ([(SAME, SAME)] + [(SAME, None)] * 3, False, False),
        ],
        ids=["all succeeded", "one did not", "most are lost"],
    )
    def test_it_is_complete_with_all_archives_and_comparable_with_half_of_them(
        self, archives: list[tuple[Result, ...]], complete: bool, comparable: bool
    ) -> None:
        (version,) = compare.brief(backtest(*archives)).versions
        assert (version.complete, version.comparable) == (complete, comparable)


def test_a_line_for_each_archive_is_in_the_document() -> None:
    document = backtest((SAME, result(evictions=["a/b"], total=120)), (SAME, None))
    assert document.dump()["archives"] == [
        {
            "id": "archive-0",
            "outcomes": {"v0": "Succeeded", "v1": "Succeeded"},
            "totalMs": {"v0": 100, "v1": 120},
            "differing": {"v1": 1},
        },
        {
            "id": "archive-1",
            "outcomes": {"v0": "Succeeded", "v1": "ResultLost"},
            "totalMs": {"v0": 100},
            "differing": {},
        },
    ]
    assert BacktestDocument.model_validate(document.dump()) == document


def test_500_archives_at_two_versions_stay_small_in_a_status() -> None:
    chance = random.Random(500)
    pool = [sample(ensemble("08-gang+limit"), 3, chance) for _ in range(6)]
    names = ["v0.16.3", "v0.17.0"]
    many = compare.Backtest(names, "v0.16.3")
    for number in range(500):
        found = [findings(chance.choice(pool), name) for name in names]
        many.add(f"20261122T{number:06}Z", found[0], found)
    document = many.finish()
    assert len(orjson.dumps(compare.brief(document).dump())) < 5_000
    assert len(orjson.dumps(document.dump())) < 200_000
