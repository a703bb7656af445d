"""The log as bytes: what is gzip is inflated, and what comes out is cut into lines, in memory that stays flat."""

import zlib
from collections.abc import Iterator
from typing import Protocol

PIECE = 1 << 18
"""Bytes read, and inflated, at a time."""
MAX_LINE = 1 << 20
"""Bytes kept of a line. The longest the tool writes names each victim of a reclaim at its end."""

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP = zlib.MAX_WBITS | 16


class Readable(Protocol):
    """A binary file, or what reads like one."""

    def read(self, size: int, /) -> bytes: ...


class Text:
    """The lines of a log, plain or gzip (told by its first bytes; several members are one log)."""

    def __init__(self, log: Readable) -> None:
        self._log = log
        self.damaged = False
        """Whether the gzip is cut off or corrupt, once all lines have been read. The lines before that are good."""

    def lines(self) -> Iterator[list[bytes]]:
        """Lines without their line feeds, many at a time. A line longer than MAX_LINE loses its end; what stands after
        the last line feed is a line too, unless the log is damaged: then it is a part of one that nobody can trust."""
        rest = b""
        for piece in self._pieces():
            *whole, last = piece.split(b"\n")
            if whole:
                whole[0] = (rest + whole[0])[:MAX_LINE]
                rest = b""
                yield whole
            if len(rest) < MAX_LINE:
                rest += last
        if rest and not self.damaged:
            yield [rest[:MAX_LINE]]

    def _pieces(self) -> Iterator[bytes]:
        piece = self._log.read(PIECE)
        while 0 < len(piece) < len(_GZIP_MAGIC) and (more := self._log.read(PIECE)):
            piece += more
        if piece.startswith(_GZIP_MAGIC):
            yield from self._inflated(piece)
            return
        while piece:
            yield piece
            piece = self._log.read(PIECE)

    def _inflated(self, compressed: bytes) -> Iterator[bytes]:
        inflate = zlib.decompressobj(_GZIP)
        while True:
            try:
                piece = inflate.decompress(compressed, PIECE)
            except zlib.error:
                self.damaged = True
                return
            yield piece
            compressed = inflate.unconsumed_tail or inflate.unused_data or self._log.read(PIECE)
            if inflate.eof:
                if not compressed:
                    return
                inflate = zlib.decompressobj(_GZIP)
            elif not compressed and len(piece) < PIECE:
                self.damaged = True
                return
