"""Runs the operator in its pod and kills it at a step: all it writes goes through here. It runs from its image.

The operator reaches the API server at https://127.0.0.1:6443 and the S3 server at http://127.0.0.1:7070; both are
proxies that count writes, in one row. Its Lease does not count, for that comes by the clock. At the control port:

    POST /trouble {"do": "kill", "at": 3}             kills operator and children once the third write from now is done
    POST /trouble {"do": "refuse", "at": 3, "status": 409}    answers the third write so, and does not pass it on
    POST /trouble {"do": "nothing"}                   counts on, and does nothing
    GET /seen                                         {"writes": ["PUT ...", ...], "met": true, "starts": 2}

Who was killed is started again at once. `clock` in a trouble moves the operator's clock by so many seconds from now on.
"""

import argparse
import asyncio
import os
import signal
import ssl
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import (
    ClientConnectionError,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    TCPConnector,
    WSMsgType,
    web,
)

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "expect"}
WRITES = ("POST", "PUT", "PATCH", "DELETE")
REASONS = {409: "Conflict", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable"}
CLOCK = Path("/tmp/clock")
OPERATOR = """
import datetime, pathlib, runpy, sys
from kai_snapshot.runs import services

def now():
    moved = datetime.timedelta(seconds=float(pathlib.Path({clock!r}).read_text()))
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0) + moved

services.now = now
sys.argv = ["kopf", *sys.argv[1:]]
runpy.run_module("kopf", run_name="__main__")
"""
"""kopf, with the operator's clock in a file."""


@dataclass
class Trouble:
    """What happens at which write."""

    do: str = "nothing"
    at: int = 0
    status: int = 503
    writes: list[str] = field(default_factory=list)
    met: bool = False


class Supervisor:
    """The operator's process, and the trouble of the moment."""

    def __init__(self, arguments: list[str]) -> None:
        self._arguments = arguments
        self._process: asyncio.subprocess.Process | None = None
        self.trouble = Trouble()
        self.starts = 0

    async def run(self) -> None:
        """Starts the operator again and again."""
        environment = {**os.environ, "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"}
        while True:
            self.starts += 1
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", OPERATOR.format(clock=str(CLOCK)), *self._arguments,
                env=environment, start_new_session=True,
            )  # fmt: skip
            await self._process.wait()

    def kill(self) -> None:
        """Operator and children at once, as when the machine loses its power."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> None:
        """In order, and for good."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.terminate()

    async def set_trouble(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if "clock" in asked:
            set_clock(asked.pop("clock"))
        if asked.get("do") == "kill" and not asked.get("at"):
            self.kill()
        self.trouble = Trouble(**asked)
        return web.Response(text="ok\n")

    async def seen(self, _: web.Request) -> web.Response:
        trouble = self.trouble
        return web.json_response({"writes": trouble.writes, "met": trouble.met, "starts": self.starts})


class Proxy:
    """One server the operator writes to."""

    def __init__(self, session: ClientSession, target: str, supervisor: Supervisor, *, kubernetes: bool) -> None:
        self._session, self._target, self._supervisor, self._kubernetes = session, target, supervisor, kubernetes

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._bridge(request)
        if not self._counts(request):
            return await self._pass_on(request, 0)
        trouble = self._supervisor.trouble
        trouble.writes.append(f"{request.method} {request.path}")
        number = len(trouble.writes)
        if trouble.do == "refuse" and number == trouble.at:
            await request.read()
            trouble.met = True
            return self._refusal(trouble.status)
        return await self._pass_on(request, number)

    def _counts(self, request: web.Request) -> bool:
        return request.method in WRITES and "/leases" not in request.path and "/selfsubject" not in request.path

    def _refusal(self, status: int) -> web.Response:
        if self._kubernetes:
            said = {
                "kind": "Status",
                "apiVersion": "v1",
                "status": "Failure",
                "reason": REASONS[status],
                "code": status,
            }
            return web.json_response({**said, "message": "trouble"}, status=status, headers={"Retry-After": "1"})
        return web.Response(status=status, body=b"<Error><Code>SlowDown</Code></Error>", content_type="application/xml")

    async def _pass_on(self, request: web.Request, number: int) -> web.StreamResponse:
        """As it came; with the write that is the last, nobody is there any more to hear the answer."""
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP]
        body = request.content if request.body_exists else None
        async with self._session.request(
            request.method, f"{self._target}{request.raw_path}", headers=headers, data=body, allow_redirects=False
        ) as answer:
            trouble = self._supervisor.trouble
            if number and trouble.do == "kill" and number == trouble.at and not trouble.met:
                await answer.read()
                trouble.met = True
                self._supervisor.kill()
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()  # to nobody
            response = web.StreamResponse(status=answer.status, reason=answer.reason)
            response.headers.extend((n, v) for n, v in answer.headers.items() if n.lower() not in HOP_BY_HOP)
            await response.prepare(request)
            with suppress(ClientConnectionError):  # it ends, as it did there
                async for piece in answer.content.iter_any():
                    await response.write(piece)
            return response

    async def _bridge(self, request: web.Request) -> web.StreamResponse:
        asked = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        protocols = [each.strip() for each in asked if each.strip()]
        headers = {"Authorization": request.headers["Authorization"]}
        async with self._session.ws_connect(
            f"{self._target}{request.raw_path}", protocols=protocols, headers=headers, max_msg_size=0
        ) as there:
            here = web.WebSocketResponse(protocols=protocols, compress=False, max_msg_size=0)
            await here.prepare(request)
            await asyncio.wait({asyncio.create_task(_copy(here, there)), asyncio.create_task(_copy(there, here))},
                               return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
            await here.close()
            return here


Socket = web.WebSocketResponse | ClientWebSocketResponse


async def _copy(source: Socket, sink: Socket) -> None:
    async for message in source:
        if message.type is WSMsgType.BINARY:
            with suppress(ConnectionError, ClientConnectionError):
                await sink.send_bytes(message.data)


def set_clock(seconds: float) -> None:
    CLOCK.write_text(str(seconds))


async def listen(host: str, port: int, *routes: web.RouteDef, tls: ssl.SSLContext | None = None) -> None:
    app = web.Application(client_max_size=1 << 30)
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port, ssl_context=tls).start()


