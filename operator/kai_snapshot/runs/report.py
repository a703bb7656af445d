"""The last container of a replay's pod: makes a result of what the engine left, and hands in all that is kept."""

from collections.abc import Awaitable
from itertools import count, takewhile
from pathlib import Path

import orjson

from kai_snapshot.api.result import Outcome, ReplayResult, ResourceUse
from kai_snapshot.api.transfer import Instructions, Profile
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.jobs import names
from kai_snapshot.jobs.times import Times, read_times
from kai_snapshot.runs.outcome import EngineRun, Replayed, result_of
from kai_snapshot.transfer.client import TransferClient

_KILL = 9


async def report(client: TransferClient, work: Path, node_name: str = "") -> ReplayResult | None:
    """Hands in what `work` holds; the result is kept there too. None if fetch left nothing to do.

    That another pod of this Job was first is fine. Raises SnapshotError and OSError.
    """
    if (work / names.SETTLED).exists():
        return None
    result = read_work(work).model_copy(update={"node_name": node_name})
    try:
        result = await _hand_in(client, work, result)
        (work / names.RESULT).write_bytes(orjson.dumps(result.dump()))
        await client.put_result(work / names.RESULT)
    except TerminalError as error:
        if error.reason is not Reason.RESULT_EXISTS:
            raise
    return result


def read_work(work: Path) -> ReplayResult:
    """The result of what fetch and the engine left in `work`."""
    instructions = Instructions.model_validate_json((work / names.INSTRUCTIONS).read_bytes())
    replayed = Replayed(
        engine=instructions.what_runs,
        archive=work / names.ARCHIVE,
        captured=instructions.archive,
        adaptations=tuple(orjson.loads((work / names.ADAPTATIONS).read_bytes())),
        verbosity=instructions.verbosity if instructions.engine == "SnapshotTool" else None,
    )
    prepared_at = (work / names.ADAPTATIONS).stat().st_mtime
    begun = list(takewhile(Path.exists, (work / names.run_directory(run) for run in count(1))))
    runs = [
        _run(directory, limit_seconds=instructions.limit_seconds, prepared_at=prepared_at)
        for directory in begun or [work / names.run_directory(1)]
    ]
    return result_of(replayed, runs, wanted=instructions.repetitions)


def _run(directory: Path, *, limit_seconds: int, prepared_at: float) -> EngineRun:
    times = read_times(_text(directory / names.TIMES))
    log, stdout = directory / names.STDERR, directory / names.STDOUT
    exit_code = _exit_code(times, _text(directory / names.EXIT_CODE))
    if times is None:
        return EngineRun(log=log, stdout=stdout, exit_code=exit_code)
    return EngineRun(
        log=log,
        stdout=stdout,
        exit_code=exit_code,
        deadline_exceeded=times.signal == _KILL and times.elapsed_seconds >= limit_seconds,
        resources=ResourceUse(peak_memory_bytes=times.peak_memory_bytes, cpu_seconds=round(times.cpu_seconds, 2)),
        began_after_seconds=(directory / names.TIMES).stat().st_mtime - times.elapsed_seconds - prepared_at,
    )


def _exit_code(times: Times | None, recorded: str) -> int | None:
    """What the shell recorded; of a tool that a signal ended, busybox' `time` only passes on the signal's number."""
    if times is not None and times.signal is not None:
        return 128 + times.signal
    return int(recorded) if recorded.strip().isdecimal() else None


async def _hand_in(client: TransferClient, work: Path, result: ReplayResult) -> ReplayResult:
    """Log and profiles, as far as there are any; the result says what was too large to be kept."""
    notes = []
    log = work / names.run_directory(result.runs.shown if result.runs is not None else 1) / names.STDERR
    if log.exists() and _tells(result) and (refused := await _refusal(client.put_log(log))):
        notes.append(f"The log was not kept: {refused} Replay with a lower verbosity.")
    for profile in Profile:
        file = work / names.profile(profile)
        if file.exists() and file.stat().st_size > 0 and (refused := await _refusal(client.put_profile(profile, file))):
            notes.append(f"The {profile} profile was not kept: {refused}")
    return result.model_copy(update={"message": " ".join([result.message, *notes]).strip()})


def _tells(result: ReplayResult) -> bool:
    """Whether the log has anything to say: the Simulator's only of failures."""
    return result.engine.name == "SnapshotTool" or result.outcome is not Outcome.SUCCEEDED


async def _refusal(put: Awaitable[None]) -> str:
    """Why it is too large; empty if it is not."""
    try:
        await put
    except TerminalError as error:
        if error.reason is not Reason.TRANSFER_TOO_LARGE:
            raise
        return error.message
    return ""


def _text(file: Path) -> str:
    return file.read_text(errors="replace") if file.exists() else ""
