"""Take: one whole snapshot from the scheduler into a spool file, checked while it comes in."""

import asyncio
import logging
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from kai_snapshot import kaiversions
from kai_snapshot.api.inspection import Inspection
from kai_snapshot.api.manifest import SchedulerIdentity
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.source import Source
from kai_snapshot.archive.check import Checker
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.runs.spool import LIMIT, REASONS, check_room, holding, too_large
from kai_snapshot.runs.taken import Progress, Taken
from kai_snapshot.source import ApiConnection, KubernetesApi, Target, download, download_url, read_config, resolve

CONFIG_NULL_TRIES: Final = 6
CONFIG_NULL_PAUSE_SECONDS: Final = 0.6
"""Less than a scheduling cycle, which is a second: between two cycles v0.16.0 to v0.16.4 say `"config": null`."""
_MAY_COME_RIGHT: Final = frozenset((Reason.INVALID_JSON, Reason.INVALID_ARCHIVE, Reason.INCOMPLETE_SNAPSHOT))
"""From v0.15 on, an error in the middle of the answer looks like this."""

logger = logging.getLogger(__name__)


async def take(connection: ApiConnection, source: Source, spool: Path, *, progress: Progress | None = None) -> Taken:
    """From the leader of a shard, through the API server; if that fails, as the source says, from the API server.

    The fallback steps in for what may heal by itself, at once: it is now that counts. What a person must mend - a name,
    a right, a plugin that is off - stays an error.
    Raises SnapshotError: what `source.resolve` and `source.download` raise, what is wrong with the archive, SpoolFull,
    SpoolFailed.
    """
    check_room(spool)
    async with KubernetesApi.connect(connection) as api:
        try:
            return await _ask(api, source, spool, progress)
        except TransientError as error:
            if source.fallback is None or error.reason in REASONS:
                raise
            from kai_snapshot.runs.assemble import instead  # noqa: PLC0415 - seldom needed, and takes time to load

            return await instead(api, source.scheduler, spool, error, progress)


async def _ask(api: KubernetesApi, source: Source, spool: Path, progress: Progress | None) -> Taken:
    """`"config": null` is asked for again; if it stays, the configuration is read from the shard's ConfigMap."""
    for attempt in range(CONFIG_NULL_TRIES):
        if attempt > 0:
            await asyncio.sleep(CONFIG_NULL_PAUSE_SECONDS)
        target = await resolve(api, source.scheduler, now=datetime.now(UTC))
        _warn(target)
        with _Spool(spool, progress, asked=f"Pod {target.namespace}/{target.pod}") as sink:
            captured_at = datetime.now(UTC)
            await download(api, target, silence_seconds=source.timeout_seconds, sink=sink.write)
        inspection = sink.finish()
        version = inspection.kubernetes_version or await api.server_version()
        if inspection.valid:
            return Taken(spool, inspection, captured_at, _identity(target), version)
        problem = inspection.problems[0]
        if problem.reason is not Reason.CONFIG_NULL:
            raise sink.refusal(problem)
    config = await read_config(api, target.namespace, target.config_map)
    if config is None:
        raise _never_configured(target)
    return Taken(spool, inspection, captured_at, _identity(target), version, config)


async def take_url(url: str, spool: Path, *, silence_seconds: float, progress: Progress | None = None) -> Taken:
    """From a URL. Raises SnapshotError."""
    check_room(spool)
    with _Spool(spool, progress, asked=url) as sink:
        captured_at = datetime.now(UTC)
        await download_url(url, silence_seconds=silence_seconds, sink=sink.write)
    inspection = sink.finish()
    if not inspection.valid:
        raise sink.refusal(inspection.problems[0])
    return Taken(spool, inspection, captured_at, kubernetes_version=inspection.kubernetes_version)


def _identity(target: Target) -> SchedulerIdentity:
    return SchedulerIdentity(
        image=target.image,
        version=target.version,
        namespace=target.namespace,
        deployment=target.deployment,
        pod=target.pod,
        shard=target.shard,
    )


def _warn(target: Target) -> None:
    if kaiversions.buffers_document(target.version):
        logger.warning(
            "%s/%s is KAI %s, which builds the document in memory, about three times its size: in a large cluster "
            "watch its memory limit, or upgrade to v0.15 or later",
            target.namespace,
            target.pod,
            target.version,
        )


def _never_configured(target: Target) -> SnapshotError:
    lacks = "it mounts no ConfigMap to read the configuration from"
    if target.config_map is not None:
        lacks = f"its ConfigMap {target.namespace}/{target.config_map} has no config.yaml that can be put in its place"
    return TerminalError(
        Reason.CONFIG_NULL,
        f'Pod {target.namespace}/{target.pod} said `"config": null` {CONFIG_NULL_TRIES} times, and {lacks}: '
        "upgrade KAI to v0.16.5 or later, or mend that.",
    )


class _Spool:
    """The file the archive is held in, and its check. What follows after it is known to be bad is not waited for."""

    def __init__(self, path: Path, progress: Progress | None, *, asked: str) -> None:
        self._path = path
        self._asked = asked
        self._progress = progress
        self._checker = Checker()
        self._stack = ExitStack()
        self._file: BinaryIO

    def __enter__(self) -> "_Spool":
        with holding(self._path):
            self._file = self._stack.enter_context(self._path.open("wb"))
        return self

    def __exit__(self, *_: object) -> None:
        with holding(self._path):
            self._stack.close()

    def write(self, data: bytes) -> None:
        """Takes the next piece. Raises SnapshotError as soon as the archive cannot become good."""
        self._checker.feed(data)
        if self._checker.failed:
            raise self.refusal(self._checker.finish().problems[0])
        if self._checker.size_bytes > LIMIT:
            raise too_large(f"{self._asked} served")
        with holding(self._path):
            self._file.write(data)
        if self._progress is not None:
            self._progress(self._checker.size_bytes)

    def refusal(self, problem: Problem) -> SnapshotError:
        """What is wrong with the archive, and who served it."""
        kind = TransientError if problem.reason in _MAY_COME_RIGHT else TerminalError
        return kind(problem.reason, f"{self._asked} served no good snapshot. {problem.message}")

    def finish(self) -> Inspection:
        """The finding; the archive has no more bytes."""
        return self._checker.finish()
