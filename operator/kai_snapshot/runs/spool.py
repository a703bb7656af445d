"""Spool: the file an archive is held in while it is checked, and what it means where its disk is full or fails."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError

LIMIT: Final = 4 << 30
RESERVE: Final = 256 << 20
"""What must be free before anything is asked for."""
REASONS: Final = frozenset((Reason.SPOOL_FULL, Reason.SPOOL_FAILED))
"""What no other source of the archive would mend."""


def check_room(spool: Path, *, size: int = 0) -> None:
    """Raises TransientError (SpoolFull, SpoolFailed) if it is not worth while to begin.

    size: bytes that the file will have, where that is known.
    """
    with holding(spool):
        free = shutil.disk_usage(spool.parent).free
    if free < RESERVE + size:
        raise _full(spool, needed=RESERVE + size)


@contextmanager
def holding(spool: Path) -> Iterator[None]:
    """Around what is done with the file, and nothing else. Raises TransientError (SpoolFull, SpoolFailed)."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(spool) from error
        raise TransientError(
            Reason.SPOOL_FAILED,
            f"{spool.parent} cannot hold the archive while it is checked: {error.strerror or 'no reason given'}. "
            "Is the directory there and writable, and the disk of this machine in order?",
        ) from error


def too_large(what: str) -> SnapshotError:
    """For an archive beyond the limit."""
    return TerminalError(
        Reason.ARCHIVE_TOO_LARGE, f"{what} an archive of more than {LIMIT >> 30} GiB, which is the limit."
    )


def _full(spool: Path, *, needed: int = RESERVE) -> SnapshotError:
    return TransientError(
        Reason.SPOOL_FULL,
        f"There is too little room in {spool.parent} to hold the archive while it is checked: "
        f"{needed >> 20} MiB must be free to begin with. Give the directory, or the emptyDir, more room.",
    )
