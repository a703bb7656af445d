"""The pages about replays: which there are of an archive, and what one of them decided."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal, cast, get_args

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from kai_snapshot.errors import SnapshotError
from kai_snapshot.runs.replays import SIMULATED, Replay, Result
from kai_snapshot.views import Views
from kai_snapshot.views.decided import Overlay, carried_out
from kai_snapshot.web import versions
from kai_snapshot.web.clustermap import GEOMETRY, By, cluster_map
from kai_snapshot.web.decidedmap import changes, decided_map
from kai_snapshot.web.page import failed, one_of, page, part, steps
from kai_snapshot.web.turns import Turns

Show = Literal["changes", "before", "after"]
NAMED: Final = 200
"""Differences that are listed, elements that vary, and jobs that were tried."""


def routes(turns: Turns) -> list[BaseRoute]:
    """Both pages."""
    return [Route("/replays", partial(_replays, turns)), Route("/replay", partial(_replay, turns))]


async def _replays(turns: Turns, request: Request) -> Response:
    try:
        views = await turns.see(request.query_params.get("snapshot", ""))
        archives = await turns.archives()
        listed = (await turns.replays([views.name])).get(views.name, ())
    except SnapshotError as error:
        return failed(request, "/replays", error)
    return page("/replays", request, views=views, archives=archives, replays=listed, **steps(archives, views))


async def _replay(turns: Turns, request: Request) -> Response:
    name = request.query_params.get("replay", "")
    try:
        views = await turns.see(request.query_params.get("snapshot", ""))
        archives = await turns.archives()
        replay = await turns.replay(views.name, name)
        found = [each.name for each in replay.versions]
        version = one_of(request, "version", [*found[-1:], *found])
        result = await turns.result(views.name, name, version)
    except SnapshotError as error:
        return failed(request, "/replays", error)
    laid = await turns.overlay(views, result)
    return page(
        "/replay",
        request,
        views=views,
        archives=archives,
        simulated=name == SIMULATED,
        **(steps(archives, views) if name == SIMULATED else {}),  # of another archive there may be no such replay
        suffix="",
        **about(replay, version, result, views),
        overlay=laid,
        **_map(request, views, laid),
        **part(request, laid.pods),
    )


def about(replay: Replay, version: str, result: Result | None, views: Views | None) -> dict[str, Any]:
    """What the parts of the page need that tell of a version, and of all beside each other."""
    listed = versions.rows(replay)
    compared = next(each.compared for each in listed if each.compared.name == version)
    archive = result.archive if result is not None else None
    of = archive.sha256 if archive is not None else None
    return {
        "replay": replay,
        "version": version,
        "result": result,
        "versions": listed,
        "actions": versions.actions(listed),
        "compared": compared,
        "differences": versions.differences(compared),
        "varying": versions.varying(compared),
        "named": NAMED,
        "other_archive": views is not None and of is not None and of != views.source.sha256,
    }


def _map(request: Request, views: Views, laid: Overlay) -> Mapping[str, Any]:
    show = cast(Show, one_of(request, "show", get_args(Show)))
    only = request.query_params.get("nodes") == "changed"
    nodes = [node for node in laid.nodes if changes(node) or not only]
    if show == "changes":
        drawing: Any = decided_map(nodes)
        choices: Sequence[str] = ()
        by = ""
    else:
        choices = get_args(By)
        by = one_of(request, "by", choices)
        known = {node.name for node in nodes}
        before = [node for node in views.nodes if node.name in known]
        drawing = cluster_map(views, cast(By, by), before if show == "before" else carried_out(nodes))
    return {
        "show": show,
        "shows": get_args(Show),
        "only_changed": only,
        "changed_nodes": sum(map(changes, laid.nodes)),
        "map": drawing,
        "by": by,
        "choices": choices,
        "geometry": GEOMETRY,
    }
