"""`kai-snapshot report`: what the scheduler saw, as one file to attach to a ticket."""

from pathlib import Path
from typing import Annotated

import typer

from kai_snapshot.cli import output
from kai_snapshot.runs.look import InFile
from kai_snapshot.web.report import report as written


def report(
    archive: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, metavar="ARCHIVE", help="A snapshot archive.")
    ],
    *,
    html: Annotated[Path, typer.Option("--html", metavar="FILE", dir_okay=False, help="Where to write it.")],
    why: Annotated[
        bool, typer.Option("--why", help="Have the simulator find out why jobs wait, and say it with each.")
    ] = False,
) -> None:
    """Write the pages about an archive into one HTML file, which needs nothing from elsewhere.

    It holds names, counts and scheduling facts: neither data of ConfigMaps nor environment variables.
    """
    place = InFile(archive)
    content = written(place.see(""), place.waiting("") if why else None).encode()
    html.write_bytes(content)
    typer.echo(f"{html}: {output.size(len(content))}")
