from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kai_snapshot.source.body import BodyUntilClose, BrokenBodyError, ChunkedBody, SizedBody, body_for


def chunked(parts: list[bytes], *, extension: bytes = b"", trailer: bytes = b"") -> bytes:
    body = b"".join(b"%X%b\r\n%b\r\n" % (len(part), extension, part) for part in parts)
    return body + b"0\r\n" + trailer + b"\r\n"


def read(data: bytes, cuts: list[int]) -> tuple[bytes, bool]:
    """Feeds `data` in the pieces that `cuts` make."""
    body = ChunkedBody()
    ends = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    content = b"".join(body.feed(data[start:end]) for start, end in pairwise(ends))
    return content, body.complete


parts_strategy = st.lists(st.binary(min_size=1, max_size=40), max_size=6)
crlf_rich = st.lists(st.sampled_from([b"\r", b"\n", b"0", b"\r\n", b"0\r\n\r\n", b"a"]), min_size=1, max_size=8)


@given(
    parts=parts_strategy | st.lists(crlf_rich.map(b"".join), max_size=4),
    cuts=st.lists(st.integers(0, 300)),
    extension=st.sampled_from([b"", b";name=value", b" "]),
    trailer=st.sampled_from([b"", b"Digest: x\r\n", b"A: 1\r\nB: 2\r\n"]),
)
@example(parts=[b"x"], cuts=list(range(40)), extension=b"", trailer=b"A: 1\r\n")
def test_any_split_of_a_chunked_stream_gives_the_same_body(
    parts: list[bytes], cuts: list[int], extension: bytes, trailer: bytes
) -> None:
    data = chunked(parts, extension=extension, trailer=trailer)

    assert read(data, cuts) == (b"".join(parts), True)


@given(parts=parts_strategy, trailer=st.sampled_from([b"", b"A: 1\r\n"]), data=st.data())
def test_a_chunked_body_that_is_cut_anywhere_is_not_complete(
    parts: list[bytes], trailer: bytes, data: st.DataObject
) -> None:
    whole = chunked(parts, trailer=trailer)
    cut = data.draw(st.integers(0, len(whole) - 1))

    content, complete = read(whole[:cut], [])

    assert not complete
    assert b"".join(parts).startswith(content)


def test_what_follows_a_chunked_body_is_not_part_of_it() -> None:
    assert read(chunked([b"abc"]) + b"HTTP/1.1 200 OK\r\n", []) == (b"abc", True)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"zz\r\n", id="size is no number"),
        pytest.param(b"-1\r\n", id="size is negative"),
        pytest.param(b"0x10\r\n", id="size with a prefix"),
        pytest.param(b"1_0\r\n", id="size as Python writes it"),
        pytest.param(b"3\r\nabcd\r\n", id="chunk longer than its size"),
        pytest.param(b"3\nabc\n0\n\n", id="bare line feeds"),
        pytest.param(b"1" * 20_000, id="endless size"),
        pytest.param(b"0\r\n" + b"A: 1\r\n" * 5_000, id="endless trailer"),
    ],
)
def test_a_body_that_is_not_chunked_as_it_says_is_refused(data: bytes) -> None:
    with pytest.raises(BrokenBodyError):
        ChunkedBody().feed(data)


@given(content=st.binary(max_size=50), extra=st.binary(max_size=5), size=st.integers(1, 7))
def test_a_body_with_a_length_ends_after_it(content: bytes, extra: bytes, size: int) -> None:
    body, data = SizedBody(len(content)), content + extra

    read_back = b"".join(body.feed(data[start : start + size]) for start in range(0, len(data), size))

    assert read_back == content
    assert body.complete


def test_a_body_without_length_lasts_until_the_connection_ends() -> None:
    body = BodyUntilClose()

    assert body.feed(b"abc") == b"abc"
    assert not body.complete
    assert body.ends_with_connection


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        pytest.param([(b"transfer-encoding", b"chunked")], ChunkedBody, id="chunked"),
        pytest.param([(b"content-length", b"5")], SizedBody, id="length"),
        pytest.param([(b"content-type", b"application/zip")], BodyUntilClose, id="neither"),
    ],
)
def test_headers_decide_how_a_body_ends(headers: list[tuple[bytes, bytes]], kind: type) -> None:
    assert isinstance(body_for(headers), kind)
