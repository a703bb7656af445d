import asyncio
import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest

from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.source import download_url
from kai_snapshot.source.direct import Address
from kai_snapshot.source.endpoint import Endpoint, fetch, refusal
from support.scheduler import PluginHandler, Server, StandIn

ARCHIVE = Path(__file__).parents[2] / "data" / "corpus" / "01-gang" / "snapshot.zip"
CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@contextmanager
def scheduler(behaviour: str = "serve", *, archive: bytes | None = None) -> Iterator[tuple[StandIn, str]]:
    """A stand-in and its URL."""
    standin = StandIn(archive if archive is not None else ARCHIVE.read_bytes())
    standin.behave(behaviour)
    server = Server(("127.0.0.1", 0), PluginHandler, standin)
    server.start()
    try:
        yield standin, f"http://127.0.0.1:{server.port}"
    finally:
        standin.stopped.set()
        server.stop()


def get(url: str, *, silence_seconds: float = 10) -> bytes:
    """What is served there."""
    received = bytearray()
    asyncio.run(download_url(url, silence_seconds=silence_seconds, sink=received.extend))
    return bytes(received)


def test_the_bytes_received_are_the_bytes_served() -> None:
    with scheduler() as (_, url):
        assert get(url) == ARCHIVE.read_bytes()


def test_the_answer_says_what_and_how_much_came() -> None:
    with scheduler() as (_, url):
        answer = asyncio.run(download_url(url, silence_seconds=10, sink=lambda _: None))

    assert answer.content_type == "application/zip"
    assert answer.size_bytes == ARCHIVE.stat().st_size


def test_a_large_archive_comes_whole_in_pieces() -> None:
    size, sizes, digest = 20 * 1024 * 1024 + 17, list[int](), hashlib.sha256()

    def sink(part: bytes) -> None:
        sizes.append(len(part))
        digest.update(part)

    with scheduler(f"blob:{size}") as (_, url):
        asyncio.run(download_url(url, silence_seconds=10, sink=sink))
        again = hashlib.sha256(get(url))

    assert sum(sizes) == size
    assert max(sizes) <= 1024 * 1024
    assert digest.digest() == again.digest()


@pytest.mark.parametrize(
    ("behaviour", "error", "reason", "says"),
    [
        pytest.param("standby", TransientError, Reason.NOT_LEADER, "standby", id="standby"),
        pytest.param("plugin-off", TerminalError, Reason.PLUGIN_DISABLED, "switched off", id="plugin off"),
        pytest.param("error", TransientError, Reason.HTTP_STATUS, "500 (json: unsupported value: NaN)", id="500"),
        pytest.param("cut", TransientError, Reason.CONNECTION_CUT, "ended after", id="cut in the middle"),
        pytest.param("mute", TransientError, Reason.SOURCE_TIMEOUT, "after 0 bytes", id="no answer at all"),
        pytest.param("silence", TransientError, Reason.SOURCE_TIMEOUT, "timeoutSeconds", id="silent in the middle"),
    ],
)
def test_each_trouble_has_its_reason(behaviour: str, error: type[SnapshotError], reason: Reason, says: str) -> None:
    with scheduler(behaviour) as (_, url), pytest.raises(error) as caught:
        get(url, silence_seconds=0.3)

    assert caught.value.reason is reason
    assert says in caught.value.message
    assert url.removeprefix("http://") in caught.value.message


def test_nobody_listening_is_told() -> None:
    with scheduler() as (_, url):
        pass
    with pytest.raises(TransientError) as caught:
        get(url)

    assert caught.value.reason is Reason.SOURCE_UNREACHABLE


def test_the_stand_in_serves_what_the_scheduler_in_trouble_serves() -> None:
    with scheduler("config-null:1") as (standin, url):
        first, second = get(url), get(url)
        standin.behave("cut-json")
        cut = get(url)

    assert zipfile.ZipFile(BytesIO(first)).read("snapshot.json").startswith(b'{"config": null')
    assert second == ARCHIVE.read_bytes()
    assert zipfile.ZipFile(BytesIO(cut)).testzip() is None
    assert standin.requests == 3


class Script:
    """A stream that gives what it was given, piece by piece, each after so many seconds."""

    def __init__(self, *pieces: bytes, pause: float = 0) -> None:
        self._pieces = [*pieces, b""]
        self._pause = pause
        self.sent = b""

    async def read(self) -> bytes:
        await asyncio.sleep(self._pause)
        return self._pieces.pop(0) if len(self._pieces) > 1 else b""

    async def write(self, data: bytes) -> None:
        self.sent += data


def converse(stream: Script, *, silence_seconds: float = 10) -> bytes:
    received = bytearray()
    endpoint = Endpoint(name="Pod a/b", host="127.0.0.1:8081", silence_seconds=silence_seconds)
    asyncio.run(fetch(stream, endpoint, sink=received.extend))
    return bytes(received)


