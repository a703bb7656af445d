"""Replays of archives that are looked at."""

import io
from datetime import timedelta

import pytest

from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.runs.look import Stored
from kai_snapshot.runs.replays import Replay, ReplayName, StoredReplays
from kai_snapshot.stores import layout
from kai_snapshot.stores.memory import MemoryStore
from support.replayed import NAME, VERSIONS, backtested, replayed
from support.results import recorded
from support.stored import FIRST, keep

CASE = "10-gang+running"
OTHER = "11-gang+running+overq"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def key(store: MemoryStore) -> str:
    return keep(store, "10", FIRST)


def outcomes(replay: Replay) -> dict[str, str]:
    return {each.name: each.outcome for each in replay.comparison.versions}


class TestOfOneArchive:
    def test_it_is_found_beside_its_archive(self, store: MemoryStore, key: str) -> None:
        later = keep(store, "11", FIRST + timedelta(hours=1))
        replayed(store, key, CASE)
        assert StoredReplays(store).names([key, later]) == {key: [ReplayName(NAME, versions=2)]}

    def test_one_that_has_no_result_yet_is_not_there(self, store: MemoryStore, key: str) -> None:
        folder = layout.replay_folder(key, "upgrade", uid="1a2b3c4d")
        store.put(folder.log(0, 1), io.BytesIO(b""))
        assert StoredReplays(store).names([key]) == {}

    def test_until_it_is_compared_versions_are_called_as_they_say(self, store: MemoryStore, key: str) -> None:
        replayed(store, key, CASE)
        replay = StoredReplays(store).replay(key, NAME)
        assert outcomes(replay) == dict.fromkeys(VERSIONS, "Succeeded")
        assert replay.comparison.baseline == VERSIONS[0]
        counts = replay.versions[1].counts
        result = recorded(CASE, VERSIONS[1])
        assert (counts.placements, counts.evictions) == (len(result.placements), len(result.evictions))

    def test_versions_of_one_name_are_told_apart(self, store: MemoryStore, key: str) -> None:
        folder = layout.replay_folder(key, "same", uid="1a2b3c4d")
        for index in range(2):
            content = recorded(CASE, "v0.17.0").model_dump_json(by_alias=True)
            store.put(folder.result(index), io.BytesIO(content.encode()))
        replay = StoredReplays(store).replay(key, "same-1a2b3c4d")
        assert [each.name for each in replay.versions] == ["v0.17.0", "v0.17.0 (2)"]

    def test_compared_they_are_called_as_the_replay_calls_them(self, store: MemoryStore, key: str) -> None:
        replayed(store, key, CASE, names=["AsCaptured", "main", "lost"])
        replays = StoredReplays(store)
        replay = replays.replay(key, NAME)
        assert outcomes(replay) == {"AsCaptured": "Succeeded", "main": "Succeeded", "lost": "ImagePullFailed"}
        assert [each.name for each in replay.versions] == ["AsCaptured", "main"]
        assert len(replays.result(key, NAME, "main").placements) == len(recorded(CASE, VERSIONS[1]).placements)

    def test_what_was_read_once_is_not_read_again(self, store: MemoryStore, key: str) -> None:
        replayed(store, key, CASE)
        replays = StoredReplays(store)
        assert replays.replay(key, NAME) is replays.replay(key, NAME)

    def test_a_version_that_ends_later_is_seen(self, store: MemoryStore, key: str) -> None:
        replayed(store, key, CASE)
        replays = StoredReplays(store)
        first = replays.replay(key, NAME)
        replayed(store, key, CASE, names=["a", "b"])
        assert list(outcomes(first)) == list(VERSIONS)
        assert list(outcomes(replays.replay(key, NAME))) == ["a", "b"]

    @pytest.mark.parametrize("name", ["", "upgrade", "../upgrade-1a2b3c4d", "simulated", "x" * 3000])
    def test_what_is_no_replay_is_not_found(self, store: MemoryStore, key: str, name: str) -> None:
        replayed(store, key, CASE)
        with pytest.raises(TerminalError) as failed:
            StoredReplays(store).replay(key, name)
        assert failed.value.reason is Reason.PAGE_NOT_FOUND

    def test_a_version_that_there_is_not_is_not_found(self, store: MemoryStore, key: str) -> None:
        replayed(store, key, CASE)
        with pytest.raises(TerminalError, match="v9"):
            StoredReplays(store).result(key, NAME, "v9")

    def test_a_result_that_was_damaged_is_said(self, store: MemoryStore, key: str) -> None:
        folder = layout.replay_folder(key, "upgrade", uid="1a2b3c4d")
        store.put(folder.result(0), io.BytesIO(b"{}"))
        with pytest.raises(TerminalError) as failed:
            StoredReplays(store).replay(key, NAME)
        assert failed.value.reason is Reason.INVALID_RESULT


class TestOfManyArchives:
    @pytest.fixture
    def keys(self, store: MemoryStore, key: str) -> list[str]:
        return [key, keep(store, "11", FIRST + timedelta(hours=1))]

    def test_it_is_found_with_each_of_them(self, store: MemoryStore, keys: list[str]) -> None:
        backtested(store, dict(zip(keys, (CASE, OTHER), strict=True)))
        name = ReplayName("backtest-1a2b3c4d", versions=2, archives=2)
        assert StoredReplays(store).names(keys) == {each: [name] for each in keys}

    def test_of_each_it_has_that_ones_results(self, store: MemoryStore, keys: list[str]) -> None:
        backtested(store, dict(zip(keys, (CASE, OTHER), strict=True)))
        replays = StoredReplays(store)
        for each, case in zip(keys, (CASE, OTHER), strict=True):
            replay = replays.replay(each, "backtest-1a2b3c4d")
            assert outcomes(replay) == {"old": "Succeeded", "new": "Succeeded"}
            assert replay.versions[1].counts.placements == len(recorded(case, VERSIONS[1]).placements)
            assert [archive.key for archive in replay.archives] == keys
            assert replay.many is not None
            assert len(replay.many.archives) == 2

    def test_it_can_be_looked_at_before_it_is_compared(self, store: MemoryStore, keys: list[str]) -> None:
        backtested(store, dict(zip(keys, (CASE, OTHER), strict=True)), compared=False)
        replay = StoredReplays(store).replay(keys[0], "backtest-1a2b3c4d")
        assert (replay.many, list(outcomes(replay))) == (None, list(VERSIONS))

    def test_a_plan_that_was_damaged_hides_nothing_but_itself(self, store: MemoryStore, keys: list[str]) -> None:
        backtested(store, dict(zip(keys, (CASE, OTHER), strict=True)))
        folder = layout.replay_folder(keys[1], "backtest", uid="1a2b3c4d")
        store.put(folder.plan, io.BytesIO(b"{}"))
        replayed(store, keys[1], OTHER)
        assert StoredReplays(store).names(keys) == {keys[1]: [ReplayName(NAME, versions=2)]}


def test_a_place_finds_them_by_id_as_well(store: MemoryStore, key: str) -> None:
    replayed(store, key, CASE)
    place = Stored(store)
    id_ = key.rpartition("/")[2].rpartition("-")[0]
    assert place.replay(id_, NAME) is place.replay(key, NAME)
    assert place.result("", NAME, "v0.17.0").engine.version == "v0.17.0"
    assert place.replays([key]) == {key: [ReplayName(NAME, versions=2)]}
