"""What every store can do, and what it promises."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from kai_snapshot.errors import Reason, TerminalError


@dataclass(frozen=True, slots=True)
class Entry:
    """Something stored."""

    key: str
    size: int
    """Bytes."""
    modified: datetime
    """By the storage's clock; aware."""


class Store(Protocol):
    """Six verbs. All block; all may be called from several threads at once."""

    def put(self, key: str, body: Path | BinaryIO) -> Entry:
        """Stores the file, or what is left in the stream, and returns when it is durable. Replaces what was there.

        Nobody ever sees a part of it: until it is whole, `key` is what it was before. Memory stays flat.
        """

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """The content as a stream, unbuffered: read it in large pieces. Raises TerminalError(ArchiveNotFound)."""

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """What has a key that starts with `prefix` (letters, not segments), sorted by key. Nothing half-written."""

    def stat(self, key: str) -> Entry | None:
        """The entry, or None if there is none."""

    def delete(self, key: str) -> None:
        """Removes it. That it is not there is fine."""

    def abort_unfinished(self, prefix: str, *, before: datetime) -> int:
        """Clears away what writers that died left under `prefix` if it was begun earlier; returns how many."""


def is_key(key: str) -> bool:
    """Whether every segment of a key is a plain name; `.` at a beginning is for what stores hide."""
    segments = key.split("/")
    return (
        key.isprintable()
        and "\\" not in key
        and len(key.encode()) <= 1000
        and all(segment and not segment.startswith(".") and len(segment.encode()) <= 255 for segment in segments)
    )


def check_key(key: str) -> str:
    """The key itself. Keys are refused, never put right. Raises TerminalError(InvalidSpec)."""
    if not is_key(key):
        raise TerminalError(
            Reason.INVALID_SPEC,
            f"{key[:200]!r} cannot be a key: a key is names with '/' between them, without '.' at their beginning, "
            "of at most 1000 bytes.",
        )
    return key


def read(store: Store, key: str, *, limit: int) -> bytes:
    """The whole of a small document. Raises what `open` raises; TerminalError(StorageRefused) beyond `limit` bytes."""
    with store.open(key) as stream:
        content = bytearray()
        while len(content) <= limit and (piece := stream.read(limit + 1 - len(content))):
            content += piece
    if len(content) > limit:
        raise TerminalError(
            Reason.STORAGE_REFUSED, f"{key} is larger than {limit} bytes: it is not what it is taken for."
        )
    return bytes(content)