def test_the_request_is_plain_http() -> None:
    stream = Script(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    converse(stream)

    assert stream.sent.startswith(b"GET /get-snapshot HTTP/1.1\r\nHost: 127.0.0.1:8081\r\n")
    assert b"Connection: close\r\n" in stream.sent


@pytest.mark.parametrize(
    ("pieces", "body"),
    [
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"], b"abc", id="all at once"),
        pytest.param([b"HTTP/1.1 200", b" OK\r\nContent-Length: 3\r\n\r", b"\na", b"bc"], b"abc", id="in bits"),
        pytest.param([b"HTTP/1.0 200 OK\r\n\r\nab", b"c"], b"abc", id="until the end of the connection"),
        pytest.param([b"HTTP/1.1 200 OK\r\n\r\n"], b"", id="nothing until the end of the connection"),
        pytest.param(
            [b"HTTP/1.1 100 Continue\r\n\r\n" + CHUNKED_HEAD + b"3\r\nabc\r\n0\r\n\r\n"],
            b"abc",
            id="after an informational answer",
        ),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"], b"", id="empty"),
    ],
)
def test_a_body_is_read_however_it_comes(pieces: list[bytes], body: bytes) -> None:
    assert converse(Script(*pieces)) == body


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", TerminalError, Reason.HTTP_STATUS, id="not HTTP"),
        pytest.param(b"", TransientError, Reason.CONNECTION_CUT, id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-", TransientError, Reason.CONNECTION_CUT, id="cut in the head"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
            TransientError,
            Reason.CONNECTION_CUT,
            id="cut in the body",
        ),
        pytest.param(
            CHUNKED_HEAD + b"xyz\r\n",
            TransientError,
            Reason.CONNECTION_CUT,
            id="garbled chunks",
        ),
        pytest.param(
            b"HTTP/1.1 404 Not Found\r\n\r\nno such bucket", TerminalError, Reason.HTTP_STATUS, id="other 404"
        ),
        pytest.param(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", TerminalError, Reason.HTTP_STATUS, id="redirection"),
        pytest.param(
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 19\r\n\r\nplugin not found\n",
            TerminalError,
            Reason.PLUGIN_DISABLED,
            id="text of a refusal cut short",
        ),
    ],
)
def test_an_answer_that_is_no_snapshot_is_told(answer: bytes, error: type[SnapshotError], reason: Reason) -> None:
    with pytest.raises(error) as caught:
        converse(Script(answer))

    assert caught.value.reason is reason


def test_a_head_without_end_is_refused() -> None:
    with pytest.raises(TerminalError):
        converse(Script(b"HTTP/1.1 200 OK\r\n", *([b"X: " + b"y" * 4096] * 100)))


def test_silence_counts_from_the_last_byte_not_from_the_first() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"

    assert converse(Script(head, *[b"x"] * 20, pause=0.02), silence_seconds=0.2) == b"x" * 20


def test_a_timeout_of_the_sink_is_not_taken_for_silence() -> None:
    def sink(_: bytes) -> None:
        raise TimeoutError("disk")

    async def ask() -> None:
        endpoint = Endpoint(name="Pod a/b", host="h", silence_seconds=10)
        await fetch(Script(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"), endpoint, sink=sink)

    with pytest.raises(TimeoutError, match="disk"):
        asyncio.run(ask())


def test_the_text_of_a_refusal_is_cut_and_cleaned() -> None:
    error = refusal(418, "<html>\x1b[31m\n" + "x" * 5000, endpoint="Pod a/b")

    assert len(error.message) < 400
    assert error.message.isprintable()


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://localhost:8081", ("localhost", 8081, "localhost:8081", "/get-snapshot", False)),
        ("http://localhost:8081/", ("localhost", 8081, "localhost:8081", "/get-snapshot", False)),
        ("https://kai.example/x/get-snapshot", ("kai.example", 443, "kai.example", "/x/get-snapshot", True)),
        ("http://[::1]:8081", ("::1", 8081, "[::1]:8081", "/get-snapshot", False)),
    ],
)
def test_a_url_leads_to_the_endpoint(url: str, address: tuple[str, int, str, str, bool]) -> None:
    parsed = Address.parse(url)

    assert (parsed.host, parsed.port, parsed.authority, parsed.path, parsed.tls) == address


@pytest.mark.parametrize("url", ["localhost:8081", "ftp://host", "http://", "http://host:port", "http://u:secret@host"])
def test_what_is_no_url_is_refused_without_repeating_secrets(url: str) -> None:
    with pytest.raises(TerminalError) as caught:
        Address.parse(url)

    assert caught.value.reason is Reason.INVALID_SPEC
    assert "secret" not in caught.value.message
