"""Prune: what retention no longer wants goes, manifest first; then what no manifest speaks for."""

from collections import Counter
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from kai_snapshot import retention
from kai_snapshot.api.manifest import Manifest
from kai_snapshot.api.retention import Retention
from kai_snapshot.api.snapshotcapture import ArchiveTotals
from kai_snapshot.runs import catalog
from kai_snapshot.stores import Entry, Store, layout

BATCH: Final = 20
_ANY_TIME: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Pruned:
    """What was removed, and what is left."""

    archives: int
    totals: ArchiveTotals


def prune(
    store: Store,
    folder: layout.CaptureFolder,
    policy: Retention | None,
    *,
    now: datetime,
    pinned: Callable[[], Container[str]],
    ours: Callable[[Manifest], bool],
) -> Pruned:
    """Removes and counts. `pinned` is asked for ids anew before each batch. Raises SnapshotError of the store."""
    entries = list(store.list(folder.prefix))
    removed = _expire(store, folder, entries, policy, now=now, pinned=pinned, ours=ours) if policy is not None else []
    left = [entry for entry in entries if _run_of(entry) not in removed]
    named = _named_archives(store, folder, left)
    for key in retention.orphans(list(_stored(left)), named, now=now):
        store.delete(key)
    totals = ArchiveTotals(count=len(named), bytes=sum(entry.size for entry in left if entry.key in named))
    return Pruned(archives=len(removed), totals=totals)


def remove_all(store: Store, folder: layout.CaptureFolder, *, ours: Callable[[Manifest], bool]) -> int:
    """Removes all archives of a capture with their replays, and returns how many there were.

    What runs and removals left that were cut short goes too, unless others keep archives there: it may be theirs.
    """
    entries = list(store.list(folder.prefix))
    committed = catalog.ids(entries)
    going = [manifest for manifest in catalog.readable(store, folder, committed) if ours(manifest)]
    for manifest in going:
        _remove(store, folder, manifest.id, entries)
    if len(going) == len(committed):
        store.abort_unfinished(folder.prefix, before=_ANY_TIME)
        for entry in entries:
            if (id_ := _run_of(entry)) is not None and id_ not in committed:
                store.delete(entry.key)
    return len(going)


def _expire(
    store: Store,
    folder: layout.CaptureFolder,
    entries: list[Entry],
    policy: Retention,
    *,
    now: datetime,
    pinned: Callable[[], Container[str]],
    ours: Callable[[Manifest], bool],
) -> list[str]:
    known = list(catalog.readable(store, folder, catalog.ids(entries)))
    going = retention.expired(known, policy, now=now, pinned=pinned(), ours=ours)
    removed: list[str] = []
    for start in range(0, len(going), BATCH):
        kept = pinned()
        for manifest in going[start : start + BATCH]:
            if manifest.id not in kept:
                _remove(store, folder, manifest.id, entries)
                removed.append(manifest.id)
    return removed


def _remove(store: Store, folder: layout.CaptureFolder, id_: str, entries: Iterable[Entry]) -> None:
    """The manifest first: what is left of a removal cut short is an orphan."""
    store.delete(folder.manifest(id_))
    for entry in entries:
        parsed = layout.parse(entry.key)
        if parsed is not None and parsed.id == id_ and parsed.kind != "manifest":
            store.delete(entry.key)


def _named_archives(store: Store, folder: layout.CaptureFolder, entries: list[Entry]) -> set[str]:
    """The archives that manifests name. A manifest is read only where its run has not exactly one archive."""
    committed = set(catalog.ids(entries))
    archives = {
        entry.key: parsed.id
        for entry in entries
        if (parsed := layout.parse(entry.key)) is not None and parsed.kind == "archive" and parsed.id in committed
    }
    count = Counter(archives.values())
    several = [id_ for id_ in sorted(committed) if count[id_] > 1]
    named = {key for key, id_ in archives.items() if count[id_] == 1}
    return named | {folder.prefix + manifest.archive for manifest in catalog.readable(store, folder, several)}


def _stored(entries: Iterable[Entry]) -> Iterable[retention.Stored]:
    for entry in entries:
        parsed = layout.parse(entry.key)
        if parsed is not None:
            yield retention.Stored(entry.key, parsed.id, parsed.kind, entry.modified)


def _run_of(entry: Entry) -> str | None:
    parsed = layout.parse(entry.key)
    return parsed.id if parsed is not None else None
