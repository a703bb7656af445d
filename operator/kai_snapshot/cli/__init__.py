"""The command `kai-snapshot`; the only place that knows typer. Arguments in, one call, its result printed."""

import sys

from kai_snapshot.errors import SnapshotError

COULD_NOT = 3
"""Exit code for what could not be done: network, storage. 0: done and good, 1: done and the finding is bad, 2: usage."""


def main() -> None:
    """Runs the command."""
    from kai_snapshot.cli import child  # noqa: PLC0415

    if sys.argv[1:] == child.ARGUMENTS:
        child.main()  # without typer and rich, which cost a capturing process memory
        return
    from kai_snapshot.cli.app import app  # noqa: PLC0415

    try:
        app()
    except SnapshotError as error:
        sys.stderr.write(f"kai-snapshot: {error.reason}: {error.message}\n")
        sys.exit(COULD_NOT)
