"""Asks for a snapshot over any byte stream, and says what an answer means that is none."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import h11

from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.source.body import Body, BrokenBodyError, body_for
from kai_snapshot.source.text import one_line

PATH = "/get-snapshot"
REFUSAL_BYTES = 4096


class ByteStream(Protocol):
    """A connection to a server. Its methods raise SnapshotError (SourceUnreachable, ConnectionCut)."""

    async def read(self) -> bytes:
        """The next bytes; none at the end of the connection."""

    async def write(self, data: bytes) -> None:
        """Sends all of `data`."""


Sink = Callable[[bytes], None]
"""Takes the next piece of an archive, some KiB. It runs in the event loop: while it works, the sender waits."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """What to ask whom."""

    name: str
    """How messages call it."""
    host: str
    """For the Host header."""
    path: str = PATH
    silence_seconds: float
    """The longest silence."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A complete answer with status 200."""

    content_type: str
    size_bytes: int


async def fetch(stream: ByteStream, endpoint: Endpoint, *, sink: Sink) -> Answer:
    """Sends the request and gives the body of the answer to `sink`. Memory does not grow with the body.

    Raises SnapshotError: SourceTimeout, ConnectionCut, SourceUnreachable, NotLeader, PluginDisabled or HTTPStatus; and
    whatever `sink` raises.
    """
    watched = _Watched(stream, endpoint.silence_seconds)
    try:
        async with watched.silence:
            return await _converse(watched, endpoint, sink)
    except TimeoutError as error:
        if not watched.silence.expired():
            raise
        raise TransientError(
            Reason.SOURCE_TIMEOUT,
            f"{endpoint.name} was silent for {endpoint.silence_seconds:g} s after {watched.received} bytes. "
            "Look at the scheduler's load, or allow it more with source.timeoutSeconds.",
        ) from error
    except BrokenBodyError as error:
        raise TransientError(Reason.CONNECTION_CUT, f"The answer of {endpoint.name} is garbled: {error}.") from error


class _Watched:
    """A stream with an eye on how long the other side is silent, and on nothing else: the sink may take its time."""

    def __init__(self, stream: ByteStream, silence_seconds: float) -> None:
        self.silence = asyncio.timeout(None)
        self.received = 0
        self.write = stream.write
        self._stream = stream
        self._silence_seconds = silence_seconds

    async def read(self) -> bytes:
        self.silence.reschedule(asyncio.get_running_loop().time() + self._silence_seconds)
        data = await self._stream.read()
        self.silence.reschedule(None)
        self.received += len(data)
        return data


async def _converse(stream: _Watched, endpoint: Endpoint, sink: Sink) -> Answer:
    http = h11.Connection(h11.CLIENT)
    headers = [("Host", endpoint.host), ("User-Agent", "kai-snapshot"), ("Accept", "*/*"), ("Connection", "close")]
    request = http.send(h11.Request(method="GET", target=endpoint.path, headers=headers))
    await stream.write(request or b"")
    response = await _read_head(stream, endpoint, http)
    body = body_for(list(response.headers))
    beginning = body.feed(http.trailing_data[0])
    if response.status_code != 200:
        raise refusal(response.status_code, await _read_text(stream, body, beginning), endpoint=endpoint.name)
    size = await _read_body(stream, endpoint, body, beginning, sink)
    return Answer(content_type=dict(response.headers).get(b"content-type", b"").decode("latin-1"), size_bytes=size)


async def _read_head(stream: _Watched, endpoint: Endpoint, http: h11.Connection) -> h11.Response:
    """The head of the answer; informational ones (1xx) before it are read over."""
    while data := await stream.read():
        try:
            http.receive_data(data)
            while isinstance(event := http.next_event(), h11.InformationalResponse):
                pass
        except h11.RemoteProtocolError as error:
            raise TerminalError(
                Reason.HTTP_STATUS,
                f"{endpoint.name} does not speak HTTP/1.1 ({one_line(str(error))}). Is it the plugin server's port?",
            ) from error
        if isinstance(event, h11.Response):
            return event
    raise _cut(stream, endpoint)


async def _read_body(stream: _Watched, endpoint: Endpoint, body: Body, beginning: bytes, sink: Sink) -> int:
    """Gives the body to `sink` and returns its size."""
    size, part = 0, beginning
    while True:
        if part:
            sink(part)
            size += len(part)
        if body.complete:
            return size
        data = await stream.read()
        if not data:
            if body.ends_with_connection:
                return size
            raise _cut(stream, endpoint)
        part = body.feed(data)


async def _read_text(stream: _Watched, body: Body, text: bytes) -> str:
    """The first 4 KiB of a body that is a text, or what comes of it before the connection ends."""
    while len(text) < REFUSAL_BYTES and not body.complete and (data := await stream.read()):
        text += body.feed(data)
    return text[:REFUSAL_BYTES].decode("utf-8", "replace")


def _cut(stream: _Watched, endpoint: Endpoint) -> SnapshotError:
    return TransientError(
        Reason.CONNECTION_CUT,
        f"The connection to {endpoint.name} ended after {stream.received} bytes, before the answer was complete. "
        "See whether the pod was restarted.",
    )


def refusal(status: int, text: str, *, endpoint: str) -> SnapshotError:
    """What a status other than 200 means. The texts are those of net/http and of KAI's framework/server.go."""
    said = one_line(text)
    if status == 404 and said == "404 page not found":
        return TransientError(
            Reason.NOT_LEADER,
            f"{endpoint} serves no plugins (404 page not found): it is a standby, or has had no scheduling cycle yet. "
            "Ask again when it leads; if it never does, see its log.",
        )
    if status == 404 and said == "plugin not found":
        return TerminalError(
            Reason.PLUGIN_DISABLED,
            f"{endpoint} has the snapshot plugin switched off (404 plugin not found). "
            "Add `snapshot` to the plugins in the scheduler's configuration.",
        )
    kind = TransientError if status >= 500 or status == 429 else TerminalError
    hint = "See the scheduler's log." if status >= 500 else "Is it the scheduler's plugin server?"
    return kind(Reason.HTTP_STATUS, f"{endpoint} answered {status} ({said or 'no text'}). {hint}")
