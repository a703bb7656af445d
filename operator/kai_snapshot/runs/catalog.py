"""Catalog: the manifests of a capture in its storage."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

from kai_snapshot.api.manifest import Manifest
from kai_snapshot.errors import Reason, SnapshotError
from kai_snapshot.stores import Entry, Store, layout, read

PIECE_BYTES: Final = 1 << 20
MANIFEST_BYTES: Final = 4 << 20
"""Most of it is the configuration, if that was healed."""


def digest(store: Store, key: str) -> tuple[str, int]:
    """SHA-256 and size of what is stored. Raises SnapshotError: ArchiveNotFound and what reading raises."""
    hasher, size = hashlib.sha256(), 0
    with store.open(key) as stream:
        while piece := stream.read(PIECE_BYTES):
            hasher.update(piece)
            size += len(piece)
    return hasher.hexdigest(), size


def manifest(store: Store, key: str) -> Manifest:
    """The manifest at a key. Raises SnapshotError: ArchiveNotFound, InvalidManifest and what reading raises."""
    return Manifest.decode(read(store, key, limit=MANIFEST_BYTES), where=key)


def find(store: Store, folder: layout.CaptureFolder, id_: str) -> Manifest | None:
    """The manifest of a run, or None if there is none. Raises SnapshotError if it cannot be read."""
    try:
        return manifest(store, folder.manifest(id_))
    except SnapshotError as error:
        if error.reason is Reason.ARCHIVE_NOT_FOUND:
            return None
        raise


def beside(store: Store, archive_key: str) -> Manifest | None:
    """The manifest that names this archive, or None if none does. Raises SnapshotError if it cannot be read."""
    parsed = layout.parse(archive_key)
    if parsed is None or parsed.kind != "archive":
        return None
    found = find(store, parsed.folder, parsed.id)
    return found if found is not None and parsed.folder.prefix + found.archive == archive_key else None


def ids(entries: Iterable[Entry]) -> list[str]:
    """The ids of all runs that have a manifest, oldest first."""
    parsed = (layout.parse(entry.key) for entry in entries)
    return sorted(found.id for found in parsed if found is not None and found.kind == "manifest")


def readable(store: Store, folder: layout.CaptureFolder, wanted: Iterable[str]) -> Iterator[Manifest]:
    """The manifests of these runs; one that is gone or cannot be read is passed over and left alone."""
    for id_ in wanted:
        try:
            yield manifest(store, folder.manifest(id_))
        except SnapshotError as error:
            if error.reason not in (Reason.ARCHIVE_NOT_FOUND, Reason.INVALID_MANIFEST, Reason.STORAGE_REFUSED):
                raise
