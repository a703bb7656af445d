"""`kai-snapshot diff`: what changed between two archives."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from kai_snapshot.api.archivediff import ArchiveDiff, Change
from kai_snapshot.cli import output
from kai_snapshot.runs.look import InFile
from kai_snapshot.views.diff import diff as difference
from kai_snapshot.views.diff import shown

MOST = 20
"""Names of a kind that are listed for people."""
_KINDS = {
    "nodes": "nodes", "queues": "queues", "jobs": "jobs", "config": "configuration", "params": "parameters",
    "priorityClasses": "priority classes", "configMaps": "ConfigMaps",
}  # fmt: skip


def diff(
    before: Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="A", help="The earlier archive.")],
    after: Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="B", help="The later archive.")],
    *,
    form: output.Format = "text",
) -> None:
    """Show what changed between two archives: nodes, queues, jobs, where pods are, and the scheduler's configuration.

    Data of ConfigMaps and values of the configuration are compared, but not shown.
    """
    found = difference(InFile(before).see(""), InFile(after).see(""))
    if form == "json":
        output.document(found.dump())
    else:
        typer.echo("".join(f"{line}\n" for line in _lines(found)), nl=False)


def _lines(found: ArchiveDiff) -> Iterator[str]:
    yield f"{found.before.captured_at:%Y-%m-%d %H:%M:%SZ} -> {found.after.captured_at:%Y-%m-%d %H:%M:%SZ}"
    if not found.differs:
        yield "nothing changed"
    for name, kind in _KINDS.items():
        listed = found.lists[name]
        if not listed.count:
            continue
        yield ""
        yield f"{kind}: {len(listed.added)} added, {len(listed.removed)} removed, {len(listed.changed)} changed"
        yield from _most([f"  + {each}" for each in listed.added])
        yield from _most([f"  - {each}" for each in listed.removed])
        yield from _most([f"  ~ {each.name}{_told(each.changes)}" for each in listed.changed])
    pods = found.pods
    if pods.added or pods.removed or pods.moved:
        yield ""
        yield f"pods: {pods.added} added, {pods.removed} removed, {len(pods.moved)} on another node"
        yield from _most([f"  ~ {each.name}: {each.before or 'none'} -> {each.after or 'none'}" for each in pods.moved])


def _told(changes: tuple[Change, ...]) -> str:
    told = ", ".join(f"{each.field} {shown(each.before)} -> {shown(each.after)}" for each in changes)
    return f": {told}" if told else ""


def _most(lines: list[str]) -> Iterator[str]:
    yield from lines[:MOST]
    if len(lines) > MOST:
        yield f"  and {len(lines) - MOST} more; -o json has them all"
