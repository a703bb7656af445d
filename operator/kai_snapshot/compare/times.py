"""Which times differ beyond the noise."""

from collections.abc import Callable
from typing import Any, Final

from kai_snapshot.api.comparisondocument import ActionTiming, Timing, TotalTiming
from kai_snapshot.api.result import Durations
from kai_snapshot.compare.findings import Findings
from kai_snapshot.kaiversions import prints_summary

NOISE_FLOOR_MS: Final = 20
"""Times differ by that without a reason, and the tool prints whole milliseconds."""

SINGLE_RUN_NOISE_MS: Final = 200
"""What a single run may be off by, which has no other to tell. Its total moves in steps of 100 ms, for the tool looks
every 100 ms whether its caches are filled."""

Measure = Callable[[Durations], int | None]


def comparable(baseline: Findings, version: Findings) -> bool:
    """Whether times may be compared: of whole runs, on one node as far as that is known."""
    nodes = {baseline.node_name, version.node_name} - {""}
    return baseline.succeeded and version.succeeded and len(nodes) < 2


def total_timing(baseline: Findings, version: Findings) -> TotalTiming:
    """The whole cycle, or all actions together if the two versions' tools do not mean the same by the whole."""
    alike = prints_summary(baseline.engine.version) == prints_summary(version.engine.version)
    measure = _cycle if alike else _actions
    return TotalTiming(of="Cycle" if alike else "Actions", **_timing(baseline, version, measure))


def action_timings(baseline: Findings, version: Findings) -> tuple[ActionTiming, ...]:
    """Every action that either ran to its end."""
    names = dict.fromkeys((*baseline.durations.actions, *version.durations.actions))
    return tuple(ActionTiming(name=name, **_timing(baseline, version, _action(name))) for name in names)


def slowdown(timing: Timing) -> int | None:
    """In per cent: 41 for a ratio of 1.41, negative if faster. None within the noise, or if it cannot be told."""
    return round((timing.ratio - 1) * 100) if timing.ratio is not None and timing.beyond_noise else None


def _cycle(durations: Durations) -> int | None:
    return durations.total


def _actions(durations: Durations) -> int | None:
    return sum(durations.actions.values()) if durations.actions else None


def _action(name: str) -> Measure:
    return lambda durations: durations.actions.get(name)


def _timing(baseline: Findings, version: Findings, measure: Measure) -> dict[str, Any]:
    before, after = measure(baseline.durations), measure(version.durations)
    noise = max(NOISE_FLOOR_MS, _noise(baseline, measure), _noise(version, measure))
    timing: dict[str, Any] = {"baseline_ms": before, "ms": after, "noise_ms": noise}
    if before is None or after is None or not comparable(baseline, version):
        return timing
    ratio = round(max(after, 1) / max(before, 1), 3)
    return {**timing, "ratio": ratio, "beyond_noise": abs(after - before) > noise}


def _noise(findings: Findings, measure: Measure) -> int:
    """The slowest run less the fastest."""
    times = [time for time in map(measure, findings.each_run) if time is not None]
    return max(times) - min(times) if len(times) > 1 else SINGLE_RUN_NOISE_MS
