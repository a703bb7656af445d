"""When versions differ, when something only varies, which times count, and what the documents say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot import compare
from kai_snapshot.api.comparison import ElementCounts, ReplayComparison, VersionComparison
from kai_snapshot.api.comparisondocument import BesideBaseline, ComparisonDocument, Differences
from kai_snapshot.compare import chance
from kai_snapshot.errors import Reason, TerminalError
from support.results import findings, repeated, result

JOB, POD = "team/train", "team/train-0"


def compared(*documents: dict[str, Any], baseline: int = 0) -> ComparisonDocument:
    each = [findings(document, f"v{number}") for number, document in enumerate(documents)]
    return compare.compare(each[baseline], each)


def beside(before: dict[str, Any], after: dict[str, Any]) -> BesideBaseline:
    found = compared(before, after).versions[1].baseline
    assert found is not None
    return found


def verdict(found: Differences) -> str:
    return "differs" if found.differing else "varies" if found.varying else "same"


class TestElements:
    @pytest.mark.parametrize(
        ("before", "after", "is_"),
        [
            ({"n1": 3}, {"n1": 3}, "same"),
            ({"n1": 3}, {"n2": 3}, "differs"),
            ({"n1": 3}, {}, "differs"),
            ({}, {}, "same"),
            ({"n1": 3}, {"n2": 2, "n3": 1}, "differs"),
            ({"n1": 3}, {"n2": 2}, "differs"),
            ({}, {"n1": 1, "n2": 2}, "differs"),
            ({"n1": 3}, {"n1": 2, "n2": 1}, "varies"),
            ({}, {"n1": 2}, "varies"),
            ({"n1": 2}, {"n1": 2}, "varies"),
            ({"n1": 2, "n2": 1}, {"n3": 2, "n4": 1}, "varies"),
            ({"n1": 2, "n2": 1}, {"n1": 1, "n2": 2}, "varies"),
        ],
        ids=[
            "always there",
            "always there, then always elsewhere",
            "always there, then nowhere",
            "never anywhere",
            "always there, then never there but not always in one place",
            "always there, then never there but not always bound",
            "never bound, then always bound",
            "always there, then mostly there",
            "never bound, then mostly bound",
            "mostly bound at both",
            "here or there, then in other places: such a choice may be random",
            "here or there at both",
        ],
    )
    def test_a_placement(self, before: dict[str, int], after: dict[str, int], is_: str) -> None:
        one, other = (repeated(3, placements={POD: counts} if counts else {}) for counts in (before, after))
        assert verdict(beside(one, other).placements) == verdict(beside(other, one).placements) == is_

    @pytest.mark.parametrize(
        ("before", "after", "is_"),
        [(3, 0, "differs"), (3, 3, "same"), (3, 2, "varies"), (1, 0, "varies"), (2, 2, "varies")],
    )
    def test_an_eviction_and_a_pipelined_pod(self, before: int, after: int, is_: str) -> None:
        def some(count: int) -> dict[str, Any]:
            counts = {POD: count} if count else {}
            return repeated(3, evictions=counts, pipelined=counts)

        found = beside(some(before), some(after))
        assert verdict(found.evictions) == verdict(found.pipelined) == is_

    def test_numbers_of_runs_need_not_be_equal(self) -> None:
        found = beside(repeated(5, evictions={"a/b": 5, "c/d": 4}), repeated(2, evictions={"a/b": 2, "e/f": 2}))
        assert [each.name for each in found.evictions.differing] == ["e/f"]
        assert found.evictions.varying == ("c/d",)

    def test_a_result_without_frequencies_was_the_same_in_all_its_runs(self) -> None:
        stable = repeated(3)
        stable["runs"]["frequencies"] = None
        stable["placements"] = [{"pod": POD, "node": "n1", "gpuGroups": []}]
        found = beside(stable, result(placements={POD: "n2"})).placements
        assert (found.differing[0].baseline, found.differing[0].version) == ({"n1": 3}, {"n2": 1})

    def test_gpu_groups_and_order_are_not_compared(self) -> None:
        one = result(placements={"a/b": "n1", "c/d": "n1"}, evictions=["e/f", "g/h"])
        other = result(placements={"c/d": "n1", "a/b": "n1"}, evictions=["g/h", "e/f"])
        other["placements"][0]["gpuGroups"] = ["0f8a"]
        assert compared(one, other).first_different is None

    def test_a_run_that_did_not_succeed_is_the_one_compared_and_says_so(self) -> None:
        crashed = repeated(2, evictions={"a/b": 2}, outcome="Panicked")
        found = beside(result(evictions=["a/b"]), crashed)
        assert not found.complete
        assert not found.comparable
        assert found.expected_by_chance is None
        assert [each.name for each in found.evictions.differing] == ["a/b"]

    def test_of_runs_that_did_not_all_succeed_one_is_compared_and_all_are_counted(self) -> None:
        crashed = repeated(2, evictions={"a/b": 2}, outcome="Panicked")
        elements = findings(crashed).elements
        assert elements is not None
        assert (elements.runs, compared(crashed, crashed).versions[0].runs) == (1, 2)

    @pytest.mark.parametrize(
        "damaged",
        [{}, {"outcome": "Odd"}, {"placements": None}, {"placements": [{}]}, {"runs": {}}, {"durationsMs": 3}],
        ids=["nothing", "an outcome there is not", "no list", "a placement of nothing", "runs of nothing", "no times"],
    )
    def test_what_is_no_result_is_refused_by_its_place(self, damaged: dict[str, Any]) -> None:
        with pytest.raises(TerminalError, match=r"result\.json") as caught:
            findings({**result(), **damaged} if damaged else {})
        assert caught.value.reason is Reason.INVALID_RESULT


class TestChance:
    def test_more_runs_leave_less_to_chance(self) -> None:
        expected = [chance.expected(40, yes_or_no=40, runs=(n, n)) or 0 for n in (2, 3, 5, 10)]
        assert expected == sorted(expected, reverse=True)

    @pytest.mark.parametrize(("runs", "one_in"), [((3, 3), 30), ((5, 5), 510), ((10, 10), 524_286)])
    def test_an_eviction_that_comes_half_of_the_time(self, runs: tuple[int, int], one_in: int) -> None:
        assert chance.expected(0, yes_or_no=one_in, runs=runs) == 1.0

    def test_a_placement_has_more_values_to_differ_in(self) -> None:
        assert (chance.expected(30, yes_or_no=0, runs=(3, 3)) or 0) > 2

    def test_nothing_varies_nothing_is_chance(self) -> None:
        assert chance.expected(0, yes_or_no=0, runs=(2, 3)) == 0

    @pytest.mark.parametrize("runs", [(1, 1), (1, 5), (20, 1)])
    def test_a_single_run_cannot_tell(self, runs: tuple[int, int]) -> None:
        assert chance.expected(5, yes_or_no=5, runs=runs) is None


class TestTimes:
    @pytest.mark.parametrize(
        ("before", "after", "percent"),
        [
            (100, 141, 41),
            (100, 120, None),
            (100, 121, 21),
            (200, 100, -50),
            (0, 15, None),
            (0, 50, 4900),
        ],
        ids=["slower", "within 20 ms", "just beyond", "faster", "from nothing to little", "from nothing"],
    )
    def test_runs_that_are_all_alike_differ_beyond_20_ms(self, before: int, after: int, percent: int | None) -> None:
        one, other = (repeated(3, total=total, totals=[total] * 3) for total in (before, after))
        assert compare.brief(compared(one, other)).versions[0].total_slowdown_percent == percent

    @pytest.mark.parametrize(
        ("before", "after", "percent"),
        [(1000, 1200, None), (1000, 1201, 20), (1000, 500, -50), (None, 500, None)],
        ids=["within 200 ms", "just beyond", "faster", "unknown"],
    )
    def test_single_runs_differ_beyond_200_ms(self, before: int | None, after: int, percent: int | None) -> None:
        short = compare.brief(compared(result(total=before), result(total=after))).versions[0]
        assert short.total_slowdown_percent == percent

    @pytest.mark.parametrize(
        ("count", "totals", "noise"),
        [(1, [], 200), (1, [150], 200), (2, [150, 150], 20), (2, [150, 400], 250)],
        ids=["a single run", "one of several succeeded", "two that are alike", "two that are not"],
    )
    def test_either_version_brings_its_noise(self, count: int, totals: list[int], noise: int) -> None:
        steady, other = repeated(3, total=100, totals=[100] * 3), repeated(count, total=150, totals=totals)
        assert beside(steady, other).total.noise_ms == beside(other, steady).total.noise_ms == noise

    @pytest.mark.parametrize(
        ("totals", "percent"), [([95, 100, 105], 50), ([80, 100, 131], None), ([100, 100, 160], None)]
    )
    def test_runs_differ_beyond_what_those_of_one_version_differ_by(
        self, totals: list[int], percent: int | None
    ) -> None:
        steady = repeated(3, total=150, totals=[150, 150, 150])
        found = beside(repeated(3, total=100, totals=totals), steady)
        assert found.total.noise_ms == max(20, max(totals) - min(totals))
        assert found.total.ratio == 1.5
        assert found.total.beyond_noise == (percent is not None)

    def test_actions_are_compared_one_by_one(self) -> None:
        found = beside(
            result(actions={"allocate": 500, "reclaim": 10, "preempt": 5}),
            result(actions={"allocate": 775, "reclaim": 12, "stalegangeviction": 1}),
        )
        assert [(each.name, each.baseline_ms, each.ms, each.ratio) for each in found.actions] == [
            ("allocate", 500, 775, 1.55),
            ("reclaim", 10, 12, 1.2),
            ("preempt", 5, None, None),
            ("stalegangeviction", None, 1, None),
        ]
        assert [each.name for each in found.actions if each.beyond_noise] == ["allocate"]

    @pytest.mark.parametrize(
        ("nodes", "comparable"),
        [(("a", "a"), True), (("a", "b"), False), (("", "b"), True), (("", ""), True)],
        ids=["one node", "two nodes", "one unknown", "both unknown"],
    )
    def test_times_of_different_nodes_are_listed_but_not_compared(
        self, nodes: tuple[str, str], comparable: bool
    ) -> None:
        first, second = (
            findings(result(total=total), name, node=node)
            for total, name, node in zip((100, 900), "ab", nodes, strict=True)
        )
        document = compare.compare(first, [first, second])
        found = document.versions[1].baseline
        assert found is not None
        assert (found.comparable, found.total.ratio is not None) == (comparable, comparable)
        assert (found.total.baseline_ms, found.total.ms) == (100, 900)
        assert compare.brief(document).versions[0].total_slowdown_percent == (800 if comparable else None)

    def test_a_total_that_begins_elsewhere_gives_way_to_the_sum_of_all_actions(self) -> None:
        old = result(version="v0.12.23", total=44, actions={"allocate": 10, "reclaim": 20})
        new = result(version="v0.17.0", total=160, actions={"allocate": 10, "reclaim": 21})
        assert (beside(old, new).total.of, beside(old, new).total.ms) == ("Actions", 31)
        assert not beside(old, new).total.beyond_noise
        assert (beside(new, new).total.of, beside(old, old).total.of) == ("Cycle", "Cycle")


class TestFirstDifferent:
    SAME, OTHER = result(evictions=["a/b"]), result(evictions=["c/d"])

    @pytest.mark.parametrize("baseline", [0, 1, 2, 3])
    def test_it_is_the_first_that_differs_from_the_one_before_it(self, baseline: int) -> None:
        document = compared(self.SAME, self.SAME, self.OTHER, self.OTHER, baseline=baseline)
        assert (document.baseline, document.first_different) == (f"v{baseline}", "v2")

    def test_another_outcome_is_a_difference(self) -> None:
        assert compared(self.SAME, result(outcome="Panicked"), self.SAME).first_different == "v1"

    def test_a_version_that_was_killed_differs_though_it_left_no_result(self) -> None:
        before = findings(self.SAME, "v0")
        killed = compare.Findings(name="v1", outcome="OOMKilled")
        assert compare.compare(before, [before, killed]).first_different == "v1"

    @pytest.mark.parametrize("outcome", ["ImagePullFailed", "ResultLost"])
    def test_what_never_ran_says_nothing_and_is_passed_over(self, outcome: str) -> None:
        before, after = findings(self.SAME, "v0"), findings(self.OTHER, "v2")
        missing = compare.Findings(name="v1", outcome=outcome)
        document = compare.compare(before, [before, missing, after])
        assert document.first_different == "v2"
        assert document.versions[2].previous is not None
        assert document.versions[2].previous.name == "v0"

    def test_an_archive_that_could_not_be_had_is_no_finding_about_the_version(self) -> None:
        gone = {**result(outcome="Failed"), "ran": False}
        document = compared(self.SAME, gone, self.SAME)
        assert document.first_different is None
        assert (document.versions[1].runs, document.versions[1].baseline) == (0, None)

    def test_two_that_were_cut_short_alike_show_no_difference(self) -> None:
        cut = [result(outcome="DeadlineExceeded", evictions=evicted) for evicted in (["a/b"], ["c/d"])]
        assert compared(*cut).first_different is None
        assert compare.brief(compared(*cut)).versions[0].evictions.differing == 2


class TestBrief:
    def test_it_has_counts_slowdowns_and_an_example_of_each_kind(self) -> None:
        before = result(
            evictions=["a/1", "a/2"],
            placements={POD: "n1"},
            jobs={JOB: "Allocated"},
            pipelined=["a/1"],
            total=1000,
            actions={"allocate": 600, "reclaim": 300},
        )
        after = result(jobs={JOB: "Unschedulable"}, total=1500, actions={"allocate": 300, "reclaim": 900})
        assert compare.brief(compared(before, after)) == ReplayComparison(
            baseline="v0",
            first_different="v1",
            versions=(
                VersionComparison(
                    name="v1",
                    total_slowdown_percent=50,
                    actions=(
                        {"name": "allocate", "slowdown_percent": -50},
                        {"name": "reclaim", "slowdown_percent": 200},
                    ),
                    evictions=ElementCounts(differing=2),
                    placements=ElementCounts(differing=1),
                    job_outcomes=ElementCounts(differing=1),
                    pipelined=ElementCounts(differing=1),
                    examples=(
                        "a/1 evicted only at v0",
                        f"{POD}: n1 -> nowhere",
                        f"{JOB}: Allocated -> Unschedulable",
                    ),
                ),
            ),
        )

    def test_examples_say_where_else_most_often_first(self) -> None:
        document = compared(repeated(3, placements={POD: {"n1": 3}}), repeated(3, placements={POD: {"n2": 1, "n3": 2}}))
        assert compare.brief(document).versions[0].examples == (f"{POD}: n1 -> n3 or n2",)

    @pytest.mark.parametrize(
        ("nodes", "told"),
        [(1, "a"), (2, "a or b"), (3, "a or b or c"), (4, "a or b or 2 others"), (20, "a or b or 18 others")],
    )
    def test_examples_stay_short(self, nodes: int, told: str) -> None:
        after = repeated(nodes, placements={POD: {chr(ord("a") + node): 1 for node in range(nodes)}})
        document = compared(repeated(3), after)
        assert compare.brief(document).versions[0].examples == (f"{POD}: nowhere -> {told}",)

    def test_examples_stay_short_whatever_names_there_are(self) -> None:
        document = compared(result(), result(placements={"a/" + "p" * 5000: "n" * 5000}))
        assert [len(example) for example in compare.brief(document).versions[0].examples] == [1024]

    def test_a_version_without_a_result_is_not_complete(self) -> None:
        first = findings(result(), "v0")
        document = compare.compare(first, [first, compare.Findings(name="v1", outcome="ResultLost")])
        assert compare.brief(document).versions == (VersionComparison(name="v1", complete=False, comparable=False),)

    def test_without_a_baseline_that_ran_nothing_is_compared(self) -> None:
        baseline = compare.Findings(name="v0", outcome="ImagePullFailed")
        document = compare.compare(baseline, [baseline, findings(result(), "v1")])
        assert document.first_different is None
        assert not compare.brief(document).versions[0].complete


def test_the_document_says_which_archives_the_results_are_of() -> None:
    one, other = ({"name": "a.zip", "sha256": digit * 64} for digit in "12")
    documents = [{**result(), "archive": archive} for archive in (one, other, None, one)]
    assert compared(*documents).archives == ("1" * 64, "2" * 64)


def test_the_document_reads_back_as_it_was_written() -> None:
    document = compared(
        repeated(3, evictions={"a/b": 3, "c/d": 1}, totals=[1, 2, 3]), repeated(2, placements={POD: {"n": 2}})
    )
    assert ComparisonDocument.model_validate(document.dump()) == document
    assert document.dump()["schemaVersion"] == "kai-snapshot.io/replay-comparison/v1"
    assert document.dump()["versions"][1]["baseline"]["evictions"]["differing"] == [
        {"name": "a/b", "baseline": {"Evicted": 3}, "version": {}}
    ]


def some_values(runs: int) -> st.SearchStrategy[dict[str, int]]:
    """What a pod came to in `runs` runs."""
    each = st.lists(st.sampled_from(["n1", "n2", ""]), min_size=runs, max_size=runs)
    return each.map(lambda values: {value: values.count(value) for value in values if value})


@st.composite
def results(draw: st.DrawFn) -> dict[str, Any]:
    runs = draw(st.integers(1, 4))
    pods = st.sampled_from(["a/1", "a/2", "a/3", "a/4"])
    placements = draw(st.dictionaries(pods, some_values(runs).filter(bool)))
    evictions = draw(st.dictionaries(pods, st.integers(1, runs)))
    jobs = draw(st.dictionaries(pods, st.sampled_from(["Allocated", "Unschedulable"])))
    return repeated(
        runs, placements=placements, evictions=evictions, jobs={job: {what: runs} for job, what in jobs.items()}
    )


def once_more(document: dict[str, Any], *, like: str) -> dict[str, Any]:
    """With another run, in which every pod of `like` was bound to one node, and nothing else happened."""
    runs = document["runs"]["count"]
    placements = document["runs"]["frequencies"]["placements"]
    counts = {**placements.get("a/1", {})}
    counts[like] = counts.get(like, 0) + 1
    return repeated(runs + 1, placements={**placements, "a/1": counts})


class TestProperties:
    @given(results())
    def test_nothing_differs_from_itself(self, document: dict[str, Any]) -> None:
        found = beside(document, document)
        assert not any(kind.differing for kind in (found.placements, found.evictions, found.job_outcomes))

    @given(results(), results())
    def test_swapping_sides_swaps_the_values_and_nothing_else(self, one: dict[str, Any], other: dict[str, Any]) -> None:
        there, back = beside(one, other), beside(other, one)
        for kind in ("placements", "evictions", "pipelined", "job_outcomes"):
            forth, reverse = getattr(there, kind), getattr(back, kind)
            assert [(d.name, d.baseline, d.version) for d in forth.differing] == [
                (d.name, d.version, d.baseline) for d in reverse.differing
            ]
            assert forth.varying == reverse.varying
        assert there.expected_by_chance == back.expected_by_chance

    @given(results(), results(), st.sampled_from(["n1", "n2", "n3"]))
    def test_a_run_that_came_out_the_same_at_both_never_makes_a_difference(
        self, one: dict[str, Any], other: dict[str, Any], node: str
    ) -> None:
        found = beside(once_more(one, like=node), once_more(other, like=node))
        assert "a/1" not in {each.name for each in found.placements.differing}
        before = {each.name for each in beside(one, other).placements.differing}
        assert {each.name for each in found.placements.differing} <= before
