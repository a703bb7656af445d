"""From what runs of an engine left behind to their result, in a Job and on a person's machine alike."""

import io
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from kai_snapshot import toollog
from kai_snapshot.api.result import Engine, Outcome, ReplayedArchive, ReplayResult, ResourceUse
from kai_snapshot.api.schedulerconfig import configured_actions
from kai_snapshot.archive.prepare import TIMES_MOVED
from kai_snapshot.archive.read import queue_names, read_config
from kai_snapshot.errors import TerminalError
from kai_snapshot.repetition import combine

_NOTABLE_SECONDS: Final = 10
_KILLED: Final = 128 + 9


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """What was run, and on what."""

    engine: Engine
    archive: Path
    """The archive as the engine got it."""
    captured: ReplayedArchive
    """What it was before."""
    adaptations: tuple[str, ...]
    """What was changed in it."""
    verbosity: int | None
    """Of the tool's log; None for the Simulator, which has none."""


@dataclass(frozen=True, kw_only=True)
class EngineRun:
    """A run of the engine that is over."""

    log: Path
    """Its stderr, plain or gzip; the file need not exist."""
    stdout: Path
    """What it printed; the file need not exist."""
    exit_code: int | None
    """128 and the signal's number if a signal ended it; None if unknown."""
    deadline_exceeded: bool = False
    """Whether it was killed because its time was over."""
    resources: ResourceUse | None = None
    began_after_seconds: float | None = None
    """How long after the archive was prepared; None if unknown."""


def result_of(replayed: Replayed, runs: Sequence[EngineRun], *, wanted: int) -> ReplayResult:
    """What came of the runs there were, one or more, of as many as were `wanted`. Raises OSError."""
    read = _reader(replayed)
    result = combine([partial(read, run) for run in runs], wanted=wanted)
    return result.model_copy(
        update={
            "engine": replayed.engine,
            "archive": replayed.captured,
            "verbosity": replayed.verbosity,
            "adaptations": (*replayed.adaptations, *_clock(replayed.adaptations, runs[-1].began_after_seconds)),
        }
    )


def _reader(replayed: Replayed) -> Callable[[EngineRun], ReplayResult]:
    if replayed.engine.name == "Simulator":
        return _read_simulated
    actions, names = _archive_facts(replayed.archive)
    return partial(_read_log, version=replayed.engine.version, actions=actions, names=names)


def _read_simulated(run: EngineRun) -> ReplayResult:
    """The Simulator says what came of it, or was ended before it could."""
    try:
        result = ReplayResult.model_validate_json(run.stdout.read_bytes() if run.stdout.exists() else b"")
    except ValidationError:
        outcome, message = _ended(run)
        result = ReplayResult(engine=Engine(name="Simulator"), outcome=outcome, message=message)
    return result.model_copy(update={"exit_code": run.exit_code, "resources": run.resources})


def _ended(run: EngineRun) -> tuple[Outcome, str]:
    if run.deadline_exceeded:
        return Outcome.DEADLINE_EXCEEDED, "The Simulator was stopped at its deadline."
    if run.exit_code == _KILLED:
        return Outcome.OOM_KILLED, "The Simulator was killed before its deadline: it needs more memory."
    return Outcome.FAILED, f"The Simulator ended with exit code {run.exit_code} and no result; its log says why."


def _read_log(run: EngineRun, *, version: str, actions: list[str] | None, names: toollog.Names) -> ReplayResult:
    with ExitStack() as stack:
        log = stack.enter_context(run.log.open("rb")) if run.log.exists() else io.BytesIO()
        result = toollog.read(
            log,
            stdout=run.stdout.read_bytes() if run.stdout.exists() else None,
            exit_code=run.exit_code,
            configured_actions=actions,
            tool_version=version or None,
            deadline_exceeded=run.deadline_exceeded,
            names=names,
        )
    return result.model_copy(update={"resources": run.resources})


def _clock(adaptations: Sequence[str], began_after_seconds: float | None) -> list[str]:
    """The times in the archive are moved once, and the tool looks at the clock in each run."""
    moved = any(change.startswith(TIMES_MOVED) for change in adaptations)
    if not moved or began_after_seconds is None or began_after_seconds <= _NOTABLE_SECONDS:
        return []
    return [f"clock: the last run began {began_after_seconds:.0f} s after the times were moved"]


def _archive_facts(archive: Path) -> tuple[list[str] | None, toollog.Names]:
    """The actions the archive wants, and names. An archive nobody can read is the tool's to complain about."""
    try:
        config, names = read_config(archive), queue_names(archive)
    except TerminalError:
        return None, toollog.Names()
    actions = None if config is None else configured_actions(config)
    return actions, toollog.Names(queue_of=names.queue_of, queues=names.queues)
