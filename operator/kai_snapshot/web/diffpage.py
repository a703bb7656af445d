"""The page about what changed between two archives."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from kai_snapshot.api.archivediff import ArchiveDiff, Change, ListDiff, Value
from kai_snapshot.errors import Reason, SnapshotError, TerminalError
from kai_snapshot.runs.listing import Archive
from kai_snapshot.views import Views
from kai_snapshot.views.diff import shown
from kai_snapshot.web.page import failed, page, steps
from kai_snapshot.web.turns import Turns

ROWS: Final = 200
"""Of each list."""
_TITLES: Final = {
    "nodes": "Nodes",
    "queues": "Queues",
    "jobs": "Jobs",
    "config": "Configuration",
    "params": "Parameters of the scheduler",
    "priorityClasses": "Priority classes",
    "configMaps": "ConfigMaps, by name",
}


@dataclass(frozen=True)
class Row:
    """An object that changed."""

    name: str
    changes: Sequence[tuple[str, str, str]]
    """Field, before and after; none where values are not shown."""


@dataclass(frozen=True)
class Section:
    """A list in which something changed."""

    id: str
    title: str
    diff: ListDiff
    rows: Sequence[Row]
    """At most so many as a page shows."""


def routes(turns: Turns) -> list[BaseRoute]:
    """The page."""
    return [Route("/diff", partial(_diff, turns))]


async def _diff(turns: Turns, request: Request) -> Response:
    try:
        after = await turns.see(request.query_params.get("snapshot", ""))
        archives = await turns.archives()
        around = steps(archives, after)
        before = await turns.see(_from(request, around))
    except SnapshotError as error:
        return failed(request, "/", error)
    found = await turns.diff(before, after)
    return page(
        "/diff",
        request,
        views=after,
        archives=archives,
        earlier=before,
        beside=_of_capture(archives, after),
        **around,
        **told(found),
    )


def told(found: ArchiveDiff) -> dict[str, Any]:
    """What the page's template needs of a difference."""
    return {"diff": found, "sections": list(_sections(found)), "rows_shown": ROWS}


def _from(request: Request, around: dict[str, Any]) -> str:
    named = request.query_params.get("from", "") or around.get("before", "")
    if not named:
        raise TerminalError(
            Reason.ARCHIVE_NOT_FOUND, "There is no archive before this one: say with `from` which to compare with."
        )
    return str(named)


def _of_capture(archives: Sequence[Archive], views: Views) -> list[Archive]:
    """The archives that can be compared with: those of the same capture, newest first."""
    folder = views.name.rpartition("/")[0]
    return [each for each in reversed(archives) if each.key.rpartition("/")[0] == folder]


def _sections(found: ArchiveDiff) -> Iterator[Section]:
    lists = found.lists
    for name, title in _TITLES.items():
        if lists[name].count:
            rows = [Row(each.name, [*map(_change, each.changes)]) for each in lists[name].changed[:ROWS]]
            yield Section(name, title, lists[name], rows)


def _change(change: Change) -> tuple[str, str, str]:
    name, _, unit = change.field.rpartition(".")
    exact = change.field, shown(change.before), shown(change.after)
    if name not in _AMOUNTS or unit not in _UNITS:
        return exact
    resource, divisor, suffix = _UNITS[unit]
    bound = name in ("quota", "limit")
    before, after = (_amount(each, divisor, suffix, bound=bound) for each in (change.before, change.after))
    return (f"{_AMOUNTS[name]} {resource}", before, after) if before != after else exact


_AMOUNTS: Final = {
    **{name: name for name in ("allocatable", "quota", "limit", "allocated", "requested")},
    "fairShare": "fair share",
}
_UNITS: Final = {"milliCPU": ("CPU", 1000, " cores"), "memory": ("memory", 2**30, " GiB"), "gpu": ("GPU", 1, "")}


def _amount(value: Value, divisor: int, suffix: str, *, bound: bool) -> str:
    if not isinstance(value, int | float):
        return "∞" if bound else "none"
    return f"{value / divisor:,.2f}".rstrip("0").rstrip(".") + suffix
