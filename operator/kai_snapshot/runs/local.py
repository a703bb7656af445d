"""Replays an archive on a person's machine: with a snapshot-tool binary, or an image through a container engine."""

import gzip
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count, takewhile
from pathlib import Path
from typing import Final

import orjson

from kai_snapshot.api.result import Engine, Outcome, ReplayedArchive, ReplayResult
from kai_snapshot.archive.prepare import Preparation, prepare
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.jobs import names
from kai_snapshot.runs.localtool import ENGINE_FAILED, LAST_WORDS, Binary, Image, Tool
from kai_snapshot.runs.outcome import EngineRun, Replayed, result_of
from kai_snapshot.runs.process import Ended, run_process

_PROFILES: Final = "profiles"
_SIGNALLED: Final = 128
"""Exit codes above it are a signal's."""


@dataclass(frozen=True, kw_only=True)
class LocalReplay:
    """What to replay, and how."""

    archive: Path
    captured: ReplayedArchive
    """What results say it is."""
    preparation: Preparation
    """What is done to the archive; the version is each tool's."""
    verbosity: int
    limit_seconds: float
    """For each run."""
    repetitions: int
    profile: bool
    """Whether the last run is to write the profiles that its version can."""


def replay(request: LocalReplay, tool: Tool, directory: Path, *, progress: Callable[[int], None]) -> ReplayResult:
    """One replay. `directory` gets the archive as the tool saw it, result.json, the stderr.gz and stdout of each run in
    run-1, run-2, ..., and perhaps profiles/cpu.pprof and profiles/memory.pprof. Those of a replay before are removed.

    Raises OSError, and TerminalError: ToolNotFound, or what is wrong with the archive.
    """
    _remove_former(directory)
    engine = Engine(version=tool.version, image=tool.image if isinstance(tool, Image) else None)
    unavailable = tool.pull() if isinstance(tool, Image) else ""
    if unavailable:
        return ReplayResult(
            engine=engine,
            archive=request.captured,
            ran=False,
            outcome=Outcome.IMAGE_PULL_FAILED,
            message=unavailable,
        )
    archive = directory / names.ARCHIVE
    preparation = replace(request.preparation, target_version=tool.version)
    adaptations = prepare(request.archive, archive, preparation, now=datetime.now(UTC))
    runs = _run_all(request, tool, directory, progress)
    replayed = Replayed(
        engine=engine,
        archive=archive,
        captured=request.captured,
        adaptations=tuple(adaptations),
        verbosity=request.verbosity,
    )
    result = result_of(replayed, runs, wanted=request.repetitions)
    (directory / names.RESULT).write_bytes(orjson.dumps(result.dump(), option=orjson.OPT_INDENT_2))
    return result


def _remove_former(directory: Path) -> None:
    """A result and the logs beside it are of one replay."""
    (directory / names.RESULT).unlink(missing_ok=True)
    runs = takewhile(Path.is_dir, (directory / names.run_directory(number) for number in count(1)))
    for former in (*runs, *filter(Path.is_dir, [directory / _PROFILES])):
        shutil.rmtree(former)


def _run_all(request: LocalReplay, tool: Tool, directory: Path, progress: Callable[[int], None]) -> list[EngineRun]:
    """As many runs as wanted; but one that a signal ended would reach its deadline, or run out of memory, again."""
    runs: list[EngineRun] = []
    prepared_at = time.monotonic()
    for number in range(1, request.repetitions + 1):
        began_after_seconds = time.monotonic() - prepared_at
        place = directory / names.run_directory(number)
        place.mkdir(exist_ok=True)
        ended = _run(request, tool, place, progress, last=number == request.repetitions)
        runs.append(
            EngineRun(
                log=place / names.STDERR,
                stdout=place / names.STDOUT,
                exit_code=ended.exit_code,
                deadline_exceeded=ended.deadline_exceeded,
                resources=ended.resources if isinstance(tool, Binary) else None,
                began_after_seconds=began_after_seconds,
            )
        )
        if ended.exit_code > _SIGNALLED:
            break
    return runs


def _run(request: LocalReplay, tool: Tool, place: Path, progress: Callable[[int], None], *, last: bool) -> Ended:
    """One run, whose log and stdout go to the directory `place`."""
    profiles = place.parent / _PROFILES if request.profile and last else None
    if profiles is not None:
        profiles.mkdir(exist_ok=True)
    call = tool.call(place.parent / names.ARCHIVE, verbosity=request.verbosity, profiles=profiles)
    log = place / names.STDERR
    ended = run_process(
        call.command,
        stop=call.stop,
        stdout=place / names.STDOUT,
        log=log,
        limit_seconds=request.limit_seconds,
        progress=progress,
    )
    if isinstance(tool, Image) and ended.exit_code == ENGINE_FAILED:
        said = gzip.decompress(log.read_bytes()).decode(errors="replace").strip()
        raise TerminalError(Reason.TOOL_NOT_FOUND, f"{tool.engine} cannot run {tool.image}: {said[-LAST_WORDS:]}")
    return ended
