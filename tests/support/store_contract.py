"""What every store promises, as one suite.

A test module makes a subclass whose name starts with `Test` and gives it the fixture `store`, an empty store; and
`unfinished`, which leaves a write unfinished under a key and says how many things that left behind. So does an e2e test
with a real S3 server: `store` is then an S3Store with a prefix of its own.
"""

import hashlib
import io
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import pytest

from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.stores import Store, read

Unfinished = Callable[[str], int]

BIG = 20 * (1 << 20) + 1
"""Bytes of a body that goes in three parts."""


class Broken(io.RawIOBase):
    """A body that fails after so many bytes."""

    def __init__(self, good: int) -> None:
        self._left = good

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        piece = min(self._left, 1 << 20, size if size >= 0 else self._left)
        self._left -= piece
        if piece == 0 or size < 0:
            raise ConnectionResetError("the sender is gone")
        return b"x" * piece


class Pipe(io.RawIOBase):
    """A body that can be read once, in pieces of any size, and not be rewound."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        return self._content.read(min(size, 70_000) if size >= 0 else -1)


def body(content: bytes = b"content") -> BinaryIO:
    return io.BytesIO(content)


def keys(store: Store, prefix: str = "") -> list[str]:
    return [entry.key for entry in store.list(prefix)]


@pytest.fixture(scope="module")
def big() -> bytes:
    return b"".join(hashlib.sha256(str(index).encode()).digest() for index in range(BIG // 32 + 1))[:BIG]


class StoreContract:
    """The promises of `kai_snapshot.stores.Store`."""

    def test_what_was_put_can_be_read_back(self, store: Store) -> None:
        store.put("ns/cap/a.json", body(b"one"))
        assert read(store, "ns/cap/a.json", limit=10) == b"one"

    def test_put_says_what_is_stored_now(self, store: Store) -> None:
        entry = store.put("ns/cap/a.json", body(b"one"))
        assert (entry.key, entry.size) == ("ns/cap/a.json", 3)
        assert abs(entry.modified - datetime.now(UTC)) < timedelta(minutes=5)
        assert store.stat("ns/cap/a.json") == entry
        assert list(store.list()) == [entry]

    def test_a_file_is_put_by_its_path(self, store: Store, tmp_path: Path) -> None:
        path = tmp_path / "spool"
        path.write_bytes(b"from a file")
        store.put("a/b.zip", path)
        assert read(store, "a/b.zip", limit=100) == b"from a file"

    def test_a_stream_is_put_from_where_it_stands(self, store: Store) -> None:
        stream = body(b"skipped|kept")
        stream.seek(8)
        store.put("a/b", stream)
        assert read(store, "a/b", limit=100) == b"kept"

    def test_an_empty_body_is_stored(self, store: Store) -> None:
        assert store.put("a/empty", body(b"")).size == 0
        assert read(store, "a/empty", limit=0) == b""

    @pytest.mark.parametrize("kind", ["file", "seekable stream", "pipe"])
    def test_a_big_body_comes_back_byte_for_byte(self, store: Store, tmp_path: Path, big: bytes, kind: str) -> None:
        path = tmp_path / "spool"
        path.write_bytes(big)
        sources: dict[str, Callable[[], Path | BinaryIO]] = {
            "file": lambda: path,
            "seekable stream": lambda: io.BytesIO(big),
            "pipe": lambda: Pipe(big),  # type: ignore[dict-item,return-value]
        }
        assert store.put("a/big.zip", sources[kind]()).size == len(big)
        digest = hashlib.sha256()
        with store.open("a/big.zip") as stream:
            while piece := stream.read(1 << 20):
                digest.update(piece)
        assert digest.hexdigest() == hashlib.sha256(big).hexdigest()

    def test_reading_may_stop_early(self, store: Store, big: bytes) -> None:
        store.put("a/big", body(big))
        with store.open("a/big") as stream:
            assert stream.read(10) == big[:10]
        assert keys(store) == ["a/big"]

    def test_put_replaces_what_was_there(self, store: Store) -> None:
        store.put("a/b", body(b"old and longer"))
        store.put("a/b", body(b"new"))
        assert read(store, "a/b", limit=100) == b"new"
        assert [entry.size for entry in store.list()] == [3]

    @pytest.mark.parametrize("good", [0, 1000, 9 * (1 << 20)], ids=["at once", "in a small body", "in its second part"])
    def test_a_body_that_breaks_off_leaves_nothing(self, store: Store, good: int) -> None:
        with pytest.raises(ConnectionResetError, match="the sender is gone"):
            store.put("a/b", Broken(good))  # type: ignore[arg-type]
        assert keys(store) == []
        assert store.stat("a/b") is None
        assert store.abort_unfinished("a/", before=datetime.now(UTC) + timedelta(days=1)) == 0

    def test_a_body_that_breaks_off_leaves_what_was_there(self, store: Store) -> None:
        store.put("a/b", body(b"old"))
        with pytest.raises(ConnectionResetError):
            store.put("a/b", Broken(9 * (1 << 20)))  # type: ignore[arg-type]
        assert read(store, "a/b", limit=10) == b"old"

    def test_a_source_that_does_not_exist_is_the_callers_error(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            store.put("a/b", tmp_path / "absent")
        assert keys(store) == []

    @pytest.mark.parametrize("key", ["a/absent", "a", "a/b/deeper", "absent/x"])
    def test_what_is_not_there_is_not_there(self, store: Store, key: str) -> None:
        store.put("a/b", body())
        assert store.stat(key) is None
        with pytest.raises(TerminalError, match=key) as raised, store.open(key):
            pass
        assert raised.value.reason is Reason.ARCHIVE_NOT_FOUND

    def test_deleting_removes_one_key_and_no_other(self, store: Store) -> None:
        for key in ("a/b", "a/bc", "a/b.d/x"):
            store.put(key, body())
        store.delete("a/b")
        assert keys(store) == ["a/b.d/x", "a/bc"]

    def test_deleting_what_is_not_there_is_fine(self, store: Store) -> None:
        store.delete("a/b")
        store.put("a/b", body())
        store.delete("a/b")
        store.delete("a/b")
        store.delete("a")
        assert keys(store) == []
        store.put("a/b", body())
        assert keys(store) == ["a/b"]

    def test_an_empty_store_lists_nothing(self, store: Store) -> None:
        assert keys(store) == []
        assert keys(store, "a/b/") == []

    def test_a_list_is_sorted_by_key_across_folders(self, store: Store) -> None:
        wanted = ["a-b/x", "a.zip", "a/1.json", "a/1/x", "a/10", "a/2", "a0", "b/B", "b/a", "b/ä"]
        for key in reversed(wanted):
            store.put(key, body())
        assert keys(store) == wanted

    @pytest.mark.parametrize(
        ("letters", "wanted"),
        [
            ("", ["ns/cap-2/x", "ns/cap/1.json", "ns/cap/1/replays/r/plan.json", "ns2/cap/1.json"]),
            ("ns", ["ns/cap-2/x", "ns/cap/1.json", "ns/cap/1/replays/r/plan.json", "ns2/cap/1.json"]),
            ("ns/", ["ns/cap-2/x", "ns/cap/1.json", "ns/cap/1/replays/r/plan.json"]),
            ("ns/cap", ["ns/cap-2/x", "ns/cap/1.json", "ns/cap/1/replays/r/plan.json"]),
            ("ns/cap/", ["ns/cap/1.json", "ns/cap/1/replays/r/plan.json"]),
            ("ns/cap/1", ["ns/cap/1.json", "ns/cap/1/replays/r/plan.json"]),
            ("ns/cap/1/", ["ns/cap/1/replays/r/plan.json"]),
            ("ns/cap/1.json", ["ns/cap/1.json"]),
            ("ns/cap/2", []),
            ("other/", []),
        ],
        ids=lambda value: value or "everything" if isinstance(value, str) else "",
    )
    def test_a_prefix_is_letters_not_segments(self, store: Store, letters: str, wanted: list[str]) -> None:
        for key in ("ns2/cap/1.json", "ns/cap/1/replays/r/plan.json", "ns/cap/1.json", "ns/cap-2/x"):
            store.put(key, body())
        assert keys(store, letters) == wanted

    @pytest.mark.parametrize(
        "key",
        ["ns/größe/日本語.json", "a b/c+d=e@f.zip", "n/%41&x?y#z.json", "n/" + "l" * 200 + ".json"],
        ids=["unicode", "signs", "escapes", "long"],
    )
    def test_unusual_names_are_kept_as_they_are(self, store: Store, key: str) -> None:
        store.put(key, body(b"here"))
        assert keys(store) == keys(store, key[:4]) == [key]
        assert read(store, key, limit=10) == b"here"
        store.delete(key)
        assert keys(store) == []

    @pytest.mark.parametrize(
        "key",
        ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", ".a", "a\\b", "a\nb", "a\0b", "a/" * 600 + "b", "l" * 256],
        ids=ascii,
    )
    def test_keys_are_refused_and_never_put_right(self, store: Store, key: str) -> None:
        verbs: tuple[Callable[[str], object], ...] = (
            store.stat,
            store.delete,
            lambda key: store.put(key, body()),
            lambda key: read(store, key, limit=1),
        )
        for verb in verbs:
            with pytest.raises(TerminalError) as raised:
                verb(key)
            assert raised.value.reason is Reason.INVALID_SPEC

    def test_a_document_larger_than_its_limit_is_refused(self, store: Store) -> None:
        store.put("a/b", body(b"12345"))
        assert read(store, "a/b", limit=5) == b"12345"
        with pytest.raises(TerminalError, match="a/b is larger than 4 bytes") as raised:
            read(store, "a/b", limit=4)
        assert raised.value.reason is Reason.STORAGE_REFUSED

    def test_an_unfinished_write_is_never_listed_and_can_be_cleared_away(
        self, store: Store, unfinished: Unfinished
    ) -> None:
        left = unfinished("ns/cap/1.zip")
        unfinished("ns/other/1.zip")
        assert keys(store) == []
        assert store.stat("ns/cap/1.zip") is None
        long_ago, later = datetime(2001, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(hours=1)
        assert store.abort_unfinished("ns/cap/", before=long_ago) == 0
        assert store.abort_unfinished("ns/cap/", before=later) == left
        assert store.abort_unfinished("ns/cap/", before=later) == 0
        assert store.abort_unfinished("", before=later) == left

    def test_finished_writes_are_never_cleared_away(self, store: Store) -> None:
        store.put("ns/cap/1.zip", body())
        assert store.abort_unfinished("", before=datetime.now(UTC) + timedelta(days=1)) == 0
        assert keys(store) == ["ns/cap/1.zip"]

    def test_several_threads_may_use_it(self, store: Store) -> None:
        failures: list[Exception] = []

        def work(index: int) -> None:
            try:
                for _ in range(5):
                    store.put(f"t/{index}/x", body(str(index).encode()))
                    assert read(store, f"t/{index}/x", limit=10) == str(index).encode()
                    store.delete(f"t/{index}/x")
                store.put(f"t/{index}/x", body())
            except Exception as error:  # noqa: BLE001 - told below
                failures.append(error)

        store.put("t/anchor", body())
        threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert keys(store) == [*(f"t/{index}/x" for index in range(4)), "t/anchor"]
