"""The threads of what blocks, and whether any of them is still at work."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

COUNT = 32
"""By default there are as few as there are cores, and a storage that hangs would take them all."""


class Threads(ThreadPoolExecutor):
    """A task that is cancelled waits no longer for its thread, which goes on all the same: this one knows of it."""

    def __init__(self) -> None:
        super().__init__(COUNT)
        self._under_way: set[Future[Any]] = set()

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As the class above does."""
        future = super().submit(_ending, function, *args, **kwargs)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        return future

    async def quiet(self, seconds: float) -> bool:
        """Waits until none of them is at work; False if one still is when so many seconds are over."""
        under_way = [asyncio.wrap_future(future) for future in list(self._under_way)]
        return not under_way or not (await asyncio.wait(under_way, timeout=seconds))[1]


def _ending(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Until Python 3.12 asyncio waits for ever for a thread that raises StopIteration: a worker would be lost by it."""
    try:
        return function(*args, **kwargs)
    except StopIteration as error:
        raise RuntimeError("a thread raised StopIteration") from error
