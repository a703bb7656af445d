"""An archive in a file, as results say what they are of."""

import hashlib
from pathlib import Path

from kai_snapshot.api.result import ReplayedArchive


def identify(path: Path) -> ReplayedArchive:
    """Its name and checksum. Raises OSError."""
    with path.open("rb") as file:
        return ReplayedArchive(name=path.name, sha256=hashlib.file_digest(file, "sha256").hexdigest())
