"""The pages: what the API tells, for people. Read only, whole without scripts, nothing from elsewhere."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast, get_args

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from kai_snapshot.api.visualizer import JobView, ResourceName
from kai_snapshot.errors import SnapshotError
from kai_snapshot.runs.listing import Archive
from kai_snapshot.views import Views
from kai_snapshot.web import diffpage, replaypage
from kai_snapshot.web.clustermap import GEOMETRY, By, cluster_map
from kai_snapshot.web.page import failed, one_of, page, part, steps
from kai_snapshot.web.queuebars import LENGTH, amount, bars, gpus
from kai_snapshot.web.rendering import STATIC
from kai_snapshot.web.trends import HEIGHT, WIDTH, computed, queue_trends, trends
from kai_snapshot.web.turns import Turns

Fill = Callable[[Request, Views], Mapping[str, Any]]
"""What a page's template needs."""


def routes(turns: Turns) -> list[BaseRoute]:
    """All pages, and what they load."""
    pages = {"/": _cluster, "/queues": _queues, "/jobs": _jobs, "/nodes": _nodes}
    return [
        *(Route(path, partial(_page, turns, path, fill)) for path, fill in pages.items()),
        *replaypage.routes(turns),
        *diffpage.routes(turns),
        Route("/archives", partial(_archives, turns)),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]


async def _page(turns: Turns, path: str, fill: Fill, request: Request) -> Response:
    try:
        views = await turns.see(request.query_params.get("snapshot", ""))
        archives = await turns.archives()
    except SnapshotError as error:
        return failed(request, path, error)
    around: dict[str, Any] = {"views": views, "archives": archives, **steps(archives, views)}
    simulated = unknown = None
    if request.query_params.get("why") == "simulated":
        try:
            simulated = await turns.waiting(views.name)
        except SnapshotError as error:
            unknown = error
    return page(path, request, simulated=simulated, unknown=unknown, **fill(request, views), **around)


async def _archives(turns: Turns, request: Request) -> Response:
    try:
        listed = await turns.listing()
        archives = listed.archives
        keys = [each.key for each in archives]
        replays = await turns.replays(keys)
        wanted = keys if request.query_params.get("computed") else ()
        summaries = await turns.summaries(wanted, gone=request.is_disconnected)
    except SnapshotError as error:
        return failed(request, "/archives", error)
    if len(summaries) < len(wanted):
        return Response(status_code=204)  # nobody is there any more to read it
    known = {key: computed(each) for key, each in summaries.items() if not isinstance(each, SnapshotError)}
    captures: dict[str, list[Archive]] = {}
    for archive in archives:
        captures.setdefault(archive.key.rpartition("/")[0], []).append(archive)
    shown = {
        name: {"archives": those, "trends": trends(those, known), "queues": queue_trends(those, known)}
        for name, those in sorted(captures.items())
    }
    content: dict[str, Any] = {
        "captures": shown,
        "summaries": summaries,
        "known": known,
        "replays": replays,
        "unreadable": listed.unreadable,
        "width": WIDTH,
        "height": HEIGHT,
    }
    return page("/archives", request, archives=archives, views=None, **content)


def _cluster(request: Request, views: Views) -> Mapping[str, Any]:
    by = cast(By, one_of(request, "by", get_args(By)))
    return {"map": cluster_map(views, by), "by": by, "choices": get_args(By), "geometry": GEOMETRY}


def _queues(request: Request, views: Views) -> Mapping[str, Any]:
    resource = cast(ResourceName, one_of(request, "resource", ("gpu", "cpu", "memory")))
    return {"bars": bars(views.queues, resource), "resource": resource, "length": LENGTH}


def _jobs(request: Request, views: Views) -> Mapping[str, Any]:
    asked = {name: request.query_params.get(name, "") for name in ("status", "queue", "namespace", "name")}
    found = [job for job in views.jobs if _is_asked_for(job, asked)]
    return {
        "asked": asked,
        "statuses": sorted(views.summary.job_counts),
        "queues": sorted({job.queue for job in views.jobs}),
        "namespaces": sorted({job.namespace for job in views.jobs}),
        "gpus": gpus,
        **part(request, found),
    }


def _nodes(request: Request, views: Views) -> Mapping[str, Any]:
    name = request.query_params.get("name", "")
    return {"name": name, "amount": amount, **part(request, [each for each in views.nodes if name in each.name])}


def _is_asked_for(job: JobView, asked: Mapping[str, str]) -> bool:
    return (
        asked["status"] in ("", job.status)
        and asked["queue"] in ("", job.queue)
        and asked["namespace"] in ("", job.namespace)
        and asked["name"] in job.name
    )
