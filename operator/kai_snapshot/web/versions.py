"""The versions of a replay as rows: what became of each, how long it took, and how it differs from the baseline."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kai_snapshot.api.comparisondocument import ComparedVersion, Timing
from kai_snapshot.compare.difference import KINDS
from kai_snapshot.runs.replays import Replay, Version

_KINDS = {"placements": "placement", "evictions": "eviction", "pipelined": "pipelined", "job_outcomes": "job outcome"}
_NOTHING = {
    "placements": "nowhere", "evictions": "not evicted", "pipelined": "not pipelined", "job_outcomes": "not tried",
}  # fmt: skip


@dataclass(frozen=True)
class Took:
    """A time."""

    ms: int | None
    ratio: float | None
    """To the baseline's; None within the noise, or if they may not be compared."""


@dataclass(frozen=True)
class Row:
    """A version."""

    compared: ComparedVersion
    version: Version | None
    """None: it has no result."""
    total: Took
    actions: Mapping[str, Took]
    differing: int | None
    """Elements that differ from the baseline; None for the baseline, and where that cannot be said."""
    varying: int


@dataclass(frozen=True)
class Differs:
    """A pod or job that differs from the baseline."""

    kind: str
    name: str
    baseline: str
    version: str


def rows(replay: Replay) -> Sequence[Row]:
    """All versions, in their order."""
    results = {each.name: each for each in replay.versions}
    return [_row(each, results.get(each.name)) for each in replay.comparison.versions]


def actions(listed: Sequence[Row]) -> Sequence[str]:
    """The names of the actions that any version ran, in the order they came."""
    return list(dict.fromkeys(name for row in listed for name in row.actions))


def differences(compared: ComparedVersion) -> Sequence[Differs]:
    """What one version always does and the other never."""
    return list(_differences(compared))


def varying(compared: ComparedVersion) -> Sequence[str]:
    """What only varies between the runs of one version: kind and name."""
    beside = compared.baseline
    if beside is None:
        return []
    return [f"{_KINDS[kind]} {name}" for kind in KINDS for name in getattr(beside, kind).varying]


def _row(compared: ComparedVersion, version: Version | None) -> Row:
    beside = compared.baseline
    durations = version.facts.durations_ms if version is not None else None
    timings = {each.name: each for each in beside.actions} if beside is not None else {}
    return Row(
        compared=compared,
        version=version,
        total=_took(compared.total_ms, beside.total if beside is not None else None),
        actions={name: _took(ms, timings.get(name)) for name, ms in durations.actions.items()} if durations else {},
        differing=beside.differing if beside is not None and beside.complete else None,
        varying=sum(len(each.varying) for each in beside.kinds.values()) if beside is not None else 0,
    )


def _took(ms: int | None, timing: Timing | None) -> Took:
    return Took(ms, timing.ratio if timing is not None and timing.beyond_noise else None)


def _differences(compared: ComparedVersion) -> Iterator[Differs]:
    beside = compared.baseline
    if beside is None:
        return
    for kind in KINDS:
        for each in getattr(beside, kind).differing:
            yield Differs(
                _KINDS[kind],
                each.name,
                _told(each.baseline, _NOTHING[kind]),
                _told(each.version, _NOTHING[kind]),
            )


def _told(counts: Mapping[str, int], nothing: str) -> str:
    """The most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if len(ordered) == 1:
        return ordered[0][0]
    return ", ".join(f"{value} x {count}" for value, count in ordered) or nothing
