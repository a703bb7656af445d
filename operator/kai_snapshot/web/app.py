"""The application: addresses, failures, and what holds for every answer."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from kai_snapshot.errors import SnapshotError
from kai_snapshot.runs.look import Place
from kai_snapshot.web import api, endpoint, pages, problems
from kai_snapshot.web.gate import Admit, Gate
from kai_snapshot.web.guard import Guard
from kai_snapshot.web.turns import Turns


def application(
    place: Place,
    *,
    origin: str | None,
    hosts: Collection[str] | None,
    admit: Admit | None = None,
    tls: bool = False,
    ahead: bool = False,
    snapshot_endpoint: bool = False,
) -> ASGIApp:
    """What is served of a place.

    `origin`: whose pages may read the API, `*` for anybody's, None for our own only. `hosts`: the names that requests
    may be made to; None for any. `admit`: decides who is let in; None lets in everybody. `tls`: browsers reach it
    over TLS only, which ends before it. `ahead`: look at the newest
    archive before somebody asks. `snapshot_endpoint`: give the archive itself, too, as the scheduler does.
    """
    turns = Turns(place)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        look = asyncio.create_task(turns.look_ahead()) if ahead else None
        yield
        if look is not None:
            look.cancel()

    gate = [Middleware(Gate, admit, tls=tls)] if admit is not None else []
    app = Starlette(
        lifespan=lifespan,
        routes=[
            *api.routes(turns, sign_in=admit is not None),
            *pages.routes(turns),
            *(endpoint.routes(turns) if snapshot_endpoint else ()),
            Route("/healthz", _healthy),
        ],
        middleware=[*gate, Middleware(GZipMiddleware, minimum_size=4096, compresslevel=1)],
        exception_handlers={
            SnapshotError: problems.of_snapshot_error,
            OSError: problems.of_os_error,
            HTTPException: problems.of_http,
            Exception: problems.of_fault,
        },
    )
    app.state.several = place.several
    return Guard(app, origin=origin, hosts=hosts)  # outermost: what holds for every answer holds for faults too


async def _healthy(request: Request) -> Response:
    del request
    return PlainTextResponse("ok\n")
