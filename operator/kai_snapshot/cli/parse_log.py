"""`kai-snapshot parse-log`: what a log of snapshot-tool says, as a document."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from kai_snapshot import toollog
from kai_snapshot.api.result import Outcome, ReplayResult
from kai_snapshot.api.schedulerconfig import configured_actions
from kai_snapshot.archive.read import queue_names, read_config
from kai_snapshot.cli import output


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
    if form == "json":
        output.document(result.dump())
    else:
        typer.echo(_text(result), nl=False)
    if result.outcome is not Outcome.SUCCEEDED:
        raise typer.Exit(output.FINDING_IS_BAD)


def _text(result: ReplayResult) -> str:
    """A page for a person: the outcome, how much of everything there is, the jobs, the errors."""
    outcomes = Counter(job.outcome for job in result.pod_groups)
    times = ", ".join(f"{action} {ms} ms" for action, ms in result.durations_ms.actions.items())
    lines = [
        f"{result.outcome}{': ' if result.message else ''}{result.message}",
        f"pods:   {len(result.placements)} bound, {len(result.evictions)} evicted, {len(result.pipelined)} pipelined",
        f"jobs:   {', '.join(f'{count} {outcome}' for outcome, count in outcomes.most_common()) or 'none tried'}",
        f"times:  {times or 'no action ran to its end'}",
        f"log:    {result.error_count} errors, {result.warning_count} warnings",
    ]
    lines += [f"  {job.outcome:<14} {job.name}{f': {job.reason}' if job.reason else ''}" for job in result.pod_groups]
    lines += [f"  {error.count} x {error.source} {error.message}" for error in (*result.errors, *result.warnings)]
    return "".join(f"{line}\n" for line in lines)
