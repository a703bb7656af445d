"""What holds for every answer: who may read it, and what a browser may do with it."""

from collections.abc import Collection, Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kai_snapshot.errors import Reason
from kai_snapshot.web.problems import problem

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # with none at all a browser hides from us that a form is from our own page
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
PREFLIGHT: Final[Mapping[str, str]] = {
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Max-Age": "86400",
}
"""What a browser is told that asks whether another site's page may ask: to read, with any headers."""
API: Final = "/api/"


class Guard:
    """Puts the headers on, and refuses requests to names that are not ours.

    A page of another site can have a name of its own lead to this address; its browser then takes our answers for that
    site's. The Host header tells.
    """

    def __init__(self, app: ASGIApp, *, origin: str | None, hosts: Collection[str] | None) -> None:
        """`origin`: whose pages may read the API, `*` for anybody's; `hosts`: our names, None for any."""
        self._app = app
        self._origin = origin
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if self._origin is not None and scope["path"].startswith(API):
                    headers["Access-Control-Allow-Origin"] = self._origin
                    headers["Access-Control-Expose-Headers"] = "ETag"
                    if self._origin != "*":
                        headers.add_vary_header("Origin")
            await send(message)

        await (self._instead(scope) or self._app)(scope, receive, send_with_headers)

    def _instead(self, scope: Scope) -> Response | None:
        """What is answered in the place of what was asked for; None if it may be asked for."""
        headers = Headers(scope=scope)
        host = _name(headers.get("host", ""))
        if self._hosts is not None and host not in self._hosts:
            return problem(421, Reason.HOST_NOT_SERVED, f"{host[:200]!r} is not a name of this server: use localhost.")
        open_to_others = self._origin is not None and scope["path"].startswith(API)
        if _is_built_in(headers) and not open_to_others:
            return problem(403, Reason.FORBIDDEN, "Pages of other sites may lead here, and not build this in.")
        if open_to_others and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            return Response(status_code=204, headers=PREFLIGHT)
        return None


def _is_built_in(headers: Headers) -> bool:
    """Whether a page of another site asks, as the browser says, and not somebody who follows its link.

    It could not read the answer, but have us work for it.
    """
    follows = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return headers.get("sec-fetch-site") == "cross-site" and not follows


def _name(host: str) -> str:
    """The Host header without its port."""
    name, bracket, _ = host.partition("]")
    return name + bracket if bracket else host.partition(":")[0].lower()
