"""Logs of any size and in any state: memory stays flat, and what cannot be read is passed over."""

import gzip
import io
import itertools
import tracemalloc
from collections.abc import Iterator

import pytest

from kai_snapshot import toollog
from kai_snapshot.api.result import JobOutcome, Outcome, ReplayResult
from kai_snapshot.toollog.complaints import DISTINCT
from kai_snapshot.toollog.text import MAX_LINE
from support.toollogs import Log


class Pieces:
    """A stream of what an iterator makes, never all of it at once."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.size = 0

    def read(self, size: int, /) -> bytes:
        piece = next(self._pieces, b"")
        assert len(piece) <= size
        self.size += len(piece)
        return piece


def read(log: toollog.Readable | bytes, exit_code: int | None = None) -> ReplayResult:
    stream = io.BytesIO(log) if isinstance(log, bytes) else log
    return toollog.read(stream, stdout=None, exit_code=exit_code, configured_actions=None, tool_version=None)


def story() -> Log:
    log = Log((0, 17, 0))
    log.open({})
    log.enter("allocate")
    for number in range(100):
        log.attempt(f"team/job-{number}", "team", "team")
        log.succeed(f"team/job-{number}", [])
        log.bind(f"team/job-{number}-0", "n1", [])
    log.leave(5)
    log.end()
    return log


def peak(log: Pieces) -> int:
    tracemalloc.start()
    try:
        read(log)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "line",
    [
        story().lines[9].encode() + b"\n",
        b"2026-11-22T11:21:23.986Z\tERROR\tx/x.go:1\t[snapshot-runner] Failed to do %d " + b"x" * 900 + b"\n",
        b"2026-11-22T11:21:23.986Z\tERROR\tx/x.go:1\t[snapshot-runner] Many\n" + (b"lines" * 100 + b"\n") * 50,
        b"\tpanic: \xff" * 100 + b"\n",
        b"panic: again" * 20 + b"\n",
        b"no line feed at all",
    ],
    ids=[
        "the same message",
        "ever new errors",
        "an error of many lines",
        "garbage",
        "panics",
        "one line without an end",
    ],
)
def test_memory_is_flat_however_long_the_log(line: bytes) -> None:
    def pieces(number: int) -> Iterator[bytes]:
        for count in range(number):
            piece = line * (60_000 // len(line))
            yield piece.replace(b"%d", b"%d" % count)

    long = Pieces(pieces(200))
    assert peak(long) < 8_000_000
    assert long.size > 10_000_000


def test_a_gzip_bomb_is_inflated_piece_by_piece() -> None:
    bomb = gzip.compress(bytes(64_000_000))
    assert (
        peak(Pieces(iter([bomb[:1000], *(bomb[at : at + 10_000] for at in range(1000, len(bomb), 10_000))])))
        < 8_000_000
    )


def test_a_line_longer_than_is_kept_still_says_what_it_begins_with() -> None:
    log = Log((0, 17, 0))
    log.enter("reclaim")
    log.succeed("team/job", [f"sandbox/pod-{number}" for number in range(200_000)])
    log.fail("team/job", "team")
    assert len(log.text()) > 3 * MAX_LINE
    assert {job.name: job.outcome for job in read(log.text()).pod_groups} == {"team/job": JobOutcome.RECLAIMED}


def test_the_line_after_a_long_one_is_read() -> None:
    log = story()
    log.lines.insert(5, "x" * (2 * MAX_LINE))
    assert read(log.text()) == read(story().text())


@pytest.mark.parametrize("size", [1, 2, 7, 4096])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_the_size_of_the_pieces_makes_no_difference(size: int, packed: bool) -> None:
    text = story().text()
    data = gzip.compress(text) if packed else text
    pieces = iter([data[at : at + size] for at in range(0, len(data), size)])
    assert read(Pieces(pieces)) == read(text)


def test_several_gzip_members_are_one_log() -> None:
    text = story().text()
    members = [gzip.compress(text[at : at + 1000]) for at in range(0, len(text), 1000)]
    assert read(b"".join(members)) == read(text)


def test_gzip_whose_last_piece_is_larger_than_its_input_loses_nothing() -> None:
    text = story().text() + b"x" * 3_000_000 + b"\n" + story().text()
    assert read(gzip.compress(text)) == read(text)


def test_a_cut_gzip_gives_what_it_has_and_says_so() -> None:
    packed = gzip.compress(story().text())
    result = read(packed[: len(packed) // 2], exit_code=0)
    assert 0 < len(result.placements) < 100
    assert result.outcome is Outcome.INCOMPLETE
    assert "cut off or damaged" in result.message
    assert {placement.pod for placement in result.placements} <= {f"team/job-{number}-0" for number in range(100)}


def test_a_cut_gzip_invents_no_name() -> None:
    log = Log((0, 17, 0))
    for number in range(1000, 2000):
        log.evict(f"sandbox/pod-{number}")
    packed = gzip.compress(log.text())
    for end in range(len(packed) // 2, len(packed) // 2 + 50):
        assert {len(eviction.pod) for eviction in read(packed[:end]).evictions} == {len("sandbox/pod-1000")}


def test_a_corrupt_gzip_gives_what_stands_before_the_damage() -> None:
    packed = gzip.compress(story().text(), compresslevel=0)
    damaged = packed[:20_000] + bytes(50) + packed[20_050:]
    assert "cut off or damaged" in read(damaged[:-8] + bytes(8), exit_code=0).message


def test_what_is_not_utf8_is_replaced() -> None:
    line = b"2026-11-22T11:21:23.986Z\tERROR\tx/x.go:1\t[snapshot-runner] It is \xff\xfe\n"
    assert [error.message for error in read(line).errors] == ["It is \ufffd\ufffd"]


def test_control_characters_do_not_reach_a_terminal() -> None:
    line = (
        b"2026-11-22T11:21:23.986Z\tERROR\tx/x.go:1\t[snapshot-runner] A \x1b[31mred\x1b[0m \x1b]0;title\x07 line\r\n"
    )
    assert [error.message for error in read(line).errors] == ["A red ]0;title line"]


def test_an_error_of_several_lines_is_one_error() -> None:
    log = Log((0, 17, 0))
    log.complain("x/x.go:1", "First\nsecond")
    log.noise("E1122 11:21:23.239161   17690 reflector.go:1] Of another logger")
    log.noise("behind it")
    log.hint("y/y.go:2", "Third")
    result = read(log.text())
    assert [(error.message, error.count) for error in result.errors] == [("First\nsecond", 1)]
    assert [(warning.source, warning.message) for warning in result.warnings] == [("y/y.go:2", "Third")]


def test_the_most_frequent_errors_survive_any_number_of_rare_ones() -> None:
    log = Log((0, 17, 0))
    for number in range(2 * DISTINCT):
        log.complain("x/x.go:1", f"rare {number}")
        if number % 50 == 0:
            log.complain("x/x.go:2", "frequent")
    result = read(log.text())
    assert result.error_count == log.errors
    assert (result.errors[0].message, result.errors[0].count) == ("frequent", len(range(0, 2 * DISTINCT, 50)))
    assert len(result.errors) == 20


def test_a_job_without_a_condition_leaves_no_reason_to_the_next() -> None:
    log = Log((0, 17, 0), verbosity=6)
    nothing = "\nUnable to schedule podgroup."
    log.explain("team/first", "team/first-0", "the first's", "\nOf the first.", condition=False)
    log.explain("team/second", "team/second-0", "the second's", nothing)
    log.explain("team/third", "team/third-0", "the third's", nothing, condition=False)
    log.explain("team/gated", "", "", nothing)
    reasons = {job.name: job.reason for job in read(log.text()).pod_groups}
    assert reasons == {"team/second": "the second's", "team/gated": None}


def test_preemptors_are_known_where_the_logger_dropped_repeated_messages() -> None:
    log = Log((0, 9, 0))
    log.enter("reclaim")
    for number in range(3):
        log.attempt(f"team/job-{number}", "team", "team")
        log.succeed(f"team/job-{number}", [f"sandbox/pod-{number}"])
        log.evict(f"sandbox/pod-{number}")
    assert [eviction.preemptor for eviction in read(log.text()).evictions] == ["team/job-0", "team/job-1", "team/job-2"]


@pytest.mark.parametrize(
    "fails", [(False, True), (True, False)], ids=["the second attempt fails", "the first attempt fails"]
)
def test_a_pod_is_evicted_once_whichever_attempt_fails(fails: tuple[bool, bool]) -> None:
    log = Log((0, 17, 0))
    log.enter("reclaim")
    for number, failed in enumerate(fails):
        log.succeed(f"team/job-{number}", ["sandbox/pod"])
        log.evict("sandbox/pod")
        if failed:
            log.evict_fails("sandbox/pod")
    preemptors = [eviction.preemptor for eviction in read(log.text()).evictions]
    assert preemptors == ["team/job-0" if fails[1] else "team/job-1"]


def test_a_pod_that_could_not_be_evicted_is_not_evicted() -> None:
    log = Log((0, 17, 0))
    log.enter("reclaim")
    log.succeed("team/job", ["sandbox/pod"])
    log.evict("sandbox/pod")
    log.evict_fails("sandbox/pod")
    assert read(log.text()).evictions == ()


def test_the_documented_forms_are_written_with_all_fields() -> None:
    document = read(story().text()).dump()
    assert document["schemaVersion"] == "kai-snapshot.io/replay-result/v1"
    assert list(itertools.islice(document, 5)) == ["schemaVersion", "engine", "archive", "verbosity", "nodeName"]
    assert document["placements"][0] == {"pod": "team/job-0-0", "node": "n1", "gpuGroups": []}
    assert document["podGroups"][0] == {"name": "team/job-0", "queue": "team", "outcome": "Allocated", "reason": None}
