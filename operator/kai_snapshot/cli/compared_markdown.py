"""A comparison as Markdown: the evidence to paste into an upstream issue."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from kai_snapshot.api.comparison import ReplayComparison
from kai_snapshot.api.comparisondocument import ActionTiming, BesideBaseline, ComparisonDocument, Timing
from kai_snapshot.api.result import Outcome, ReplayedArchive
from kai_snapshot.cli.compared_files import Replayed
from kai_snapshot.cli.markdown import code, line, table
from kai_snapshot.compare.difference import Kind
from kai_snapshot.compare.elements import Counts, Elements
from kai_snapshot.compare.times import slowdown

ROWS: Final = 50
"""Findings named at the most; the JSON document has all."""
ERRORS: Final = 10
_VERBOSITY: Final = 4
"""The least at which all findings are in the log, where that of a run is not known."""
_KIND: Final[dict[Kind, str]] = {
    "evictions": "eviction",
    "placements": "placement",
    "job_outcomes": "job",
    "pipelined": "pipelined",
}

CAVEATS = """A replay is a simulation: snapshot-tool runs one cycle of that version's code on a copy of the objects in
the archive. It does not know the history of usage, namespaces, CSI nodes, or flags outside the snapshot.
It is not a function of its input: an element counts as different only if one version gives in all of its runs what the
other gives in none; what only varies is left out. Times compare only on the same machine, and never with those of a
scheduler in a cluster."""


def page(
    document: ComparisonDocument,
    short: ReplayComparison,
    replayed: Sequence[Replayed],
    *,
    archive: ReplayedArchive | None,
) -> str:
    """The page; `archive`: what results are of that do not know themselves."""
    sections = (
        _summary(document, short),
        _versions(document),
        _archives(replayed, archive),
        _timings(document),
        _findings(document, replayed),
        _errors(replayed),
        _adaptations(replayed),
        _again(replayed, archive),
        _logs(replayed),
        ["### What this is", "", CAVEATS],
    )
    return "\n\n".join("\n".join(section) for section in map(list, sections) if section) + "\n"


def _summary(document: ComparisonDocument, short: ReplayComparison) -> Iterator[str]:
    yield f"## KAI Scheduler versions compared on one snapshot, with {code(document.baseline)} as the baseline"
    yield ""
    first = document.first_different
    yield f"The first version that differs from the one before it: {code(first) if first else 'none'}."
    for version in short.versions:
        if version.expected_by_chance:
            yield f"Differences of {code(version.name)} that chance may give: {version.expected_by_chance:g} at most."
        if not version.complete:
            yield f"What {code(version.name)} or the baseline lacks may only not have been reached: see their outcomes."
    if any(version.runs == 1 and version.outcome == Outcome.SUCCEEDED for version in document.versions):
        yield "A single run of a version cannot tell what differs from what only varies."


def _versions(document: ComparisonDocument) -> Iterator[str]:
    differing = ("placements", "evictions", "pipelined", "jobs")
    yield from table(
        ("version", "image", "outcome", "runs (different)", "total ms", *(f"{kind} differ" for kind in differing)),
        (
            (
                code(version.name),
                code(version.image or ""),
                version.outcome,
                f"{version.runs}" if version.distinct is None else f"{version.runs} ({version.distinct})",
                "-" if version.total_ms is None else str(version.total_ms),
                *(_differing(version.baseline) if version.baseline is not None else ["-"] * len(differing)),
            )
            for version in document.versions
        ),
    )
    failures = [f"- {code(version.name)}: {code(version.message)}" for version in document.versions if version.message]
    yield from ["", *failures] if failures else []


def _differing(beside: BesideBaseline) -> Iterator[str]:
    return (str(len(found.differing)) for found in beside.kinds.values())


def _archives(replayed: Sequence[Replayed], archive: ReplayedArchive | None) -> Iterator[str]:
    of = [(each.findings.name, each.result.archive or archive) for each in replayed]
    known = {found.sha256: found for _, found in of if found is not None}
    if len(known) == 1:
        yield from (f"Archive: {_archive(found)}" for found in known.values())
    elif known:
        yield "**The results are of different archives: what differs may be theirs.**"
        yield ""
        for name, found in of:
            yield f"- {code(name)}: {_archive(found) if found is not None else 'unknown'}"


def _archive(archive: ReplayedArchive) -> str:
    return f"{code(archive.name)}, SHA-256 {code(archive.sha256)}"


def _timings(document: ComparisonDocument) -> Iterator[str]:
    """Beside the baseline's times; a percentage only where they differ beyond the noise."""
    compared = [(version.name, version.baseline) for version in document.versions if version.baseline is not None]
    if not compared:
        return
    yield "### Times (ms)"
    yield ""
    names = dict.fromkeys(action.name for _, beside in compared for action in beside.actions)
    rows: dict[str, list[Timing | None]] = {
        name: [_named(beside.actions, name) for _, beside in compared] for name in names
    }
    for label, of in (("all actions", "Actions"), ("whole cycle", "Cycle")):
        totals: list[Timing | None] = [beside.total if beside.total.of == of else None for _, beside in compared]
        rows |= {label: totals} if any(totals) else {}
    yield from table(
        ("action", code(document.baseline), *(code(name) for name, _ in compared)),
        ((label, *_cells(timings)) for label, timings in rows.items()),
    )


