"""Serves the application on an address, until it is told to stop."""

import socket
from typing import Final

import uvicorn
from starlette.types import ASGIApp

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


def listen(host: str, port: int) -> socket.socket:
    """A socket at that address; any free port for 0. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def url_of(listener: socket.socket) -> str:
    """Where a browser finds it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def server(app: ASGIApp) -> uvicorn.Server:
    """A server of the application: `run(sockets=[listener])` serves until SIGTERM or SIGINT."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            access_log=False,
            http="h11",
            lifespan="on",
            log_config=None,
            loop="asyncio",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=5,
            ws="none",
        )
    )
