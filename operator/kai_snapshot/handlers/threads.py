"""The threads of what blocks, and whether any of them is still at work."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

COUNT = 32
"""By default there are as few as there are cores, and a storage that hangs would take them all."""


class Threads(ThreadPoolExecutor):
    """A task that is cancelled waits no longer for its thread, which goes on all the same: this one knows of it."""

    def __init__(self) -> None:
        super().__init__(COUNT)
        self._under_way: set[Future[Any]] = set()

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        """As the class above does."""
        future = super().submit(*args, **kwargs)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        return future

    async def quiet(self, seconds: float) -> bool:
        """Waits until none of them is at work; False if one still is when so many seconds are over."""
        under_way = [asyncio.wrap_future(future) for future in list(self._under_way)]
        return not under_way or not (await asyncio.wait(under_way, timeout=seconds))[1]
