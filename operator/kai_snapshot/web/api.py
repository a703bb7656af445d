"""The visualizer API: four documents about an archive, and the list of archives."""

from collections.abc import Awaitable, Callable

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kai_snapshot import __version__
from kai_snapshot.api.visualizer import ARCHIVES, JOBS, NODES, QUEUES, ArchiveView, Source
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.runs.listing import Archive
from kai_snapshot.views import Views
from kai_snapshot.web.openapi import openapi
from kai_snapshot.web.turns import Turns

VISUALIZER = "/api/v1/visualizer"
Write = Callable[[Views, Request], bytes]
"""One of the documents about an archive, as JSON."""


def routes(turns: Turns, *, sign_in: bool) -> list[Route]:
    """All of the API. `sign_in`: a token is needed, as its description says then."""

    async def snapshots(request: Request) -> Response:
        del request
        listed = tuple(_archive(each) for each in await turns.archives())
        return _json(ARCHIVES.dump_json(listed, by_alias=True, exclude_none=True))

    async def document(request: Request) -> Response:
        del request
        return _json(openapi(sign_in=sign_in))

    async def summary(request: Request) -> Response:
        found = await turns.summary(_wanted(request))
        assert found.source is not None
        return _about(request, found.source, lambda: found.model_dump_json(by_alias=True, exclude_none=True).encode())

    async def diff_document(request: Request) -> Response:
        before, after = [await turns.see(request.query_params.get(each, "")) for each in ("from", "to")]
        return _json(orjson.dumps((await turns.diff(before, after)).dump()), **{"Cache-Control": "no-store"})

    async def nodes(request: Request) -> Response:
        replay = request.query_params.get("replay")
        views = await turns.see(_wanted(request))
        if request.query_params.get("sha256", views.source.sha256) != views.source.sha256:
            raise TerminalError(Reason.ARCHIVE_REPLACED, "There is something newer here by now: load the page again.")
        if replay is None:
            return _about(request, views.source, lambda: _nodes(views))
        result = await turns.result(views.name, replay, request.query_params.get("version", ""))
        found = (await turns.overlay(views, result)).nodes
        return _json(NODES.dump_json(found, by_alias=True, exclude_none=True), **{"Cache-Control": "no-store"})

    def one_of(write: Write) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            views = await turns.see(_wanted(request))
            return _about(request, views.source, lambda: write(views, request))

        return answer

    return [
        Route(f"{VISUALIZER}/summary", summary),
        Route(f"{VISUALIZER}/queues", one_of(_queues)),
        Route(f"{VISUALIZER}/jobs", one_of(_jobs)),
        Route(f"{VISUALIZER}/nodes", nodes),
        Route("/api/v1/snapshots", snapshots),
        Route("/api/v1/snapshots/diff", diff_document),
        Route("/api/v1/openapi.json", document),
    ]


def _wanted(request: Request) -> str:
    return request.query_params.get("snapshot", "")


def _about(request: Request, source: Source, write: Callable[[], bytes]) -> Response:
    """A document about an archive; nothing, if who asks has it."""
    if source.kind == "live":
        return _json(write(), **{"Cache-Control": "no-store"})
    tag = f'W/"{source.sha256}-{__version__}"'
    headers = {"Cache-Control": "no-cache", "ETag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return _json(write(), **headers)


def _json(content: bytes, **headers: str) -> Response:
    return Response(content + b"\n", headers=headers, media_type="application/json")


def _archive(archive: Archive) -> ArchiveView:
    manifest = archive.manifest
    return ArchiveView(
        snapshot=archive.key,
        id=manifest.id,
        capture=f"{manifest.capture.namespace}/{manifest.capture.name}",
        captured_at=manifest.captured_at,
        size_bytes=manifest.size_bytes,
        object_counts=manifest.object_counts,
        kai_version=manifest.scheduler.version,
        built_from_api=manifest.built_from_api is not None,
        redacted=manifest.redaction is not None,
    )


def _queues(views: Views, request: Request) -> bytes:
    del request
    return QUEUES.dump_json(views.queues, by_alias=True, exclude_none=True)


def _jobs(views: Views, request: Request) -> bytes:
    found = views.jobs_in(request.query_params.get("namespace", ""))
    return JOBS.dump_json(found, by_alias=True, exclude_none=True)


def _nodes(views: Views) -> bytes:
    return NODES.dump_json(views.nodes, by_alias=True, exclude_none=True)
