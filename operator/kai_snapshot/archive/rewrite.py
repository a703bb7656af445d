"""Writes an archive anew with some values changed. All else of the document passes through byte for byte."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from kai_snapshot.archive.document import VALUE_BYTES, DocumentReader, Span, Visitor
from kai_snapshot.archive.document import Path as Key
from kai_snapshot.archive.limits import DEFAULT
from kai_snapshot.archive.read import inflate
from kai_snapshot.archive.write import FASTEST, new_archive
from kai_snapshot.archive.zipformat import BUILT_FROM_API
from kai_snapshot.errors import Reason, TerminalError

HELD_BYTES = 2 * VALUE_BYTES


class Editor(Protocol):
    """Who says what becomes of the values. Paths are `("config",)` or `("rawObjects", "pods")`."""

    @property
    def done(self) -> bool:
        """Whether nothing that follows will be changed: the rest is then not even looked at."""

    def value(self, path: Key, value: object) -> bytes | None:
        """The JSON to put in place of a member; None leaves it as it is."""

    def element(self, path: Key, value: object) -> bytes | None:
        """The JSON to put in place of an element of a list; empty takes it out, None leaves it as it is."""

    def added(self, path: Key) -> Sequence[bytes]:
        """The elements to put at the end of a list."""

    def finish(self) -> None:
        """The document has ended."""


class _Unchanged(Exception):  # noqa: N818 - not an error: ends the reading
    pass


def rewrite(source: Path, target: Path, editor: Editor) -> None:
    """Writes to `target` what the editor makes of the archive; a copy, if that is nothing. One value is held at a time.

    Raises OSError, TerminalError where an archive is not valid, and what the editor raises: then there is no target.
    """
    try:
        with new_archive(target, level=FASTEST) as made:
            rewriter = _Rewriter(editor, made.write)
            comment = inflate(source, rewriter.feed)
            rewriter.finish()
            if comment == BUILT_FROM_API:  # any other one may be of somebody who wants it redacted
                made.comment = comment
    except _Unchanged:
        shutil.copyfile(source, target)


class _Rewriter(Visitor):
    """Takes the document in blocks. What the editor was not asked about yet is held, and little else."""

    def __init__(self, editor: Editor, write: Callable[[bytes], object]) -> None:
        self._editor = editor
        self._write = write
        self._reader = DocumentReader(self, DEFAULT.nesting)
        self._held = b""
        self._start = 0  # of what is held, in the document
        self._taken = 0  # bytes of the document that are written, or left out
        self._last = 0  # where the last value ended: what follows may have to go with the next
        self._empty = self._first = True  # the list that is being read: nothing is kept of it; nothing was in it
        self._pieces: list[bytes] = []
        self._changed = False
        self._done = False

    def feed(self, block: bytes) -> None:
        """The next bytes of the document."""
        if self._done:
            self._write(block)
            return
        self._held += block
        self._reader.feed(block)
        self._done = self._editor.done
        if self._done and not self._changed:
            raise _Unchanged
        self._flush(self._start + len(self._held) if self._done else self._last)
        if len(self._held) > HELD_BYTES:
            raise TerminalError(Reason.ARCHIVE_TOO_LARGE, f"snapshot.json has {HELD_BYTES} bytes without a value.")

    def finish(self) -> None:
        """There are no more bytes."""
        if not self._done:
            self._reader.finish()
            self._editor.finish()
            if not self._changed:
                raise _Unchanged
            self._flush(self._start + len(self._held))

    def key(self, path: Key) -> None:
        """A list may begin."""
        del path
        self._empty = self._first = True

    def value(self, path: Key, value: object, span: Span) -> None:
        """A member; a list that is null may get elements."""
        text = self._editor.value(path, value)
        if value is None and (added := self._editor.added(path)):
            text = b"[" + b",".join(added) + b"]"
        if text is not None:
            self._replace(*span, text)
        self._last = span[1]

    def element(self, path: Key, value: object, span: Span) -> None:
        """An element; with one that is taken out goes the comma before it, or behind it if all before it are gone."""
        text = self._editor.element(path, value)
        start, stop = span
        before = start if self._first else self._last
        if text == b"":
            self._replace(before, stop, b"")
        else:
            if self._empty and before < start:
                self._replace(before, start, b"")
            if text is not None:
                self._replace(start, stop, text)
            self._empty = False
        self._first = False
        self._last = stop

    def end(self, path: Key, offset: int) -> None:
        """Of a list: where elements are added, separated as the version that wrote the list does it."""
        added = self._editor.added(path)
        if not added:
            return
        if self._empty:
            self._replace(offset, offset, b",".join(added))
            self._last = offset
        else:
            comma = self._slice(self._last, offset) + b","
            self._replace(self._last, self._last, b"".join(comma + text for text in added))

    def _replace(self, start: int, stop: int, text: bytes) -> None:
        self._pieces += (self._slice(self._taken, start), text)
        self._taken = stop
        self._changed = True

    def _slice(self, start: int, stop: int) -> bytes:
        return self._held[start - self._start : stop - self._start]

    def _flush(self, stop: int) -> None:
        """Writes what stands before that byte, and holds it no longer."""
        self._pieces.append(self._slice(self._taken, stop))
        self._write(b"".join(self._pieces))
        self._pieces = []
        self._held = self._held[stop - self._start :]
        self._start = self._taken = stop
