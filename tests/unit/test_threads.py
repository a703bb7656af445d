"""What is being written in threads is known of when the operator ends."""

import asyncio
import threading

import pytest

from kai_snapshot.handlers.threads import Threads


def test_a_thread_whose_task_was_cancelled_is_waited_for() -> None:
    begun, may_end, written = threading.Event(), threading.Event(), threading.Event()

    def write() -> None:
        begun.set()
        assert may_end.wait(10)
        written.set()

    async def main() -> None:
        threads = Threads()
        asyncio.get_running_loop().set_default_executor(threads)
        task = asyncio.create_task(asyncio.to_thread(write))
        while not begun.is_set():  # noqa: ASYNC110 - set by a thread
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not await threads.quiet(0.01)
        may_end.set()
        assert await threads.quiet(10)
        assert written.is_set()

    asyncio.run(main())


def test_where_nothing_is_written_nothing_is_waited_for() -> None:
    assert asyncio.run(Threads().quiet(0))


def test_a_thread_that_raises_what_asyncio_cannot_hand_on_ends_all_the_same() -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(Threads())
        await asyncio.wait_for(asyncio.to_thread(next, iter(())), 10)

    with pytest.raises(RuntimeError, match="StopIteration"):
        asyncio.run(main())
