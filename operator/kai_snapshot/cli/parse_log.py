"""`kai-snapshot parse-log`: what a log of snapshot-tool says, as a document."""

from pathlib import Path
from typing import Annotated

import typer

from kai_snapshot import toollog
from kai_snapshot.api.result import Outcome
from kai_snapshot.api.schedulerconfig import configured_actions
from kai_snapshot.archive.read import queue_names, read_config
from kai_snapshot.cli import output
from kai_snapshot.cli.archivefile import identify
from kai_snapshot.cli.result_page import page


def parse_log(
    stderr: Annotated[
        typer.FileBinaryRead,
        typer.Argument(metavar="STDERR", help="The tool's log, plain or gzip; - for standard input."),
    ],
    *,
    stdout: Annotated[
        typer.FileBinaryRead | None,
        typer.Option("--stdout", metavar="FILE", help="What the tool printed: its summary."),
    ] = None,
    exit_code: Annotated[
        int | None, typer.Option("--exit-code", metavar="N", min=0, max=255, help="The tool's exit code, if known.")
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option(
            "--archive",
            metavar="ARCHIVE",
            exists=True,
            dir_okay=False,
            help="The archive that was replayed: which actions it wants, and the names of queues.",
        ),
    ] = None,
    tool_version: Annotated[
        str | None, typer.Option("--tool-version", metavar="V", help="The tool's version, as v0.17.0.")
    ] = None,
    form: output.Format = "text",
) -> None:
    """Read a log of snapshot-tool, of any version from v0.6 to v0.17: placements, evictions, jobs, queues, errors.

    Exit status 1 if the run did not succeed.
    """
    config = None if archive is None else read_config(archive)
    names = None if archive is None else queue_names(archive)
    result = toollog.read(
        stderr,
        stdout=None if stdout is None else stdout.read(),
        exit_code=exit_code,
        configured_actions=None if config is None else configured_actions(config),
        tool_version=tool_version,
        names=None if names is None else toollog.Names(queue_of=names.queue_of, queues=names.queues),
    )
    if archive is not None:
        result = result.model_copy(update={"archive": identify(archive)})
    if form == "json":
        output.document(result.dump())
    else:
        typer.echo(page(result), nl=False)
    if result.outcome is not Outcome.SUCCEEDED:
        raise typer.Exit(output.FINDING_IS_BAD)
