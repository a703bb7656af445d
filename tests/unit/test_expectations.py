"""When a gate opens, and what it says when it does not."""

from typing import Any

import pytest

from kai_snapshot.api.comparison import ActionSlowdown, ElementCounts, ReplayComparison, VersionComparison
from kai_snapshot.api.expectations import Expectations
from kai_snapshot.expectations import judge

ANY_SUCCESS: Any = {"require_success": "None"}
UNCHANGED: Any = {"unchanged": ("Placements", "Evictions", "JobOutcomes")}


def unmet(expected: dict[str, Any], *, outcomes: dict[str, str] | None = None, **version: Any) -> tuple[str, ...]:
    """Of v0.16.3, the baseline, and v0.17.0."""
    beside = VersionComparison(name="v0.17.0", **{"expected_by_chance": 0.0, **version})
    return judge(
        Expectations(**expected),
        {"v0.16.3": "Succeeded", "v0.17.0": "Succeeded", **(outcomes or {})},
        baseline="v0.16.3",
        comparison=ReplayComparison(baseline="v0.16.3", versions=(beside,)),
    )


class TestSuccess:
    BAD, WORSE = {"v0.17.0": "Panicked"}, {"v0.16.3": "OOMKilled", "v0.17.0": "Panicked"}

    @pytest.mark.parametrize(
        ("require", "outcomes", "sentences"),
        [
            ("All", {}, ()),
            ("All", BAD, ("v0.17.0: Panicked, but must succeed",)),
            ("All", WORSE, ("v0.16.3: OOMKilled, but must succeed", "v0.17.0: Panicked, but must succeed")),
            ("All", {"v0.17.0": "PartiallyFailed"}, ("v0.17.0: PartiallyFailed, but must succeed",)),
            ("Baseline", BAD, ()),
            ("Baseline", WORSE, ("v0.16.3: OOMKilled, but must succeed",)),
            ("None", WORSE, ()),
        ],
    )
    def test_versions_that_must_succeed(
        self, require: str, outcomes: dict[str, str], sentences: tuple[str, ...]
    ) -> None:
        assert unmet({"require_success": require}, outcomes=outcomes, complete=not outcomes) == sentences

    def test_a_single_version_has_nothing_to_be_compared_with(self) -> None:
        everything = Expectations(max_total_slowdown_percent=1, max_action_slowdown_percent=1, **UNCHANGED)
        assert judge(everything, {"v1": "Succeeded"}, baseline="v1", comparison=None) == ()
        assert judge(everything, {"v1": "Failed"}, baseline="v1", comparison=None) == ("v1: Failed, but must succeed",)


class TestSlowdown:
    @pytest.mark.parametrize(
        ("limit", "slowdown", "sentences"),
        [
            (25, 41, ("v0.17.0: total +41% > 25%",)),
            (25, 25, ()),
            (25, 26, ("v0.17.0: total +26% > 25%",)),
            (25, -60, ()),
            (25, None, ()),
            (None, 400, ()),
        ],
        ids=["slower", "at the limit", "just above", "faster", "within the noise", "no limit"],
    )
    def test_of_the_whole_cycle(self, limit: int | None, slowdown: int | None, sentences: tuple[str, ...]) -> None:
        assert unmet({"max_total_slowdown_percent": limit}, total_slowdown_percent=slowdown) == sentences

    def test_of_each_action(self) -> None:
        actions = [
            ActionSlowdown(name="allocate", slowdown_percent=51),
            ActionSlowdown(name="reclaim", slowdown_percent=50),
            ActionSlowdown(name="preempt", slowdown_percent=400),
        ]
        sentences = unmet({"max_action_slowdown_percent": 50}, total_slowdown_percent=90, actions=actions)
        assert sentences == ("v0.17.0: allocate +51% > 50%", "v0.17.0: preempt +400% > 50%")

    def test_single_runs_cannot_tell_the_noise(self) -> None:
        (sentence,) = unmet({"max_total_slowdown_percent": 25}, total_slowdown_percent=41, expected_by_chance=None)
        assert sentence == "v0.17.0: total +41% > 25% (from single runs: set repetitions to know the noise)"

    @pytest.mark.parametrize("limit", ["max_total_slowdown_percent", "max_action_slowdown_percent"])
    def test_times_of_different_nodes_cannot_be_judged(self, limit: str) -> None:
        (sentence,) = unmet({limit: 25}, comparable=False)
        assert sentence == (
            "v0.17.0: cannot compare its times: they ran on different nodes: "
            "set podTemplate.spec.nodeSelector to one node"
        )

    def test_without_a_limit_nobody_asks_for_times(self) -> None:
        assert unmet(UNCHANGED, comparable=False) == ()


class TestUnchanged:
    @pytest.mark.parametrize(
        ("changed", "differing", "sentence"),
        [
            ("placements", 1, "v0.17.0: 1 placement differs from v0.16.3"),
            ("placements", 2, "v0.17.0: 2 placements differ from v0.16.3"),
            ("evictions", 3, "v0.17.0: 3 evictions differ from v0.16.3"),
            ("job_outcomes", 2, "v0.17.0: 2 job outcomes differ from v0.16.3"),
        ],
    )
    def test_what_differs_is_counted(self, changed: str, differing: int, sentence: str) -> None:
        found: dict[str, Any] = {changed: ElementCounts(differing=differing, varying=9)}
        assert unmet(UNCHANGED, expected_by_chance=0.3, **found) == (sentence,)
        assert unmet({}, expected_by_chance=0.3, **found) == ()

    def test_what_varies_is_no_change_and_pipelined_pods_are_not_asked_for(self) -> None:
        varies = ElementCounts(varying=100)
        assert unmet(UNCHANGED, placements=varies, evictions=varies, pipelined=ElementCounts(differing=3)) == ()

    @pytest.mark.parametrize(
        ("expected", "hint"),
        [
            (0.49, ""),
            (0.5, " (chance may give 0.5 differences: more repetitions tell)"),
            (2.31, " (chance may give 2.3 differences: more repetitions tell)"),
            (None, " (from single runs: set repetitions to 5 or more to know what only varies)"),
        ],
    )
    def test_it_says_when_it_may_be_chance(self, expected: float | None, hint: str) -> None:
        (sentence,) = unmet(UNCHANGED, evictions=ElementCounts(differing=2), expected_by_chance=expected)
        assert sentence == f"v0.17.0: 2 evictions differ from v0.16.3{hint}"

    def test_what_did_not_come_to_its_end_cannot_be_judged(self) -> None:
        (sentence,) = unmet(
            {"unchanged": ("Placements", "Evictions"), **ANY_SUCCESS}, outcomes={"v0.17.0": "Panicked"}, complete=False
        )
        assert sentence == (
            "v0.17.0: cannot tell whether placements, evictions are unchanged: v0.17.0 Panicked; "
            "see its log, or leave it out"
        )

    @pytest.mark.parametrize("outcomes", [{"v0.17.0": "Panicked"}, {"v0.16.3": "ImagePullFailed"}])
    def test_one_cause_is_said_once(self, outcomes: dict[str, str]) -> None:
        limits = {"max_total_slowdown_percent": 25, **UNCHANGED}
        (sentence,) = unmet(limits, outcomes=outcomes, complete=False, comparable=False)
        assert sentence.endswith("but must succeed")
