"""The table of a redaction: what each pseudonym stands for. A file of its own, which who gets the archive does not get.

gzip of lines of JSON: first what it is, then `["<pseudonym>", "<name>"]`; a line may come again. It has the names of
objects, the values of labels and their keys; not images, annotations, variables and data, which no result has.
"""

import gzip
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.redaction.pseudonyms import PSEUDONYM, TEXT

VERSION: Final = "kai-snapshot.io/redaction-table/v1"
_FASTEST: Final = 1


class Translated(NamedTuple):
    """A text in which pseudonyms are names again."""

    text: str
    translated: int
    """Different pseudonyms that are names now."""
    unknown: int
    """Those that the table does not have, as far as they have a digit, which no other word of such a length has."""


@contextmanager
def new_table(path: Path, *, key_id: str) -> Iterator[Callable[[str, str], None]]:
    """Writes a table, for its owner's eyes: call what you get with each pseudonym and its name. Raises OSError.

    Where that fails there is none, or the one that there was.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # of mode 0600
    try:
        with os.fdopen(handle, "wb") as file, gzip.GzipFile("", "wb", _FASTEST, fileobj=file, mtime=0) as table:
            table.write(orjson.dumps({"schemaVersion": VERSION, "keyID": key_id}, option=orjson.OPT_APPEND_NEWLINE))

            def told(pseudonym: str, name: str) -> None:
                text = name.encode("utf-8", "replace").decode()
                table.write(orjson.dumps((pseudonym, text), option=orjson.OPT_APPEND_NEWLINE))

            yield told
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def read_table(path: Path) -> Iterator[tuple[str, str]]:
    """Its pairs. Raises OSError, and TerminalError(InvalidTable) where it is none or is damaged."""
    try:
        with gzip.open(path, "rb") as lines:
            if not _is_head(next(lines, b"")):
                raise _invalid(path, f"its first line does not say {VERSION}")
            for line in lines:
                match orjson.loads(line):
                    case [str(pseudonym), str(name)]:
                        yield pseudonym, name
                    case _:
                        raise _invalid(path, "it holds something else than pairs")
    except (gzip.BadGzipFile, EOFError, zlib.error, orjson.JSONDecodeError) as error:
        raise _invalid(path, "it is damaged or cut off") from error


def translate(text: str, table: Path) -> Translated:
    """Puts names where the text has pseudonyms, whatever stands around them. Raises OSError and TerminalError."""
    wanted = {found for found in PSEUDONYM.findall(text) if not found.startswith(TEXT)}
    names = {pseudonym: name for pseudonym, name in read_table(table) if pseudonym in wanted}
    if _is_json(text):
        names = {pseudonym: orjson.dumps(name).decode()[1:-1] for pseudonym, name in names.items()}
    unknown = sum(any(map(str.isdigit, pseudonym)) for pseudonym in wanted - names.keys())
    return Translated(PSEUDONYM.sub(lambda found: names.get(found[0], found[0]), text), len(names), unknown)


def _is_head(line: bytes) -> bool:
    head: Any = orjson.loads(line or b"null")
    return isinstance(head, dict) and head.get("schemaVersion") == VERSION


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _invalid(path: Path, what: str) -> TerminalError:
    return TerminalError(
        Reason.INVALID_TABLE,
        f"{path} is not the table of a redaction: {what}. Take the one that came with the archive.",
    )
