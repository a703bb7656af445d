"""All commands of `kai-snapshot`, put together."""

import errno
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

from kai_snapshot import __version__
from kai_snapshot.cli import output
from kai_snapshot.errors import SnapshotError

COMMANDS: Final = {
    "capture": "capture:capture",
    "list": "list:list_archives",
    "get": "get:get",
    "inspect": "inspect_archive:inspect_archive",
    "replay": "replay:replay",
    "parse-log": "parse_log:parse_log",
    "compare": "compare:compare",
    "simulate": "simulate:simulate",
    "sweep": "sweep:sweep",
    "agreement": "agreement:agreement",
    "diff": "diff:diff",
    "redact": "redact:redact",
    "translate": "translate:translate",
    "environment": "environment:app",
    "serve": "serve:serve",
    "report": "report:report",
}
"""Where each command is: module in this package, and what is in it."""
HIDDEN: Final = {"job": "job:app"}
"""Commands that are not for people."""


class Commands(TyperGroup):
    """Loads a command when it is called, and turns failures into exit codes.

    What a context and a command are, typer keeps to itself: hence Any.
    """

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Those for people, in the order of their use."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """The command of that name, or None."""
        where = (COMMANDS | HIDDEN).get(cmd_name)
        if where is None:
            return None
        module, _, name = where.partition(":")
        found = getattr(import_module(f"kai_snapshot.cli.{module}"), name)
        if not isinstance(found, typer.Typer):
            single = typer.Typer(add_completion=False, rich_markup_mode="markdown")
            single.command(cmd_name)(found)
            found = single
        return get_command(found)

    def invoke(self, ctx: Any) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except SnapshotError as error:
            output.complain(error)
            raise typer.Exit(output.exit_code(error.reason)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # who reads our output has seen enough
                raise
            output.complain(error)
            raise typer.Exit(output.COULD_NOT) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(output.INTERRUPTED) from error


app = typer.Typer(
    name="kai-snapshot", cls=Commands, no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_enable=False
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kai-snapshot {__version__}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version, and exit.")
    ] = False,
) -> None:
    """Keeps snapshots of the KAI Scheduler, and replays them with any version of its snapshot-tool."""
