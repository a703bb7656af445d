"""The transfer endpoint takes or refuses whatever is sent to it, goes on, and keeps nothing that it refused."""

import contextlib
import gzip
import hashlib
import logging
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot.transfer import digest
from kai_snapshot.transfer.presented import client_context
from kai_snapshot.transfer.server import application
from kai_snapshot.transfer.tokens import Tokens
from support.eventually import eventually
from support.fuzz import HOSTILE_TEXT, fuzzed
from support.transferred import TRUST, in_thread
from unit.test_transfer import KEY, NODE, PART, Shelf
from unit.test_transfer import LIMITS as SMALL

ANSWER_SECONDS = 10
REFUSALS = {400, 401, 403, 404, 405, 413, 417, 431, 503, 505}


LIMITS = replace(SMALL, silence_seconds=0.2)
CONTEXT = client_context(TRUST)


@dataclass
class Served:
    """The endpoint, and all that it has taken."""

    port: int
    shelf: Shelf
    spool: Path

    def send(self, data: bytes) -> bytes:
        """What comes back, until the endpoint closes the connection."""
        answer = b""
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER_SECONDS) as plain,
            CONTEXT.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
            contextlib.suppress(ConnectionError, ssl.SSLError),
        ):
            connection.sendall(data)
            while piece := connection.recv(65536):
                answer += piece
        return answer

    def drop(self, data: bytes) -> None:
        """Goes away without a word after that."""
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER_SECONDS) as plain,
            CONTEXT.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
            contextlib.suppress(ConnectionError, ssl.SSLError),
        ):
            connection.sendall(data)

    def taken(self) -> list[bytes]:
        """All that was handed in."""
        shelf = self.shelf
        return [*shelf.logs, *shelf.results, *shelf.profiles.values(), *shelf.documents.values()]

    def is_clean(self) -> bool:
        """Whether it answers, and holds nothing of anybody."""
        return status(self.send(request("GET", "/healthz", {}, None))) == 200 and not list(self.spool.iterdir())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    spool, shelf = tmp_path_factory.mktemp("spool"), Shelf()
    with in_thread(application(Tokens(KEY), shelf, shelf, spool=spool, limits=LIMITS), idle_seconds=0.3) as port:
        yield Served(port, shelf, spool)


def status(answer: bytes) -> int | None:
    """Of the first answer; None if there is none."""
    told = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    return int(told.split()[1]) if told else None


def _issued_long_ago() -> str:
    with mock.patch("time.time", return_value=1.0):
        return Tokens(KEY).issue(PART)


GOOD = Tokens(KEY).issue(PART)
FORGED = {
    "none": "",
    "of another key": Tokens(b"o" * 32).issue(PART),
    "of a node": Tokens(KEY).issue(NODE),
    "over": _issued_long_ago(),
    "of a replay that is gone": Tokens(KEY).issue(PART.model_copy(update={"uid": "gone"})),
    "cut": GOOD[:-1],
    "twice": f"{GOOD}.{GOOD}",
    "unsigned": GOOD.rpartition(".")[0],
    "with another payload": "e30." + GOOD.partition(".")[2],
}
ROUTES = [
    ("GET", "/v1/instructions"),
    ("GET", "/v1/archive"),
    ("PUT", "/v1/log"),
    ("PUT", "/v1/profile/cpu"),
    ("PUT", "/v1/profile/memory"),
    ("PUT", "/v1/result"),
    ("PUT", "/v1/environment"),
]


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize(("method", "path"), ROUTES, ids=[path for _, path in ROUTES])
def test_no_token_but_a_good_one_of_the_right_kind_opens_anything(
    served: Served, method: str, path: str, token: str
) -> None:
    before = served.taken()
    if path == "/v1/environment" and token == FORGED["of a node"]:
        token = GOOD
    answer = served.send(request(method, path, {"Authorization": f"Bearer {token}"}, b"{}"))
    assert status(answer) in ({401} if token != FORGED["of a replay that is gone"] else {401, 403}), answer
    assert served.taken() == before


def request(method: str, target: str, headers: dict[str, str], body: bytes | None) -> bytes:
    """A request as it stands on the wire, with its length and digest unless the headers have them."""
    told = {"Host": "x", "Connection": "close"}
    if body is not None:
        told |= {
            "Content-Length": str(len(body)),
            digest.HEADER: digest.encode(hashlib.sha256(body).hexdigest()),
        }
    told |= headers
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items() if value is not None)]
    return "\r\n".join(lines).encode("utf-8", "surrogatepass") + b"\r\n\r\n" + (body or b"")


