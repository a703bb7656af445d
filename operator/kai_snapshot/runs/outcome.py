"""From what a run of snapshot-tool left behind to its result, in a Job and on a person's machine alike."""

import io
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from kai_snapshot import toollog
from kai_snapshot.api.result import Engine, ReplayResult, ResourceUse
from kai_snapshot.archive.config import configured_actions
from kai_snapshot.archive.read import queue_names, read_config
from kai_snapshot.errors import TerminalError


@dataclass(frozen=True, kw_only=True)
class ToolRun:
    """A run of the tool that is over."""

    archive: Path
    """The archive as the tool got it."""
    adaptations: tuple[str, ...]
    """What was changed in it before."""
    log: Path
    """The tool's stderr, plain or gzip; the file need not exist."""
    stdout: Path
    """What it printed; the file need not exist."""
    exit_code: int | None
    """128 and the signal's number if a signal ended it; None if unknown."""
    deadline_exceeded: bool
    """Whether it was killed because its time was over."""
    version: str
    """The scheduler's version, empty if unknown."""
    image: str | None
    resources: ResourceUse | None


def result_of(run: ToolRun) -> ReplayResult:
    """What came of a run. Raises OSError."""
    actions, names = _archive_facts(run.archive)
    with ExitStack() as stack:
        log = stack.enter_context(run.log.open("rb")) if run.log.exists() else io.BytesIO()
        result = toollog.read(
            log,
            stdout=run.stdout.read_bytes() if run.stdout.exists() else None,
            exit_code=run.exit_code,
            configured_actions=actions,
            tool_version=run.version or None,
            deadline_exceeded=run.deadline_exceeded,
            names=names,
        )
    return result.model_copy(
        update={
            "engine": Engine(version=run.version, image=run.image),
            "resources": run.resources,
            "adaptations": run.adaptations,
        }
    )


def _archive_facts(archive: Path) -> tuple[list[str] | None, toollog.Names]:
    """The actions the archive wants, and names. An archive nobody can read is the tool's to complain about."""
    try:
        config, names = read_config(archive), queue_names(archive)
    except TerminalError:
        return None, toollog.Names()
    actions = None if config is None else configured_actions(config)
    return actions, toollog.Names(queue_of=names.queue_of, queues=names.queues)
