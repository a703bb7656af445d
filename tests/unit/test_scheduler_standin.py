"""The stand-in for the scheduler does what its text says, for other tests to rely on."""

import socket
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from support.scheduler import BOMB_BYTES, ControlHandler, PluginHandler, Server, StandIn

ARCHIVE = (Path(__file__).parents[1] / "data" / "corpus" / "01-gang" / "snapshot.zip").read_bytes()


@pytest.fixture
def standin() -> Iterator[tuple[str, str]]:
    """URLs of its control port and of the plugin server."""
    state = StandIn(ARCHIVE)
    servers = [Server(("127.0.0.1", 0), handler, state) for handler in (ControlHandler, PluginHandler)]
    for server in servers:
        server.start()
    yield f"http://127.0.0.1:{servers[0].port}", f"http://127.0.0.1:{servers[1].port}/get-snapshot"
    state.stopped.set()
    for server in servers:
        server.stop()


def ask(url: str, *, method: str = "GET", body: bytes | None = None) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, method=method, data=body), timeout=10) as response:
        return bytes(response.read())


def test_an_archive_goes_out_as_go_sends_it(standin: tuple[str, str]) -> None:
    host, _, port = standin[1].removeprefix("http://").partition("/")[0].partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"GET /get-snapshot HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Disposition: attachment; filename=snapshot.zip" in head
    assert body == b"".join(
        b"%x\r\n%b\r\n" % (len(piece), piece)
        for piece in [*(ARCHIVE[start : start + 4096] for start in range(0, len(ARCHIVE), 4096)), b""]
    )


def test_the_behaviour_is_changed_while_it_runs(standin: tuple[str, str]) -> None:
    control, snapshot = standin

    assert ask(f"{control}/behaviour", method="PUT", body=b"config-null:2\n") == b"config-null:2\n"
    served = [zipfile.ZipFile(BytesIO(ask(snapshot))).read("snapshot.json")[:15] for _ in range(3)]

    assert [document == b'{"config": null' for document in served] == [True, True, False]
    assert ask(f"{control}/behaviour") == b"serve\n"
    assert ask(f"{control}/requests") == b"3\n"


def test_the_archive_is_changed_while_it_runs(standin: tuple[str, str]) -> None:
    control, snapshot = standin
    ask(f"{control}/archive", method="PUT", body=b"another")

    assert ask(snapshot) == b"another"


def test_a_behaviour_that_does_not_exist_is_refused(standin: tuple[str, str]) -> None:
    with pytest.raises(urllib.error.HTTPError, match="422") as caught:
        ask(f"{standin[0]}/behaviour", method="PUT", body=b"dance")
    caught.value.close()

    assert ask(f"{standin[0]}/healthz") == b"ok\n"


def test_the_bomb_inflates_a_thousandfold(standin: tuple[str, str]) -> None:
    ask(f"{standin[0]}/behaviour", method="PUT", body=b"bomb")
    archive = ask(standin[1])

    assert zipfile.ZipFile(BytesIO(archive)).infolist()[0].file_size > BOMB_BYTES > 500 * len(archive)
