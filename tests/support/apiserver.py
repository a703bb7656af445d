"""A small Kubernetes API server for unit tests: canned objects, and port-forward over a WebSocket to a local port."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

PROTOCOL = "v4.channel.k8s.io"
DATA, ERROR = b"\x00", b"\x01"
READ_BYTES = 32 * 1024  # the kubelet's pieces


@dataclass
class ApiServer:
    """What the API server knows. Tests fill it in; `url` is where it listens."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Answer by path."""
    lists: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Items by path."""
    texts: dict[str, str] = field(default_factory=dict)
    """Plain text by path: logs."""
    ports: dict[tuple[str, int], int] = field(default_factory=dict)
    """Local port by pod and the port in it."""
    statuses: dict[str, int] = field(default_factory=dict)
    """Refusals by path."""
    places: set[str] = field(default_factory=set)
    """Where something may be created, applied or deleted, by the beginning of its path."""
    writes: list[tuple[str, str, Any]] = field(default_factory=list)
    """What was: method, path and content."""
    created: Callable[[str, Any], None] = lambda path, content: None
    """Called with everything that is created: a controller, a kubelet."""
    forgets: dict[str, int] = field(default_factory=dict)
    """By path, from which object on a list has been forgotten when it is asked for the next page."""
    goes_on: bool = True
    """Whether it says then how to go on with what the list is by now."""
    removed: dict[str, int] = field(default_factory=dict)
    """By path, from which object on there is no such list any more (404): its kind was removed meanwhile."""
    busy: dict[str, int] = field(default_factory=dict)
    """How often it is too busy for a path (429)."""
    token: str | None = None
    """The only token accepted."""
    page_size: int = 500
    url: str = ""
    requests: list[str] = field(default_factory=list)
    """Every request, as `GET /path?query`."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path_qs}")
        if (refused := self.refused(request)) is not None:
            return refused
        if request.path.endswith("/portforward"):
            return await self.forward(request)
        if request.method != "GET" and any(request.path.startswith(place) for place in self.places):
            return await self.write(request)
        if request.path in self.lists:
            return self.page(request)
        if request.path in self.texts:
            return web.Response(text=self.texts[request.path])
        if request.path in self.objects:
            return web.json_response(self.objects[request.path])
        return refusal(404, "not found")

    def refused(self, request: web.Request) -> web.Response | None:
        if self.token is not None and request.headers.get("Authorization") != f"Bearer {self.token}":
            return refusal(401, "Unauthorized")
        if self.busy.get(request.path, 0) > 0:
            self.busy[request.path] -= 1
            return refusal(429, "too many requests", headers={"Retry-After": "0"})
        if request.path in self.statuses:
            said = f'User "jane" cannot use {request.path}'
            return refusal(self.statuses[request.path], said, headers={"Retry-After": "0"})
        return None

    async def write(self, request: web.Request) -> web.Response:
        content = await request.json()
        self.writes.append((request.method, request.path, content))
        if request.method == "POST":
            self.created(request.path, content)
        return web.json_response(content, status=201 if request.method == "POST" else 200)

    def page(self, request: web.Request) -> web.Response:
        items = [item for item in self.lists[request.path] if chosen(item, request.query)]
        start = int(request.query.get("continue", "0").removeprefix("later-"))
        if start >= self.forgets.get(request.path, len(items) + 1) and "later-" not in request.query["continue"]:
            again = {"continue": f"later-{start}"} if self.goes_on else {}
            return refusal(410, "The provided continue parameter is too old", metadata=again)
        if start >= self.removed.get(request.path, len(items) + 1):
            return refusal(404, "the server could not find the requested resource")
        end = start + min(self.page_size, int(request.query.get("limit", "500")))
        later = "later-" in request.query.get("continue", "")
        metadata = {"resourceVersion": "200" if later else "100"}
        if end < len(items):
            metadata["continue"] = f"{'later-' if later else ''}{end}"
        return web.json_response({"metadata": metadata, "items": items[start:end] or None})

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """As the kubelet: the port on both channels first, then bytes; an error text if nothing listens."""
        pod = request.path.split("/")[-2]
        if not any(name == pod for name, _ in self.ports):
            return refusal(404, f'pods "{pod}" not found')
        port = int(request.query["ports"])
        socket = web.WebSocketResponse(protocols=(PROTOCOL,), compress=False)
        await socket.prepare(request)
        announcement = port.to_bytes(2, "little")
        await socket.send_bytes(DATA + announcement)
        await socket.send_bytes(ERROR + announcement)
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.ports.get((pod, port), 1))
        except OSError as error:
            text = f"an error occurred forwarding {port} -> {port}: error forwarding port {port} to pod {pod}: {error}"
            await socket.send_bytes(ERROR + re.sub(r"Connect call failed.*", "connection refused", text).encode())
            await socket.close()
            return socket
        upstream = asyncio.create_task(self._send(socket, writer))
        with suppress(ConnectionError):
            while data := await reader.read(READ_BYTES):
                await socket.send_bytes(DATA + data)
        upstream.cancel()
        writer.close()
        await socket.close()
        return socket

    @staticmethod
    async def _send(socket: web.WebSocketResponse, writer: asyncio.StreamWriter) -> None:
        async for message in socket:
            if message.type is WSMsgType.BINARY and message.data[:1] == DATA:
                writer.write(message.data[1:])
                await writer.drain()
        writer.close()


def chosen(item: dict[str, Any], query: Mapping[str, str]) -> bool:
    """By label selector (`key=value`, `!key`) and field selector (`status.phase!=value`)."""
    labels = item.get("metadata", {}).get("labels", {})
    for wanted in filter(None, query.get("labelSelector", "").split(",")):
        key, equals, value = wanted.partition("=")
        if (labels.get(key) != value) if equals else (key.removeprefix("!") in labels):
            return False
    refused = [each.partition("!=")[2] for each in query.get("fieldSelector", "").split(",")]
    return item.get("status", {}).get("phase", "none") not in refused


def refusal(status: int, message: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> web.Response:
    content = {"kind": "Status", "status": "Failure", "message": message, "code": status, **more}
    return web.json_response(content, status=status, headers=headers)


@asynccontextmanager
async def serving(server: ApiServer, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[ApiServer]:
    """Lets it listen on a port of its own."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port = runner.addresses[0][1]
        server.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        yield server
    finally:
        await runner.cleanup()
