"""Spool: the file an archive is held in while it is checked, and what happens where there is too little room for it."""

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


def check_room(spool: Path) -> None:
    """Raises TransientError (SpoolFull) if it is not worth while to begin."""
    if shutil.disk_usage(spool.parent).free < RESERVE:
        raise _full(spool)


@contextmanager
def writing(spool: Path) -> Iterator[None]:
    """Raises TransientError (SpoolFull) where the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise _full(spool) from error


def too_large(what: str) -> SnapshotError:
    """For an archive beyond the limit."""
    return TerminalError(
        Reason.ARCHIVE_TOO_LARGE, f"{what} an archive of more than {LIMIT >> 30} GiB, which is the limit."
    )


def _full(spool: Path) -> SnapshotError:
    return TransientError(
        Reason.SPOOL_FULL,
        f"There is too little room in {spool.parent} to hold the archive while it is checked: "
        f"{RESERVE >> 20} MiB must be free to begin with. Give the directory, or the emptyDir, more room.",
    )
