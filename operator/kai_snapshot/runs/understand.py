"""From an archive in a file to its views, and to what the simulator makes of it."""

import gc
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kai_snapshot.api.result import ReplayedArchive, ReplayResult
from kai_snapshot.api.visualizer import Source
from kai_snapshot.archive.read import is_built_from_api
from kai_snapshot.simulator.simulate import load, simulate
from kai_snapshot.views import Views, compute, gather

Config = dict[str, Any] | None
"""The scheduler's configuration, where the archive says null."""


def views_of(path: Path, source: Source, config: Config) -> Views:
    """The views of an archive of which the source is known. Raises OSError, TerminalError."""
    with _nothing_thrown_away():
        return compute(gather(path, not_after=source.captured_at), source=source, config=config)


def views_of_file(path: Path, sha256: str) -> Views:
    """The views of an archive of which nothing is known but what it says. Raises OSError, TerminalError."""
    with _nothing_thrown_away():
        gathered = gather(path, not_after=datetime.now(UTC))
        taken = gathered.collected.captured_at
        source = Source(
            kind="file",
            capture=path.name,
            captured_at=taken,
            sha256=sha256,
            built_from_api=is_built_from_api(path),
        )
        return compute(gathered, source=source)


def digest(path: Path) -> str:
    """SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def simulated(path: Path, source: Source, config: Config) -> ReplayResult:
    """What the scheduler would decide at the time of the capture. Raises OSError, TerminalError."""
    collected = load(path, not_after=source.captured_at)
    if config is not None and collected.config is None:
        collected.configure(config)
    result = simulate(collected, clock=time.perf_counter, now=source.captured_at)
    archive = ReplayedArchive(name=source.capture or "", sha256=source.sha256) if source.sha256 is not None else None
    return result.model_copy(update={"archive": archive})


@contextmanager
def _nothing_thrown_away() -> Iterator[None]:
    """Nearly all that is made of an archive is kept: to look for garbage meanwhile takes as long as all the rest."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
