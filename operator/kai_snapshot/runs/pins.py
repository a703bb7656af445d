"""Pins: the archives of a capture that replays and its environment still need, which retention leaves alone."""

from collections.abc import Container, Iterable
from dataclasses import dataclass

from kai_snapshot.api.storage import Storage
from kai_snapshot.cluster import Object
from kai_snapshot.stores import layout, location


@dataclass(frozen=True)
class Pins(Container[str]):
    """Ids of runs: from the first to the last that something needs, for they sort by time."""

    ranges: tuple[tuple[str, str], ...]

    def __contains__(self, id_: object) -> bool:
        return isinstance(id_, str) and any(first <= id_ <= last for first, last in self.ranges)


def pins(
    replays: Iterable[Object], storage: Storage, folder: layout.CaptureFolder, *, also: Iterable[str] = ()
) -> Pins:
    """What those of the replays read from this folder that are not over, by whatever way they name it.

    also: ids of runs that are needed besides.
    """
    here = location(storage, folder.prefix)
    ranges = [(id_, id_) for id_ in also]
    for status in (replay.get("status", {}) for replay in replays):
        source = status.get("resolvedSource", {})
        uri = source.get("uri", "")
        if status.get("completionTime") or not uri.startswith(here):
            continue
        newest = layout.parse(folder.prefix + uri.removeprefix(here))
        if newest is not None:
            ranges.append((source.get("archives", {}).get("first", newest.id), newest.id))
    return Pins(tuple(ranges))
