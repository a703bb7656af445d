"""A comparison as a table for a person, and as tab-separated values for a script."""

from collections.abc import Iterator
from typing import Final

from kai_snapshot.api.comparison import ReplayComparison, VersionComparison
from kai_snapshot.api.comparisondocument import BesideBaseline, ComparedVersion, ComparisonDocument, Differences
from kai_snapshot.cli import output
from kai_snapshot.compare.times import slowdown

COLUMNS: Final = ("VERSION", "OUTCOME", "RUNS", "MS", "TIME", "PLACEMENTS", "EVICTIONS", "PIPELINED", "JOBS", "CHANCE")


def text(document: ComparisonDocument, short: ReplayComparison) -> str:
    """The versions in a table of what differs from the baseline, and what there is to know about each."""
    brief = {each.name: each for each in short.versions}
    rows = (_row(version, brief.get(version.name), document.baseline) for version in document.versions)
    lines = [output.table([COLUMNS, *rows])]
    for version in document.versions:
        remarks = list(_remarks(version, brief.get(version.name)))
        lines += ["", version.name, *(f"  {remark}" for remark in remarks)] if remarks else []
    if document.first_different is not None:
        lines += ["", f"first different from the one before it: {document.first_different}"]
    return "".join(f"{line}\n" for line in lines)


def tsv(document: ComparisonDocument) -> str:
    """A line for each version, under a line with the names of the columns. What is unknown is empty."""
    rows = [_values(version) for version in document.versions]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [columns, *([_cell(row.get(column)) for column in columns] for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines)


def _values(version: ComparedVersion) -> dict[str, object]:
    values: dict[str, object] = {
        "version": version.name,
        "engineVersion": version.engine_version,
        "outcome": version.outcome,
        "runs": version.runs,
        "totalMs": version.total_ms,
        "differsFromPrevious": version.previous.differs if version.previous is not None else None,
    }
    beside = version.baseline
    if beside is None:
        return values
    values |= {
        "complete": beside.complete,
        "comparable": beside.comparable,
        "totalRatio": beside.total.ratio,
        "totalBeyondNoise": beside.total.beyond_noise,
    }
    for kind, found in beside.kinds.items():
        values |= {f"{kind}Differing": len(found.differing), f"{kind}Varying": len(found.varying)}
    values["expectedByChance"] = beside.expected_by_chance
    for action in beside.actions:
        values |= {f"{action.name}Ratio": action.ratio, f"{action.name}BeyondNoise": action.beyond_noise}
    return values


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else " ".join(str(value).split())


def _row(version: ComparedVersion, short: VersionComparison | None, baseline: str) -> tuple[str, ...]:
    runs = str(version.runs) if version.distinct is None else f"{version.runs} ({version.distinct} distinct)"
    facts = (version.name, version.outcome, runs, "-" if version.total_ms is None else str(version.total_ms))
    beside = version.baseline
    if beside is None or short is None:
        return (*facts, "baseline" if version.name == baseline else "-", *["-"] * 5)
    return (*facts, _time(beside), *map(_count, beside.kinds.values()), _chance(beside, short))


def _time(beside: BesideBaseline) -> str:
    percent = slowdown(beside.total)
    return f"{percent:+d}%" if percent is not None else "-" if beside.total.ratio is None else "="


def _count(found: Differences) -> str:
    """`2 (3 vary)`."""
    differing, varying = len(found.differing), len(found.varying)
    return f"{differing} ({varying} {'varies' if varying == 1 else 'vary'})" if varying else str(differing)


def _chance(beside: BesideBaseline, short: VersionComparison) -> str:
    if short.expected_by_chance is None:
        return "?" if beside.differing else "-"
    return f"{short.expected_by_chance:g}"


def _remarks(version: ComparedVersion, short: VersionComparison | None) -> Iterator[str]:
    if version.message:
        yield version.message
    beside = version.baseline
    if beside is None or short is None:
        return
    if not beside.complete:
        yield "what is missing may only not have been reached, and times do not compare"
    elif beside.total.of == "Actions":
        yield "its MS and the baseline's do not begin at the same point: TIME is that of all actions together"
    for action in beside.actions:
        if action.beyond_noise:
            yield f"{action.name} {action.baseline_ms} -> {action.ms} ms"
    yield from short.examples
    if beside.differing > len(short.examples):
        yield f"and {beside.differing - len(short.examples)} more; -o json has them all"
    if beside.differing and beside.complete and short.expected_by_chance is None:
        yield "a single run cannot tell what differs from what only varies: replay with --repetitions 5"
    elif beside.differing and (short.expected_by_chance or 0) >= 0.5:
        differences = "1 difference" if beside.differing == 1 else f"{beside.differing} differences"
        yield f"of {differences} chance may give {short.expected_by_chance:g}: more repetitions tell"
