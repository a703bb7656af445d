"""One page: what stands around its content, addresses of others about the same archive, and parts of long lists."""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from kai_snapshot.errors import SnapshotError
from kai_snapshot.runs.listing import Archive
from kai_snapshot.views import Views
from kai_snapshot.web.gate import COOKIE, SECURE_COOKIE
from kai_snapshot.web.problems import status_of
from kai_snapshot.web.rendering import render_page

ROWS_OF_A_PAGE: Final = 200
NAVIGATION: Final = (
    ("/", "Cluster"), ("/queues", "Queues"), ("/jobs", "Jobs"), ("/nodes", "Nodes"), ("/replays", "Replays"),
)  # fmt: skip


def page(path: str, request: Request, *, status: int = 200, template: str = "", **content: Any) -> Response:
    """A page as an answer; its template has the name of its path, unless that is given."""

    def to(target: str = "", **changes: object) -> str:
        """The address of a page about the same archive; of this page with other parameters if none is named."""
        kept = dict(request.query_params) if not target else {}
        if snapshot := request.query_params.get("snapshot"):
            kept["snapshot"] = snapshot
        query = {name: value for name, value in (kept | changes).items() if value not in ("", None)}
        return (target or path) + (f"?{urlencode(query)}" if query else "")

    given = {"before": "", "after": "", **content}
    name = template or (path.strip("/") or "cluster") + ".html"
    return render_page(
        name,
        status,
        path=path,
        to=to,
        navigation=NAVIGATION,
        several=request.app.state.several,
        signed_in=COOKIE in request.cookies or SECURE_COOKIE in request.cookies,
        **given,
    )


def failed(request: Request, path: str, error: SnapshotError) -> Response:
    """The page that says what went wrong, and leads to the newest if it was another that was asked for."""
    newest = path if request.query_params.get("snapshot") else None
    return page("/problem", request, status=status_of(error), newest=newest, error=error, views=None)


def part(request: Request, rows: Sequence[Any]) -> dict[str, Any]:
    """The rows of one page of many."""
    text = request.query_params.get("page", "1")
    last = max(-(-len(rows) // ROWS_OF_A_PAGE), 1)
    number = min(max(int(text), 1), last) if text.isdecimal() and len(text) < 10 else 1
    shown = rows[(number - 1) * ROWS_OF_A_PAGE : number * ROWS_OF_A_PAGE]
    return {"rows": shown, "total": len(rows), "page": number, "last": last}


def steps(archives: Sequence[Archive], views: Views) -> dict[str, Any]:
    """The archives before and after the one that is seen, of the same capture."""
    key = views.name
    folder = key.rpartition("/")[0]
    keys = [each.key for each in archives if each.key.rpartition("/")[0] == folder]
    if views.source.kind != "stored" or key not in keys:
        return {}
    at = keys.index(key)
    return {"before": keys[at - 1] if at else "", "after": keys[at + 1] if at + 1 < len(keys) else ""}


def one_of(request: Request, name: str, values: Iterable[str]) -> str:
    """What the address says, if it is one of these; else the first of them."""
    values = list(values)
    asked = request.query_params.get(name, "")
    return asked if asked in values else values[0]
