"""Child processes running the command: each capture is one, and each step of an environment, two of each at a time.

A child that is killed, runs out of memory or out of time takes nothing with it. Runs live in a table: whoever starts
one does not wait for it, and is told by `on_end`.
"""

import asyncio
import contextlib
import logging
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from ctypes import CDLL
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Generic, TypeVar

from pydantic import ValidationError

from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.runs.request import Answer, CaptureAnswer, CaptureRequest, EnvironmentRequest
from kai_snapshot.runs.spool import holding

CAPTURE: Final = (sys.executable, "-P", "-m", "kai_snapshot", "capture", "--request", "-")
ENVIRONMENT: Final = (sys.executable, "-P", "-m", "kai_snapshot", "job", "environment-step")
GRACE_SECONDS: Final = 15
SPOOL_PREFIX: Final = "capture-"
DATA_LIMIT: Final = 256 * 1024 * 1024
"""RLIMIT_DATA of a child: beyond it, memory errors end the child rather than the container."""
_PR_SET_PDEATHSIG: Final = 1

logger = logging.getLogger(__name__)
_libc = CDLL(None)
Request = CaptureRequest | EnvironmentRequest
A = TypeVar("A", bound=Answer)


@dataclass
class Child(Generic[A]):
    """One try of one run, or of a step of its environment."""

    id: str
    attempt: int
    task: asyncio.Task[A]
    answers: type[A]
    duration_seconds: float = 0.0
    ended_at: datetime | None = None

    @property
    def answer(self) -> A | None:
        """How it ended; None while it runs."""
        if not self.task.done():
            return None
        error = self.task.exception()
        if error is None:
            return self.task.result()
        logger.error("the try %d of run %s broke", self.attempt, self.id, exc_info=error)
        message = f"the child process could not be run ({type(error).__name__}); see the operator's log"
        return self.answers.of(TransientError(Reason.INTERNAL_ERROR, message))


class Children(Generic[A]):
    """The table of runs, by the capture's namespace and name."""

    def __init__(
        self, answers: type[A], *, concurrent: int, command: tuple[str, ...], deadline: str = "its deadline"
    ) -> None:
        self._answers = answers
        self._deadline = deadline
        self._slots = asyncio.Semaphore(concurrent)
        self._command = command
        self._table: dict[str, Child[A]] = {}
        self._ending: set[asyncio.Task[A]] = set()

    def get(self, key: str, *, id_: str, attempt: int) -> Child[A] | None:
        """That try, if this process made it."""
        child = self._table.get(key)
        return child if child is not None and (child.id, child.attempt) == (id_, attempt) else None

    def start(
        self,
        key: str,
        id_: str,
        request: Callable[[], Awaitable[Request]],
        *,
        attempt: int,
        deadline_seconds: float,
        on_end: Callable[[], None],
    ) -> None:
        """Starts a try, unless it was started already. `request` may raise SnapshotError: then the try has failed."""
        if self.get(key, id_=id_, attempt=attempt) is not None:
            return
        self.forget(key)
        task = asyncio.create_task(self._run(request, deadline_seconds), name=f"{id_} of {key}")
        child = self._table[key] = Child(id_, attempt, task, self._answers)
        started = asyncio.get_running_loop().time()

        def ended(_: object) -> None:
            child.duration_seconds = asyncio.get_running_loop().time() - started
            child.ended_at = datetime.now(UTC)
            if not task.cancelled():
                on_end()

        task.add_done_callback(ended)

    def forget(self, key: str) -> None:
        """Drops a try from the table, and ends it if it is still running."""
        child = self._table.pop(key, None)
        if child is not None and child.task.cancel():
            self._ending.add(child.task)
            child.task.add_done_callback(self._ending.discard)

    async def stop(self, key: str) -> bool:
        """Drops a try from the table, and returns when its process is gone; says whether there was one."""
        child = self._table.get(key)
        self.forget(key)
        if child is not None:
            await asyncio.gather(child.task, return_exceptions=True)
        return child is not None

    async def close(self) -> None:
        """Ends all children."""
        for key in list(self._table):
            self.forget(key)
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _run(self, request: Callable[[], Awaitable[Request]], deadline_seconds: float) -> A:
        try:
            async with asyncio.timeout(deadline_seconds), self._slots:
                return await self._talk(await request())
        except TimeoutError:
            message = (
                f"the run took longer than {self._deadline} ({deadline_seconds:.0f} s were left for this try, "
                "waiting for a place included): raise it, or see what the scheduler or the storage is slow with"
            )
            return self._answers.of(TerminalError(Reason.DEADLINE_EXCEEDED, message))
        except SnapshotError as error:
            return self._answers.of(error)

    async def _talk(self, request: Request) -> A:
        # ours, for a child that is killed clears nothing away
        with holding(request.spool_dir / SPOOL_PREFIX):
            own = tempfile.TemporaryDirectory(dir=request.spool_dir, prefix=SPOOL_PREFIX)
        with own as spool:
            return await self._exchange(request.model_copy(update={"spool_dir": Path(spool)}))

    async def _exchange(self, request: Request) -> A:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=_environment(with_identity=request.keys is None),
        )
        try:
            said, _ = await process.communicate(request.model_dump_json(by_alias=True).encode())
        finally:
            if process.returncode is None:
                await asyncio.shield(_end(process))
        return self._answer(said, process.returncode or 0)

    def _answer(self, said: bytes, exit_code: int) -> A:
        with contextlib.suppress(ValidationError):
            return self._answers.model_validate_json(said)
        if exit_code == -signal.SIGKILL:
            message = "the child process was killed, most likely for its memory: raise the operator's memory limit"
            return self._answers.of(TerminalError(Reason.OUT_OF_MEMORY, message))
        message = f"the child process ended with exit code {exit_code} and without an answer; see the operator's log"
        return self._answers.of(TerminalError(Reason.INTERNAL_ERROR, message))


def captures(*, concurrent: int) -> Children[CaptureAnswer]:
    """Those that capture."""
    return Children(CaptureAnswer, concurrent=concurrent, command=CAPTURE, deadline="activeDeadlineSeconds")


def environments() -> Children[Answer]:
    """Those that read an archive, or what was recorded, for an environment. They take no place from a capture."""
    return Children(Answer, concurrent=2, command=ENVIRONMENT)


def sweep(spool: Path) -> None:
    """Clears away what the children of an operator that was killed left in the spool directory."""
    for left in spool.glob(f"{SPOOL_PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)


async def _end(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), GRACE_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


def _environment(*, with_identity: bool) -> dict[str, str]:
    """The child's environment: with keys from a Secret, none of the operator's own cloud identity."""
    return {name: value for name, value in os.environ.items() if with_identity or not name.startswith("AWS_")}


def confine() -> None:
    """Called in the child: it dies with its parent, and ends with a MemoryError before it takes all memory."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_DATA, (DATA_LIMIT, DATA_LIMIT))
