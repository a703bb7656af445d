"""Which archives a location holds, as their manifests say."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from kai_snapshot.api.ids import run_time
from kai_snapshot.api.manifest import Manifest
from kai_snapshot.errors import Reason, SnapshotError, TerminalError
from kai_snapshot.stores.layout import CaptureFolder, parse
from kai_snapshot.stores.store import Store, read

_MANIFEST_LIMIT = 16 << 20
_READERS = 8


@dataclass(frozen=True)
class Archive:
    """A committed archive."""

    folder: CaptureFolder
    manifest: Manifest

    @property
    def key(self) -> str:
        """Key of the archive itself."""
        return self.folder.prefix + self.manifest.archive

    @property
    def manifest_key(self) -> str:
        """Key of its manifest."""
        return self.folder.manifest(self.manifest.id)


@dataclass(frozen=True)
class Catalog:
    """What lies under a prefix."""

    archives: Sequence[Archive]
    """By namespace, capture and id: of one capture, oldest first."""
    unreadable: Sequence[SnapshotError]
    """Why a manifest could not be read, each naming its file."""


def catalog(store: Store, prefix: str = "") -> Catalog:
    """Reads every manifest under `prefix`, several at once. A damaged one spoils nothing but itself."""
    with ThreadPoolExecutor(_READERS) as readers:
        found = list(readers.map(lambda at: _read_or_why(store, *at), _manifests(store, prefix)))
    return Catalog(
        archives=[item for item in found if isinstance(item, Archive)],
        unreadable=[item for item in found if isinstance(item, SnapshotError)],
    )


def newest(store: Store, folder: CaptureFolder, *, as_of: datetime | None = None) -> Archive | None:
    """The newest archive of a capture; with `as_of`, the newest that was captured then or before.

    Raises TerminalError(InvalidManifest) rather than taking an older one for it.
    """
    ids = [id_ for _, id_ in _manifests(store, folder.prefix) if as_of is None or run_time(id_) <= as_of]
    for id_ in reversed(ids):
        archive = _read(store, folder, id_)
        if as_of is None or archive.manifest.captured_at <= as_of:
            return archive
    return None


def find(store: Store, folder: CaptureFolder, id_: str) -> Archive | None:
    """The archive of one run. Raises TerminalError(InvalidManifest)."""
    try:
        return _read(store, folder, id_)
    except TerminalError as error:
        if error.reason is Reason.ARCHIVE_NOT_FOUND:
            return None
        raise


def _manifests(store: Store, prefix: str) -> Iterator[tuple[CaptureFolder, str]]:
    for entry in store.list(prefix):
        parsed = parse(entry.key)
        if parsed is not None and parsed.kind == "manifest":
            yield parsed.folder, parsed.id


def _read(store: Store, folder: CaptureFolder, id_: str) -> Archive:
    key = folder.manifest(id_)
    manifest = Manifest.decode(read(store, key, limit=_MANIFEST_LIMIT), where=key)
    if manifest.id != id_:
        raise TerminalError(
            Reason.INVALID_MANIFEST, f"{key} is the manifest of {manifest.id}: it was renamed. Give it its name again."
        )
    return Archive(folder, manifest)


def _read_or_why(store: Store, folder: CaptureFolder, id_: str) -> Archive | SnapshotError | None:
    try:
        return _read(store, folder, id_)
    except TerminalError as error:
        if error.reason is Reason.ARCHIVE_NOT_FOUND:  # deleted since it was listed
            return None
        if error.reason in (Reason.INVALID_MANIFEST, Reason.STORAGE_REFUSED):
            return error
        raise
