"""Who answers as the transfer endpoint is known by its certificate, or told nothing."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from kai_snapshot.errors import Reason, TerminalError, TransientError
from kai_snapshot.settings import read
from kai_snapshot.transfer.certificates import HANDOVER, LIFETIME, RENEWAL, Certificate, Certificates, make, renewed
from kai_snapshot.transfer.client import connect
from kai_snapshot.transfer.listen import Listener
from kai_snapshot.transfer.presented import Presented, client_context
from support.transferred import PRESENTED, TRUST, serving, session
from unit.test_settings import NEEDED

pytestmark = pytest.mark.asyncio
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@asynccontextmanager
async def answering(certificate: Certificate) -> AsyncIterator[tuple[str, list[str]]]:
    """A server that says it is the endpoint, and what it was told."""
    told: list[str] = []

    async def take(request: web.Request) -> web.Response:
        told.append(request.headers.get("Authorization", ""))
        return web.Response(text="{}")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", take)
    async with serving(app, Presented(Certificates(certificate))) as url:
        yield url, told


@pytest.mark.parametrize(
    ("certificate", "why"),
    [
        (make("127.0.0.1", NOW), "unable to get local issuer certificate"),
        (make("127.0.0.1", NOW - LIFETIME - DAY), "unable to get local issuer certificate"),
    ],
    ids=["of another authority", "of another authority, and over"],
)
async def test_a_man_in_the_middle_is_refused_at_once_and_never_sees_the_token(
    certificate: Certificate, why: str, tmp_path: Path
) -> None:
    async with answering(certificate) as (url, told), connect(url, "secret", TRUST, patience_seconds=600) as client:
        for ask in (client.instructions, lambda: client.archive(tmp_path / "archive", sha256="00")):
            with pytest.raises(TransientError, match=f"not the operator that this Job was made by.*{why}") as caught:
                await ask()
            assert caught.value.reason is Reason.TLS_VERIFICATION_FAILED
    assert told == []


@pytest.mark.parametrize(
    ("made_for", "made", "why"),
    [
        ("127.0.0.2", NOW, "IP address mismatch"),
        ("localhost", NOW, "IP address mismatch"),
        ("127.0.0.1", NOW - LIFETIME - DAY, "certificate has expired"),
        ("127.0.0.1", NOW + DAY, "certificate is not yet valid"),
    ],
)
async def test_a_certificate_that_is_not_good_here_and_now_is_refused(made_for: str, made: datetime, why: str) -> None:
    certificate = make(made_for, made)
    async with (
        answering(certificate) as (url, told),
        connect(url, "secret", certificate.authority, patience_seconds=0) as client,
    ):
        with pytest.raises(TransientError, match=why):
            await client.instructions()
    assert told == []


async def test_a_result_is_worth_waiting_for_the_right_one_to_answer(tmp_path: Path) -> None:
    (tmp_path / "result").write_text("{}")
    right = make("127.0.0.1", NOW)
    presented = Presented(Certificates(make("127.0.0.1", NOW)))
    results: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        results.append(await request.read())
        return web.Response()

    app = web.Application()
    app.router.add_put("/v1/result", take)
    async with (
        serving(app, presented) as url,
        connect(url, "secret", right.authority, patience_seconds=60) as client,
    ):
        handing_in = asyncio.create_task(client.put_result(tmp_path / "result"))
        await asyncio.wait([handing_in], timeout=0.1)
        assert not handing_in.done()
        presented.change(Certificates(right))
        await handing_in
    assert results == [b"{}"]


async def test_a_job_goes_on_while_certificates_are_replaced_over_and_over() -> None:
    async def healthy(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    held = renewed(None, "127.0.0.1", NOW - LIFETIME + RENEWAL)
    presented = Presented(held)
    app = web.Application()
    app.router.add_get("/healthz", healthy)
    async with serving(app, presented) as url:
        before = held.authorities
        held = renewed(held, "127.0.0.1", NOW)
        presented.change(held)
        during = presented.authorities
        assert [await trusts(url, trust) for trust in (before, during)] == [True, True]
        presented.change(renewed(held, "127.0.0.1", NOW + HANDOVER))
        assert [await trusts(url, trust) for trust in (before, during)] == [False, True]


async def trusts(url: str, authorities: str) -> bool:
    """Whether a client that trusts these gets an answer."""
    connector = aiohttp.TCPConnector(ssl=client_context(authorities))
    async with aiohttp.ClientSession(connector=connector) as client:
        try:
            async with client.get(f"{url}/healthz") as response:
                return response.status == 200
        except aiohttp.ClientConnectorCertificateError:
            return False


async def test_plain_http_and_old_tls_get_nothing() -> None:
    async def healthy(_: web.Request) -> web.Response:
        raise AssertionError

    app = web.Application()
    app.router.add_get("/healthz", healthy)
    async with serving(app) as url:
        with pytest.raises(aiohttp.ClientError):
            async with aiohttp.ClientSession() as client, client.get(url.replace("https", "http") + "/healthz"):
                pass
        old = client_context(TRUST)
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(aiohttp.ClientConnectorError):
            async with (
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=old)) as client,
                client.get(f"{url}/healthz"),
            ):
                pass


@pytest.mark.parametrize("said", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"], ids=["nothing", "half a question"])
async def test_a_connection_that_asks_nothing_is_closed(said: bytes) -> None:
    listener = await Listener.start(web.Application(), PRESENTED.context, host="127.0.0.1", port=0, idle_seconds=0.05)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port, ssl=client_context(TRUST))
        writer.write(said)
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()
    finally:
        await listener.close()


async def test_what_is_no_http_is_a_line_in_the_log_without_the_token(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(web.Application()) as url:
        port = int(url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client_context(TRUST))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\0\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.0 400 ")
        writer.close()
    (told,) = (each for each in caplog.records if each.name == "kai_snapshot.transfer.listen")
    assert (told.levelname, told.exc_info) == ("WARNING", None)
    assert "secret" not in caplog.text


async def test_a_body_that_says_it_is_compressed_is_taken_as_it_is() -> None:
    async def take(request: web.Request) -> web.Response:
        return web.json_response(len(await request.read()))

    app, packed = web.Application(), gzip.compress(bytes(1 << 20))
    app.router.add_put("/", take)
    async with (
        serving(app) as url,
        session() as client,
        client.put(f"{url}/", data=packed, headers={"Content-Encoding": "gzip"}) as response,
    ):
        assert await response.json() == len(packed)


async def test_other_authorities_of_the_machine_are_not_trusted() -> None:
    assert client_context(TRUST).cert_store_stats()["x509_ca"] == 1
    await session().close()


@pytest.mark.parametrize("url", ["http://transfer:8082", "transfer:8082", "https://", "https:///x"])
async def test_an_endpoint_without_tls_is_no_setting(url: str) -> None:
    with pytest.raises(TerminalError, match="KAI_SNAPSHOT_TRANSFER_URL must be https://HOST:PORT"):
        read({**NEEDED, "KAI_SNAPSHOT_TRANSFER_URL": url})
