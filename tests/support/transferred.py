"""The transfer endpoint as tests serve and call it: over TLS, on loopback."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime

import aiohttp
from aiohttp import web

from kai_snapshot.transfer.certificates import Certificates, make
from kai_snapshot.transfer.listen import IDLE_SECONDS, Listener
from kai_snapshot.transfer.presented import Presented, client_context

CERTIFICATE = make("127.0.0.1", datetime.now(UTC))
PRESENTED = Presented(Certificates(CERTIFICATE))
TRUST = CERTIFICATE.authority


@contextlib.asynccontextmanager
async def serving(app: web.Application, presented: Presented = PRESENTED) -> AsyncIterator[str]:
    """Serves it; gives its URL."""
    listener = await Listener.start(app, presented.context, host="127.0.0.1", port=0, linger_seconds=0.1)
    try:
        yield f"https://127.0.0.1:{listener.port}"
    finally:
        await listener.close()


@contextlib.contextmanager
def in_thread(app: web.Application, *, idle_seconds: float = IDLE_SECONDS) -> Iterator[int]:
    """Serves it in a thread of its own; gives its port."""
    loop, ports = asyncio.new_event_loop(), []
    started = threading.Event()

    async def start() -> Listener:
        listener = await Listener.start(
            app, PRESENTED.context, host="127.0.0.1", port=0, idle_seconds=idle_seconds, linger_seconds=0.1
        )
        ports.append(listener.port)
        started.set()
        return listener

    def run() -> None:
        asyncio.set_event_loop(loop)
        listener = loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(listener.close())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(10)
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def session(headers: Mapping[str, str] | None = None) -> aiohttp.ClientSession:
    """A client that knows nothing of the endpoint but its authority."""
    return aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(ssl=client_context(TRUST)))
