"""Markdown as GitHub shows it. Text that is not ours stands in code spans: `|`, `<...>`, `@`, `#` do no harm there."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

_LONGEST: Final = 300


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Its lines. Cells are Markdown: those with text that is not ours are `code`."""
    for row in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(row)} |"


def code(text: str) -> str:
    """A code span of one line, fit for a cell of a table; `-` of nothing."""
    # a backslash before the one that escapes the bar would escape that
    span = re.sub(r"\\*\|", r"\\|", line(text).replace("`", "'"))
    return f"`{span}`" if span else "-"


def line(text: str) -> str:
    """One line, and not too long a one."""
    joined = " ".join(text.split())
    return joined if len(joined) <= _LONGEST else f"{joined[:_LONGEST]}..."
