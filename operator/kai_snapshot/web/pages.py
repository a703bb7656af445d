"""The pages: what the API tells, for people. Read only, whole without scripts, nothing from elsewhere."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, cast, get_args
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from kai_snapshot.api.visualizer import JobView, ResourceName
from kai_snapshot.errors import SnapshotError
from kai_snapshot.runs.listing import Archive
from kai_snapshot.views import Views
from kai_snapshot.web.clustermap import GEOMETRY, By, cluster_map
from kai_snapshot.web.gate import COOKIE
from kai_snapshot.web.problems import status_of
from kai_snapshot.web.queuebars import LENGTH, amount, bars, gpus
from kai_snapshot.web.rendering import STATIC, render_page
from kai_snapshot.web.trends import HEIGHT, WIDTH, trends
from kai_snapshot.web.turns import Turns

ROWS_OF_A_PAGE: Final = 200
NAVIGATION: Final = (("/", "Cluster"), ("/queues", "Queues"), ("/jobs", "Jobs"), ("/nodes", "Nodes"))

Fill = Callable[[Request, Views], Mapping[str, Any]]
"""What a page's template needs."""


def routes(turns: Turns) -> list[BaseRoute]:
    """All pages, and what they load."""
    pages = {"/": _cluster, "/queues": _queues, "/jobs": _jobs, "/nodes": _nodes}
    return [
        *(Route(path, partial(_page, turns, path, fill)) for path, fill in pages.items()),
        Route("/archives", partial(_archives, turns)),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]


async def _page(turns: Turns, path: str, fill: Fill, request: Request) -> Response:
    wanted = request.query_params.get("snapshot", "")
    try:
        views = await turns.see(wanted)
        archives = await turns.archives()
        simulated = await turns.waiting(wanted) if request.query_params.get("why") == "simulated" else None
    except SnapshotError as error:
        return _failed(request, path, error)
    step = _steps(archives, views) if views.source.kind == "stored" else {}
    return _render(path, request, **fill(request, views), **step, views=views, archives=archives, simulated=simulated)


async def _archives(turns: Turns, request: Request) -> Response:
    try:
        archives = await turns.archives()
    except SnapshotError as error:
        return _failed(request, "/archives", error)
    captures: dict[str, list[Archive]] = {}
    for each in archives:
        captures.setdefault(each.key.rpartition("/")[0], []).append(each)
    shown = {name: {"archives": listed, "trends": trends(listed)} for name, listed in sorted(captures.items())}
    return _render("/archives", request, archives=archives, captures=shown, width=WIDTH, height=HEIGHT, views=None)


def _failed(request: Request, path: str, error: SnapshotError) -> Response:
    return _render("/problem", request, status=status_of(error), at=path, error=error, views=None, archives=())


def _cluster(request: Request, views: Views) -> Mapping[str, Any]:
    by = cast(By, _one_of(request, "by", get_args(By)))
    return {"map": cluster_map(views, by), "by": by, "choices": get_args(By), "geometry": GEOMETRY}


def _queues(request: Request, views: Views) -> Mapping[str, Any]:
    resource = cast(ResourceName, _one_of(request, "resource", ("gpu", "cpu", "memory")))
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
        **_part(request, found),
    }


def _nodes(request: Request, views: Views) -> Mapping[str, Any]:
    name = request.query_params.get("name", "")
    return {"name": name, "amount": amount, **_part(request, [each for each in views.nodes if name in each.name])}


def _is_asked_for(job: JobView, asked: Mapping[str, str]) -> bool:
    return (
        asked["status"] in ("", job.status)
        and asked["queue"] in ("", job.queue)
        and asked["namespace"] in ("", job.namespace)
        and asked["name"] in job.name
    )


def _part(request: Request, rows: Sequence[Any]) -> dict[str, Any]:
    """The rows of one page of many."""
    text = request.query_params.get("page", "1")
    last = max(-(-len(rows) // ROWS_OF_A_PAGE), 1)
    page = min(max(int(text), 1), last) if text.isdecimal() and len(text) < 10 else 1
    shown = rows[(page - 1) * ROWS_OF_A_PAGE : page * ROWS_OF_A_PAGE]
    return {"rows": shown, "total": len(rows), "page": page, "last": last}


def _steps(archives: Sequence[Archive], views: Views) -> dict[str, Any]:
    """The archives before and after the one that is seen, of the same capture."""
    key = views.source.capture or ""
    folder = key.rpartition("/")[0]
    keys = [each.key for each in archives if each.key.rpartition("/")[0] == folder]
    if key not in keys:
        return {}
    at = keys.index(key)
    return {"before": keys[at - 1] if at else "", "after": keys[at + 1] if at + 1 < len(keys) else ""}


def _one_of(request: Request, name: str, values: Iterable[str]) -> str:
    """What the address says, if it is one of these; else the first of them."""
    values = list(values)
    asked = request.query_params.get(name, "")
    return asked if asked in values else values[0]


def _render(path: str, request: Request, *, status: int = 200, **content: Any) -> Response:
    def to(target: str = "", **changes: object) -> str:
        """The address of a page about the same archive; of this page with other parameters if none is named."""
        kept = dict(request.query_params) if not target else {}
        if snapshot := request.query_params.get("snapshot"):
            kept["snapshot"] = snapshot
        query = {name: value for name, value in (kept | changes).items() if value not in ("", None)}
        return (target or path) + (f"?{urlencode(query)}" if query else "")

    given = {"before": "", "after": "", **content}
    name = (path.strip("/") or "cluster") + ".html"
    signed_in = COOKIE in request.cookies
    return render_page(name, status, path=path, to=to, navigation=NAVIGATION, signed_in=signed_in, **given)
