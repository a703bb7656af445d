"""One look at a time: whoever else asks waits for it, and then mostly finds what it left behind."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

from kai_snapshot.api.archivediff import ArchiveDiff
from kai_snapshot.api.result import ReplayResult
from kai_snapshot.api.visualizer import ClusterSummary
from kai_snapshot.api.waiting import WaitingJob
from kai_snapshot.errors import SnapshotError
from kai_snapshot.runs.listing import Archive, Listing
from kai_snapshot.runs.look import Place
from kai_snapshot.runs.replays import SIMULATED, Replay, ReplayName, Result, replay_of
from kai_snapshot.views import Views
from kai_snapshot.views.decided import Overlay, overlay
from kai_snapshot.views.diff import diff
from kai_snapshot.web.problems import unreadable

T = TypeVar("T")
Waiting = Mapping[str, WaitingJob]
"""By namespace/name of the job."""


class Turns:
    """A place to look at, for any number of requests: reading a large archive takes a processor and memory.

    All raise SnapshotError and OSError, as the place does.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._turn = asyncio.Lock()
        self._search = asyncio.Lock()

    async def see(self, wanted: str) -> Views:
        """The views of an archive."""
        return await self._one(lambda: self._place.see(wanted))

    async def look_ahead(self) -> None:
        """Has the newest archive seen before somebody asks. What goes wrong is told to who asks."""
        with suppress(SnapshotError, OSError):
            await self.see("")

    async def summary(self, wanted: str) -> ClusterSummary:
        """The summary of an archive."""
        return await self._one(lambda: self._place.summary(wanted))

    async def summaries(
        self, wanted: Iterable[str], *, gone: Callable[[], Awaitable[bool]]
    ) -> Mapping[str, ClusterSummary | SnapshotError]:
        """The summaries of several, one after the other, or why there is none; no more of them for who is `gone`."""
        found: dict[str, ClusterSummary | SnapshotError] = {}
        for each in wanted:
            if await gone():
                break
            try:
                found[each] = await self.summary(each)
            except SnapshotError as error:
                found[each] = error
            except OSError as error:
                found[each] = unreadable(error)
        return found

    async def archive(self, wanted: str) -> tuple[Path, Callable[[], None]]:
        """The archive itself, in a file, and what to call when that is not needed any more."""
        stack = ExitStack()
        path = await self._one(lambda: stack.enter_context(self._place.archive(wanted)))
        return path, stack.close

    async def listing(self) -> Listing:
        """The archives there are, oldest first, and what cannot be read."""
        return await self._one(self._place.listing)

    async def archives(self) -> Sequence[Archive]:
        """Those that can be read, oldest first."""
        return (await self.listing()).archives

    async def waiting(self, wanted: str) -> Waiting:
        """Why jobs of an archive wait, as the simulator finds."""
        return {each.name: each for each in (await self._simulated(wanted)).waiting}

    async def replays(self, wanted: Collection[str]) -> Mapping[str, Sequence[ReplayName]]:
        """The replays of archives, by the archive's name."""
        return await self._one(lambda: self._place.replays(wanted))

    async def replay(self, wanted: str, name: str) -> Replay:
        """All versions of a replay of an archive; of what the simulator makes of it, the only one."""
        if name == SIMULATED:
            result = await self._simulated(wanted)
            return replay_of(SIMULATED, [(result.engine.version, result)])
        return await self._one(lambda: self._place.replay(wanted, name))

    async def result(self, wanted: str, name: str, version: str) -> Result:
        """What a version decided."""
        if name == SIMULATED:
            return await self._simulated(wanted)
        return await self._one(lambda: self._place.result(wanted, name, version))

    async def overlay(self, views: Views, result: Result) -> Overlay:
        """A result on the nodes, which of a large cluster takes a moment."""
        return await run_in_threadpool(overlay, views, result)

    async def diff(self, before: Views, after: Views) -> ArchiveDiff:
        """What changed between two archives, the same."""
        return await run_in_threadpool(diff, before, after)

    async def _simulated(self, wanted: str) -> ReplayResult:
        """It may take a minute: others look meanwhile."""
        async with self._search:
            return await run_in_threadpool(self._place.simulated, wanted)

    async def _one(self, look: Callable[[], T]) -> T:
        async with self._turn:
            return await run_in_threadpool(look)
