"""Capture: take a snapshot and keep it. The archive is stored first; its manifest is the commit."""

import asyncio
import io
from datetime import UTC, datetime
from pathlib import Path

from kai_snapshot.api.manifest import CaptureIdentity, Manifest, Redaction, Trigger
from kai_snapshot.errors import Reason, SnapshotError, TerminalError
from kai_snapshot.retention import LEFT_BEHIND
from kai_snapshot.runs import catalog
from kai_snapshot.runs.request import CaptureAnswer, CaptureRequest
from kai_snapshot.runs.take import take
from kai_snapshot.runs.taken import Progress, Taken
from kai_snapshot.source import ApiConnection, KubernetesApi
from kai_snapshot.stores import Store, layout, location, open_store


def capture(request: CaptureRequest, *, progress: Progress | None = None) -> CaptureAnswer:
    """One try of a run. A run that has its manifest is over: it is reported, and nothing is captured.

    Raises SnapshotError.
    """
    store = open_store(
        request.storage,
        credentials=request.keys,
        ca=request.ca.encode() if request.ca is not None else None,
        claims_root=request.claims_dir,
    )
    folder = layout.CaptureFolder(request.namespace, request.name)
    identity = asyncio.run(identify(request.connection, request.namespace, request.name))
    check_ours(store, folder, identity)
    if (done := catalog.find(store, folder, request.id)) is not None:
        return _answer(request, folder, done)
    _clear_away(store, folder, request.id, datetime.now(UTC))
    redacting = None
    if request.redaction is not None:
        from kai_snapshot.runs.redacting import Redacting  # noqa: PLC0415 - all other runs start sooner without it

        redacting = Redacting.of(request, request.redaction, identity)
    spool = request.spool_dir / "snapshot.zip"
    taken = asyncio.run(take(request.connection, request.source, spool, progress=progress))
    key_id = None
    if redacting is not None:
        taken, key_id = redacting.redact(taken, request, folder), redacting.key.id
    manifest = describe(identity, taken, request.id, request.scheduled_for, request.trigger, key_id=key_id)
    return _answer(request, folder, commit(store, folder, taken.path, manifest))


def _clear_away(store: Store, folder: layout.CaptureFolder, id_: str, now: datetime) -> None:
    """What a try that was killed left half uploaded: of this run, and of others if nothing alive can be at it."""
    store.abort_unfinished(f"{folder.prefix}{id_}-", before=now)
    store.abort_unfinished(folder.prefix, before=now - LEFT_BEHIND)


def commit(store: Store, folder: layout.CaptureFolder, archive: Path, manifest: Manifest) -> Manifest:
    """Stores the archive and then its manifest, which says when that was."""
    store.put(folder.prefix + manifest.archive, archive)
    completed = manifest.model_copy(update={"completed_at": datetime.now(UTC)})
    store.put(folder.manifest(manifest.id), io.BytesIO(completed.encode()))
    return completed


def describe(
    identity: CaptureIdentity,
    taken: Taken,
    id_: str,
    scheduled_for: datetime,
    trigger: Trigger,
    *,
    key_id: str | None = None,
) -> Manifest:
    """What the snapshot itself does not say. `key_id` is that of its redaction."""
    inspection = taken.inspection
    return Manifest(
        id=id_,
        archive=layout.archive_name(id_, inspection.sha256),
        capture=identity,
        sha256=inspection.sha256,
        size_bytes=inspection.size_bytes,
        uncompressed_bytes=inspection.uncompressed_bytes,
        object_counts=inspection.object_counts,
        scheduler=taken.scheduler,
        kubernetes_version=taken.kubernetes_version,
        scheduled_for=scheduled_for,
        captured_at=taken.captured_at,
        trigger=trigger,
        healed=taken.config is not None,
        config=taken.config,
        built_from_api=taken.built,
        redaction=Redaction(key_id=key_id) if key_id is not None else None,
    )


async def identify(connection: ApiConnection, namespace: str, name: str) -> CaptureIdentity:
    """Who captures: a name in a cluster. Raises SnapshotError."""
    async with KubernetesApi.connect(connection) as api:
        return CaptureIdentity(cluster_uid=await api.cluster_uid(), namespace=namespace, name=name)


def check_ours(store: Store, folder: layout.CaptureFolder, identity: CaptureIdentity) -> None:
    """A location belongs to one capture of one cluster; made again from Git under its name, it keeps its archives.

    Raises TerminalError: KeyTaken.
    """
    newest_first = reversed(catalog.ids(store.list(folder.prefix)))
    newest = next(catalog.readable(store, folder, newest_first), None)
    if newest is not None and newest.capture != identity:
        theirs = newest.capture
        raise TerminalError(
            Reason.KEY_TAKEN,
            f"{folder.prefix} holds archives of the capture {theirs.namespace}/{theirs.name} of the cluster "
            f"{theirs.cluster_uid or '(unknown)'}: give this capture another prefix, subPath or name.",
        )


def _answer(request: CaptureRequest, folder: layout.CaptureFolder, manifest: Manifest) -> CaptureAnswer:
    return CaptureAnswer(manifest=manifest, uri=location(request.storage, folder.prefix + manifest.archive))


def answer(request: CaptureRequest) -> CaptureAnswer:
    """One try of a run, with its failure as an answer."""
    try:
        return capture(request)
    except SnapshotError as error:
        return CaptureAnswer.of(error)
    except MemoryError:
        message = (
            "the capturing process reached its memory limit; this is a fault: please report the size of the snapshot"
        )
        return CaptureAnswer.of(TerminalError(Reason.OUT_OF_MEMORY, message))
