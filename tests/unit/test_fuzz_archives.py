"""Archives that somebody made to break their readers: each ends in a finding, soon, and in little memory."""

import io
import json
import resource
import struct
import subprocess
import sys
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot.archive.check import inspect
from kai_snapshot.errors import ARCHIVE_REASONS
from support.fuzz import EXAMPLES, HOSTILE_TEXT, fuzzed
from support.zips import archive
from unit.test_inspect import SMALL, check

DOCUMENT = json.dumps(SMALL).encode()
MEMORY = 256 << 20
"""What a process that captures may have of data."""
SECONDS = 60

T = TypeVar("T")
U16, U32, U64 = (st.sampled_from([0, 1, 2, 2 ** (bits - 1), 2**bits - 2, 2**bits - 1]) for bits in (16, 32, 64))
SIZES = st.one_of(U32, st.just(len(DOCUMENT)), st.integers(0, 2000))
NAMES = st.one_of(
    st.sampled_from(
        ["snapshot.json", "snapshot.json/", "./snapshot.json", "../snapshot.json", "/snapshot.json", "SNAPSHOT.JSON",
         "snapshot.json\0.zip", "C:\\snapshot.json", "a/snapshot.json", "snapshot.json "]
    ),
    st.sampled_from(HOSTILE_TEXT),
)  # fmt: skip


@st.composite
def extras(draw: st.DrawFn) -> bytes:
    """Extra fields, with lies of ZIP64 among them."""
    fields = draw(st.lists(st.tuples(U16 | st.just(1), st.lists(U64, max_size=3), U16 | st.none()), max_size=2))
    return b"".join(
        struct.pack("<HH", key, len(numbers) * 8 if lie is None else lie) + struct.pack(f"<{len(numbers)}Q", *numbers)
        for key, numbers, lie in fields
    )


@st.composite
def forged(draw: st.DrawFn) -> bytes:
    """An archive of which any number may be a lie; most are right, so that the readers come far."""

    def lie(truth: T, lies: st.SearchStrategy[T]) -> T:
        return draw(st.one_of(st.just(truth), st.just(truth), st.just(truth), lies))

    document = draw(st.sampled_from([DOCUMENT, DOCUMENT[:-1], b"", b"\xff\xfe", DOCUMENT + DOCUMENT]))
    method = lie(8, st.sampled_from([0, 1, 9, 12, 14, 93, 99]))
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = document if method == 0 else packer.compress(document) + packer.flush()
    flags = lie(0, st.sampled_from([1, 8, 0x41, 0x800, 0x2000, 0xFFFF]))
    crc, size, length = lie(zlib.crc32(document), U32), lie(len(document), SIZES), lie(len(packed), SIZES)
    name = lie("snapshot.json", NAMES).encode()
    extra, extra_length = lie(b"", extras()), None

    def local() -> bytes:
        told = len(extra) if extra_length is None else extra_length
        head = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, flags, method, 0, 0, crc, length, size, len(name), told)
        return head + name + extra + packed

    def central(offset: int) -> bytes:
        sizes = lie(crc, U32), lie(length, SIZES), lie(size, SIZES)
        lengths = len(name), len(extra), 0
        head = struct.pack(
            "<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, flags, method, 0, 0, *sizes, *lengths, 0, 0, 0, lie(offset, U32)
        )
        return head + name + extra

    descriptor = struct.pack("<4sIII", b"PK\7\x08", crc, length, size) if flags & 8 else b""
    members = lie(1, st.integers(0, 3))
    body = (local() + descriptor) * members
    directory = central(0) * lie(members, st.integers(0, 3))
    counts = lie(members, U16), lie(members, U16)
    end = struct.pack(
        "<4sHHHHIIH", b"PK\5\6", lie(0, U16), 0, *counts, lie(len(directory), U32), lie(len(body), U32), 0
    )
    whole = body + directory + end
    if draw(st.integers(0, 9)) == 0:
        whole = archive(whole)  # nested
    return lie(b"", st.binary(max_size=8)) + whole[: lie(len(whole), st.integers(0, len(whole)))]


@fuzzed(150)
@given(forged())
def test_a_forged_archive_is_refused_or_is_what_others_read_as_well(data: bytes) -> None:
    found = check(data)
    if not found.valid:
        assert {problem.reason for problem in found.problems} <= set(ARCHIVE_REASONS)
        assert all(problem.message for problem in found.problems)
        return
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(io.BytesIO(data)) as other:
        assert other.namelist() == ["snapshot.json"]
        json.loads(other.read("snapshot.json"))


STRINGS = st.one_of(st.sampled_from(HOSTILE_TEXT), st.text(max_size=30))
NUMBERS = st.one_of(
    st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([2**63, 2**64, -(2**70), 10**400])
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | STRINGS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STRINGS, inner, max_size=4),
    max_leaves=15,
)


