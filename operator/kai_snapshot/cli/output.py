"""What commands print: documents for scripts on standard output, progress and failures on standard error."""

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import orjson
import typer

from kai_snapshot.errors import ARCHIVE_REASONS, Reason, SnapshotError

if TYPE_CHECKING:  # rich takes a tenth of a second, which a script that calls us often need not wait
    from rich.progress import Progress, ProgressColumn

FINDING_IS_BAD: Final = 1
"""Exit code: done, and an archive, a manifest or a result is not good."""
WRONG_USAGE: Final = 2
"""Exit code: the arguments say something that cannot be done."""
COULD_NOT: Final = 3
"""Exit code: it could not be done. Network, storage, rights, files."""
INTERRUPTED: Final = 130
"""Exit code: stopped by Ctrl-C."""
FINDINGS: Final = ARCHIVE_REASONS | {Reason.CHECKSUM_MISMATCH, Reason.GPU_NOT_FOUND}

Format = Annotated[Literal["text", "json"], typer.Option("--output", "-o", help="For people, or for scripts.")]


def exit_code(reason: Reason) -> int:
    """The exit code of a command that ended with this reason."""
    if reason in FINDINGS:
        return FINDING_IS_BAD
    return WRONG_USAGE if reason in (Reason.INVALID_SPEC, Reason.INVALID_TEMPLATE, Reason.PATCH_FAILED) else COULD_NOT


def complain(error: SnapshotError | OSError) -> None:
    """One line that says what went wrong."""
    if isinstance(error, SnapshotError):
        what = f"{error.reason}: {error.message}"
    else:
        what = ": ".join(str(part) for part in (error.filename, error.strerror or error) if part)
    typer.echo(f"kai-snapshot: {what}", err=True)


def document(content: Any) -> None:
    """Prints a JSON document, and with it everything that a script gets."""
    sys.stdout.buffer.write(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def size(number: float) -> str:
    """`1.8 MB`: a number of bytes, for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def table(rows: Iterable[Sequence[str]]) -> str:
    """Rows with their columns one under the other, as kubectl prints them."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("   ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def transfer_progress() -> "Progress":
    """A bar for bytes that come or go."""
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        TextColumn,
        TimeElapsedColumn,
        TransferSpeedColumn,
    )

    return progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeElapsedColumn()
    )


def progress(*columns: "ProgressColumn") -> "Progress":
    """Seen on a terminal only, and gone when the work is done."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
