"""The transfer endpoint as tests serve and call it: over TLS, on loopback."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import aiohttp
from aiohttp import web

from kai_snapshot.transfer.certificates import Certificates, make
from kai_snapshot.transfer.presented import Presented, client_context

CERTIFICATE = make("127.0.0.1", datetime.now(UTC))
PRESENTED = Presented(Certificates(CERTIFICATE))
TRUST = CERTIFICATE.authority


@contextlib.asynccontextmanager
async def serving(app: web.Application, presented: Presented = PRESENTED) -> AsyncIterator[str]:
    """Serves it; gives its URL."""
    runner = web.AppRunner(app, lingering_time=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=presented.context).start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"https://{host}:{port}"
    finally:
        await runner.cleanup()


def session(headers: Mapping[str, str] | None = None) -> aiohttp.ClientSession:
    """A client that knows nothing of the endpoint but its authority."""
    return aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(ssl=client_context(TRUST)))
