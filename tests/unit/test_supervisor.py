"""The supervisor does what its text says, for the tests of chaos to rely on."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientConnectionError, ClientSession, WSMsgType, web

from support.apiserver import DATA, PROTOCOL, ApiServer, serving
from support.supervisor import Proxy, Supervisor

STATUS = "/apis/kai-snapshot.io/v1alpha1/namespaces/ns/snapshotreplays/r/status"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/ns/leases/operator"


class Killed(Supervisor):
    """One without a process."""

    def __init__(self) -> None:
        super().__init__([])
        self.kills = 0

    def kill(self) -> None:
        self.kills += 1


@dataclass
class Supervised:
    """A client that is supervised, and what it talks to."""

    supervisor: Killed
    api: ApiServer
    client: ClientSession
    url: str

    async def write(self, path: str = STATUS, *, method: str = "PUT") -> int:
        async with self.client.request(method, self.url + path, json={"status": {}}) as answer:
            await answer.read()
            return answer.status

    async def trouble(self, **asked: Any) -> None:
        async with self.client.post(f"{self.url}/trouble", json=asked) as answer:
            assert answer.status == 200

    async def seen(self) -> dict[str, Any]:
        async with self.client.get(f"{self.url}/seen") as answer:
            return dict(await answer.json())


@asynccontextmanager
async def supervised() -> AsyncIterator[Supervised]:
    api, supervisor = ApiServer(places={"/apis/"}), Killed()
    async with asyncio.timeout(30), serving(api), ClientSession(auto_decompress=False) as client:
        proxy = Proxy(client, api.url, supervisor, kubernetes=True)
        app = web.Application()
        app.add_routes([web.post("/trouble", supervisor.set_trouble), web.get("/seen", supervisor.seen)])
        app.add_routes([web.route("*", "/{path:api.*}", proxy.serve)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield Supervised(supervisor, api, client, f"http://127.0.0.1:{runner.addresses[0][1]}")
        finally:
            await runner.cleanup()


@pytest.mark.asyncio
async def test_it_counts_what_is_written_but_for_the_lease() -> None:
    async with supervised() as world:
        await world.trouble(do="nothing")
        assert [await world.write(), await world.write(LEASE), await world.write(method="POST")] == [200, 200, 201]
        assert (await world.seen())["writes"] == [f"PUT {STATUS}", f"POST {STATUS}"]
        assert len(world.api.writes) == 3


@pytest.mark.asyncio
async def test_it_kills_once_the_write_is_done_and_tells_nobody_of_the_answer() -> None:
    async with supervised() as world:
        await world.trouble(do="kill", at=2)
        assert await world.write() == 200
        with pytest.raises(ClientConnectionError):
            await world.write(method="POST")  # a PUT the client would send again
        assert (world.supervisor.kills, len(world.api.writes)) == (1, 2)
        assert await world.write() == 200, "and the next operator is left alone"
        assert (world.supervisor.kills, (await world.seen())["met"]) == (1, True)


@pytest.mark.asyncio
async def test_a_write_that_is_refused_does_not_come_through() -> None:
    async with supervised() as world:
        await world.trouble(do="refuse", at=2, status=409)
        assert [await world.write() for _ in range(3)] == [200, 409, 200]
        assert len(world.api.writes) == 2
        assert (await world.seen())["met"]


@pytest.mark.asyncio
async def test_what_is_forwarded_passes_both_ways() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read(100)).upper())
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, supervised() as world:
        world.api.ports["p", 8081] = server.sockets[0].getsockname()[1]
        path, headers = "/api/v1/namespaces/ns/pods/p/portforward?ports=8081", {"Authorization": "Bearer t"}
        async with world.client.ws_connect(world.url + path, protocols=[PROTOCOL], headers=headers) as socket:
            assert socket.protocol == PROTOCOL
            await socket.send_bytes(DATA + b"hello")
            received = [message.data async for message in socket if message.type is WSMsgType.BINARY]
        assert DATA + b"HELLO" in received


@pytest.mark.asyncio
async def test_who_is_killed_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.supervisor.OPERATOR", "import time; time.sleep(60)")
    supervisor = Supervisor([])
    running = asyncio.create_task(supervisor.run())
    async with asyncio.timeout(30):
        while supervisor.starts < 3:
            supervisor.kill()
            await asyncio.sleep(0.01)
    assert supervisor._process is not None
    running.cancel()
    supervisor._process.send_signal(signal.SIGKILL)
    await supervisor._process.wait()
