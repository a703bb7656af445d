"""Live: the views of what the scheduler sees now."""

import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kai_snapshot.api.result import ReplayResult
from kai_snapshot.api.visualizer import ClusterSummary, Source
from kai_snapshot.errors import Reason, SnapshotError, TerminalError
from kai_snapshot.runs.listing import NONE, Listing
from kai_snapshot.runs.look import not_found
from kai_snapshot.runs.replays import Replay, ReplayName, Result, no_replay
from kai_snapshot.runs.taken import Taken
from kai_snapshot.runs.understand import views_of
from kai_snapshot.views import Views

FRESH_SECONDS: Final = 5.0
"""How long what the scheduler said counts as what it says now."""


class Live:
    """What the scheduler sees now; asked again when the last answer, good or bad, is some seconds old."""

    several = False

    def __init__(self, take: Callable[[Path], Taken], *, clock: Callable[[], float] = time.monotonic) -> None:
        """`take` has the scheduler's archive written to a file."""
        self._take = take
        self._clock = clock
        self._answer: Views | SnapshotError | None = None
        self._until = 0.0

    def see(self, wanted: str) -> Views:
        """The present has no name."""
        if wanted:
            raise not_found(wanted)
        if self._answer is None or self._clock() >= self._until:
            try:
                self._answer = self._look()
            except SnapshotError as error:
                self._answer = error
            self._until = self._clock() + FRESH_SECONDS
        if isinstance(self._answer, SnapshotError):
            raise self._answer
        return self._answer

    def summary(self, wanted: str) -> ClusterSummary:
        """The present has no name."""
        return self.see(wanted).summary

    @contextmanager
    def archive(self, wanted: str) -> Iterator[Path]:
        """Taken anew: who asks for it keeps it. The present has no name."""
        if wanted:
            raise not_found(wanted)
        with tempfile.TemporaryDirectory(prefix="kai-snapshot-") as spool:
            yield self._take(Path(spool) / "snapshot.zip").path

    def simulated(self, wanted: str) -> ReplayResult:
        """The present has no name, and is over when the simulator has understood it: capture it, and look at that."""
        del wanted
        raise TerminalError(
            Reason.INVALID_SPEC, "Only archives can be simulated: take one with `kai-snapshot capture`."
        )

    def listing(self) -> Listing:
        """None: there is only the present."""
        return NONE

    def replays(self, wanted: Collection[str]) -> Mapping[str, Sequence[ReplayName]]:
        """None."""
        del wanted
        return {}

    def replay(self, wanted: str, name: str) -> Replay:
        """None."""
        del wanted
        raise no_replay(name)

    def result(self, wanted: str, name: str, version: str) -> Result:
        """None."""
        del wanted
        raise no_replay(f"{name} {version}")

    def _look(self) -> Views:
        with tempfile.TemporaryDirectory(prefix="kai-snapshot-") as spool:
            taken = self._take(Path(spool) / "snapshot.zip")
            source = Source(
                kind="live",
                captured_at=taken.captured_at,
                kai_version=taken.scheduler.version,
                sha256=taken.inspection.sha256,
                built_from_api=taken.built is not None,
            )
            return views_of(taken.path, source, taken.config)
