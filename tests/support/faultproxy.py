"""A proxy in front of an S3 server that makes trouble on demand. It runs in a pod, from the operator's image.

Requests pass until a fault is set at the control port, with `POST /fault` and JSON:

    {"match": "PUT .*partNumber=2", "do": "fail"}     503 for every request whose method and path match
    {"match": "PUT .*\\.json", "do": "hold"}          keeps such requests from the server until the fault is cleared
    {"match": "", "do": "pass"}                       clears it

`GET /seen` tells how many requests have met the fault. Who was held and has gone away meanwhile is not passed on.
"""

import argparse
import asyncio
import re
from dataclasses import dataclass, field

from aiohttp import ClientSession, ClientTimeout, web

BUSY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "expect"}


@dataclass
class Fault:
    """What happens to whom."""

    match: str = ""
    do: str = "pass"
    seen: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Proxy:
    """One S3 server, and the fault of the moment."""

    def __init__(self, session: ClientSession, target: str) -> None:
        self._session = session
        self._target = target
        self._fault = Fault()

    async def set_fault(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self._fault.over.set()
        self._fault = Fault(asked["match"], asked["do"])
        return web.Response(text="ok\n")

    async def seen(self, _: web.Request) -> web.Response:
        return web.Response(text=f"{self._fault.seen}\n")

    async def serve(self, request: web.Request) -> web.StreamResponse:
        fault = self._fault
        if fault.do != "pass" and re.search(fault.match, f"{request.method} {request.raw_path}"):
            fault.seen += 1
            if fault.do == "fail":
                await request.read()
                return web.Response(status=503, body=BUSY, content_type="application/xml")
            await fault.over.wait()
            if request.transport is None or request.transport.is_closing():
                raise ConnectionResetError
        return await self._pass_on(request)

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        """As it came, with the Host header that is part of the signature."""
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP]
        body = request.content if request.body_exists else None
        url = f"{self._target}{request.raw_path}"
        async with self._session.request(
            request.method, url, headers=headers, data=body, allow_redirects=False
        ) as answer:
            response = web.StreamResponse(status=answer.status, reason=answer.reason)
            response.headers.extend((n, v) for n, v in answer.headers.items() if n.lower() not in HOP_BY_HOP)
            await response.prepare(request)
            async for piece in answer.content.iter_chunked(1 << 16):
                await response.write(piece)
            return response


async def listen(port: int, *routes: web.RouteDef) -> None:
    app = web.Application(client_max_size=1 << 30)
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=port).start()


async def main() -> None:
    parser = argparse.ArgumentParser(description="A proxy in front of an S3 server that makes trouble on demand.")
    parser.add_argument("--target", required=True, help="the S3 server, such as http://s3.stage.svc:7070")
    parser.add_argument("--port", type=int, default=7070)
    parser.add_argument("--control-port", type=int, default=7071)
    given = parser.parse_args()
    async with ClientSession(auto_decompress=False, timeout=ClientTimeout(total=None)) as session:
        proxy = Proxy(session, given.target)
        await listen(given.port, web.route("*", "/{path:.*}", proxy.serve))
        await listen(given.control_port, web.post("/fault", proxy.set_fault), web.get("/seen", proxy.seen))
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
