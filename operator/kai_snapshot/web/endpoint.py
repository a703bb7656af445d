"""`/get-snapshot`: the archive itself, as the scheduler's snapshot plugin serves it, for KAI's own tools."""

from collections.abc import Callable
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from kai_snapshot.source.endpoint import PATH
from kai_snapshot.web.turns import Turns


def routes(turns: Turns) -> list[Route]:
    """The one address."""

    async def snapshot(request: Request) -> Response:
        del request
        return _Archive(*await turns.archive(""))

    return [Route(PATH, snapshot)]


class _Archive(FileResponse):
    """A file that is there until it is sent, or who wanted it has gone."""

    def __init__(self, path: Path, release: Callable[[], None]) -> None:
        super().__init__(path, media_type="application/zip", filename="snapshot.zip")
        self.headers["Cache-Control"] = "no-store"
        self._release = release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await run_in_threadpool(self._release)
