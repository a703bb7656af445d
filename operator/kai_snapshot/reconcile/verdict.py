"""The verdict on a replay whose versions are all over: its outcome, what it shows, and whether it is Ready."""

from dataclasses import dataclass

from kai_snapshot import expectations
from kai_snapshot.api.comparison import ReplayComparison, VersionComparison
from kai_snapshot.api.conditions import FINISHED, READY, STALLED, Condition, claim, shorten
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.snapshotreplay import SnapshotReplaySpec, SnapshotReplayStatus, VersionResult
from kai_snapshot.errors import Reason
from kai_snapshot.reconcile import version

Compared = ReplayComparison | Problem | None
"""How the versions differ; why that cannot be said; None for one archive at one version."""


@dataclass(frozen=True)
class Verdict:
    """What there is to say at the end."""

    outcome: Reason
    """Succeeded, PartiallyFailed or Failed: of the versions, whatever is expected of them."""
    summary: str
    claims: tuple[Condition, ...]
    """Ready, Finished, and Stalled if it is not Ready."""
    good: bool


def baseline(spec: SnapshotReplaySpec) -> str:
    """The name of the version that the others are compared with."""
    return spec.baseline or spec.planned_versions[0].name


def needs_comparison(spec: SnapshotReplaySpec, status: SnapshotReplayStatus) -> bool:
    """Whether there is something to compare or to sum up: several versions, or many archives."""
    many = status.resolved_source is not None and status.resolved_source.archives is not None
    return len(spec.planned_versions) > 1 or many


def verdict(spec: SnapshotReplaySpec, results: tuple[VersionResult, ...], compared: Compared) -> Verdict:
    """All of `results` are final."""
    succeeded = sum(result.outcome == "Succeeded" for result in results)
    some = succeeded or any(result.archives is not None and result.archives.succeeded for result in results)
    outcome = Reason.SUCCEEDED if succeeded == len(results) else Reason.PARTIALLY_FAILED if some else Reason.FAILED
    told = summary(results, compared)
    if spec.expectations is None:
        unmet = _failures(results)
        good, bad = Reason.SUCCEEDED, Reason.REPLAY_FAILED
    else:
        found = _unmet(spec, results, compared)
        unmet = "; ".join((f"{len(found)} expectations are not met", *found) if len(found) > 2 else found)
        good, bad = Reason.EXPECTATIONS_MET, Reason.EXPECTATIONS_NOT_MET
    claims = [claim(READY, "True", good, told)]
    if unmet:
        claims = [claim(READY, "False", bad, unmet), claim(STALLED, "True", bad, unmet)]
    finished = bad if unmet and spec.expectations is not None else outcome
    return Verdict(outcome, told, (*claims, claim(FINISHED, "True", finished, told)), good=not unmet)


def summary(results: tuple[VersionResult, ...], compared: Compared = None) -> str:
    """`2/3 replayed: v0.16.3 120 ms, v0.17.0 131 ms; main Panicked; v0.17.0 differs: 2 evictions`, at most 1 KiB."""
    good = [result for result in results if result.outcome == "Succeeded"]
    bad = [result for result in results if version.is_final(result) and result.outcome != "Succeeded"]
    under_way = [result for result in results if result.outcome == "Running" and result.archives is not None]
    told = ", ".join(f"{result.name} {version.timing(result)}".rstrip() for result in good)
    parts = [
        f"{len(good)}/{len(results)} replayed" + (f": {told}" if told else ""),
        ", ".join(f"{result.name} {version.progress(result)} archives" for result in under_way),
        ", ".join(f"{result.name} {result.outcome}" for result in bad),
    ]
    if isinstance(compared, ReplayComparison):
        parts += [_difference(each) for each in compared.versions]
    if isinstance(compared, Problem):
        parts.append(f"not compared: {compared.message}")
    return shorten("; ".join(part for part in parts if part))


def _difference(compared: VersionComparison) -> str:
    """Of two runs that came to their end: what one that was cut short lacks is no difference."""
    counts = {
        "placement": compared.placements,
        "eviction": compared.evictions,
        "pipelined pod": compared.pipelined,
        "job outcome": compared.job_outcomes,
    }
    found = [
        f"{each.differing} {what}{'s' if each.differing > 1 else ''}"
        for what, each in counts.items()
        if each.differing and compared.complete
    ]
    if compared.total_slowdown_percent is not None:
        found.append(f"{compared.total_slowdown_percent:+d}% time")
    return f"{compared.name} differs: {', '.join(found)}" if found else ""


def _unmet(spec: SnapshotReplaySpec, results: tuple[VersionResult, ...], compared: Compared) -> tuple[str, ...]:
    assert spec.expectations is not None
    if isinstance(compared, Problem):
        return (f"the versions could not be compared: {compared.reason}: {compared.message}",)
    outcomes = {result.name: result.outcome for result in results}
    return expectations.judge(spec.expectations, outcomes, baseline=baseline(spec), comparison=compared)


def _failures(results: tuple[VersionResult, ...]) -> str:
    return "; ".join(
        f"{result.name} {result.outcome}: {result.message}".rstrip(": ")
        for result in results
        if result.outcome != "Succeeded"
    )
