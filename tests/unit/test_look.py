"""Looking at archives in a storage, in a file, and at the scheduler now."""

import asyncio
import io
import shutil
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from kai_snapshot.api.ids import run_id
from kai_snapshot.archive.zipformat import BUILT_FROM_API
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.runs import look
from kai_snapshot.runs.live import FRESH_SECONDS, Live
from kai_snapshot.runs.look import KEPT, InFile, Stored
from kai_snapshot.runs.take import take_url
from kai_snapshot.runs.taken import Taken
from kai_snapshot.stores import layout
from kai_snapshot.stores.memory import MemoryStore
from support.scheduler import PluginHandler, Server, StandIn
from support.stored import FIRST, archive, keep
from support.viewed import documents, views_of

ONCE = layout.CaptureFolder("ns", "once")


class Counting(MemoryStore):
    """A store that counts what is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    def open(self, key: str):  # type: ignore[no-untyped-def]
        self.opened.append(key)
        return super().open(key)

    def downloads(self) -> int:
        return sum(key.endswith(".zip") for key in self.opened)


def refused(place: Stored | InFile | Live, wanted: str) -> Reason:
    with pytest.raises(SnapshotError) as failed:
        place.see(wanted)
    return failed.value.reason


class TestStored:
    @pytest.fixture
    def store(self) -> Counting:
        store = Counting()
        keep(store, "10", FIRST)
        keep(store, "11", FIRST + timedelta(hours=1))
        keep(store, "12", FIRST, ONCE)
        return store

    def test_without_a_name_it_is_the_newest_of_all(self, store: Counting) -> None:
        found = Stored(store).see("")
        source = found.summary.source
        assert source is not None
        assert (source.kind, source.kai_version) == ("stored", "v0.17.0")
        assert source.captured_at == FIRST + timedelta(hours=1, seconds=3)
        assert documents(found)["nodes"] == documents(views_of(archive("11")))["nodes"]

    def test_an_id_or_a_key_names_one(self, store: Counting) -> None:
        key = next(entry.key for entry in store.list("ns/once/") if entry.key.endswith(".zip"))
        assert Stored(store).see(key).source.capture == key
        assert Stored(store, ONCE).see(run_id(FIRST)).source.capture == key

    def test_an_id_of_two_captures_is_refused(self, store: Counting) -> None:
        assert refused(Stored(store), run_id(FIRST)) is Reason.INVALID_SPEC

    @pytest.mark.parametrize(
        "wanted",
        [
            "20300101T000000Z",
            "../../etc/passwd",
            "ns/hourly/20261122T101500Z.json",
            "a/b/c.zip",
            "x" * 5000,
            "\0/a.zip",
        ],
    )
    def test_what_is_no_archive_is_not_found(self, store: Counting, wanted: str) -> None:
        assert refused(Stored(store), wanted) is Reason.ARCHIVE_NOT_FOUND

    def test_with_a_capture_named_no_other_can_be_seen(self, store: Counting) -> None:
        key = next(entry.key for entry in store.list("ns/hourly/") if entry.key.endswith(".zip"))
        assert refused(Stored(store, ONCE), key) is Reason.ARCHIVE_NOT_FOUND

    def test_where_nothing_is_nothing_is_found(self) -> None:
        assert refused(Stored(MemoryStore()), "") is Reason.ARCHIVE_NOT_FOUND

    def test_what_was_seen_last_is_not_read_again(self, store: Counting) -> None:
        place = Stored(store)
        assert place.see("") is place.see("")
        assert store.downloads() == 1

    def test_only_a_few_are_kept(self, store: Counting) -> None:
        keys = [keep(store, "01", FIRST + timedelta(days=day)) for day in range(KEPT + 1)]
        place = Stored(store)
        for key in (*keys, keys[-1], keys[0]):
            place.see(key)
        assert store.downloads() == KEPT + 2

    def test_summaries_of_all_that_are_listed_are_kept(self, store: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(look, "SUMMARIES_KEPT", 1)
        monkeypatch.setattr(look, "KEPT", 1)
        place = Stored(store)
        keys = [each.key for each in place.listing().archives]
        for key in (*reversed(keys), *keys):
            place.summary(key)
        assert store.downloads() == len(keys) == 3

    def test_an_archive_that_was_changed_is_refused(self, store: Counting) -> None:
        key = keep(store, "01", FIRST + timedelta(days=1))
        store.put(key, io.BytesIO(archive("02").read_bytes()))
        assert refused(Stored(store), "") is Reason.CHECKSUM_MISMATCH

    def test_archives_are_listed_oldest_first(self, store: Counting) -> None:
        listed = Stored(store).listing().archives
        assert [each.manifest.captured_at.hour for each in listed] == [10, 10, 11]
        assert len(Stored(store, ONCE).listing().archives) == 1

    def test_a_healed_configuration_is_taken(self, store: Counting) -> None:
        key = keep(store, "21", FIRST + timedelta(days=1))
        assert Stored(store).see(key).summary.job_counts["Running"] == 11
        assert len(Stored(store).simulated(key).waiting) > 5

    def test_it_is_simulated_once(self, store: Counting) -> None:
        place = Stored(store)
        assert place.simulated("") is place.simulated("")
        assert store.downloads() == 1


class TestInFile:
    def test_it_is_read_again_when_it_was_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "a.zip"
        shutil.copy(archive("10"), path)
        place = InFile(path)
        first = place.see("")
        assert place.see("a.zip") is first
        shutil.copy(archive("11"), path)
        assert place.see("").summary.total_nodes == 21

    def test_it_says_that_no_scheduler_served_it(self, tmp_path: Path) -> None:
        shutil.copy(archive("10"), tmp_path / "a.zip")
        assert not InFile(tmp_path / "a.zip").see("").source.built_from_api
        with zipfile.ZipFile(tmp_path / "a.zip", "a") as there:
            there.comment = BUILT_FROM_API
        assert InFile(tmp_path / "a.zip").see("").source.built_from_api

    def test_it_has_no_other_name(self) -> None:
        assert refused(InFile(archive("10")), "b.zip") is Reason.ARCHIVE_NOT_FOUND

    def test_what_is_no_archive_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "a.zip").write_text("no")
        assert refused(InFile(tmp_path / "a.zip"), "") is Reason.NOT_A_ZIP


class TestLive:
    @pytest.fixture
    def scheduler(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
        """The URL of a plugin server."""
        monkeypatch.setattr("support.scheduler.log", lambda _: None)
        standin = StandIn(archive("19").read_bytes())
        server = Server(("127.0.0.1", 0), PluginHandler, standin)
        server.start()
        yield f"http://127.0.0.1:{server.port}"
        standin.stopped.set()
        server.stop()

    def test_it_is_what_the_scheduler_serves(self, scheduler: str) -> None:
        found = Live(lambda path: asyncio.run(take_url(scheduler, path, silence_seconds=10))).see("")
        assert found.summary.source is not None
        assert found.summary.source.kind == "live"
        assert found.summary.allocated_gpus == 64

    def test_it_is_asked_again_after_some_seconds_and_so_is_one_that_failed(self) -> None:
        asked: list[float] = []
        now = [100.0]

        def ask(path: Path) -> Taken:
            del path
            asked.append(now[0])
            raise TransientError(Reason.SOURCE_UNREACHABLE, "m")

        place = Live(ask, clock=lambda: now[0])
        for passed in (0.0, FRESH_SECONDS - 0.1, 0.2):
            now[0] += passed
            assert refused(place, "") is Reason.SOURCE_UNREACHABLE
        assert asked == pytest.approx([100.0, 100.1 + FRESH_SECONDS])

    def test_only_archives_are_simulated(self) -> None:
        with pytest.raises(TerminalError, match="kai-snapshot capture"):
            Live(lambda _: pytest.fail("asked")).simulated("")

    def test_the_present_has_no_name(self) -> None:
        assert refused(Live(lambda _: pytest.fail("asked")), "x") is Reason.ARCHIVE_NOT_FOUND
