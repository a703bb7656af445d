"""What a result decided, element by element: whom each decision is about, and in how many runs it came."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

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


def elements(document: Mapping[str, Any], *, runs: int, repeated: bool) -> Elements:
    """The elements of a ReplayResult, as its JSON object.

    `repeated`: whether they are those of all `runs` that succeeded, else those of the run its lists are of. Raises
    LookupError, TypeError or AttributeError if it is not a ReplayResult.
    """
    frequencies = (document.get("runs") or {}).get("frequencies") if repeated else None
    if frequencies is not None:
        return Elements(
            runs=runs,
            placements=frequencies["placements"],
            evictions={pod: {EVICTED: count} for pod, count in frequencies["evictions"].items()},
            pipelined={pod: {PIPELINED: count} for pod, count in frequencies["pipelined"].items()},
            job_outcomes=frequencies["podGroups"],
        )
    return Elements(
        runs=runs,
        placements=_always(((each["pod"], each["node"]) for each in document["placements"]), runs),
        evictions=_always(((each["pod"], EVICTED) for each in document["evictions"]), runs),
        pipelined=_always(((each["pod"], PIPELINED) for each in document["pipelined"]), runs),
        job_outcomes=_always(((each["name"], each["outcome"]) for each in document["podGroups"]), runs),
    )


def _always(values: Iterable[tuple[str, str]], runs: int) -> Counts:
    """In all runs. Equal counts are one object: most of a large result lies on few nodes."""
    shared: dict[str, dict[str, int]] = {}
    return {name: shared.setdefault(value, {value: runs}) for name, value in values}
