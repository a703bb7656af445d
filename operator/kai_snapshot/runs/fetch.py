"""The first container of a replay's pod: gets the archive, prepares it, leaves the tool a busybox to run under."""

import asyncio
import shutil
from pathlib import Path

import orjson

from kai_snapshot.archive.prepare import prepare
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.jobs import names
from kai_snapshot.transfer.client import TransferClient


async def fetch(client: TransferClient, work: Path) -> None:
    """Fills the directory `work` with what the tool and report need. Raises SnapshotError and OSError."""
    instructions = await client.instructions()
    (work / names.INSTRUCTIONS).write_bytes(orjson.dumps(instructions.dump()))
    _provide_busybox(work / names.BUSYBOX)
    download = work / names.DOWNLOAD
    await client.archive(download, sha256=instructions.sha256)
    adaptations = await asyncio.to_thread(
        prepare,
        download,
        work / names.ARCHIVE,
        mode=instructions.config,
        healed_config=instructions.healed_config,
        captured_version=instructions.captured_version,
        target_version=instructions.target_version,
    )
    download.unlink()
    (work / names.ADAPTATIONS).write_bytes(orjson.dumps(adaptations))


def _provide_busybox(target: Path) -> None:
    busybox = shutil.which("busybox")
    if busybox is None:
        raise TerminalError(Reason.INTERNAL_ERROR, "the operator's image has no busybox: it must be a static one.")
    shutil.copyfile(busybox, target)
    target.chmod(0o755)
