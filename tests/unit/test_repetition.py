"""Several runs of one request become one result, and what varies between them is told from what does not."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot.api.result import JobOutcome, Outcome, ReplayResult, Runs
from kai_snapshot.repetition import combine

PODS, NODES, JOBS = ("ns/a", "ns/b", "ns/c", "ns/d"), ("n1", "n2", "n3"), ("ns/j1", "ns/j2")


def run(
    *,
    placements: dict[str, str] | None = None,
    evictions: Sequence[str] = (),
    pipelined: Sequence[str] = (),
    jobs: dict[str, str] | None = None,
    outcome: Outcome = Outcome.SUCCEEDED,
    **fields: Any,
) -> ReplayResult:
    return ReplayResult.model_validate(
        {
            "engine": {"version": "v0.17.0"},
            "outcome": outcome,
            "placements": [{"pod": pod, "node": node} for pod, node in (placements or {}).items()],
            "evictions": [{"pod": pod, "action": "reclaim"} for pod in evictions],
            "pipelined": [{"pod": pod} for pod in pipelined],
            "podGroups": [{"name": name, "outcome": outcome} for name, outcome in (jobs or {}).items()],
            **fields,
        }
    )


def combined(*runs: ReplayResult, wanted: int | None = None) -> tuple[ReplayResult, Runs]:
    result = combine([partial(ReplayResult.model_copy, each) for each in runs], wanted=wanted or max(len(runs), 2))
    assert result.runs is not None
    return result, result.runs


def successes() -> st.SearchStrategy[ReplayResult]:
    return st.builds(
        run,
        placements=st.dictionaries(st.sampled_from(PODS), st.sampled_from(NODES)),
        evictions=st.lists(st.sampled_from(PODS), unique=True),
        pipelined=st.lists(st.sampled_from(PODS), unique=True),
        jobs=st.dictionaries(st.sampled_from(JOBS), st.sampled_from([outcome.value for outcome in JobOutcome])),
        durationsMs=st.builds(
            lambda total, actions: {"total": total, "actions": actions},
            st.integers(0, 10**6),
            st.fixed_dictionaries({"allocate": st.integers(0, 10**6), "reclaim": st.integers(0, 10**6)}),
        ),
    )


def elements(result: ReplayResult) -> set[tuple[str, ...]]:
    return {
        *(("placements", placement.pod, placement.node) for placement in result.placements),
        *(("evictions", eviction.pod) for eviction in result.evictions),
        *(("pipelined", pipelined.pod) for pipelined in result.pipelined),
        *(("podGroups", group.name, str(group.outcome)) for group in result.pod_groups),
    }


def came(runs: Runs, shown: ReplayResult) -> Counter[tuple[str, ...]]:
    """How often each element came, however it is written."""
    if runs.frequencies is None:
        return Counter(dict.fromkeys(elements(shown), runs.outcomes.get(Outcome.SUCCEEDED, 0)))
    found: Counter[tuple[str, ...]] = Counter()
    for kind, of_kind in runs.frequencies.dump().items():
        for name, counts in of_kind.items():
            found.update(
                {(kind, name, value): count for value, count in counts.items()}
                if isinstance(counts, dict)
                else {(kind, name): counts}
            )
    return found


class TestAnyRunsThatSucceeded:
    @given(st.lists(successes(), min_size=1, max_size=6))
    def test_every_element_is_counted_in_every_run_that_has_it(self, runs: list[ReplayResult]) -> None:
        result, about = combined(*runs)
        assert came(about, result) == Counter(element for each in runs for element in elements(each))

    @given(st.lists(successes(), min_size=1, max_size=6), st.randoms(use_true_random=False))
    def test_their_order_is_of_no_consequence_to_what_is_counted(self, runs: list[ReplayResult], random: Any) -> None:
        mixed = list(runs)
        random.shuffle(mixed)
        (first, about), (second, other) = combined(*runs), combined(*mixed)
        assert (about.frequencies, about.distinct, about.outcomes) == (
            other.frequencies,
            other.distinct,
            other.outcomes,
        )
        assert first.durations_ms == second.durations_ms

    @given(st.lists(successes(), min_size=1, max_size=6))
    def test_the_run_shown_is_one_of_them_and_none_differs_less_from_all_others(self, runs: list[ReplayResult]) -> None:
        result, about = combined(*runs)
        assert elements(result) == elements(runs[about.shown - 1])
        differences = [sum(len(elements(a) ^ elements(b)) for b in runs) for a in runs]
        assert about.shown - 1 == differences.index(min(differences))
        assert all(came(about, result)[element] >= 1 for element in elements(result))

    @given(st.lists(successes(), min_size=1, max_size=6))
    def test_no_pod_is_placed_and_no_job_decided_more_often_than_there_were_runs(
        self, runs: list[ReplayResult]
    ) -> None:
        _, about = combined(*runs)
        if about.frequencies is not None:
            for nodes in (*about.frequencies.placements.values(), *about.frequencies.pod_groups.values()):
                assert 1 <= sum(nodes.values()) <= about.count

    @given(successes(), st.integers(2, 20))
    def test_equal_runs_are_one_result_and_nothing_is_counted(self, one: ReplayResult, times: int) -> None:
        result, about = combined(*[one] * times)
        assert (about.count, about.distinct, about.shown, about.frequencies) == (times, 1, 1, None)
        assert elements(result) == elements(one)

    @given(st.lists(successes(), min_size=1, max_size=6))
    def test_runs_are_distinct_if_any_element_is(self, runs: list[ReplayResult]) -> None:
        _, about = combined(*runs)
        assert about.distinct == len({frozenset(elements(each)) for each in runs})
        assert (about.frequencies is None) == (about.distinct == 1)

    @given(st.lists(successes(), min_size=1, max_size=6))
    def test_times_are_medians(self, runs: list[ReplayResult]) -> None:
        result, about = combined(*runs)
        for action in ("allocate", "reclaim"):
            times = [each.durations_ms.actions[action] for each in runs]
            assert abs(result.durations_ms.actions[action] - median(times)) <= 0.5
        assert about.durations_ms == tuple(each.durations_ms for each in runs)


def test_a_run_that_most_others_equal_is_shown_before_one_with_more_in_it() -> None:
    small, large = run(evictions=["ns/a"]), run(evictions=["ns/a", "ns/b", "ns/c", "ns/d"])
    _, about = combined(large, small, small)
    assert about.shown == 2


def test_a_single_run_that_was_all_that_was_wanted_is_given_as_it_is() -> None:
    only = run(evictions=["ns/a"], outcome=Outcome.FAILED, message="no")
    assert combine([lambda: only], wanted=1) is only


def test_an_action_that_some_runs_did_not_time_is_the_median_of_those_that_did() -> None:
    result, _ = combined(
        run(durationsMs={"total": 10, "actions": {"allocate": 1}}),
        run(durationsMs={"total": None, "actions": {"allocate": 4, "reclaim": 9}}),
        run(durationsMs={"total": 30, "actions": {"allocate": 3}}),
    )
    assert (result.durations_ms.total, result.durations_ms.actions) == (20, {"allocate": 3, "reclaim": 9})


def test_what_the_process_used_is_the_most_of_all_runs() -> None:
    used = [{"peakMemoryBytes": 5, "cpuSeconds": 1.0}, None, {"peakMemoryBytes": 3, "cpuSeconds": 2.5}]
    result, _ = combined(*(run(resources=each) for each in used))
    assert result.resources is not None
    assert (result.resources.peak_memory_bytes, result.resources.cpu_seconds) == (5, 2.5)


def panic(**fields: Any) -> ReplayResult:
    return run(outcome=Outcome.PANICKED, message="The tool crashed.", exitCode=2, errorCount=7, **fields)


class TestRunsThatDidNotSucceed:
    def test_the_first_of_them_is_shown_and_says_how_many_they_were(self) -> None:
        fine = run(durationsMs={"total": 10}, evictions=["ns/a"])
        crashed = panic(evictions=["ns/b"], durationsMs={"total": 3})
        result, about = combined(fine, crashed, panic(), run(durationsMs={"total": 20}), wanted=4)
        assert (result.outcome, result.exit_code, result.error_count) == (Outcome.PANICKED, 2, 7)
        assert result.message == "2 of 4 runs did not succeed. Run 2: The tool crashed."
        assert [eviction.pod for eviction in result.evictions] == ["ns/b"]
        assert about.shown == 2
        assert about.outcomes == {Outcome.SUCCEEDED: 2, Outcome.PANICKED: 2}

    def test_they_count_neither_in_the_times_nor_in_the_frequencies(self) -> None:
        crashed = panic(evictions=["ns/b"], durationsMs={"total": 999})
        result, about = combined(
            run(evictions=["ns/a"], durationsMs={"total": 10}), crashed, run(durationsMs={"total": 20})
        )
        assert result.durations_ms.total == 15
        assert (about.distinct, [each.total for each in about.durations_ms]) == (2, [10, 20])
        assert about.frequencies is not None
        assert about.frequencies.evictions == {"ns/a": 1}

    def test_if_none_succeeded_the_times_are_those_of_the_run_shown(self) -> None:
        result, about = combined(panic(durationsMs={"total": 3}), panic())
        assert (result.durations_ms.total, about.distinct, about.frequencies) == (3, 0, None)

    @pytest.mark.parametrize(
        ("before", "message"),
        [
            (0, "Stopped. It was not run again: 3 runs were wanted."),
            (1, "1 of 2 runs did not succeed. Run 2: Stopped. It was not run again: 3 runs were wanted."),
            (2, "1 of 3 runs did not succeed. Run 3: Stopped."),
        ],
    )
    def test_runs_that_were_not_begun_are_told(self, before: int, message: str) -> None:
        stopped = run(outcome=Outcome.DEADLINE_EXCEEDED, message="Stopped.")
        result, about = combined(*[run()] * before, stopped, wanted=3)
        assert (about.count, about.shown, result.message) == (before + 1, before + 1, message)


def test_one_run_is_held_at_a_time() -> None:
    """Runs are read one after the other, and the one that is shown a second time."""
    read: list[int] = []

    def reader(number: int) -> Callable[[], ReplayResult]:
        def read_it() -> ReplayResult:
            read.append(number)
            return run(evictions=["ns/a"] if number else [])

        return read_it

    combine([reader(number) for number in range(3)], wanted=3)
    assert read == [0, 1, 2, 1]
