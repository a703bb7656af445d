"""The command `kai-snapshot`; the only place that knows typer. Arguments in, one call, its result printed."""

import sys


def main() -> None:
    """Runs the command."""
    from kai_snapshot.cli import child  # noqa: PLC0415

    if sys.argv[1:] == child.ARGUMENTS:
        child.main()  # without typer and rich, which cost a capturing process memory
        return
    from kai_snapshot.cli.app import app  # noqa: PLC0415

    app()
