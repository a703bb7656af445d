"""Resolve: the archive a replay is about, found in its storage and read once to know that it is whole."""

from collections.abc import Iterator
from datetime import datetime

from pydantic import ValidationError

from kai_snapshot.api.ids import is_run_id, run_time
from kai_snapshot.api.manifest import Manifest
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.snapshotcapture import SnapshotCapture
from kai_snapshot.api.snapshotreplay import ArchiveReference, CaptureReference, ResolvedSource, SnapshotReplay
from kai_snapshot.api.storage import Storage
from kai_snapshot.cluster import CAPTURES
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.reconcile.replay import Refused, Waiting
from kai_snapshot.runs import catalog
from kai_snapshot.runs.services import Services, store_for
from kai_snapshot.stores import Store, layout, location

_FINAL = frozenset((Reason.CHECKSUM_MISMATCH, Reason.ARCHIVE_NOT_FOUND, Reason.INVALID_MANIFEST))
"""What waiting does not mend. Wrong keys or a missing bucket may be put right meanwhile."""


def resolve(services: Services, replay: SnapshotReplay) -> ResolvedSource | Waiting | Refused:
    """The archive, or why there is none yet, or never will be."""
    source = replay.spec.source
    try:
        if source.capture_ref is not None:
            return _from_capture(services, replay.metadata.namespace, source.capture_ref)
        assert source.archive is not None
        return _from_archive(services, replay.metadata.namespace, source.archive)
    except SnapshotError as error:
        problem = Problem.of(error)
        return Refused(problem) if error.reason in _FINAL else Waiting(problem)


def _from_capture(services: Services, namespace: str, wanted: CaptureReference) -> ResolvedSource:
    found = services.cluster.get(CAPTURES, namespace, wanted.name)
    if found is None:
        raise _not_yet(f"SnapshotCapture {namespace}/{wanted.name} does not exist yet")
    try:
        capture = SnapshotCapture.model_validate(found)
    except ValidationError as error:
        message = f"SnapshotCapture {namespace}/{wanted.name} cannot be read; see its condition Ready"
        raise TransientError(Reason.INVALID_SPEC, message) from error
    storage = capture.spec.storage
    store = store_for(services, namespace, storage)
    folder = layout.CaptureFolder(namespace, wanted.name)
    manifest = _select(store, folder, wanted, services.cluster_uid)
    if manifest is None:
        raise _not_yet(_nothing_fits(capture, wanted))
    key = folder.prefix + manifest.archive
    return _pinned(store, storage, key, expected=manifest.sha256, manifest=manifest, capture=wanted.name)


def _select(store: Store, folder: layout.CaptureFolder, wanted: CaptureReference, cluster_uid: str) -> Manifest | None:
    if wanted.select == "ID":
        return catalog.find(store, folder, wanted.id or "") if is_run_id(wanted.id or "") else None
    for manifest in _newest_first(store, folder, until=wanted.as_of):
        if manifest.capture.cluster_uid == cluster_uid and (
            wanted.as_of is None or manifest.captured_at <= wanted.as_of
        ):
            return manifest
    return None


def _newest_first(store: Store, folder: layout.CaptureFolder, *, until: datetime | None) -> Iterator[Manifest]:
    found = catalog.ids(store.list(folder.prefix))
    return catalog.readable(store, folder, (id_ for id_ in reversed(found) if until is None or run_time(id_) <= until))


def _nothing_fits(capture: SnapshotCapture, wanted: CaptureReference) -> str:
    what = {
        "Latest": "no archive yet",
        "AsOf": f"no archive of {wanted.as_of} or before",
        "ID": f"no archive with the id {wanted.id}",
    }[wanted.select]
    last = capture.status.history[0] if capture.status.history else None
    failing = f"; its last run failed with {last.reason}" if last is not None and last.outcome == "Failed" else ""
    return f"SnapshotCapture {capture.metadata.namespace}/{wanted.name} has {what}{failing}"


def _from_archive(services: Services, namespace: str, wanted: ArchiveReference) -> ResolvedSource:
    store = store_for(services, namespace, wanted.storage)
    manifest = catalog.beside(store, wanted.key)
    expected = wanted.sha256 or (manifest.sha256 if manifest is not None else None)
    return _pinned(store, wanted.storage, wanted.key, expected=expected, manifest=manifest, capture=None)


def _pinned(
    store: Store, storage: Storage, key: str, *, expected: str | None, manifest: Manifest | None, capture: str | None
) -> ResolvedSource:
    sha256, size = catalog.digest(store, key)
    if expected is not None and sha256 != expected:
        raise TerminalError(
            Reason.CHECKSUM_MISMATCH,
            f"{location(storage, key)} has the SHA-256 {sha256[:16]}…, expected was {expected[:16]}…: "
            "it was changed or damaged after it was stored; replay another archive",
        )
    return ResolvedSource(
        id=manifest.id if manifest is not None else key.rpartition("/")[2][:253],
        capture=capture,
        storage=storage,
        key=key,
        uri=location(storage, key),
        sha256=sha256,
        size_bytes=size,
        captured_at=manifest.captured_at if manifest is not None else None,
        scheduler_version=(manifest.scheduler.version or "") if manifest is not None else "",
        healed=manifest.healed if manifest is not None else False,
    )


def _not_yet(message: str) -> SnapshotError:
    return TransientError(Reason.WAITING_FOR_CAPTURE, message)
