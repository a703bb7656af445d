"""The plan of a replay of many archives: the same bytes for the same plan, and never another than was pinned."""

import hashlib
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot.api.replayplan import PlannedArchive, ReplayPlan
from kai_snapshot.api.snapshotreplay import ResolvedSource
from kai_snapshot.errors import Reason, TerminalError, TransientError
from kai_snapshot.runs.replayplan import Plans, archive_of, encode, load_plan, store_plan
from kai_snapshot.stores import layout
from kai_snapshot.stores.memory import MemoryStore

FOLDER = layout.ReplayFolder("kai-snapshots/hourly/20261122T101500Z/replays/backtest-3d2b7f10/")
SHA256 = "9f2c6b1e0a9d4d7f8c1b2a3948576f5e4d3c2b1a09f8e7d6c5b4a39281706f5e"

archives = st.fixed_dictionaries(
    {
        "id": st.text(min_size=1, max_size=20),
        "key": st.text(min_size=1, max_size=40),
        "sha256": st.just(SHA256),
        "size_bytes": st.integers(0, 2**40),
        "captured_at": st.none() | st.integers(0, 4_000_000_000).map(lambda at: datetime.fromtimestamp(at, UTC)),
        "scheduler_version": st.sampled_from(["", "v0.17.0"]),
        "healed": st.booleans(),
    }
).map(PlannedArchive.model_validate)


