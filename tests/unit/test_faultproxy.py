"""The fault proxy does what its text says, for the e2e tests to rely on."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from support.faultproxy import Proxy
from support.s3_server import Answer, Request, S3Server, s3_server


@pytest.fixture
def upstream() -> Iterator[S3Server]:
    def answer(request: Request) -> Answer:
        return Answer(404 if "missing" in request.path else 200, b"kept", {"ETag": '"e"'})

    with s3_server(answer) as server:
        yield server


@dataclass(frozen=True)
class Proxied:
    """A client, the proxy's address, and where its rules are."""

    client: aiohttp.ClientSession
    url: str
    rules: str

    async def ask(self, method: str, path: str, data: bytes = b"", **headers: str) -> tuple[int, str | None, bytes]:
        """Status, ETag and body."""
        async with self.client.request(method, f"{self.url}/{path}", data=data, headers=headers) as answer:
            return answer.status, answer.headers.get("ETag"), await answer.read()

    async def rule(self, name: str, text: str) -> int:
        async with self.client.post(f"{self.rules}/{name}", data=text) as answer:
            return answer.status

    async def counted(self, name: str) -> dict[str, int]:
        async with self.client.get(f"{self.rules}/{name}") as answer:
            return dict(await answer.json())

    async def until_held(self, name: str, count: int) -> None:
        while (await self.counted(name))["held"] != count:  # noqa: ASYNC110 - it is another program that is looked at
            await asyncio.sleep(0.01)


@asynccontextmanager
async def proxied(upstream: S3Server) -> AsyncIterator[Proxied]:
    proxy = Proxy(upstream.url).serve(port=0, control_port=0)
    async with asyncio.timeout(30), proxy as (port, control), aiohttp.ClientSession() as client:
        yield Proxied(client, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{control}/rules")


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE"])
async def test_what_no_rule_is_about_passes_as_it_came(upstream: S3Server, method: str) -> None:
    signed = {"Authorization": "AWS4-HMAC-SHA256 ...", "Host": "bucket.example"}
    async with proxied(upstream) as proxy:
        answer = await proxy.ask(method, "b/a%20b.zip?partNumber=2", b"12345", **signed)
        assert answer == (200, '"e"', b"" if method == "HEAD" else b"kept")
    (passed,) = upstream.requests
    assert (passed.method, passed.path, passed.size) == (method, "/b/a%20b.zip?partNumber=2", 5)
    assert signed.items() <= passed.headers.items()


@pytest.mark.asyncio
async def test_a_rule_refuses_as_often_as_it_says_and_counts(upstream: S3Server) -> None:
    async with proxied(upstream) as proxy:
        await proxy.rule("r", "refuse:2 PUT */b/*partNumber=2*")
        statuses = [(await proxy.ask("PUT", f"b/a.zip?partNumber={n}"))[0] for n in (1, 2, 2, 2, 3)]
        assert statuses == [200, 503, 503, 200, 200]
        assert await proxy.counted("r") == {"met": 3, "held": 0}


@pytest.mark.asyncio
async def test_what_is_held_goes_on_when_the_rule_is_changed(upstream: S3Server) -> None:
    async with proxied(upstream) as proxy:
        await proxy.rule("r", "hold PUT *.json")
        upload = asyncio.create_task(proxy.ask("PUT", "b/a.json", b"{}"))
        await proxy.until_held("r", 1)
        assert upstream.requests == []
        await proxy.rule("r", "pass PUT *")
        assert (await upload)[0] == 200
    assert [request.path for request in upstream.requests] == ["/b/a.json"]


@pytest.mark.asyncio
async def test_what_was_held_for_somebody_who_is_gone_never_arrives(upstream: S3Server) -> None:
    async with proxied(upstream) as proxy:
        await proxy.rule("r", "hold PUT *.json")
        upload = asyncio.create_task(proxy.ask("PUT", "b/a.json", b"{}"))
        await proxy.until_held("r", 1)
        upload.cancel()
        await proxy.until_held("r", 0)
        await proxy.rule("r", "pass PUT *")
        assert (await proxy.ask("PUT", "b/b.json", b"{}"))[0] == 200
    assert [request.path for request in upstream.requests] == ["/b/b.json"]


@pytest.mark.asyncio
@pytest.mark.parametrize("text", ["dance PUT *", "refuse", "hold:3 PUT *", "refuse:x PUT *"])
async def test_a_rule_nobody_knows_is_refused(upstream: S3Server, text: str) -> None:
    async with proxied(upstream) as proxy:
        assert await proxy.rule("r", text) == 422


def test_the_script_needs_nothing_of_this_project() -> None:
    script = Path(__file__).parents[1] / "support" / "faultproxy.py"
    assert "from support" not in script.read_text()
    assert "kai_snapshot" not in script.read_text()
