"""The fault proxy does what its text says, for the e2e tests to rely on."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from support.faultproxy import Proxy
from support.s3_server import Answer, S3Server, s3_server


@pytest.fixture
def upstream() -> Iterator[S3Server]:
    with s3_server(lambda request: Answer(200, b"kept", {"ETag": '"e"'})) as server:
        yield server


@dataclass(frozen=True)
class Proxied:
    """A client, and where the proxy and its control are."""

    client: ClientSession
    url: str

    async def ask(self, method: str, path: str, data: bytes = b"", **headers: str) -> tuple[int, str | None, bytes]:
        """Status, ETag and body."""
        async with self.client.request(method, f"{self.url}/s3/{path}", data=data, headers=headers) as answer:
            return answer.status, answer.headers.get("ETag"), await answer.read()

    async def fault(self, match: str, do: str) -> None:
        async with self.client.post(f"{self.url}/fault", json={"match": match, "do": do}) as answer:
            assert answer.status == 200

    async def seen(self) -> int:
        async with self.client.get(f"{self.url}/seen") as answer:
            return int(await answer.text())

    async def until_seen(self) -> None:
        while not await self.seen():  # noqa: ASYNC110 - it is another program that is looked at
            await asyncio.sleep(0.01)


@asynccontextmanager
async def proxied(upstream: S3Server) -> AsyncIterator[Proxied]:
    async with asyncio.timeout(30), ClientSession(auto_decompress=False) as client:
        proxy = Proxy(client, upstream.url)
        app = web.Application()
        app.add_routes([web.post("/fault", proxy.set_fault), web.get("/seen", proxy.seen)])
        app.add_routes([web.route("*", "/s3/{path:.*}", proxy.serve)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield Proxied(client, f"http://127.0.0.1:{runner.addresses[0][1]}")
        await runner.cleanup()


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE"])
async def test_what_no_fault_is_about_passes_as_it_came(upstream: S3Server, method: str) -> None:
    signed = {"Authorization": "AWS4-HMAC-SHA256 ...", "Host": "bucket.example"}
    async with proxied(upstream) as proxy:
        answer = await proxy.ask(method, "b/a%20b.zip?partNumber=2", b"12345", **signed)
        assert answer == (200, '"e"', b"" if method == "HEAD" else b"kept")
    (passed,) = upstream.requests
    assert (passed.method, passed.path, passed.size) == (method, "/s3/b/a%20b.zip?partNumber=2", 5)
    assert signed.items() <= passed.headers.items()


@pytest.mark.asyncio
async def test_a_fault_fails_what_it_is_about_and_counts(upstream: S3Server) -> None:
    async with proxied(upstream) as proxy:
        await proxy.fault("PUT .*partNumber=2", "fail")
        statuses = [(await proxy.ask("PUT", f"b/a.zip?partNumber={n}", bytes(1 << 20)))[0] for n in (1, 2, 2, 3)]
        assert statuses == [200, 503, 503, 200]
        assert await proxy.seen() == 2


@pytest.mark.asyncio
async def test_what_is_held_goes_on_when_the_fault_is_cleared(upstream: S3Server) -> None:
    async with proxied(upstream) as proxy:
        await proxy.fault(r"PUT .*\.json", "hold")
        upload = asyncio.create_task(proxy.ask("PUT", "b/a.json", b"{}"))
        await proxy.until_seen()
        assert upstream.requests == []
        await proxy.fault("", "pass")
        assert (await upload)[0] == 200
    assert [request.path for request in upstream.requests] == ["/s3/b/a.json"]


@pytest.mark.asyncio
async def test_what_was_held_for_somebody_who_is_gone_never_arrives(upstream: S3Server) -> None:
    async with proxied(upstream) as proxy:
        await proxy.fault(r"PUT .*\.json", "hold")
        upload = asyncio.create_task(proxy.ask("PUT", "b/a.json", b"{}"))
        await proxy.until_seen()
        upload.cancel()
        await asyncio.gather(upload, return_exceptions=True)
        await proxy.fault("", "pass")
        assert (await proxy.ask("PUT", "b/b.json", b"{}"))[0] == 200
    assert [request.path for request in upstream.requests] == ["/s3/b/b.json"]


def test_the_script_needs_nothing_of_this_project() -> None:
    script = Path(__file__).parents[1] / "support" / "faultproxy.py"
    assert "from support" not in script.read_text()
    assert "kai_snapshot" not in script.read_text()