async def main() -> None:
    parser = argparse.ArgumentParser(description="Runs the operator and kills it at a step.")
    parser.add_argument("--api-ca", type=Path, required=True, help="the authority of the real API server")
    parser.add_argument("--tls", type=Path, required=True, help="certificate and key for 127.0.0.1")
    parser.add_argument("--s3", required=True, help="the S3 server, such as http://s3.stage.svc:7070")
    parser.add_argument("operator", nargs="+", help="kopf's arguments")
    given = parser.parse_args()
    set_clock(0)
    supervisor = Supervisor(given.operator)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(given.tls)
    api = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
    connector = TCPConnector(limit=0, ssl=ssl.create_default_context(cafile=given.api_ca))
    async with ClientSession(auto_decompress=False, timeout=ClientTimeout(total=None), connector=connector) as session:
        kubernetes, s3 = (Proxy(session, target, supervisor, kubernetes=target == api) for target in (api, given.s3))
        await listen("127.0.0.1", 6443, web.route("*", "/{path:.*}", kubernetes.serve), tls=tls)
        await listen("127.0.0.1", 7070, web.route("*", "/{path:.*}", s3.serve))
        control = (web.post("/trouble", supervisor.set_trouble), web.get("/seen", supervisor.seen))
        await listen("0.0.0.0", 7071, *control)
        running = asyncio.create_task(supervisor.run())
        await ended.wait()
        running.cancel()
        supervisor.end()


if __name__ == "__main__":
    asyncio.run(main())
