"""Assemble: the document that the scheduler would serve, from the API server's lists, into a spool file."""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path

from kai_snapshot.api.manifest import BuiltFromAPI, SchedulerIdentity
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.source import SchedulerSource
from kai_snapshot.archive.check import inspect
from kai_snapshot.archive.write import SMALL, new_archive
from kai_snapshot.archive.zipformat import BUILT_FROM_API
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.runs import spool as spooling
from kai_snapshot.runs.taken import Progress, Taken
from kai_snapshot.source import ApiConnection, Installation, KubernetesApi, assemble, find

logger = logging.getLogger(__name__)


async def take_from_api(
    connection: ApiConnection, scheduler: SchedulerSource, spool: Path, *, progress: Progress | None = None
) -> Taken:
    """Without asking the scheduler.

    Raises SnapshotError: what `source.find` and `source.assemble` raise, SpoolFull, SpoolFailed, ArchiveTooLarge.
    """
    spooling.check_room(spool)
    async with KubernetesApi.connect(connection) as api:
        return await assembled(api, scheduler, spool, progress=progress)


async def instead(
    api: KubernetesApi, scheduler: SchedulerSource, spool: Path, failure: SnapshotError, progress: Progress | None
) -> Taken:
    """In the place of a scheduler that failed so.

    Raises TransientError, whatever it is that fails here too: the scheduler may answer the next time.
    """
    logger.warning("the scheduler's endpoint cannot be had, its document is built: %s", failure.message)
    try:
        return await assembled(api, scheduler, spool, because=Problem.of(failure), progress=progress)
    except SnapshotError as error:
        if error.message == failure.message:  # the API server itself is away
            raise failure from error
        hint = " (manifests/components/fallback)" if error.reason is Reason.FORBIDDEN else ""
        raise TransientError(
            error.reason,
            f"{error.message}{hint} It was to stand in for the scheduler: {failure.reason}: {failure.message}",
        ) from error


async def assembled(
    api: KubernetesApi,
    scheduler: SchedulerSource,
    spool: Path,
    *,
    because: Problem | None = None,
    progress: Progress | None = None,
) -> Taken:
    """The document in a file, checked as one that was served. Raises SnapshotError."""
    installation = await find(api, scheduler)
    captured_at = datetime.now(UTC)
    with spooling.holding(spool), new_archive(spool, level=SMALL) as made:
        made.comment = BUILT_FROM_API

        def guarded(data: bytes) -> None:
            with spooling.holding(spool):
                made.write(data)
                size = spool.stat().st_size
            if size > spooling.LIMIT:
                raise spooling.too_large("The API server's lists make")
            if progress is not None:
                progress(size)

        found = await assemble(api, installation, guarded)
    with spooling.holding(spool):
        inspection = await asyncio.to_thread(inspect, spool)
    if not inspection.valid:
        problem = inspection.problems[0]
        raise TerminalError(problem.reason, f"The API server's lists make no good snapshot. {problem.message}")
    return Taken(
        spool,
        inspection,
        captured_at,
        _identity(installation),
        inspection.kubernetes_version,
        built=BuiltFromAPI(
            because=because,
            resource_versions=found.resource_versions,
            not_installed=tuple(found.not_installed),
        ),
    )


def _identity(installation: Installation) -> SchedulerIdentity:
    return SchedulerIdentity(
        image=installation.image,
        version=installation.version,
        namespace=installation.namespace,
        deployment=installation.deployment,
        shard=installation.shard,
    )
