"""Lets in only who may: a Bearer token, or one that was given to the sign-in page, which keeps it in a cookie."""

import logging
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qs, quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.web.guard import API
from kai_snapshot.web.problems import problem, status_of
from kai_snapshot.web.rendering import render_page

Admit = Callable[[str], Awaitable[None]]
"""Raises SnapshotError if who has that token may not see anything."""
COOKIE: Final = "kai-snapshot-token"
SECURE_COOKIE: Final = f"__Host-{COOKIE}"
"""By that name a browser knows that nobody but this server, over TLS, can have set it."""
SIGN_IN: Final = "/sign-in"
SIGN_OUT: Final = "/sign-out"
OPEN: Final = ("/static/", "/healthz")
"""What everybody may see: nothing of it is of a snapshot."""
REMEMBERED_SECONDS: Final = 30.0
REMEMBERED: Final = 1000
FORM_BYTES: Final = 16 << 10
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]{1,3500}")
_STATUS: Final = {Reason.UNAUTHORIZED: 401, Reason.FORBIDDEN: 403}

logger = logging.getLogger(__name__)


class Gate:
    """Stands before everything that shows something of a snapshot."""

    def __init__(
        self, app: ASGIApp, admit: Admit, *, tls: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`tls`: browsers reach it over TLS only."""
        self._app = app
        self._admit = admit
        self._tls = tls
        self._cookie = SECURE_COOKIE if tls else COOKIE
        self._clock = clock
        self._answers: OrderedDict[bytes, tuple[float, SnapshotError | None]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http" or scope["path"].startswith(OPEN):
            await self._app(scope, receive, send)
            return
        answer = await self._instead(Request(scope, receive))
        await (answer or self._app)(scope, receive, send)

    async def _instead(self, request: Request) -> Response | None:
        """What is answered in the place of what was asked for; None if it may be seen."""
        path = request.url.path
        if path in (SIGN_IN, SIGN_OUT) and request.method == "POST":
            return await self._signs(request, path)
        if path == SIGN_IN:
            return _form(request.query_params.get("next", "/"), 200, "")
        token = self._token(request)
        refusal = await self.refusal(token) if token else None
        if token and refusal is None:
            return None
        return _refused(request, refusal)

    async def _signs(self, request: Request, path: str) -> Response:
        if not _from_our_page(request):
            return problem(403, Reason.FORBIDDEN, "Sign in and out on this server's own pages.")
        if path == SIGN_OUT:
            answer = RedirectResponse(SIGN_IN, 303)
            answer.delete_cookie(self._cookie, httponly=True, samesite="strict", secure=self._tls)
            return answer
        token, target = await _filled_in(request)
        if not _TOKEN.fullmatch(token):
            return _form(target, 400, "That is no token.")
        refusal = await self.refusal(token)
        if refusal is not None:
            return _form(target, _STATUS.get(refusal.reason, status_of(refusal)), refusal.message)
        answer = RedirectResponse(target, 303)
        answer.set_cookie(self._cookie, token, httponly=True, samesite="strict", secure=self._tls)
        return answer

    def _token(self, request: Request) -> str:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        token = bearer.strip() if scheme.lower() == "bearer" else request.cookies.get(self._cookie, "")
        return token if _TOKEN.fullmatch(token) else ""

    async def refusal(self, token: str) -> SnapshotError | None:
        """Why its owner is not let in; asked again after a while, for rights come and go."""
        key, now = sha256(token.encode()).digest(), self._clock()
        until, answer = self._answers.get(key, (0.0, None))
        if until > now:
            return answer
        try:
            await self._admit(token)
            answer = None
        except TerminalError as error:
            answer = error
        except TransientError as error:
            logger.warning("nobody can be let in: %s: %s", error.reason, error.message)
            return TransientError(error.reason, "The cluster's API server cannot be asked at present. Try again later.")
        self._answers[key] = now + REMEMBERED_SECONDS, answer
        self._answers.move_to_end(key)
        while len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)
        return answer


def _refused(request: Request, refusal: SnapshotError | None) -> Response:
    reason = refusal.reason if refusal is not None else Reason.UNAUTHORIZED
    message = refusal.message if refusal is not None else "A token of the cluster is needed, as Authorization: Bearer."
    status = _STATUS.get(reason, 503)
    if not request.url.path.startswith(API):
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if status == 401 and request.method in ("GET", "HEAD"):
            return RedirectResponse(f"{SIGN_IN}?next={quote(here, safe='')}", 303)
        return _form(here, status, message)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return problem(status, reason, message, **headers)


def _form(target: str, status: int, refusal: str) -> Response:
    return render_page("sign-in.html", status, target=_within(target), refusal=refusal)


async def _filled_in(request: Request) -> tuple[str, str]:
    """The token, and where to go with it."""
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > FORM_BYTES:
            return "", "/"
    fields = parse_qs(content.decode("utf-8", "replace"))
    return fields.get("token", [""])[0].strip(), _within(fields.get("next", ["/"])[0])


def _within(target: str) -> str:
    """The target, if it is a page of this server; else the first page."""
    own = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if own else "/"


def _from_our_page(request: Request) -> bool:
    """Whether a form was sent from a page of this server, as the browser says."""
    host = request.headers.get("Host", "")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    return site == "same-origin" and request.headers.get("Origin") in (None, f"http://{host}", f"https://{host}")
