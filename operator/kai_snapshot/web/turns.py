"""One look at a time: whoever else asks waits for it, and then mostly finds what it left behind."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from starlette.concurrency import run_in_threadpool

from kai_snapshot.api.visualizer import ClusterSummary
from kai_snapshot.errors import SnapshotError
from kai_snapshot.runs.listing import Archive
from kai_snapshot.runs.look import Place, Waiting
from kai_snapshot.views import Views


class Turns:
    """A place to look at, for any number of requests: reading a large archive takes a processor and memory."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._turn = asyncio.Lock()
        self._search = asyncio.Lock()

    async def see(self, wanted: str) -> Views:
        """The views of an archive. Raises SnapshotError, OSError."""
        async with self._turn:
            return await run_in_threadpool(self._place.see, wanted)

    async def look_ahead(self) -> None:
        """Has the newest archive seen before somebody asks. What goes wrong is told to who asks."""
        with suppress(SnapshotError, OSError):
            await self.see("")

    async def summary(self, wanted: str) -> ClusterSummary:
        """The summary of an archive. Raises SnapshotError, OSError."""
        async with self._turn:
            return await run_in_threadpool(self._place.summary, wanted)

    async def waiting(self, wanted: str) -> Waiting:
        """Why jobs of an archive wait. It may take a minute: others look meanwhile. Raises SnapshotError, OSError."""
        async with self._search:
            return await run_in_threadpool(self._place.waiting, wanted)

    async def archives(self) -> Sequence[Archive]:
        """Those there are, oldest first. Raises SnapshotError, OSError."""
        async with self._turn:
            return await run_in_threadpool(self._place.archives)
