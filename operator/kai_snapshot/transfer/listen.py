"""Listens, over TLS, for the transfer endpoint's clients."""

import ssl

from aiohttp import web


class Listener:
    """A server in the running event loop."""

    def __init__(self, runner: web.AppRunner) -> None:
        self._runner = runner

    @classmethod
    async def start(cls, app: web.Application, context: ssl.SSLContext, *, port: int) -> "Listener":
        """Serves the application on all addresses."""
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=10)
        await runner.setup()
        await web.TCPSite(runner, port=port, ssl_context=context).start()
        return cls(runner)

    async def close(self) -> None:
        """Ends what is under way within ten seconds: clients come again."""
        await self._runner.cleanup()
