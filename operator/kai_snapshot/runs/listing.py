"""Listing: which archives a location holds, whoever's they are."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from kai_snapshot.api.manifest import Manifest
from kai_snapshot.errors import Reason, SnapshotError, TerminalError
from kai_snapshot.runs import catalog
from kai_snapshot.stores import Store, layout

READERS: Final = 8


@dataclass(frozen=True)
class Archive:
    """An archive with its manifest."""

    key: str
    manifest: Manifest


@dataclass(frozen=True)
class Listing:
    """What lies there."""

    archives: Sequence[Archive]
    """By namespace, capture and id: of one capture, oldest first."""
    unreadable: Sequence[SnapshotError]
    """Why a manifest could not be read, each naming its file."""


NONE: Final = Listing((), ())


def listing(
    store: Store,
    folder: layout.CaptureFolder | None = None,
    *,
    known: Mapping[tuple[layout.CaptureFolder, str], Archive] | None = None,
) -> Listing:
    """Reads every manifest of a capture, or of all, several at once. A damaged one spoils nothing but itself.

    `known`: those read before, by capture and id; they do not change.
    """
    before = known or {}
    with ThreadPoolExecutor(READERS) as readers:
        found = list(readers.map(lambda at: before.get(at) or _read_or_why(store, *at), _manifests(store, folder)))
    return Listing(
        archives=[item for item in found if isinstance(item, Archive)],
        unreadable=[item for item in found if isinstance(item, SnapshotError)],
    )


def choose(store: Store, wanted: str, folder: layout.CaptureFolder | None = None) -> tuple[str, Manifest | None]:
    """Key and, where there is one, manifest of the archive that `wanted` names: a key, a run's id, or `latest`.

    Raises TerminalError: ArchiveNotFound; InvalidSpec if an id or `latest` fits several captures and `folder` is None.
    """
    if "/" in wanted or wanted.endswith(".zip"):
        return wanted, catalog.beside(store, wanted)
    candidates = [
        (where, id_) for where, id_ in _manifests(store, folder) if wanted in ("latest", id_)
    ]  # by capture, oldest first
    if not candidates:
        raise TerminalError(Reason.ARCHIVE_NOT_FOUND, f"There is no archive {wanted!r} there: see `kai-snapshot list`.")
    captures = {where for where, _ in candidates}
    if len(captures) > 1:
        names = ", ".join(sorted(f"{where.namespace}/{where.capture}" for where in captures)[:5])
        raise TerminalError(Reason.INVALID_SPEC, f"{wanted!r} fits several captures ({names}): name one.")
    where, id_ = candidates[-1]
    manifest = catalog.manifest(store, where.manifest(id_))
    return where.prefix + manifest.archive, manifest


def newest(store: Store, folder: layout.CaptureFolder | None = None) -> tuple[str, Manifest]:
    """Key and manifest of the newest archive of a capture, or of all.

    Raises TerminalError: ArchiveNotFound; and what reading the manifest raises.
    """
    found = max(_manifests(store, folder), key=lambda at: at[1], default=None)
    if found is None:
        raise TerminalError(Reason.ARCHIVE_NOT_FOUND, "There is no archive there yet: see `kai-snapshot list`.")
    where, id_ = found
    manifest = catalog.manifest(store, where.manifest(id_))
    return where.prefix + manifest.archive, manifest


def _manifests(store: Store, folder: layout.CaptureFolder | None) -> Iterator[tuple[layout.CaptureFolder, str]]:
    for entry in store.list(folder.prefix if folder is not None else ""):
        parsed = layout.parse(entry.key)
        if parsed is not None and parsed.kind == "manifest":
            yield parsed.folder, parsed.id


def _read_or_why(store: Store, folder: layout.CaptureFolder, id_: str) -> Archive | SnapshotError | None:
    try:
        manifest = catalog.manifest(store, folder.manifest(id_))
    except TerminalError as error:
        if error.reason is Reason.ARCHIVE_NOT_FOUND:  # deleted since it was listed
            return None
        if error.reason in (Reason.INVALID_MANIFEST, Reason.STORAGE_REFUSED):
            return error
        raise
    return Archive(folder.prefix + manifest.archive, manifest)