def _named(actions: Iterable[ActionTiming], name: str) -> Timing | None:
    return next((action for action in actions if action.name == name), None)


def _cells(timings: Sequence[Timing | None]) -> Iterator[str]:
    baseline = next((each.baseline_ms for each in timings if each is not None), None)
    yield "-" if baseline is None else str(baseline)
    for timing in timings:
        if timing is None or timing.ms is None:
            yield "-"
        else:
            percent = slowdown(timing)
            yield f"{timing.ms} ({percent:+d}%)" if percent is not None else str(timing.ms)


def _findings(document: ComparisonDocument, replayed: Sequence[Replayed]) -> Iterator[str]:
    """Each element in which a version differs from the baseline, and whether it shows in each version."""
    beside = [version.baseline for version in document.versions if version.baseline is not None]
    found = [
        (kind, name)
        for kind in _KIND
        for name in sorted({each.name for one in beside for each in getattr(one, kind).differing})
    ]
    yield "### Findings"
    yield ""
    if not found:
        yield "No pod is bound elsewhere, evicted or pipelined at one version only, and no job has another outcome."
        return
    names = [code(each.findings.name) for each in replayed]
    yield from table(
        ("", "what", *names),
        (
            (_KIND[kind], code(name), *(_came(each.findings.elements, kind, name) for each in replayed))
            for kind, name in found[:ROWS]
        ),
    )
    if len(found) > ROWS:
        yield ""
        yield f"And {len(found) - ROWS} more."


def _came(elements: Elements | None, kind: Kind, name: str) -> str:
    """`node-1`, `node-1 2/3, node-2 1/3`, or `-`."""
    if elements is None:
        return "?"
    counts: Counts = getattr(elements, kind)
    return (
        ", ".join(
            code(value) if count == elements.runs else f"{code(value)} {count}/{elements.runs}"
            for value, count in counts.get(name, {}).items()
        )
        or "-"
    )


def _errors(replayed: Sequence[Replayed]) -> Iterator[str]:
    by_message: dict[str, dict[str, int]] = {}
    for each in replayed:
        for error in each.result.errors:
            counts = by_message.setdefault(error.message, {})
            counts[each.findings.name] = counts.get(each.findings.name, 0) + error.count
    most = sorted(by_message, key=lambda message: -sum(by_message[message].values()))[:ERRORS]
    if not most:
        return
    names = [each.findings.name for each in replayed]
    yield "### Most frequent errors of the log"
    yield ""
    yield from table(
        ("error", *map(code, names)),
        ((code(message), *(str(by_message[message].get(name, "-")) for name in names)) for message in most),
    )


def _adaptations(replayed: Sequence[Replayed]) -> Iterator[str]:
    adapted = [f"- {code(each.findings.name)}: {code(text)}" for each in replayed for text in each.result.adaptations]
    if adapted:
        yield from ("### Changed in the archive before it was replayed", "", *adapted)


def _again(replayed: Sequence[Replayed], archive: ReplayedArchive | None) -> Iterator[str]:
    file = shlex.quote(archive.name if archive is not None else "snapshot.zip")
    yield from ("### To run it again", "", "```sh")
    if any(each.result.adaptations for each in replayed):
        yield "# the archive was changed as listed above; `kai-snapshot replay` does that again, patches with --patch"
    for each in replayed:
        engine, verbosity = each.findings.engine, each.result.verbosity
        runs = f"{each.findings.runs} run{'' if each.findings.runs == 1 else 's'}"
        arguments = f"--verbosity {_VERBOSITY if verbosity is None else verbosity}"
        if engine.image is not None:
            run = f'docker run --rm -v "$PWD"/{file}:/snapshot.zip:ro {shlex.quote(line(engine.image))}'
            yield f"{run} --filename /snapshot.zip {arguments}  # {runs}"
        else:
            yield f"snapshot-tool --filename {file} {arguments}  # {line(engine.version or each.findings.name)}, {runs}"
    yield "```"


def _logs(replayed: Sequence[Replayed]) -> Iterator[str]:
    logs = [
        f"- {code(each.findings.name)}: {', '.join(code(str(log)) for log in each.logs)}{_shown(each)}"
        for each in replayed
        if each.logs
    ]
    if logs:
        yield from ("### Logs", "", *logs)


def _shown(replayed: Replayed) -> str:
    """Which of several runs is the one whose errors, and in a storage whose log, there are."""
    runs = replayed.result.runs
    return f" (shown: run {runs.shown})" if runs is not None and runs.count > 1 else ""
