"""Which archives may go: those a policy no longer wants, and what no manifest speaks for. Pure."""

from collections.abc import Callable, Collection, Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from kai_snapshot.api.manifest import Manifest
from kai_snapshot.api.retention import Retention, duration

ORPHAN_AGE = timedelta(hours=24)
"""How long an archive may wait for its manifest: longer than any run takes."""
LEFT_BEHIND = timedelta(hours=1)
"""How old an upload is that nothing alive can be at: logs of replays go below the same prefix; none takes that long."""


@dataclass(frozen=True)
class Stored:
    """Something that lies in the folder of a capture."""

    key: str
    id: str
    """Of the run it belongs to."""
    kind: Literal["archive", "manifest", "replay", "environment"]
    modified: datetime


def expired(
    manifests: Iterable[Manifest],
    policy: Retention,
    *,
    now: datetime,
    pinned: Container[str],
    ours: Callable[[Manifest], bool],
) -> list[Manifest]:
    """The manifests, oldest first, whose archives the policy no longer wants.

    Only what is `ours` is counted and named; never the newest of it, never an id that is `pinned`. What is of a time to
    come is neither: where a clock was set back, all that is taken from then on is older, and would go at once.
    """
    known = (manifest for manifest in manifests if ours(manifest) and manifest.scheduled_for <= now)
    newest_first = sorted(known, key=_order, reverse=True)
    if not newest_first:
        return []
    kept = _wanted(newest_first, policy)
    if policy.max_age is not None:
        oldest = now - duration(policy.max_age)
        kept = {manifest.id for manifest in newest_first if manifest.id in kept and manifest.scheduled_for >= oldest}
    kept.add(newest_first[0].id)
    return [each for each in reversed(newest_first) if each.id not in kept and each.id not in pinned]


def _order(manifest: Manifest) -> tuple[datetime, str]:
    return manifest.scheduled_for, manifest.id


def _wanted(newest_first: Sequence[Manifest], policy: Retention) -> set[str]:
    rules: list[tuple[int | None, Callable[[Manifest], object]]] = [
        (policy.keep_last, lambda manifest: manifest.id),
        (policy.keep_hourly, lambda manifest: _utc(manifest).strftime("%Y-%m-%d %H")),
        (policy.keep_daily, lambda manifest: _utc(manifest).date()),
        (policy.keep_weekly, lambda manifest: _utc(manifest).isocalendar()[:2]),
        (policy.keep_monthly, lambda manifest: (_utc(manifest).year, _utc(manifest).month)),
    ]
    if all(count is None for count, _ in rules):
        return {manifest.id for manifest in newest_first}
    return set().union(*(_newest_of_each(newest_first, bucket, count) for count, bucket in rules if count is not None))


def _newest_of_each(newest_first: Sequence[Manifest], bucket: Callable[[Manifest], object], count: int) -> set[str]:
    """The ids of the newest manifest in each of the newest `count` buckets that have one."""
    newest: dict[object, str] = {}
    for manifest in newest_first:
        if len(newest) == count and bucket(manifest) not in newest:
            break
        newest.setdefault(bucket(manifest), manifest.id)
    return set(newest.values())


def _utc(manifest: Manifest) -> datetime:
    return manifest.scheduled_for.astimezone(UTC)


def orphans(stored: Sequence[Stored], archives: Collection[str], *, now: datetime) -> list[str]:
    """The keys, sorted, of what runs that died and deletions that were cut short left in the folder of a capture.

    stored: all that lies there. archives: the keys of the archives that its manifests name, as far as they can be read.

    That is an archive no manifest names, once its run has written another or 24 h are over; and a replay or environment
    of a run of which neither manifest nor archive is left. Nothing of a run whose manifest cannot be read.
    """
    committed = {item.id: item.modified for item in stored if item.kind == "manifest"}
    named = set(archives)
    readable = {item.id for item in stored if item.key in named}
    with_archive = {item.id for item in stored if item.kind == "archive"}

    def left_over(item: Stored) -> bool:
        old = now - item.modified >= ORPHAN_AGE
        if item.kind == "archive" and item.key not in named:
            if item.id in committed:
                return item.id in readable and (old or item.modified <= committed[item.id])
            return old
        beside = item.kind in ("replay", "environment")
        return beside and old and item.id not in committed and item.id not in with_archive

    return sorted(item.key for item in stored if left_over(item))
