"""The work queue: every key once, nothing missed, failures backed off."""

import asyncio
from collections.abc import Awaitable, Callable

from kai_snapshot.workqueue import WorkQueue


async def work_until(queue: WorkQueue[str], look: Callable[[str], Awaitable[None]], enough: asyncio.Event) -> None:
    tasks = [asyncio.create_task(queue.work(look)) for _ in range(3)]
    await asyncio.wait_for(enough.wait(), 10)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_a_key_added_many_times_is_looked_at_once() -> None:
    seen: list[str] = []

    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        enough = asyncio.Event()

        async def look(key: str) -> None:
            seen.append(key)
            if key == "last":
                enough.set()

        for _ in range(5):
            queue.add("a")
        queue.add("last", after=0.05)
        await work_until(queue, look, enough)

    asyncio.run(main())
    assert seen == ["a", "last"]


def test_what_happens_during_a_look_is_looked_at_afterwards_and_never_at_the_same_time() -> None:
    active: set[str] = set()
    looks = 0

    async def main() -> None:
        nonlocal looks
        queue: WorkQueue[str] = WorkQueue()
        enough = asyncio.Event()

        async def look(key: str) -> None:
            nonlocal looks
            assert key not in active
            active.add(key)
            looks += 1
            if looks == 1:
                queue.add(key)
                queue.add(key)
            await asyncio.sleep(0)
            active.discard(key)
            if looks == 2:
                queue.add("end", after=0.02)
            if key == "end":
                enough.set()

        queue.add("a")
        await work_until(queue, look, enough)

    asyncio.run(main())
    assert looks == 3


def test_an_earlier_time_wins_over_a_later_one() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        enough = asyncio.Event()

        async def look(_: str) -> None:
            enough.set()

        queue.add("a", after=3600)
        queue.add("a", after=0.01)
        await work_until(queue, look, enough)

    asyncio.run(main())


def test_failures_back_off_up_to_a_limit_and_success_begins_anew() -> None:
    async def main() -> list[float]:
        queue: WorkQueue[str] = WorkQueue()
        delays = [queue.retry("a") for _ in range(12)]
        queue.forget("a")
        return [*delays, queue.retry("a")]

    *delays, after_success = asyncio.run(main())
    assert 0.8 <= delays[0] <= 1.2
    assert 1.6 <= delays[1] <= 2.4
    assert max(delays) <= 360
    assert after_success <= 1.2


def test_its_depth_is_what_is_due_and_what_is_being_looked_at() -> None:
    depths: list[int] = []

    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        enough = asyncio.Event()

        async def look(_: str) -> None:
            depths.append(queue.depth)
            if len(depths) == 3:
                enough.set()

        queue.add("later", after=60)
        queue.add("a")
        queue.add("b")
        depths.append(queue.depth)
        task = asyncio.create_task(queue.work(look))
        await asyncio.wait_for(enough.wait(), 10)
        task.cancel()

    asyncio.run(main())
    assert depths == [2, 2, 1]
