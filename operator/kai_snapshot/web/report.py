"""All pages about an archive, and about results of it, as one file that needs nothing else: to attach to a ticket."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final

from kai_snapshot.api.visualizer import NODES
from kai_snapshot.runs.replays import Replay, Result
from kai_snapshot.views import Views
from kai_snapshot.views.decided import overlay
from kai_snapshot.web import versions
from kai_snapshot.web.clustermap import GEOMETRY, cluster_map
from kai_snapshot.web.decidedmap import changes, decided_map
from kai_snapshot.web.queuebars import LENGTH, amount, bars, gpus
from kai_snapshot.web.rendering import STATIC, render
from kai_snapshot.web.replaypage import NAMED, about
from kai_snapshot.web.turns import Waiting

ROWS_SHOWN: Final = 1000
"""Of jobs, and of decisions."""


def report(
    views: Views | None,
    simulated: Waiting | None = None,
    *,
    replay: Replay | None = None,
    results: Mapping[str, Result] | None = None,
) -> str:
    """The file's text: about an archive, about a replay, or about both.

    `simulated`: what the simulator says of jobs that wait. `results`: those of the replay's versions that are to be
    shown one by one. What runs in the file is what we put there: its content security policy names the hashes.
    """
    style, script = ((STATIC / name).read_text() for name in ("style.css", "cluster.js"))
    documents: dict[str, str] = {}
    content = _archive(views, simulated, documents) if views is not None else {}
    if replay is not None:
        content |= _replay(replay, results or {}, views, documents)
    return render(
        "report.html",
        title=_title(views, replay, results or {}),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        documents=documents,
        geometry=GEOMETRY,
        views=views,
        **{"replay": None, **content},
    )


def _title(views: Views | None, replay: Replay | None, results: Mapping[str, Result]) -> str:
    named = (each.archive.name for each in results.values() if each.archive is not None and each.archive.name)
    found = (views.source.capture if views is not None else None) or next(named, None)
    return found or (replay.name if replay is not None else "")


def _archive(views: Views, simulated: Waiting | None, documents: dict[str, str]) -> dict[str, Any]:
    documents["nodes-document"] = _harmless(NODES.dump_json(views.nodes, by_alias=True, exclude_none=True))
    waiting_first = sorted(views.jobs, key=lambda job: job.status != "Pending")
    return {
        "simulated": simulated,
        "within": _within,
        "cluster": cluster_map(views, "queue"),
        "choices": (),
        "bars": bars(views.queues, "gpu"),
        "length": LENGTH,
        "jobs": waiting_first[:ROWS_SHOWN],
        "gpus": gpus,
        "amount": amount,
    }


def _replay(
    replay: Replay, results: Mapping[str, Result], views: Views | None, documents: dict[str, str]
) -> dict[str, Any]:
    listed = versions.rows(replay)
    numbers = {row.compared.name: number for number, row in enumerate(listed, start=1)}
    return {
        "replay": replay,
        "versions": listed,
        "actions": versions.actions(listed),
        "decided": [
            _version(replay, name, results.get(name), views, documents, id_=f"nodes-document-{number}")
            for name, number in numbers.items()
        ],
        "named": NAMED,
        "choosing": lambda version="", **_: f"#version-{numbers[version]}",
    }


def _version(
    replay: Replay, name: str, result: Result | None, views: Views | None, documents: dict[str, str], *, id_: str
) -> dict[str, Any]:
    """One version: with its result what it decided, else only how it differs."""
    content = {**about(replay, name, result, views), "to": _beside(id_), "overlay": None}
    content |= {"map": None, "rows": (), "changed_nodes": 0}
    if result is None:
        return content
    laid = overlay(views, result)
    content |= {"overlay": laid, "rows": laid.pods[:ROWS_SHOWN]}
    if views is not None:
        changing = tuple(node for node in laid.nodes if changes(node))
        documents[id_] = _harmless(NODES.dump_json(changing, by_alias=True, exclude_none=True))
        content |= {"map": decided_map(changing), "changed_nodes": len(changing)}
    return content


def _beside(id_: str) -> Callable[..., str]:
    """Where the same stands in this file, of a version whose nodes are in the element of that id."""
    return lambda target="", **_: f"#{id_}" if target.startswith("/api/") else "#nodes"


def _within(target: str = "", **_: object) -> str:
    """Where the same stands in this file."""
    name = target.rpartition("/")[2]
    return "#nodes-document" if target.startswith("/api/") else f"#{name}"


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _harmless(document: bytes) -> str:
    """JSON in which nothing looks like the end of the element that holds it."""
    return document.decode().replace("<", "\\u003c")
