"""One work queue for all objects: one entry a key, due times, back-off on failures, a bounded number of workers.

controller-runtime's shape: a key that is being worked on and is added again is worked on again afterwards, so nothing
that happens meanwhile is missed, and no object is ever worked on twice at once.
"""

import asyncio
import heapq
import random
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

BACKOFF_FIRST = 1.0
BACKOFF_LIMIT = 300.0


class WorkQueue(Generic[K]):
    """Keys to look at. All methods must be called in the event loop's thread."""

    def __init__(self) -> None:
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._counter = 0
        self._active: set[K] = set()
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._changed = asyncio.Event()

    def add(self, key: K, *, after: float = 0.0) -> None:
        """Looks at the key in `after` seconds, or earlier if it is already due earlier."""
        if key in self._active and after <= 0:
            self._again.add(key)
            return
        at = time.monotonic() + max(after, 0.0)
        if key in self._due and self._due[key] <= at:
            return
        self._due[key] = at
        self._counter += 1
        heapq.heappush(self._heap, (at, self._counter, key))
        self._changed.set()

    @property
    def depth(self) -> int:
        """How many keys are due, or being worked on. May be asked from any thread."""
        now = time.monotonic()
        return sum(at <= now for at in list(self._due.values())) + len(self._active)

    def forget(self, key: K) -> None:
        """The key went well: its next failure starts with the first back-off."""
        self._failures.pop(key, None)

    def retry(self, key: K) -> float:
        """The key failed: looks again after an exponential back-off with jitter, which is returned in seconds."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        delay: float = min(BACKOFF_FIRST * 2 ** min(failures - 1, 16), BACKOFF_LIMIT) * random.uniform(0.8, 1.2)  # noqa: S311
        self.add(key, after=delay)
        return delay

    async def _take(self) -> K:
        while True:
            while self._heap:
                at, _, key = self._heap[0]
                if self._due.get(key) != at:
                    heapq.heappop(self._heap)  # it became due earlier
                    continue
                if at > time.monotonic():
                    break
                heapq.heappop(self._heap)
                del self._due[key]
                if key in self._active:
                    self._again.add(key)
                    continue
                self._active.add(key)
                return key
            self._changed.clear()
            timeout = self._heap[0][0] - time.monotonic() if self._heap else None
            try:
                await asyncio.wait_for(self._changed.wait(), timeout)
            except TimeoutError:
                continue

    def _done(self, key: K) -> None:
        self._active.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    async def work(self, look: Callable[[K], Awaitable[None]]) -> None:
        """One worker: looks at keys as they become due, for ever. `look` handles its own errors."""
        while True:
            key = await self._take()
            try:
                await look(key)
            finally:
                self._done(key)
