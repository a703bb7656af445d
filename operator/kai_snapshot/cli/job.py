"""`kai-snapshot job ...`: what the containers of the operator's pods run. Not for people."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from kai_snapshot.api.environmentdocument import DEFAULT_UNITS
from kai_snapshot.api.problem import Problem
from kai_snapshot.cli import output
from kai_snapshot.collectors import TIMEOUT_SECONDS
from kai_snapshot.collectors.host import Host
from kai_snapshot.environment import frame
from kai_snapshot.environment.assemble import require_gpu
from kai_snapshot.environment.text import encode
from kai_snapshot.errors import SnapshotError, TerminalError
from kai_snapshot.jobs import names
from kai_snapshot.runs.environment import Look, collect
from kai_snapshot.runs.fetch import fetch
from kai_snapshot.runs.report import report
from kai_snapshot.transfer.client import TransferClient, connect

FETCH_PATIENCE_SECONDS = 300
REPORT_PATIENCE_SECONDS = 1800
TERMINATION_LOG = Path("/dev/termination-log")

app = typer.Typer(name="job", help="What the containers of the operator's pods run.", no_args_is_help=True)
Work = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="The directory the pod's containers share.")]


@app.command("fetch")
def fetch_command(work: Work) -> None:
    """Get the archive from the operator and prepare it."""
    _with_client(lambda client: fetch(client, work), patience_seconds=FETCH_PATIENCE_SECONDS)


@app.command("simulate")
def simulate_command(work: Work) -> None:
    """Run the Simulator once on what fetch has left, and print the result."""
    from kai_snapshot.runs.simulate import simulate_run  # noqa: PLC0415 - fetch and report do without numpy

    output.document(simulate_run(work, int(os.environ[names.RUN_VARIABLE]), now=datetime.now(UTC)).dump())


@app.command("report")
def report_command(work: Work) -> None:
    """Hand in the engine's log and what it says."""
    node_name = os.environ.get(names.NODE_VARIABLE, "")
    _with_client(lambda client: report(client, work, node_name), patience_seconds=REPORT_PATIENCE_SECONDS)


@app.command("environment")
def environment_command(
    *,
    host_root: Annotated[Path | None, typer.Option("--host-root", help="Where the host's root is mounted.")] = None,
    no_host: Annotated[bool, typer.Option("--no-host", help="Nothing of the host is mounted.")] = False,
    units: Annotated[list[str] | None, typer.Option("--unit", help="A unit of systemd.")] = None,
    collector_timeout: Annotated[float, typer.Option("--collector-timeout", min=0.1)] = TIMEOUT_SECONDS,
    debug: Annotated[bool, typer.Option("--debug")] = False,
    hand_in: Annotated[bool, typer.Option("--hand-in", help="To the operator, in place of printing it.")] = False,
    needs_gpu: Annotated[bool, typer.Option("--require-gpu", help="Hand nothing in of a node without one.")] = False,
) -> None:
    """Look at the node, and print what was found between two lines that mark it."""
    host = Host(None) if no_host else Host.mounted(host_root) if host_root is not None else Host()
    look = Look(host=host, units=units or DEFAULT_UNITS, timeout_seconds=collector_timeout)
    document = collect(look, os.environ)
    if debug:
        for each in document.collectors:
            typer.echo(f"{each.name}: {each.status} after {each.duration_seconds:g} s {each.message or ''}", err=True)
    if not hand_in:
        typer.echo(frame.encode(document), nl=False)
        return

    async def work(client: TransferClient) -> None:
        if needs_gpu:
            require_gpu(document)
        await client.put_environment(encode(document, "json"))

    _with_client(work, patience_seconds=REPORT_PATIENCE_SECONDS)


@app.command("environment-step")
def environment_step_command() -> None:
    """One step of an environment, as a child process of the operator: the request, secrets included, comes on stdin."""
    from kai_snapshot.runs.children import confine  # noqa: PLC0415 - of the operator, not of a pod
    from kai_snapshot.runs.environmentsteps import answer  # noqa: PLC0415
    from kai_snapshot.runs.request import EnvironmentRequest  # noqa: PLC0415

    confine()
    request = EnvironmentRequest.model_validate_json(sys.stdin.buffer.read())
    typer.echo(answer(request).model_dump_json(by_alias=True), nl=False)


def _with_client(work: Callable[[TransferClient], Awaitable[object]], *, patience_seconds: float) -> None:
    """Runs it; a failure is left as one line of JSON where the kubelet, and so the operator, finds it."""

    url, token = os.environ[names.URL_VARIABLE], Path(names.TOKEN_FILE).read_text().strip()
    authorities = Path(names.AUTHORITIES_FILE).read_text()
    archive = os.environ.get(names.COMPLETION_INDEX_VARIABLE)

    async def connected() -> None:
        position = int(archive) if archive is not None else None
        async with connect(url, token, authorities, archive=position, patience_seconds=patience_seconds) as client:
            await work(client)

    try:
        asyncio.run(connected())
    except SnapshotError as error:
        trouble = Problem(reason=error.reason, message=error.message[:2000]).model_dump_json(by_alias=True)
        typer.echo(trouble, err=True)
        with contextlib.suppress(OSError):
            TERMINATION_LOG.write_text(trouble)
        raise typer.Exit(names.HOPELESS if isinstance(error, TerminalError) else 1) from error
