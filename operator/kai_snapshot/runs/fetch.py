"""The first container of a replay's pod: gets the archive, prepares it, leaves the tool a busybox to run under."""

import asyncio
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from kai_snapshot.api.problem import Problem
from kai_snapshot.api.result import ReplayResult
from kai_snapshot.api.transfer import Instructions
from kai_snapshot.archive.prepare import Preparation, prepare
from kai_snapshot.errors import ARCHIVE_REASONS, Reason, TerminalError
from kai_snapshot.jobs import names
from kai_snapshot.jobs.pods import hopeless
from kai_snapshot.transfer.client import TransferClient

_RESULTS: Final = ARCHIVE_REASONS | {Reason.ARCHIVE_NOT_FOUND, Reason.CHECKSUM_MISMATCH, Reason.PATCH_FAILED}
"""What is wrong with the archive itself or with a patch, and so is the same each time."""


async def fetch(client: TransferClient, work: Path) -> None:
    """Fills the directory `work` with what the tool and report need. Raises SnapshotError and OSError.

    That the archive is gone, is another, or cannot be prepared is a result, handed in from here: it is never replayed
    again. With a result, of this pod or one before, nothing is left to run: that is marked in `work`.
    """
    _provide_busybox(work / names.BUSYBOX)
    try:
        instructions = await client.instructions()
        (work / names.INSTRUCTIONS).write_bytes(orjson.dumps(instructions.dump()))
        try:
            await _get(client, work, instructions)
        except TerminalError as error:
            if error.reason not in _RESULTS:
                raise
            await _hand_in(client, work, instructions, error)
        else:
            return
    except TerminalError as error:
        if error.reason is not Reason.RESULT_EXISTS:
            raise
    (work / names.SETTLED).touch()


async def _get(client: TransferClient, work: Path, instructions: Instructions) -> None:
    download = work / names.DOWNLOAD
    await client.archive(download, sha256=instructions.sha256)
    wanted = Preparation(
        config=instructions.prepare.config,
        # the Simulator is told what time it is instead
        clock="Verbatim" if instructions.engine == "Simulator" else instructions.prepare.clock,
        patches=instructions.prepare.patches,
        healed_config=instructions.healed_config,
        captured_version=instructions.captured_version,
        captured_at=instructions.captured_at,
        target_version=instructions.target_version,
    )
    adaptations = await asyncio.to_thread(prepare, download, work / names.ARCHIVE, wanted, now=datetime.now(UTC))
    download.unlink()
    (work / names.ADAPTATIONS).write_bytes(orjson.dumps(adaptations))


async def _hand_in(client: TransferClient, work: Path, instructions: Instructions, error: TerminalError) -> None:
    found = hopeless(Problem.of(error))
    result = ReplayResult(
        engine=instructions.what_runs,
        archive=instructions.archive,
        ran=False,
        outcome=found.outcome,
        message=found.message,
    )
    (work / names.RESULT).write_bytes(orjson.dumps(result.dump()))
    await client.put_result(work / names.RESULT)


def _provide_busybox(target: Path) -> None:
    busybox = shutil.which("busybox")
    if busybox is None:
        raise TerminalError(Reason.INTERNAL_ERROR, "the operator's image has no busybox: it must be a static one.")
    shutil.copyfile(busybox, target)
    target.chmod(0o755)
