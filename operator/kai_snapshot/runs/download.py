"""Download: an archive from a storage into a file, which is there only if it is whole and what it should be."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.stores import Store
from kai_snapshot.stores.directory import DirectoryStore


@dataclass(frozen=True)
class Downloaded:
    """What was written."""

    path: Path
    sha256: str
    size_bytes: int


def download(
    store: Store, key: str, target: Path, *, sha256: str | None, progress: Callable[[int], None]
) -> Downloaded:
    """Writes the archive to `target`, replacing it. `progress` hears the size of each piece.

    Raises TerminalError: ArchiveNotFound, ChecksumMismatch if it has not the SHA-256 given; and what the store raises.
    """
    with store.open(key) as stream:
        checked = _Checked(stream, key, sha256, progress)
        entry = DirectoryStore(target.parent).put(target.name, cast(BinaryIO, checked))
    return Downloaded(target, checked.hasher.hexdigest(), entry.size)


class _Checked(io.RawIOBase):
    """A stream that breaks off at its end if it was not what it should be, so that nothing of it is kept."""

    def __init__(self, stream: BinaryIO, key: str, sha256: str | None, progress: Callable[[int], None]) -> None:
        self._stream = stream
        self._key = key
        self._expected = sha256
        self._progress = progress
        self.hasher = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        piece = self._stream.read(size)
        self.hasher.update(piece)
        self._progress(len(piece))
        if not piece and self._expected not in (None, self.hasher.hexdigest()):
            raise TerminalError(
                Reason.CHECKSUM_MISMATCH,
                f"{self._key} has the SHA-256 {self.hasher.hexdigest()} and should have {self._expected}: "
                "it was damaged or replaced. Nothing was kept of it.",
            )
        return piece