METHODS = ["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE", "CONNECT", "put", "PUTT", "G\x00T", ""]
TARGETS = [
    *(path for _, path in ROUTES),
    "/healthz",
    "/",
    "*",
    "//v1/result",
    "/v1//result",
    "/v1/result/",
    "/v1/./result",
    "/v1/profile/../result",
    "/v1/%2e%2e/v1/result",
    "/v1/result%00",
    "/v1/result;x",
    "/v1/result?archive=-1",
    "/v1/%72esult",
    "/v1/profile/x",
    "http://evil/v1/result",
    "evil:443",
    "/v1/archive?archive=0",
    "/v1/archive?archive=1&archive=2",
    "/v1/archive?archive=" + "9" * 5000,
    "/v1/archive?archive=%F0%9F",
    "/v1/result#x",
    "/" + "a" * 70000,
    "?",
    "/v1/résult",
]
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "Content-Length",
            "Transfer-Encoding",
            "Content-Encoding",
            "Expect",
            "Connection",
            "Upgrade",
            "Host",
            "Range",
            "Content-Type",
            "Authorization",
            "Repr-Digest",
            "X-HTTP-Method-Override",
            "Cookie",
            "X-Forwarded-For",
            "Te",
        ]
    ),
    st.one_of(
        st.sampled_from(
            [
                "0",
                "-1",
                "+5",
                "0x5",
                "5, 5",
                "99999999999999999999",
                "1e3",
                "chunked",
                "chunked, chunked",
                "gzip, chunked",
                "identity",
                "gzip",
                "deflate",
                "br",
                "zstd",
                "100-continue",
                "200-ok",
                "upgrade",
                "websocket",
                "h2c",
                "keep-alive",
                "bytes=0-1",
                "Bearer",
                f"bearer {GOOD}",
                f"Bearer {GOOD} {GOOD}",
                "sha-256=:AAAA:",
                "x" * 9000,
            ]
        ),
        st.sampled_from([text for text in HOSTILE_TEXT if text.isprintable()]),
    ),
    max_size=4,
)
BODIES = st.one_of(
    st.none(),
    st.binary(max_size=64),
    st.sampled_from(
        [
            b"{}",
            b"0\r\n\r\n",
            b"5\r\nhello\r\n0\r\n\r\n",
            b"ffffffffffffffff\r\nx",
            b"-1\r\n\r\n",
            b"5;" + b"x" * 9000,
            b"2\r\n{}\r\n0\r\nX: y\r\n" + b"Z: z\r\n" * 200 + b"\r\n",
            gzip.compress(bytes(1 << 20)),
            bytes(LIMITS.result_bytes + 1),
            b"\x00" * 1000,
        ]
    ),
)


class Sent(bytes):
    """A request, of which the beginning is shown."""

    def __repr__(self) -> str:
        return f"{bytes(self[:1000])!r} of {len(self)} bytes"


REQUESTS = st.builds(
    lambda method, target, token, headers, body: Sent(
        request(method, target, {"Authorization": f"Bearer {token}"} | headers, body)
    ),
    st.sampled_from(METHODS),
    st.sampled_from(TARGETS),
    st.sampled_from([GOOD, *FORGED.values()]),
    HEADERS,
    BODIES,
)


@fuzzed(100)
@given(data=REQUESTS)
def test_whatever_is_sent_is_answered_or_dropped_and_nothing_is_left_behind(
    served: Served, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    caplog.clear()
    before = served.taken()
    answered = status(served.send(data))
    assert answered in {200, None, *REFUSALS}
    assert not faults(caplog)
    if answered != 200:
        assert served.taken() == before
    elif b" /healthz " not in data:
        assert GOOD.encode() in data or FORGED["of a node"].encode() in data
    assert served.is_clean()


@fuzzed(50)
@given(data=REQUESTS, cut=st.integers(1, 300))
def test_who_goes_away_in_the_middle_leaves_nothing_behind(
    served: Served, caplog: pytest.LogCaptureFixture, data: bytes, cut: int
) -> None:
    caplog.clear()
    served.drop(data[:-cut])
    eventually(served.is_clean, timeout=10, interval=0.01)
    assert not faults(caplog)


@fuzzed(50)
@given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_what_is_no_request_at_all_is_dropped_too(
    served: Served, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    caplog.clear()
    assert status(served.send(data + b"\r\n\r\n")) in {None, *REFUSALS}
    assert not faults(caplog)


def faults(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """What the endpoint did not expect."""
    return [each for each in caplog.records if each.levelno >= logging.ERROR]
