"""What a result decided, element by element: whom each decision is about, and in how many runs it came."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from kai_snapshot.api.decodedresult import DecodedResult
from kai_snapshot.api.result import ReplayResult

Counts = Mapping[str, Mapping[str, int]]
"""Pod or job (namespace/name) -> value -> in how many runs. The other runs gave it no value at all."""

EVICTED: Final = "Evicted"
PIPELINED: Final = "Pipelined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Elements:
    """What came in how many of some runs."""

    runs: int
    """How many runs there are, at least one."""
    placements: Counts
    """Pod -> node."""
    evictions: Counts
    """Pod -> `Evicted`."""
    pipelined: Counts
    """Pod -> `Pipelined`."""
    job_outcomes: Counts
    """Job -> outcome."""


def elements(result: DecodedResult | ReplayResult, *, repeated: bool) -> Elements:
    """The elements of a result: of all its runs if `repeated`, else of the run that its lists are of."""
    runs = result.runs if repeated else None
    frequencies = runs.frequencies if runs is not None else None
    count = runs.count if runs is not None else 1
    if frequencies is not None:
        return Elements(
            runs=count,
            placements=frequencies.placements,
            evictions={pod: {EVICTED: came} for pod, came in frequencies.evictions.items()},
            pipelined={pod: {PIPELINED: came} for pod, came in frequencies.pipelined.items()},
            job_outcomes=frequencies.pod_groups,
        )
    return Elements(
        runs=count,
        placements=_always(((each.pod, each.node) for each in result.placements), count),
        evictions=_always(((each.pod, EVICTED) for each in result.evictions), count),
        pipelined=_always(((each.pod, PIPELINED) for each in result.pipelined), count),
        job_outcomes=_always(((each.name, each.outcome) for each in result.pod_groups), count),
    )


def _always(values: Iterable[tuple[str, str]], runs: int) -> Counts:
    """In all runs. Equal counts are one object: most of a large result lies on few nodes."""
    shared: dict[str, dict[str, int]] = {}
    return {name: shared.setdefault(value, {value: runs}) for name, value in values}
