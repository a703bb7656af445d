"""Whether a replay shows what is expected of it: a gate before an upgrade. Pure.

What cannot be judged is not met: a gate that opens because nothing was measured is none.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from kai_snapshot.api.comparison import ElementCounts, ReplayComparison, VersionComparison
from kai_snapshot.api.expectations import Expectations, Unchanged
from kai_snapshot.api.result import Outcome

_WORDS: Final[Mapping[Unchanged, tuple[str, str]]] = {
    "Placements": ("placement", "placements"),
    "Evictions": ("eviction", "evictions"),
    "JobOutcomes": ("job outcome", "job outcomes"),
}


def judge(
    expectations: Expectations,
    outcomes: Mapping[str, str],
    *,
    baseline: str,
    comparison: ReplayComparison | None,
) -> tuple[str, ...]:
    """What is not met, a sentence each with the version, the figure and the limit; empty if all is.

    `outcomes`: of every version, in the order of the spec; with many archives Succeeded, PartiallyFailed or Failed.
    `comparison`: None if there is only one version.
    """
    failed = list(_failures(expectations, outcomes, baseline=baseline))
    sentences = [f"{name}: {outcomes[name]}, but must succeed" for name in failed]
    for version in comparison.versions if comparison is not None else ():
        explained = not version.complete and (version.name in failed or baseline in failed)
        sentences += [] if explained else _beside(expectations, version, outcomes, baseline)
    return tuple(sentences)


def _failures(expectations: Expectations, outcomes: Mapping[str, str], *, baseline: str) -> Iterator[str]:
    must = {"All": set(outcomes), "Baseline": {baseline}, "None": set()}[expectations.require_success]
    yield from (name for name, outcome in outcomes.items() if name in must and outcome != Outcome.SUCCEEDED)


def _beside(
    expectations: Expectations, version: VersionComparison, outcomes: Mapping[str, str], baseline: str
) -> Iterator[str]:
    yield from _changes(expectations, version, outcomes, baseline)
    yield from _slowdowns(expectations, version, outcomes, baseline)


def _changes(
    expectations: Expectations, version: VersionComparison, outcomes: Mapping[str, str], baseline: str
) -> Iterator[str]:
    if not expectations.unchanged:
        return
    if not version.complete:
        wanted = ", ".join(_WORDS[each][1] for each in expectations.unchanged)
        yield f"{version.name}: cannot tell whether {wanted} are unchanged: {_why(version, outcomes, baseline)}"
        return
    counts: Mapping[Unchanged, ElementCounts] = {
        "Placements": version.placements,
        "Evictions": version.evictions,
        "JobOutcomes": version.job_outcomes,
    }
    for each in expectations.unchanged:
        differing = counts[each].differing
        if differing:
            what = _WORDS[each][differing > 1]
            verb = "differ" if differing > 1 else "differs"
            yield f"{version.name}: {differing} {what} {verb} from {baseline}{_doubt(version)}"


def _doubt(version: VersionComparison) -> str:
    if version.expected_by_chance is None:
        return " (from single runs: set repetitions to 5 or more to know what only varies)"
    if version.expected_by_chance >= 0.5:
        return f" (chance may give {version.expected_by_chance:.1f} differences: more repetitions tell)"
    return ""


def _slowdowns(
    expectations: Expectations, version: VersionComparison, outcomes: Mapping[str, str], baseline: str
) -> Iterator[str]:
    total, action = expectations.max_total_slowdown_percent, expectations.max_action_slowdown_percent
    if total is None and action is None:
        return
    if not version.comparable:
        yield f"{version.name}: cannot compare its times: {_why(version, outcomes, baseline)}"
        return
    if total is not None and (version.total_slowdown_percent or 0) > total:
        yield f"{version.name}: total {version.total_slowdown_percent:+d}% > {total}%{_noise(version)}"
    for each in version.actions:
        if action is not None and each.slowdown_percent > action:
            yield f"{version.name}: {each.name} {each.slowdown_percent:+d}% > {action}%{_noise(version)}"


def _noise(version: VersionComparison) -> str:
    return "" if version.expected_by_chance is not None else " (from single runs: set repetitions to know the noise)"


def _why(version: VersionComparison, outcomes: Mapping[str, str], baseline: str) -> str:
    """Why it cannot be judged, and what to do."""
    bad = [f"{name} {outcomes[name]}" for name in (baseline, version.name) if outcomes.get(name) != Outcome.SUCCEEDED]
    if bad:
        return f"{', '.join(bad)}; see its log, or leave it out"
    return "they ran on different nodes: set podTemplate.spec.nodeSelector to one node"
