"""The command `kai-snapshot`; the only place that knows typer. Arguments in, one call, its result printed."""

import sys
from typing import Final

CHILD: Final = ["capture", "--request", "-"]
"""How the operator starts a capture."""


def main() -> None:
    """Runs the command. Each way imports what it needs and no more: a capturing process has to stay small."""
    if sys.argv[1:] == CHILD:
        from kai_snapshot.cli import child  # noqa: PLC0415

        child.main()
    else:
        from kai_snapshot.cli.app import app  # noqa: PLC0415

        app()
