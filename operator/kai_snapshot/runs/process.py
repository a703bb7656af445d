"""Runs one process to its end or its deadline, with its stderr squeezed into a file as it comes."""

import contextlib
import gzip
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from kai_snapshot.api.result import ResourceUse
from kai_snapshot.errors import Reason, TerminalError

_PIECE: Final = 1 << 16
_MAXRSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    exit_code: int
    """128 and the signal's number if a signal ended it."""
    deadline_exceeded: bool
    """Whether it was stopped because its time was over."""
    resources: ResourceUse


def run_process(
    command: Sequence[str | Path],
    *,
    stop: Sequence[str] | None,
    stdout: Path,
    log: Path,
    limit_seconds: float,
    progress: Callable[[int], None],
) -> Ended:
    """Runs the command; `log` gets its stderr as gzip, `progress` is told how many bytes of it have come.

    `stop` is the command that ends it where a signal to the process itself would not. Raises OSError, and
    TerminalError(ToolNotFound) if it cannot be started. Interrupted, it does not leave the process behind.
    """
    with stdout.open("wb") as out:
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE)
        except OSError as error:
            message = f"{command[0]} cannot be run: {error.strerror}."
            raise TerminalError(Reason.TOOL_NOT_FOUND, message) from error
    over, late = threading.Event(), threading.Event()

    def end() -> None:
        if over.is_set():
            return
        if stop is not None:
            subprocess.run(stop, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)

    def end_late() -> None:
        late.set()
        end()

    timer = threading.Timer(limit_seconds, end_late)
    timer.start()
    try:
        assert process.stderr is not None
        with process.stderr as stderr:
            _squeeze(stderr, log, progress)
    except BaseException:
        end()
        raise
    finally:
        _, status, used = os.wait4(process.pid, 0)
        over.set()
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
    return Ended(
        exit_code=process.returncode if process.returncode >= 0 else 128 - process.returncode,
        deadline_exceeded=late.is_set(),
        resources=ResourceUse(
            peak_memory_bytes=used.ru_maxrss * _MAXRSS_UNIT, cpu_seconds=round(used.ru_utime + used.ru_stime, 2)
        ),
    )


def _squeeze(stream: IO[bytes], log: Path, progress: Callable[[int], None]) -> None:
    with gzip.open(log, "wb", compresslevel=1) as squeezed:
        while piece := os.read(stream.fileno(), _PIECE):
            squeezed.write(piece)
            progress(len(piece))