class CountingStore(MemoryStore):
    """Counts what is read."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = 0

    def open(self, key: str) -> Any:
        self.opened += 1
        return super().open(key)


def plan(count: int = 3, size: int = 9) -> ReplayPlan:
    return ReplayPlan(
        archives=tuple(
            PlannedArchive(
                id=f"20261122T1{minute:05d}Z",
                key=f"kai-snapshots/hourly/20261122T1{minute:05d}Z-9f2c6b1e.zip",
                sha256=SHA256,
                size_bytes=size,
                scheduler_version="v0.17.0",
            )
            for minute in range(count)
        )
    )


def source(**changes: Any) -> ResolvedSource:
    known = {
        "id": "20261122T101500Z",
        "storage": {"pvc": {"claimName": "archives"}},
        "key": "k.zip",
        "uri": "pvc://archives/k.zip",
        "sha256": SHA256,
        "sizeBytes": 3,
        "capturedAt": "2026-11-22T10:15:00Z",
        "schedulerVersion": "v0.16.3",
        "healed": True,
    }
    return ResolvedSource.model_validate(known | changes)


@given(st.lists(archives, min_size=1, max_size=5))
def test_what_is_stored_is_read_back_and_the_same_plan_has_the_same_digest(found: list[PlannedArchive]) -> None:
    store, wanted = MemoryStore(), ReplayPlan(archives=tuple(found))
    digest = store_plan(store, FOLDER, wanted)
    assert load_plan(store, FOLDER, digest=digest) == wanted
    again = ReplayPlan.model_validate_json(encode(wanted))
    assert store_plan(MemoryStore(), FOLDER, again) == digest


def test_a_thousand_archives_are_a_small_document() -> None:
    assert len(encode(plan(1000))) < 300_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is not in the storage any more"),
        (encode(plan(2)), "was changed in the storage"),
        (b"{", "was changed in the storage"),
    ],
    ids=["gone", "another plan", "garbage"],
)
def test_a_plan_that_is_not_the_one_pinned_is_lost(content: bytes | None, message: str) -> None:
    store = MemoryStore()
    digest = store_plan(store, FOLDER, plan(3))
    if content is None:
        store.delete(FOLDER.plan)
    else:
        store.put(FOLDER.plan, io.BytesIO(content))
    with pytest.raises(TerminalError, match=f"plan.json {message}.*create the replay again") as caught:
        load_plan(store, FOLDER, digest=digest)
    assert caught.value.reason is Reason.PLAN_LOST


def test_a_plan_of_another_release_is_lost() -> None:
    store = MemoryStore()
    content = b'{"schemaVersion": "kai-snapshot.io/replay-plan/v9", "archives": []}'
    store.put(FOLDER.plan, io.BytesIO(content))
    with pytest.raises(TerminalError, match="written by another release") as caught:
        load_plan(store, FOLDER, digest=hashlib.sha256(content).hexdigest())
    assert caught.value.reason is Reason.PLAN_LOST


def test_a_storage_in_trouble_loses_no_plan() -> None:
    class Broken(MemoryStore):
        def open(self, key: str) -> Any:
            raise TransientError(Reason.STORAGE_UNREACHABLE, f"no way to {key}")

    with pytest.raises(TransientError, match="no way"):
        load_plan(Broken(), FOLDER, digest="0" * 64)


class TestPlans:
    def test_a_thousand_requests_read_it_once(self) -> None:
        store, plans = CountingStore(), Plans()
        digest = store_plan(store, FOLDER, plan())
        assert all(plans.load(store, FOLDER, digest=digest) == plan() for _ in range(1000))
        assert store.opened == 1

    def test_only_the_latest_few_are_remembered(self) -> None:
        store, plans = CountingStore(), Plans()
        folders = [layout.ReplayFolder(f"x/replays/{number}/") for number in range(5)]
        digests = [store_plan(store, folder, plan(size=number)) for number, folder in enumerate(folders)]
        for _ in range(2):
            plans.load(store, folders[0], digest=digests[0])
            plans.load(store, folders[1], digest=digests[1])
        assert store.opened == 2
        for folder, digest in list(zip(folders, digests, strict=True))[2:]:
            plans.load(store, folder, digest=digest)
        assert store.opened == 5
        plans.load(store, folders[1], digest=digests[1])
        assert store.opened == 5
        plans.load(store, folders[0], digest=digests[0])
        assert store.opened == 6

    def test_a_plan_that_was_lost_is_looked_for_again(self) -> None:
        store, plans = MemoryStore(), Plans()
        digest = store_plan(MemoryStore(), FOLDER, plan())
        with pytest.raises(TerminalError):
            plans.load(store, FOLDER, digest=digest)
        store_plan(store, FOLDER, plan())
        assert plans.load(store, FOLDER, digest=digest) == plan()

    def test_who_waits_for_one_storage_does_not_hold_up_others(self) -> None:
        reading, goes_on = threading.Event(), threading.Event()

        class Slow(MemoryStore):
            def open(self, key: str) -> Any:
                reading.set()
                assert goes_on.wait(10)
                return super().open(key)

        slow, store, plans = Slow(), MemoryStore(), Plans()
        awaited = store_plan(slow, FOLDER, plan(1))
        digest = store_plan(store, FOLDER, plan(2))
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(plans.load, slow, FOLDER, digest=awaited)
            assert reading.wait(10)
            assert plans.load(store, FOLDER, digest=digest) == plan(2)
            goes_on.set()
            assert first.result() == plan(1)


class TestArchiveOf:
    def test_the_only_archive_is_the_one_pinned(self) -> None:
        only = source()
        assert archive_of(only, None, None) is only

    @pytest.mark.parametrize("archive", [0, 1, 2])
    def test_of_many_it_is_the_one_at_that_position(self, archive: int) -> None:
        assert archive_of(source(), plan(3), archive) == plan(3).archives[archive]

    @pytest.mark.parametrize(
        ("planned", "archive", "message"),
        [
            (plan(3), 3, "3 archives, from 0 on, none of which is archive 3"),
            (plan(3), -1, "none of which is archive -1"),
            (plan(3), None, "not said which"),
            (None, 0, "about one archive"),
        ],
        ids=["past the end", "before the beginning", "none said", "one archive only"],
    )
    def test_no_other_is_given_away(self, planned: ReplayPlan | None, archive: int | None, message: str) -> None:
        with pytest.raises(TerminalError, match=message) as caught:
            archive_of(source(), planned, archive)
        assert caught.value.reason is Reason.TRANSFER_REFUSED
