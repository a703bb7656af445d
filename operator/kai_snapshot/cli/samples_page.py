"""What varied between simulations with several seeds, for a person."""

from collections.abc import Iterator, Mapping

from kai_snapshot.api.result import Frequencies, ReplayResult
from kai_snapshot.cli import output

SHOWN = 20


def text(result: ReplayResult) -> str:
    """What did not come every time, and how often it came; empty for one simulation."""
    runs = result.runs
    if runs is None:
        return ""
    if runs.frequencies is None:
        return f"{runs.count} simulations, all with this result\n"
    rows = list(_varying(runs.frequencies, runs.count))
    lines = [
        f"{runs.count} simulations, {runs.distinct} different results: this is the most typical; of {runs.count} came",
        output.table(rows[:SHOWN]),
    ]
    if len(rows) > SHOWN:
        lines.append(f"and {len(rows) - SHOWN} more that vary; -o json has them all")
    return "".join(f"{line}\n" for line in lines)


def often(counts: Mapping[str, int], runs: int) -> str:
    """`node-1` if it came every time, else `node-1 7, node-2 2`: the most frequent first."""
    values = sorted(counts, key=lambda value: (-counts[value], value))
    return ", ".join(value if counts[value] == runs else f"{value} {counts[value]}" for value in values)


def _varying(found: Frequencies, runs: int) -> Iterator[tuple[str, str]]:
    of_kinds: list[tuple[str, Mapping[str, Mapping[str, int]]]] = [
        ("job", found.pod_groups),
        ("evicted", {pod: {"": count} for pod, count in found.evictions.items()}),
        ("bound", found.placements),
        ("pipelined", {pod: {"": count} for pod, count in found.pipelined.items()}),
    ]
    for kind, elements in of_kinds:
        for name, counts in elements.items():
            if set(counts.values()) != {runs}:
                yield f"  {kind} {name}", often(counts, runs).strip()
