"""Keys and ids: made, read back, and refused when they are not plain."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot.api.ids import is_run_id, run_id, run_time
from kai_snapshot.api.transfer import Profile
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.stores.layout import (
    CaptureFolder,
    Parsed,
    ReplayFile,
    archive_name,
    parse,
    parse_replay,
    replay_folder,
    replays_prefix,
)
from kai_snapshot.stores.store import Entry, check_key, is_key

SHA256 = "9f2c6b1e0a9d4d7f8c1b2a3948576f5e4d3c2b1a09f8e7d6c5b4a39281706f5e"
SLOT = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)
FOLDER = CaptureFolder("kai-snapshots", "default-hourly")
UID = "3d2b7f10-aaaa-bbbb-cccc-0123456789ab"

moments = st.integers(0, 253_402_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
sums = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


class TestIds:
    def test_a_slot_is_named_by_its_time(self) -> None:
        assert run_id(SLOT) == "20261122T101500Z"

    def test_a_slot_is_named_in_utc(self) -> None:
        assert run_id(SLOT.astimezone(timezone(timedelta(hours=5, minutes=30)))) == "20261122T101500Z"

    def test_a_requested_run_is_named_by_its_time_and_what_was_asked(self) -> None:
        assert run_id(SLOT, "2026-11-22T10:15:00Z") == "20261122T101500Z-dd323bde"
        assert run_id(SLOT, "now") != run_id(SLOT, "again")
        assert run_id(SLOT, "") != run_id(SLOT)

    @given(moment=moments, request_=st.none() | st.text())
    def test_an_id_gives_its_time_back(self, moment: datetime, request_: str | None) -> None:
        id_ = run_id(moment, request_)
        assert is_run_id(id_)
        assert run_time(id_) == moment

    @given(first=moments, second=moments, requests=st.tuples(st.none() | st.text(), st.none() | st.text()))
    def test_ids_sort_by_time(self, first: datetime, second: datetime, requests: tuple[str | None, str | None]) -> None:
        if first < second:
            assert run_id(first, requests[0]) < run_id(second, requests[1])

    @pytest.mark.parametrize(
        "text",
        ["", "20261122", "20261122T101500", "20261322T101500Z", "20261122T101500Z-xyz", "20261122T101500Z-E03A0A4F",
         "20261122T101500Z\n", "٢0261122T101500Z", "20261122T101500Z-0123456"],
    )  # fmt: skip
    def test_what_is_not_an_id_is_told_apart(self, text: str) -> None:
        assert not is_run_id(text)


class TestKeys:
    def test_an_archive_and_its_manifest_lie_side_by_side(self) -> None:
        assert (
            FOLDER.archive("20261122T101500Z", SHA256) == "kai-snapshots/default-hourly/20261122T101500Z-9f2c6b1e.zip"
        )
        assert FOLDER.manifest("20261122T101500Z") == "kai-snapshots/default-hourly/20261122T101500Z.json"

    def test_a_replay_lies_in_the_folder_of_the_run(self) -> None:
        folder = replay_folder(FOLDER.archive("20261122T101500Z-e03a0a4f", SHA256), "try-v0.17", uid=UID)
        assert folder.prefix == "kai-snapshots/default-hourly/20261122T101500Z-e03a0a4f/replays/try-v0.17-3d2b7f10/"
        assert folder.result(0) == f"{folder.prefix}0.result.json"
        assert folder.log(11, 2) == f"{folder.prefix}11-a2.log.gz"
        assert folder.profile(11, 2, Profile.CPU) == f"{folder.prefix}11-a2.cpu.pprof"
        assert folder.profile(11, 2, Profile.MEMORY) == f"{folder.prefix}11-a2.memory.pprof"

    def test_an_environment_lies_in_the_folder_of_the_run(self) -> None:
        folder = FOLDER.environment("20261122T101500Z")
        assert folder.prefix == "kai-snapshots/default-hourly/20261122T101500Z/environment/"
        node, record = folder.node("gpu-1.example.com"), folder.record("gpu-1.example.com")
        assert (node, record) == (
            f"{folder.prefix}nodes/gpu-1.example.com.yaml",
            f"{folder.prefix}nodes/gpu-1.example.com.json",
        )
        for key in (folder.plan, folder.cluster, folder.index, folder.drift, node, record):
            assert parse(key) == Parsed("environment", FOLDER, "20261122T101500Z")

    def test_what_became_of_nodes_is_told_from_their_documents_whatever_they_are_called(self) -> None:
        folder = FOLDER.environment("20261122T101500Z")
        nodes = ["index", "plan", "a.json", "a.yaml"]
        keys = [folder.plan, folder.index, *map(folder.node, nodes), *map(folder.record, nodes)]
        assert len(set(keys)) == len(keys)
        assert folder.recorded(Entry(key, 0, SLOT) for key in keys) == set(nodes)

    @pytest.mark.parametrize(
        ("archive", "prefix"),
        [
            ("uploads/incident-4711.zip", "uploads/incident-4711/replays/"),
            ("uploads/incident-4711", "uploads/incident-4711.d/replays/"),
            ("incident.zip", "incident/replays/"),
        ],
    )
    def test_an_archive_of_no_capture_has_its_replays_beside_it(self, archive: str, prefix: str) -> None:
        assert replays_prefix(archive) == prefix

    def test_what_is_of_one_archive_of_many_lies_in_a_folder_of_its_own(self) -> None:
        home = replay_folder(FOLDER.archive("20261122T101500Z", SHA256), "backtest", uid=UID)
        assert home.plan == f"{home.prefix}plan.json"
        assert home.comparison == f"{home.prefix}comparison.json"
        assert home.of(17).result(0) == f"{home.prefix}17/0.result.json"
        assert home.of(17).log(0, 2) == f"{home.prefix}17/0-a2.log.gz"
        assert home.of(None) == home

    @given(st.sets(st.tuples(st.integers(0, 999), st.integers(0, 31)), max_size=40))
    def test_a_listing_says_which_results_of_many_archives_there_are(self, there: set[tuple[int, int]]) -> None:
        home = replay_folder("x.zip", "backtest", uid=UID)
        keys = [home.plan, home.comparison, home.result(0)]
        for archive, index in there:
            of = home.of(archive)
            keys += [of.result(index), of.log(index, 1), of.profile(index, 1, Profile.CPU), of.comparison]
        done = home.done(Entry(key, 1, SLOT) for key in sorted(keys))
        assert {(archive, index) for index, archives in done.items() for archive in archives} == there

    @given(
        namespace=names,
        capture=names,
        moment=moments,
        request_=st.none() | st.text(),
        sha256=sums,
    )
    def test_every_key_says_what_it_is(
        self, namespace: str, capture: str, moment: datetime, request_: str | None, sha256: str
    ) -> None:
        folder, id_ = CaptureFolder(namespace, capture), run_id(moment, request_)
        archive = folder.archive(id_, sha256)
        assert parse(archive) == Parsed("archive", folder, id_)
        assert parse(folder.manifest(id_)) == Parsed("manifest", folder, id_)
        replay = replay_folder(archive, capture, uid=UID)
        for key in (replay.result(3), replay.log(3, 1), replay.profile(3, 1, Profile.CPU), replay.of(9).result(3)):
            assert parse(key) == Parsed("replay", folder, id_)
        for key in (archive, folder.manifest(id_), replay.result(3)):
            assert is_key(key)
            assert key.startswith(folder.prefix)

    @pytest.mark.parametrize(
        "key",
        [
            "", "a", "a/b", "a/b/c", "20261122T101500Z.json", "a/20261122T101500Z.json",
            "a/b/20261122T101500Z.jsonx", "a/b/20261122T101500Z-9f2c6b1e.zip.partial", "a/b/20261122T101500Z-9f2c.zip",
            "A/b/20261122T101500Z.json", "a/b/20269922T101500Z.json", "a/b/20261122T101500Z/replays/",
            "a/b/20261122T101500Z/other/x", "x/a/b/20261122T101500Z.json",
        ],
    )  # fmt: skip
    def test_other_peoples_keys_are_told_apart(self, key: str) -> None:
        assert parse(key) is None

    @given(st.text())
    def test_any_text_is_read_or_told_apart(self, key: str) -> None:
        parsed = parse(key)
        assert parsed is None or key.startswith(parsed.folder.prefix)

    @pytest.mark.parametrize("name", ["", "..", "a/b", "A", "-a", "a.", "a b", "ä", "a" * 254])
    def test_names_no_object_can_have_are_refused(self, name: str) -> None:
        for make in (
            lambda: CaptureFolder(name, "a"),
            lambda: CaptureFolder("a", name),
            lambda: replay_folder("x.zip", name, uid=UID),
            lambda: replay_folder("x.zip", "a", uid=name),
            lambda: FOLDER.environment("20261122T101500Z").node(name),
            lambda: FOLDER.environment("20261122T101500Z").record(name),
        ):
            with pytest.raises(TerminalError) as info:
                make()
            assert info.value.reason is Reason.INVALID_SPEC

    def test_what_is_neither_an_id_nor_a_checksum_makes_no_name(self) -> None:
        makes: tuple[Callable[[], object], ...] = (
            lambda: archive_name("../x", SHA256),
            lambda: archive_name("20261122T101500Z", "9f2c6b1e"),
            lambda: FOLDER.manifest(""),
            lambda: replays_prefix("../x.zip"),
        )
        for make in makes:
            with pytest.raises(TerminalError):
                make()

    @given(st.text())
    def test_a_key_that_is_taken_stays_below_its_root(self, key: str) -> None:
        if is_key(key):
            assert check_key(key) == key
            assert not {"", ".", ".."} & set(key.split("/"))


class TestReplayFiles:
    FOLDER = replay_folder("ns/hourly/20261122T101500Z-0f1e2d3c.zip", "upgrade", uid="1a2b3c4d-5e6f")

    @pytest.mark.parametrize(
        ("key", "archive", "index"),
        [
            (FOLDER.result(2), None, 2),
            (FOLDER.of(17).result(0), 17, 0),
            (FOLDER.comparison, None, None),
            (FOLDER.plan, None, None),
        ],
    )
    def test_a_key_says_what_it_is_of(self, key: str, archive: int | None, index: int | None) -> None:
        expected = ReplayFile(self.FOLDER, "upgrade-1a2b3c4d", archive, index)
        assert parse_replay(key) == expected

    @pytest.mark.parametrize(
        "key",
        [
            FOLDER.log(0, 1),
            FOLDER.profile(0, 1, Profile.CPU),
            f"{FOLDER.prefix}x/0.result.json",
            "ns/hourly/20261122T101500Z.json",
            "replays/a/0.result.json",
        ],
    )
    def test_what_is_something_else_says_nothing(self, key: str) -> None:
        assert parse_replay(key) is None
