"""Listens, over TLS, for the transfer endpoint's clients."""

import logging
import ssl
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

IDLE_SECONDS: Final = 60
"""A connection that asks for nothing, or never ends its question, is closed after that; aiohttp would wait an hour."""
LINGER_SECONDS: Final = 10
"""How long the rest of a body is read that was refused, so that its sender hears why."""


logger = logging.getLogger(__name__)


class _Malformed(logging.Filter):
    """Makes a line of what is no HTTP: aiohttp tells of it with a traceback and the header, which may be a token's."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Changes the record; all are let through."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.msg, record.args, record.exc_info = "refused what is no HTTP: %s", (type(error).__name__,), None
        return True


logger.addFilter(_Malformed())


class Listener:
    """A server in the running event loop."""

    def __init__(self, runner: web.AppRunner) -> None:
        self._runner = runner

    @classmethod
    async def start(
        cls,
        app: web.Application,
        context: ssl.SSLContext,
        *,
        port: int,
        host: str | None = None,
        idle_seconds: float = IDLE_SECONDS,
        linger_seconds: float = LINGER_SECONDS,
    ) -> "Listener":
        """Serves the application on that address, or on all; 0 is any port that is free."""
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=logger,
            shutdown_timeout=10,
            keepalive_timeout=idle_seconds,
            lingering_time=linger_seconds,
            auto_decompress=False,  # a body is what is sent: a small one must not become a large one here
        )
        await runner.setup()
        await web.TCPSite(runner, host, port, ssl_context=context).start()
        return cls(runner)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Ends what is under way within ten seconds: clients come again."""
        await self._runner.cleanup()
