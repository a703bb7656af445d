"""The last container of a replay's pod: makes a result of what the tool left, hands in the log and then the result."""

from pathlib import Path

import orjson

from kai_snapshot.api.result import ReplayResult, ResourceUse
from kai_snapshot.api.transfer import Instructions
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.jobs import names
from kai_snapshot.jobs.times import Times, read_times
from kai_snapshot.runs.outcome import ToolRun, result_of
from kai_snapshot.transfer.client import TransferClient

_KILL = 9


async def report(client: TransferClient, work: Path) -> ReplayResult:
    """Hands in what `work` holds; the result is kept there too. Raises SnapshotError and OSError.

    That another pod of this Job was first is fine.
    """
    result = read_work(work)
    try:
        if (work / names.STDERR).exists():
            result = await _hand_in_log(client, work / names.STDERR, result)
        (work / names.RESULT).write_bytes(orjson.dumps(result.dump()))
        await client.put_result(work / names.RESULT)
    except TerminalError as error:
        if error.reason is not Reason.RESULT_EXISTS:
            raise
    return result


def read_work(work: Path) -> ReplayResult:
    """The result of what fetch and the tool left in `work`."""
    instructions = Instructions.model_validate_json((work / names.INSTRUCTIONS).read_bytes())
    times = read_times(_text(work / names.TIMES))
    killed = times is not None and times.signal == _KILL
    return result_of(
        ToolRun(
            archive=work / names.ARCHIVE,
            adaptations=tuple(orjson.loads((work / names.ADAPTATIONS).read_bytes())),
            log=work / names.STDERR,
            stdout=work / names.STDOUT,
            exit_code=_exit_code(times, _text(work / names.EXIT_CODE)),
            deadline_exceeded=times is not None and killed and times.elapsed_seconds >= instructions.limit_seconds,
            version=instructions.target_version,
            image=instructions.image,
            resources=ResourceUse(peak_memory_bytes=times.peak_memory_bytes, cpu_seconds=round(times.cpu_seconds, 2))
            if times is not None
            else None,
        )
    )


def _exit_code(times: Times | None, recorded: str) -> int | None:
    """What the shell recorded; of a tool that a signal ended, busybox' `time` only passes on the signal's number."""
    if times is not None and times.signal is not None:
        return 128 + times.signal
    return int(recorded) if recorded.strip().isdecimal() else None


async def _hand_in_log(client: TransferClient, log: Path, result: ReplayResult) -> ReplayResult:
    try:
        await client.put_log(log)
    except TerminalError as error:
        if error.reason is not Reason.TRANSFER_TOO_LARGE:
            raise
        note = f"The log was not kept: {error.message} Replay with a lower verbosity."
        return result.model_copy(update={"message": f"{result.message} {note}".strip()})
    return result


def _text(file: Path) -> str:
    return file.read_text(errors="replace") if file.exists() else ""
