"""How far the simulator and the tool agree, for a person."""

from collections.abc import Mapping, Sequence
from typing import Final

from kai_snapshot.api.agreementdocument import AgreementDocument, CategoryAgreement, Disagreement, ShareDifference
from kai_snapshot.api.base import rfc3339
from kai_snapshot.cli import output

COLUMNS: Final = ("", "CERTAIN FOUND", "OWN POSSIBLE", "OVERLAP", "TOOL WITH ITSELF")
TITLES: Final = {
    "placements": "placements",
    "evictions": "evictions",
    "pipelined": "pipelined",
    "jobOutcomes": "job outcomes",
}
SHOWN: Final = 20
"""Of each category; all are in JSON."""


def text(document: AgreementDocument) -> str:
    """A table by category, then by name what does not agree, and what the simulator says of itself."""
    rows = [(TITLES[name], *_cells(found)) for name, found in document.categories.items()]
    together = ("all", "", "", *_overlaps(document.overlap, document.tool_overlap))
    shares = document.fair_shares
    equal = shares.compared - len(shares.differing)
    lines = [
        f"simulator    {document.simulator_version}, {_runs(document.simulator_runs)}, at {rfc3339(document.now)}",
        f"tool         {document.tool_version or 'unknown version'}, {_runs(document.tool_runs)}",
        f"fair shares  {equal} of {shares.compared} equal",
        "",
        output.table([COLUMNS, *rows, together]),
        *_section("fair shares", [_share(each) for each in shares.differing]),
    ]
    for name, found in document.categories.items():
        lines += _section(TITLES[name], [_disagreement(each, document) for each in found.disagreeing])
    lines += _section("not modelled", document.unmodelled) + _section("approximate", document.approximate)
    return "".join(f"{line}\n" for line in lines)


def _cells(found: CategoryAgreement) -> tuple[str, ...]:
    counts = f"{found.found} of {found.certain}", f"{found.possible} of {found.own}"
    return (*counts, *_overlaps(found.overlap, found.tool_overlap))


def _overlaps(overlap: float, of_tool: float | None) -> tuple[str, str]:
    return f"{overlap:.2f}", "-" if of_tool is None else f"{of_tool:.2f}"


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _section(title: str, items: Sequence[str]) -> list[str]:
    if not items:
        return []
    more = [f"and {len(items) - SHOWN} more; -o json has them all"] if len(items) > SHOWN else []
    return ["", title, *(f"  {item}" for item in (*items[:SHOWN], *more))]


def _share(difference: ShareDifference) -> str:
    own = "no such queue" if difference.simulator is None else f"{difference.simulator:.3f}"
    return f"{difference.queue} {difference.resource}: tool {difference.tool:.3f}, simulator {own}"


def _disagreement(each: Disagreement, document: AgreementDocument) -> str:
    tool, own = _values(each.tool, document.tool_runs), _values(each.simulator, document.simulator_runs)
    return f"{each.name}: tool {tool}; simulator {own}"


def _values(values: Mapping[str, int], runs: int) -> str:
    """`node-1 5/8, node-2 3/8`; the runs are left out where there is one."""
    return ", ".join(value if runs == 1 else f"{value} {count}/{runs}" for value, count in values.items()) or "-"
