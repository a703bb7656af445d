"""Writes an archive: a ZIP of one member, its document piece by piece, in the form the snapshot plugin gives it.

As in v0.15 and later each object of a list stands on a line of its own, and a list without objects is null.
"""

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from kai_snapshot.archive.zipstream import MEMBER

FASTEST: Final = 1
SMALL: Final = 6
"""The level of Go's compress/flate, which the scheduler uses."""

Write = Callable[[bytes], object]


@dataclass
class NewArchive:
    """An archive that is being written."""

    write: Write
    """Takes the document piece by piece."""
    comment: bytes = b""
    """What the archive says of itself: it stands at its end."""


@contextmanager
def new_archive(path: Path, *, level: int) -> Iterator[NewArchive]:
    """Takes the document and writes the archive. Where that fails, there is none. Raises OSError."""
    member = zipfile.ZipInfo(MEMBER)  # of a fixed time: the same document gives the same bytes
    member.compress_type = zipfile.ZIP_DEFLATED
    member._compresslevel = level  # type: ignore[attr-defined]  # has a public name from Python 3.13 on
    whole = False
    try:
        with zipfile.ZipFile(path, "w") as archive:
            with archive.open(member, "w", force_zip64=True) as out:
                made = NewArchive(out.write)
                yield made
            archive.comment = made.comment
            whole = True
    finally:
        if not whole:
            path.unlink(missing_ok=True)


class DocumentWriter:
    """Writes `snapshot.json` in the order it is told; nothing is held."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._first = True

    def member(self, key: str, value: object) -> None:
        """A member that is small enough to be had as a whole."""
        self._key(key)
        self._write(_line(value))

    @contextmanager
    def section(self, key: str | None = None) -> Iterator[None]:
        """What is written meanwhile are its members; without a key it is the document."""
        if key is not None:
            self._key(key)
        self._write(b"{")
        self._first = True
        yield
        self._write(b"}")
        self._first = False

    @contextmanager
    def elements(self, key: str) -> Iterator[Callable[[object], None]]:
        """Gives a function that writes the next object of the list."""
        self._key(key)
        many = 0

        def element(value: object) -> None:
            nonlocal many
            self._write((b"," if many else b"[") + _line(value))
            many += 1

        yield element
        self._write(b"]" if many else b"null\n")

    def _key(self, key: str) -> None:
        self._write((b"" if self._first else b",") + orjson.dumps(key) + b":")
        self._first = False


def _line(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
