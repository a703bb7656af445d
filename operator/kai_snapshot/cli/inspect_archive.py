"""`kai-snapshot inspect`: whether an archive is a whole snapshot, and what it holds."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from kai_snapshot.api.inspection import Inspection
from kai_snapshot.archive.check import inspect
from kai_snapshot.cli import output


def inspect_archive(
    archive: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, metavar="ARCHIVE", help="A file, as `capture` and `get` write it."),
    ],
    *,
    form: output.Format = "text",
) -> None:
    """Check that an archive is a whole snapshot, and count the objects in it.

    Exit status 1 if it is not.
    """
    found = _watched(archive) if sys.stderr.isatty() else inspect(archive)
    if form == "json":
        output.document(found.dump())
    else:
        typer.echo(_text(found))
    if not found.valid:
        raise typer.Exit(output.FINDING_IS_BAD)


def _watched(archive: Path) -> Inspection:
    with output.transfer_progress() as bar:
        task = bar.add_task(archive.name, total=archive.stat().st_size)
        return inspect(archive, progress=lambda size: bar.update(task, completed=size))


def _text(found: Inspection) -> str:
    """For a person: the finding, what it is a snapshot of, what is in it."""
    of = (
        ("scheduler", found.scheduler_name),
        ("node pool", found.node_pool),
        ("Kubernetes", found.kubernetes_version),
        ("actions", ", ".join(found.actions)),
    )
    size = f"{output.size(found.size_bytes)}, {output.size(found.uncompressed_bytes)} uncompressed"
    lines = ["valid" if found.valid else "not valid"]
    lines += [f"  {problem.reason}: {problem.message}" for problem in found.problems]
    lines += [
        "",
        output.table([("size", size), ("SHA-256", found.sha256), *((name, text) for name, text in of if text)]),
    ]
    if found.object_counts:
        lines += [
            "",
            output.table([("objects", ""), *((name, str(many)) for name, many in found.object_counts.items())]),
        ]
    return "\n".join(lines)
