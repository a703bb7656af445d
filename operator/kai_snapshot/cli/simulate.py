"""`kai-snapshot simulate`: what KAI would decide about an archive, computed here, without any image."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from kai_snapshot.api.result import Outcome
from kai_snapshot.cli import output
from kai_snapshot.cli.result_page import page
from kai_snapshot.simulator import simulate as simulator


def simulate(
    archive: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, metavar="ARCHIVE", help="A snapshot archive.")
    ],
    *,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, help="Draw the order in which jobs are looked at. Default: that of the archive."),
    ] = None,
    form: output.Format = "text",
) -> None:
    """Simulate a scheduling cycle of KAI v0.17.0 on an archive, at the time of its newest object.

    The simulator is this project's own; snapshot-tool stays the authority: see `replay`. What of the archive it does
    not know, and what rests on a choice that the scheduler may make otherwise, is said. Exit status 1 if the
    configuration names actions that there are not.
    """
    collected = simulator.load(archive, not_after=datetime.now(UTC))
    result = simulator.simulate(collected, clock=time.perf_counter, seed=seed)
    if form == "json":
        output.document(result.dump())
    else:
        typer.echo(page(result), nl=False)
    if result.outcome is not Outcome.SUCCEEDED:
        raise typer.Exit(output.FINDING_IS_BAD)