@fuzzed(80)
@given(
    sections=st.dictionaries(
        st.sampled_from(["config", "schedulerParams", "rawObjects", "discovery"]) | STRINGS, JSON, max_size=5
    ),
    lists=st.dictionaries(
        st.sampled_from(["pods", "nodes", "queues", "podGroups"]) | STRINGS,
        st.lists(JSON, max_size=3) | JSON,
        max_size=4,
    ),
)
def test_a_document_of_anything_is_refused_or_counted(sections: dict[str, Any], lists: dict[str, Any]) -> None:
    found = check(archive(json.dumps({"rawObjects": lists} | sections).encode()))
    assert found.valid != bool(found.problems)
    assert {problem.reason for problem in found.problems} <= set(ARCHIVE_REASONS)


def pods(inner: bytes) -> Callable[[], Iterator[bytes]]:
    """A snapshot with that in the place of its pods."""
    before, _, after = json.dumps(SMALL | {"rawObjects": {"nodes": [], "pods": "PODS"}}).encode().partition(b'"PODS"')
    return lambda: iter([before, inner, after])


LARGE = 10 if EXAMPLES else 1
"""Bombs are ten times as large where there is time."""


def repeated(piece: bytes, times: int, *, start: bytes = b"[", end: bytes = b"]") -> Callable[[], Iterator[bytes]]:
    """The same over and over, in the place of the pods, so often in the long profile: it need not stand in memory."""

    def pieces() -> Iterator[bytes]:
        first, _, last = b"".join(pods(b"PODS")()).partition(b"PODS")
        yield first + start
        for _ in range(LARGE * times // 10_000):
            yield piece * 1000
        yield end + last

    return pieces


BOMBS: dict[str, Callable[[], Iterator[bytes]]] = {
    "nested lists": repeated(b"[", 5_000_000, end=b"]" * 10),
    "nested objects": repeated(b'{"a":', 5_000_000, start=b"", end=b"0" + b"}" * 10),
    "a text of 64 MiB": repeated(b"x", 64 << 20, start=b'["', end=b'"]'),
    "a number of 64 million digits": repeated(b"9", 64_000_000),
    "ten million empty objects": repeated(b"{},", 10_000_000, end=b"{}]"),
    "a value of a million lists": repeated(b"[],", 1_000_000, start=b'[{"a":[', end=b"0]}]"),
    "an object of a million members": repeated(b'"a":0,', 1_000_000, start=b"[{", end=b'"b":0}]'),
    "ten million numbers": repeated(b"1e999,", 10_000_000, end=b"0]"),
    "blanks": repeated(b" \n\t ", 64 << 18),
    "escapes": repeated(b"\\u0000", 10_000_000, start=b'["', end=b'"]'),
    "backslashes": repeated(b"\\\\", 30_000_000, start=b'["', end=b'"]'),
    "quotes": repeated(b'"",', 10_000_000, end=b'""]'),
    "a key of a million bytes": repeated(b"k", 1_000_000, start=b'[{"', end=b'":0}]'),
    "half of a surrogate": pods(b'["\\ud800"]'),
    "bytes that are no UTF-8": pods(b'["\xff\xc0\x80\xed\xa0\x80"]'),
    "a NUL in a text": pods(b'["\0"]'),
}


def limited() -> None:
    """What the operator's own children may have."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_of_valid_json_is_a_finding_within_the_memory_of_a_capture(bomb: str, tmp_path: Path) -> None:
    path = tmp_path / "snapshot.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as writer,
        writer.open("snapshot.json", "w") as member,
    ):
        for piece in BOMBS[bomb]():
            member.write(piece)
    command = [sys.executable, "-m", "kai_snapshot", "inspect", str(path), "-o", "json"]
    done = subprocess.run(command, preexec_fn=limited, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode in (0, 1), done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["valid"] is (done.returncode == 0)
    assert {problem["reason"] for problem in found["problems"]} <= set(ARCHIVE_REASONS)


@pytest.mark.parametrize("back", [12, 10, 6, 14])
def test_a_number_that_refers_to_a_zip64_record_that_is_not_there_is_no_number(back: int) -> None:
    data = bytearray(archive(DOCUMENT))
    width = 4 if back in (10, 6) else 2
    data[-back : len(data) - back + width] = b"\xff" * width
    assert not check(bytes(data)).valid


@pytest.mark.parametrize("lie", [None, 0, 2, 3, 4, 5], ids=str)
def test_a_zip64_record_at_the_end_is_believed_only_if_it_is_true(lie: int | None) -> None:
    data = archive(DOCUMENT)
    directory = data.index(b"PK\1\2")
    length = len(data) - 22 - directory
    numbers = [0, 0, 1, 1, length, directory]
    if lie is not None:
        numbers[lie] += 1
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, *numbers)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, directory + length, 1)
    end = b"PK\5\6" + b"\0" * 4 + b"\xff" * 12 + b"\0\0"
    assert check(data[:-22] + record + locator + end).valid is (lie is None)


def test_nor_is_the_place_of_the_member() -> None:
    data = bytearray(archive(DOCUMENT))
    entry = data.index(b"PK\1\2")
    data[entry + 42 : entry + 46] = b"\xff" * 4
    assert not check(bytes(data)).valid


def test_the_forge_makes_good_archives_too(tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(archive(DOCUMENT))
    assert inspect(tmp_path / "good").valid
