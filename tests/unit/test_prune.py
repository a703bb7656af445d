"""Removing archives: by the policy, manifest first, and never what is not ours or is being read."""

import io
from datetime import UTC, datetime, timedelta

import pytest

from kai_snapshot.api.ids import run_id
from kai_snapshot.api.manifest import CaptureIdentity, Manifest
from kai_snapshot.api.retention import Retention
from kai_snapshot.errors import Reason, TransientError
from kai_snapshot.runs.prune import prune, remove_all
from kai_snapshot.stores import layout
from kai_snapshot.stores.memory import MemoryStore

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
FOLDER = layout.CaptureFolder("kai-snapshots", "hourly")
OURS = CaptureIdentity(cluster_uid="c1", namespace="kai-snapshots", name="hourly")


class Recorder(MemoryStore):
    """A store in memory that notes what is deleted, and may fail."""

    def __init__(self, moment: datetime) -> None:
        super().__init__(clock=lambda: moment)
        self.deleted: list[str] = []
        self.broken_after = 10**6

    def delete(self, key: str) -> None:
        if len(self.deleted) >= self.broken_after:
            raise TransientError(Reason.STORAGE_UNREACHABLE, "gone")
        self.deleted.append(key)
        super().delete(key)


def store_with(count: int, identity: CaptureIdentity = OURS) -> Recorder:
    store = Recorder(NOW - timedelta(hours=1))
    for hours in range(count):
        add(store, NOW - timedelta(hours=hours), identity)
    return store


def add(store: Recorder, moment: datetime, identity: CaptureIdentity = OURS) -> str:
    id_ = run_id(moment)
    manifest = Manifest(
        id=id_,
        archive=layout.archive_name(id_, "ab" * 32),
        capture=identity,
        sha256="ab" * 32,
        size_bytes=3,
        uncompressed_bytes=9,
        scheduled_for=moment,
        captured_at=moment,
        trigger="Schedule",
    )
    store.put(FOLDER.archive(id_, "ab" * 32), io.BytesIO(b"zip"))
    store.put(f"{FOLDER.prefix}{id_}/replays/compare-12345678/0.result.json", io.BytesIO(b"{}"))
    store.put(FOLDER.environment(id_).node("gpu-1"), io.BytesIO(b"kind: Snapshot"))
    store.put(FOLDER.manifest(id_), io.BytesIO(manifest.encode()))
    return id_


def ours(manifest: Manifest) -> bool:
    return manifest.capture == OURS


def ids(store: Recorder) -> list[str]:
    return sorted({found.id for entry in store.list() if (found := layout.parse(entry.key))})


def test_the_policy_is_kept_and_what_is_left_is_counted() -> None:
    store = store_with(5)
    pruned = prune(store, FOLDER, Retention(keep_last=2), now=NOW, pinned=frozenset, ours=ours)
    assert pruned.archives == 3
    assert (pruned.totals.count, pruned.totals.bytes) == (2, 6)
    assert ids(store) == [run_id(NOW - timedelta(hours=1)), run_id(NOW)]


def test_the_manifest_goes_first_and_replays_go_with_the_archive() -> None:
    store = store_with(2)
    prune(store, FOLDER, Retention(keep_last=1), now=NOW, pinned=frozenset, ours=ours)
    assert store.deleted[0].endswith(".json")
    assert any("/replays/" in key for key in store.deleted)


def test_an_archive_that_a_replay_reads_stays_also_if_it_was_pinned_a_moment_ago() -> None:
    store = store_with(4)
    oldest = run_id(NOW - timedelta(hours=3))
    answers = iter([frozenset[str](), frozenset({oldest})])
    pruned = prune(store, FOLDER, Retention(keep_last=1), now=NOW, pinned=lambda: next(answers), ours=ours)
    assert pruned.archives == 2
    assert oldest in ids(store)


def test_what_another_cluster_stored_is_never_touched() -> None:
    store = store_with(3, CaptureIdentity(cluster_uid="c2", namespace="kai-snapshots", name="hourly"))
    pruned = prune(store, FOLDER, Retention(keep_last=1), now=NOW, pinned=frozenset, ours=ours)
    assert (pruned.archives, store.deleted) == (0, [])


def test_without_a_policy_everything_is_kept_and_counted() -> None:
    store = store_with(3)
    pruned = prune(store, FOLDER, None, now=NOW, pinned=frozenset, ours=ours)
    assert (pruned.archives, pruned.totals.count) == (0, 3)


def test_an_archive_whose_run_died_before_its_manifest_goes_when_the_slot_is_captured_again() -> None:
    store = Recorder(NOW - timedelta(minutes=5))
    id_ = run_id(NOW)
    orphan = FOLDER.archive(id_, "cd" * 32)
    store.put(orphan, io.BytesIO(b"half"))
    add(store, NOW)
    pruned = prune(store, FOLDER, None, now=NOW, pinned=frozenset, ours=ours)
    assert store.deleted == [orphan]
    assert pruned.totals.count == 1


def test_a_removal_that_broke_off_leaves_an_orphan_and_no_manifest() -> None:
    store = store_with(2)
    store.broken_after = 1
    with pytest.raises(TransientError):
        prune(store, FOLDER, Retention(keep_last=1), now=NOW, pinned=frozenset, ours=ours)
    kinds = {found.kind for entry in store.list() if (found := layout.parse(entry.key)) and found.id != run_id(NOW)}
    assert kinds == {"archive", "replay", "environment"}
    store.broken_after = 10**6
    for _ in range(2):  # the archive first, then what replays made of it
        prune(store, FOLDER, Retention(keep_last=1), now=NOW + timedelta(hours=25), pinned=frozenset, ours=ours)
    assert ids(store) == [run_id(NOW)]


def test_deleting_a_capture_removes_all_of_its_own_and_nothing_else() -> None:
    store = store_with(3)
    theirs = add(
        store, NOW + timedelta(hours=1), CaptureIdentity(cluster_uid="c2", namespace="kai-snapshots", name="hourly")
    )
    assert remove_all(store, FOLDER, ours=ours) == 3
    assert ids(store) == [theirs]


def test_a_deletion_that_broke_off_is_finished_by_the_next_try() -> None:
    store = store_with(2)
    store.broken_after = 1
    with pytest.raises(TransientError):
        remove_all(store, FOLDER, ours=ours)
    store.broken_after = 10**6
    remove_all(store, FOLDER, ours=ours)
    assert list(store.list()) == []


def test_what_a_run_left_that_was_stopped_goes_with_the_capture() -> None:
    store = store_with(1)
    store.put(FOLDER.archive(run_id(NOW + timedelta(hours=1)), "cd" * 32), io.BytesIO(b"no manifest yet"))
    assert remove_all(store, FOLDER, ours=ours) == 1
    assert list(store.list()) == []


def test_an_archive_without_a_manifest_may_be_the_one_another_cluster_is_storing() -> None:
    store = store_with(1, CaptureIdentity(cluster_uid="c2", namespace="kai-snapshots", name="hourly"))
    storing = FOLDER.archive(run_id(NOW + timedelta(hours=1)), "cd" * 32)
    store.put(storing, io.BytesIO(b"no manifest yet"))
    assert remove_all(store, FOLDER, ours=ours) == 0
    assert store.deleted == []
