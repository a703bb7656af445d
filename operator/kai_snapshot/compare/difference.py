"""When two versions differ, and when something only varies.

The tool is not a function of its input. An element *differs* if one version gives in all of its runs what the other
gives in none; what is not the same in all runs of both, and is no such difference, *varies*.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from kai_snapshot.api.comparisondocument import Difference, Differences
from kai_snapshot.compare.elements import Counts, Elements

Kind = Literal["placements", "evictions", "pipelined", "job_outcomes"]

KINDS: Final[tuple[Kind, ...]] = ("placements", "evictions", "pipelined", "job_outcomes")

NOTHING: Final = ""
"""The value of a run in which nothing came of a pod or job."""


def differences(baseline: Elements, version: Elements) -> dict[Kind, Differences]:
    """All that differs or varies between two versions, by kind and name."""
    return {
        kind: _differences(getattr(baseline, kind), getattr(version, kind), runs=(baseline.runs, version.runs))
        for kind in KINDS
    }


def _differences(baseline: Counts, version: Counts, *, runs: tuple[int, int]) -> Differences:
    differing, varying = [], []
    for name in sorted(baseline.keys() | version.keys()):
        before, after = baseline.get(name, {}), version.get(name, {})
        match _verdict(_whole(before, runs[0]), _whole(after, runs[1])):
            case "differs":
                differing.append(Difference(name=name, baseline=dict(before), version=dict(after)))
            case "varies":
                varying.append(name)
    return Differences(differing=tuple(differing), varying=tuple(varying))


def _whole(counts: Mapping[str, int], runs: int) -> frozenset[str]:
    """The values that came, `NOTHING` among them if there is a run without any."""
    return frozenset(_values(counts, runs))


def _values(counts: Mapping[str, int], runs: int) -> Iterator[str]:
    yield from counts
    if sum(counts.values()) < runs:
        yield NOTHING


def _verdict(before: frozenset[str], after: frozenset[str]) -> Literal["same", "differs", "varies"]:
    stable = len(before) == 1 or len(after) == 1
    if stable and before.isdisjoint(after):
        return "differs"
    return "same" if before == after and stable else "varies"
