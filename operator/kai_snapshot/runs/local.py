"""Replays an archive on a person's machine: with a snapshot-tool binary, or an image through a container engine."""

import gzip
import secrets
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from kai_snapshot.api.result import Engine, Outcome, ReplayResult
from kai_snapshot.archive.prepare import Mode, prepare
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.runs.outcome import ToolRun, result_of
from kai_snapshot.runs.process import Ended, run_process

ENGINES: Final = ("docker", "podman", "nerdctl")
_ENGINE_FAILED: Final = 125
_LAST_WORDS: Final = 500


@dataclass(frozen=True, kw_only=True)
class Binary:
    """A snapshot-tool on this machine."""

    version: str
    """The scheduler's version, as v0.17.0, or any name."""
    path: Path


@dataclass(frozen=True, kw_only=True)
class Image:
    """A snapshot-tool in an image."""

    version: str
    """The scheduler's version, as v0.17.0, or any name."""
    image: str
    engine: str
    """The container engine's command."""


Tool = Binary | Image


@dataclass(frozen=True, kw_only=True)
class LocalReplay:
    """What to replay, and how."""

    archive: Path
    captured_version: str
    """The version that made the archive, empty if unknown."""
    healed_config: dict[str, Any] | None
    """What to put in where the archive says `"config": null`."""
    config: Mode
    verbosity: int
    limit_seconds: float


def find_engine(wanted: str | None) -> str:
    """The container engine: the one wanted, or the first there is. Raises TerminalError(ToolNotFound)."""
    candidates = ENGINES if wanted is None else (wanted,)
    found = next((name for name in candidates if shutil.which(name) is not None), None)
    if found is None:
        raise TerminalError(
            Reason.TOOL_NOT_FOUND,
            f"Images need {' or '.join(candidates)} on the PATH: install one, or give --tool a snapshot-tool binary.",
        )
    return found


def replay(request: LocalReplay, tool: Tool, directory: Path, *, progress: Callable[[int], None]) -> ReplayResult:
    """One replay. `directory` gets the archive as the tool saw it, its stderr.gz and stdout, and result.json.

    Raises OSError, and TerminalError: ToolNotFound, or what is wrong with the archive.
    """
    archive = directory / "snapshot.zip"
    adaptations = prepare(
        request.archive,
        archive,
        mode=request.config,
        healed_config=request.healed_config,
        captured_version=request.captured_version,
        target_version=tool.version,
    )
    unavailable = _pull(tool) if isinstance(tool, Image) else None
    if unavailable is not None:
        return unavailable
    ended = _run(request, tool, directory, progress)
    result = result_of(
        ToolRun(
            archive=archive,
            adaptations=tuple(adaptations),
            log=directory / "stderr.gz",
            stdout=directory / "stdout",
            exit_code=ended.exit_code,
            deadline_exceeded=ended.deadline_exceeded,
            version=tool.version,
            image=tool.image if isinstance(tool, Image) else None,
            resources=ended.resources if isinstance(tool, Binary) else None,
        )
    )
    (directory / "result.json").write_bytes(orjson.dumps(result.dump(), option=orjson.OPT_INDENT_2))
    return result


def _run(request: LocalReplay, tool: Tool, directory: Path, progress: Callable[[int], None]) -> Ended:
    name = f"kai-snapshot-{secrets.token_hex(4)}"
    archive = (directory / "snapshot.zip").resolve()
    command: list[str | Path] = (
        [tool.path.resolve()] if isinstance(tool, Binary) else [*_contained(tool, archive, name)]
    )
    seen_at = archive if isinstance(tool, Binary) else Path("/snapshot.zip")
    ended = run_process(
        [*command, "--filename", seen_at, "--verbosity", str(request.verbosity)],
        stop=[tool.engine, "kill", name] if isinstance(tool, Image) else None,
        stdout=directory / "stdout",
        log=directory / "stderr.gz",
        limit_seconds=request.limit_seconds,
        progress=progress,
    )
    if isinstance(tool, Image) and ended.exit_code == _ENGINE_FAILED:
        said = gzip.decompress((directory / "stderr.gz").read_bytes()).decode(errors="replace").strip()
        raise TerminalError(Reason.TOOL_NOT_FOUND, f"{tool.engine} cannot run {tool.image}: {said[-_LAST_WORDS:]}")
    return ended


def _contained(tool: Image, archive: Path, name: str) -> list[str]:
    """The archive as a file of its own, so that no directory above it has to be open to the image's user."""
    archive.chmod(0o644)
    labels = ["--security-opt", "label=disable"] if tool.engine == "podman" else []  # SELinux, as bind mounts need it
    confined = ["--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", *labels]
    return [
        tool.engine,
        "run",
        "--rm",
        "--name",
        name,
        *confined,
        "--volume",
        f"{archive}:/snapshot.zip:ro",
        tool.image,
    ]


def _pull(tool: Image) -> ReplayResult | None:
    """Makes sure that the image is here; a result if it cannot be had."""
    if subprocess.run([tool.engine, "image", "inspect", tool.image], capture_output=True, check=False).returncode == 0:
        return None
    pulled = subprocess.run([tool.engine, "pull", tool.image], capture_output=True, check=False)
    if pulled.returncode == 0:
        return None
    said = pulled.stderr.decode(errors="replace").strip()[-_LAST_WORDS:]
    return ReplayResult(
        engine=Engine(version=tool.version, image=tool.image),
        outcome=Outcome.IMAGE_PULL_FAILED,
        message=f"{tool.engine} could not pull {tool.image}: {said}",
    )
