"""Resolve: the archive a replay is about, found in its storage and read once to know that it is whole.

Many archives are written down in a plan; each is checked when its turn comes.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from pydantic import ValidationError

from kai_snapshot.api.base import rfc3339
from kai_snapshot.api.ids import is_run_id, run_time
from kai_snapshot.api.manifest import Manifest
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.replayplan import PlannedArchive, ReplayPlan
from kai_snapshot.api.replaysource import MAX_ARCHIVES, ArchiveReference, CaptureReference
from kai_snapshot.api.snapshotcapture import SnapshotCapture
from kai_snapshot.api.snapshotreplay import ResolvedArchives, ResolvedSource, SnapshotReplay
from kai_snapshot.api.storage import Storage
from kai_snapshot.archive.patches import check_patches
from kai_snapshot.cluster import CAPTURES
from kai_snapshot.compatibility import SnapshotFacts
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.reconcile.observed import Found, Refused, Waiting
from kai_snapshot.runs import catalog
from kai_snapshot.runs.replayplan import store_plan
from kai_snapshot.runs.services import Services, store_for
from kai_snapshot.stores import Store, layout, location

_FINAL = frozenset((Reason.CHECKSUM_MISMATCH, Reason.ARCHIVE_NOT_FOUND, Reason.INVALID_MANIFEST, Reason.INVALID_SPEC))
"""What waiting does not mend. Wrong keys or a missing bucket may be put right meanwhile."""


def resolve(services: Services, replay: SnapshotReplay) -> Found | Waiting | Refused:
    """The archive or the plan of many, or why there is none yet, or never will be."""
    source = replay.spec.source
    unreadable = check_patches(replay.spec.prepare.patches)
    if unreadable is not None:
        return Refused(unreadable)
    try:
        if source.capture_ref is not None:
            return _from_capture(services, replay, source.capture_ref)
        assert source.archive is not None
        return _from_archive(services, replay.metadata.namespace, source.archive)
    except SnapshotError as error:
        problem = Problem.of(error)
        final = isinstance(error, TerminalError) and error.reason in _FINAL
        return Refused(problem) if final else Waiting(problem)


def _from_capture(services: Services, replay: SnapshotReplay, wanted: CaptureReference) -> Found:
    namespace = replay.metadata.namespace
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
    if wanted.select in ("Last", "Range"):
        manifests = _several(store, folder, wanted, services.cluster_uid)
        if not manifests:
            raise _not_yet(_nothing_fits(capture, wanted))
        return _planned(store, storage, replay, folder=folder, manifests=manifests)
    manifest = _select(store, folder, wanted, services.cluster_uid)
    if manifest is None:
        raise _not_yet(_nothing_fits(capture, wanted))
    key = folder.prefix + manifest.archive
    return _pinned(store, storage, key, expected=manifest.sha256, manifest=manifest, capture=wanted.name)


def _several(store: Store, folder: layout.CaptureFolder, wanted: CaptureReference, cluster_uid: str) -> list[Manifest]:
    """Those whose archive is there, the newest first."""
    entries = list(store.list(folder.prefix))
    keys = {entry.key for entry in entries}
    ids = [id_ for id_ in reversed(catalog.ids(entries)) if _within(run_time(id_), wanted)]
    if wanted.select == "Range" and len(ids) > MAX_ARCHIVES:
        raise TerminalError(
            Reason.INVALID_SPEC,
            f"from {rfc3339(run_time(ids[-1]))} to {rfc3339(run_time(ids[0]))} there are {len(ids)} archives, and a "
            f"replay can be about {MAX_ARCHIVES}: narrow the range, or make several replays of it",
        )
    ours = (
        manifest
        for manifest in catalog.readable(store, folder, ids)
        if manifest.capture.cluster_uid == cluster_uid and folder.prefix + manifest.archive in keys
    )
    return list(islice(ours, wanted.last))


def _within(moment: datetime, wanted: CaptureReference) -> bool:
    return (wanted.from_ is None or wanted.from_ <= moment) and (wanted.to is None or moment <= wanted.to)


def _planned(
    store: Store,
    storage: Storage,
    replay: SnapshotReplay,
    *,
    folder: layout.CaptureFolder,
    manifests: list[Manifest],
) -> Found:
    plan = ReplayPlan(archives=tuple(_planned_archive(folder, manifest) for manifest in reversed(manifests)))
    first, last = plan.archives[0], plan.archives[-1]
    home = layout.replay_folder(last.key, replay.metadata.name, uid=replay.metadata.uid)
    digest = store_plan(store, home, plan)
    versions = {archive.scheduler_version for archive in plan.archives}
    source = ResolvedSource(
        **last.model_dump(exclude={"scheduler_version"}),
        capture=folder.capture,
        storage=storage,
        uri=location(storage, last.key),
        scheduler_version=versions.pop() if len(versions) == 1 else "",
        archives=ResolvedArchives(
            count=len(plan.archives),
            first=first.id,
            last=last.id,
            digest=digest,
            plan_uri=location(storage, home.plan),
        ),
    )
    newest = {manifest.scheduler.version: manifest for manifest in reversed(manifests)}
    return Found(source, tuple(SnapshotFacts.of_manifest(manifest) for manifest in newest.values()))


def _planned_archive(folder: layout.CaptureFolder, manifest: Manifest) -> PlannedArchive:
    return PlannedArchive(
        id=manifest.id,
        key=folder.prefix + manifest.archive,
        sha256=manifest.sha256,
        size_bytes=manifest.size_bytes,
        captured_at=manifest.captured_at,
        scheduler_version=manifest.scheduler.version or "",
        healed=manifest.healed,
    )


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
        "Last": "no archive yet",
        "Range": f"no archive from {wanted.from_} to {wanted.to}",
    }[wanted.select]
    last = capture.status.history[0] if capture.status.history else None
    failing = f"; its last run failed with {last.reason}" if last is not None and last.outcome == "Failed" else ""
    return f"SnapshotCapture {capture.metadata.namespace}/{wanted.name} has {what}{failing}"


def _from_archive(services: Services, namespace: str, wanted: ArchiveReference) -> Found:
    store = store_for(services, namespace, wanted.storage)
    manifest = catalog.beside(store, wanted.key)
    expected = wanted.sha256 or (manifest.sha256 if manifest is not None else None)
    return _pinned(store, wanted.storage, wanted.key, expected=expected, manifest=manifest, capture=None)


def _pinned(
    store: Store, storage: Storage, key: str, *, expected: str | None, manifest: Manifest | None, capture: str | None
) -> Found:
    sha256, size = catalog.digest(store, key)
    if expected is not None and sha256 != expected:
        raise TerminalError(
            Reason.CHECKSUM_MISMATCH,
            f"{location(storage, key)} has the SHA-256 {sha256[:16]}…, expected was {expected[:16]}…: "
            "it was changed or damaged after it was stored; replay another archive",
        )
    source = ResolvedSource(
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
    return Found(source, (SnapshotFacts.of_manifest(manifest) if manifest is not None else SnapshotFacts(),))


def _not_yet(message: str) -> SnapshotError:
    return TransientError(Reason.WAITING_FOR_CAPTURE, message)
