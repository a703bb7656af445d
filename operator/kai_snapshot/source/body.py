"""Reads the body of an HTTP/1.1 answer from pieces of any size. Pure: bytes in, bytes out.

h11 reads the head of an answer; for the chunks of Go's server, 4 KiB each, it is too slow by half.
"""

import re
from collections.abc import Sequence
from typing import Protocol

CHUNK_HEAD = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")
NEXT_CHUNK_HEAD = re.compile(rb"\r\n" + CHUNK_HEAD.pattern)
LINE_LIMIT = 16 * 1024


class BrokenBodyError(Exception):
    """The bytes are no HTTP body of that framing."""


class Body(Protocol):
    """The state of a body that is being read."""

    @property
    def complete(self) -> bool:
        """Whether nothing more belongs to the body."""

    @property
    def ends_with_connection(self) -> bool:
        """Whether the end of the connection is a proper end of the body."""

    def feed(self, data: bytes) -> bytes:
        """The part of the body that `data`, the next bytes of the connection, holds. Raises BrokenBodyError."""


class SizedBody:
    """A body of Content-Length bytes."""

    ends_with_connection = False

    def __init__(self, size: int) -> None:
        self._left = size

    @property
    def complete(self) -> bool:
        return self._left == 0

    def feed(self, data: bytes) -> bytes:
        part = data[: self._left]
        self._left -= len(part)
        return part


class BodyUntilClose:
    """A body that ends with the connection."""

    complete = False
    ends_with_connection = True

    def feed(self, data: bytes) -> bytes:
        return data


class ChunkedBody:
    """A body with `Transfer-Encoding: chunked`. Extensions and trailers are read over."""

    ends_with_connection = False

    def __init__(self) -> None:
        self.complete = False
        self._held = b""
        self._left = 0
        self._head = CHUNK_HEAD
        self._in_trailer = False

    def feed(self, data: bytes) -> bytes:
        if self._held:
            data, self._held = self._held + data, b""
        parts: list[bytes] = []
        at = 0
        if self._left:
            parts.append(data[: self._left])
            at = len(parts[0])
            self._left -= at
        while self._left == 0 and not self._in_trailer:
            head = self._head.match(data, at)
            if head is None:
                self._hold(data[at:])
                return b"".join(parts)
            at, size = head.end(), int(head[1], 16)
            self._head, self._in_trailer = NEXT_CHUNK_HEAD, size == 0
            part = data[at : at + size]
            parts.append(part)
            at += len(part)
            self._left = size - len(part)
        if self._in_trailer:
            self._read_trailer(data[at:])
        return b"".join(parts)

    def _read_trailer(self, data: bytes) -> None:
        """Lines of header fields, then an empty one."""
        if data.startswith(b"\r\n") or b"\r\n\r\n" in data:
            self.complete = True
        else:
            self._hold(data)

    def _hold(self, data: bytes) -> None:
        """Keeps the beginning of a line until the rest comes."""
        whole_line = b"\n" in data[2:] and not self._in_trailer
        if whole_line or len(data) > LINE_LIMIT:
            raise BrokenBodyError(f"{data[:20]!r} is no chunk of an HTTP body")
        self._held = data


def body_for(headers: Sequence[tuple[bytes, bytes]]) -> Body:
    """The kind of body an answer with these headers (lower case names, as h11 checks and gives them) has."""
    fields = dict(headers)
    if b"transfer-encoding" in fields:
        return ChunkedBody()
    if b"content-length" in fields:
        return SizedBody(int(fields[b"content-length"]))
    return BodyUntilClose()
