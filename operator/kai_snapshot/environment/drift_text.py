"""Drift for people: a table, or Markdown for an issue."""

from kai_snapshot.api.environmentdrift import Change, EnvironmentDrift

_LONGEST = 60


def table(drift: EnvironmentDrift) -> list[tuple[str, ...]]:
    """Rows, the heading first."""
    rows = [(each.kind, each.severity, each.path, _cut(each.baseline), _cut(each.target)) for each in drift.changes]
    return [("KIND", "SEVERITY", "PATH", "BASELINE", "TARGET"), *rows]


def markdown(drift: EnvironmentDrift) -> str:
    """A table, and the sums above it."""
    lines = [f"**{summary(drift)}**"]
    if drift.baseline_source or drift.target_source:
        lines += ["", f"Baseline `{drift.baseline_source}`, target `{drift.target_source}`."]
    if drift.changes:
        lines += ["", "| kind | severity | path | baseline | target |", "|---|---|---|---|---|"]
        lines += [_row(each) for each in drift.changes]
    return "\n".join(lines) + "\n"


def summary(drift: EnvironmentDrift) -> str:
    """`3 changes: 1 added, 0 removed, 2 modified`, and what could not be compared."""
    sums = drift.summary
    counted = f"{sums.added} added, {sums.removed} removed, {sums.modified} modified"
    text = f"{sums.total} change{'' if sums.total == 1 else 's'}: {counted}" if sums.total else "no changes"
    return f"{text}; not compared: {', '.join(drift.not_compared)}" if drift.not_compared else text


def _row(change: Change) -> str:
    cells = (change.kind, change.severity, f"`{change.path}`", _code(change.baseline), _code(change.target))
    return f"| {' | '.join(cells)} |"


def _code(value: str | None) -> str:
    escaped = _cut(value).replace("|", "\\|").replace("`", "'")
    return f"`{escaped}`" if escaped else ""


def _cut(value: str | None) -> str:
    """On one line, and not longer than a column may be."""
    text = " ".join((value or "").split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
