"""`kai-snapshot translate`: what somebody made of a redacted archive, with the names of the cluster again."""

import gzip
import zlib
from pathlib import Path
from typing import Annotated

import typer

from kai_snapshot.cli import output
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.redaction.table import translate as translated

_GZIP = b"\x1f\x8b"


def translate(
    result: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, metavar="RESULT", help="A result, a comparison, a log: any text, or its .gz."
        ),
    ],
    *,
    table: Annotated[Path, typer.Option("--table", exists=True, dir_okay=False, help="The table that `redact` wrote.")],
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", dir_okay=False, metavar="OUT", help="Write it to this file. Default: print it."),
    ] = None,
) -> None:
    """Turn the pseudonyms in a result back into names.

    Exit status 1 if it has some that the table does not have: these stay, and it is said how many.
    """
    content = result.read_bytes()
    if content.startswith(_GZIP):
        content = _inflated(content, result)
    found = translated(content.decode("utf-8", "surrogateescape"), table)
    text = found.text.encode("utf-8", "surrogateescape")
    if file is not None:
        file.write_bytes(text)
    else:
        typer.echo(text, nl=False)
    if found.unknown:
        typer.echo(
            f"{found.unknown} pseudonyms are not in {table}, {found.translated} are: is it the table of that archive?",
            err=True,
        )
        raise typer.Exit(output.FINDING_IS_BAD)


def _inflated(content: bytes, path: Path) -> bytes:
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise TerminalError(Reason.INVALID_RESULT, f"{path} is a gzip file that is damaged or cut off.") from error
