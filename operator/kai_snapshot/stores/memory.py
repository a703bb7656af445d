"""A store in memory: for tests, and the shortest account of what a store is."""

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.stores.store import Entry, check_key


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class MemoryStore:
    """Gone with the process."""

    clock: Callable[[], datetime] = _utc_now
    _content: dict[str, tuple[Entry, bytes]] = field(default_factory=dict)

    def put(self, key: str, body: Path | BinaryIO) -> Entry:
        """See Store."""
        check_key(key)
        data = body.read_bytes() if isinstance(body, Path) else body.read()
        entry = Entry(key, len(data), self.clock())
        self._content[key] = (entry, data)
        return entry

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """See Store."""
        check_key(key)
        if key not in self._content:
            raise TerminalError(Reason.ARCHIVE_NOT_FOUND, f"There is no {key} in memory.")
        return io.BytesIO(self._content[key][1])

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """See Store."""
        return iter([self._content[key][0] for key in sorted(self._content) if key.startswith(prefix)])

    def stat(self, key: str) -> Entry | None:
        """See Store."""
        check_key(key)
        return self._content[key][0] if key in self._content else None

    def delete(self, key: str) -> None:
        """See Store."""
        check_key(key)
        self._content.pop(key, None)

    def abort_unfinished(self, prefix: str, *, before: datetime) -> int:  # noqa: ARG002
        """See Store. What is not whole is not here."""
        return 0
