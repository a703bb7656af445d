"""The transfer endpoint: hands a replay's Job its archive, takes its log and result, and what was recorded of a node.

GET /v1/instructions   what to do, as JSON
GET /v1/archive        the archive
PUT /v1/log            the tool's log (gzip), before the result
PUT /v1/profile/cpu    a profile of the tool, before the result
PUT /v1/profile/memory
PUT /v1/result         the result (JSON); the first one counts
PUT /v1/environment    the document of a node (JSON); the first one counts
GET /healthz           no token needed

A pod of a replay of many archives says which it is about: `?archive=<completion index>`. Where there is a result
already, the answer to all but the same result again is 409: nothing is left to do.

Errors are JSON `{reason, message}`. All but 503 are final, and about the pod, its archive, or what it hands in:

401   no token of ours
403   the replay or capture is gone, the part is finished, or there is no such archive in its plan
404   the archive is gone
409   there is a result
413   too large
422   the archive or its manifest is not what it was, the plan is lost, the result or document cannot be read
503   come again: all the rest, as a storage that is away or refuses. Once somebody has put keys, rights, room or a
      certificate right, the pods that wait go on, and those whose patience ended are tried again

What blocks runs in threads; bodies are counted, limited and checked against their digest while they stream to an
unnamed file; who comes while four transfers are under way, or one of the same part is, is told when to come again.
"""

import asyncio
import errno
import hashlib
import logging
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from aiohttp import web
from pydantic import ValidationError

from kai_snapshot.api.problem import Problem
from kai_snapshot.api.transfer import NodePart, Part, Profile
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.transfer import digest
from kai_snapshot.transfer.backend import Backend, Download, Environments, Limits, Upload
from kai_snapshot.transfer.tokens import Tokens

log = logging.getLogger(__name__)

_PIECE: Final = 1 << 20
_FINAL: Final = {
    Reason.TRANSFER_REFUSED: 403,
    Reason.ARCHIVE_NOT_FOUND: 404,
    Reason.RESULT_EXISTS: 409,
    Reason.TRANSFER_TOO_LARGE: 413,
    Reason.CHECKSUM_MISMATCH: 422,
    Reason.INVALID_ENVIRONMENT: 422,
    Reason.INVALID_MANIFEST: 422,
    Reason.INVALID_RESULT: 422,
    Reason.PLAN_LOST: 422,
}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
P = TypeVar("P", Part, NodePart)


def application(
    tokens: Tokens, backend: Backend, environments: Environments, *, spool: Path, limits: Limits | None = None
) -> web.Application:
    """The endpoint; bodies are held in the directory `spool` while they arrive."""
    endpoint = _Endpoint(tokens, backend, spool, limits or Limits())
    app = web.Application(middlewares=[endpoint.tell])
    app.router.add_get("/healthz", _healthy)
    app.router.add_get("/v1/instructions", endpoint.instructions, allow_head=False)
    app.router.add_get("/v1/archive", endpoint.archive, allow_head=False)
    limited = endpoint.limits
    puts: list[tuple[str, int, Callable[[Part, Upload], None]]] = [
        ("/v1/log", limited.log_bytes, backend.put_log),
        ("/v1/profile/cpu", limited.profile_bytes, partial(backend.put_profile, profile=Profile.CPU)),
        ("/v1/profile/memory", limited.profile_bytes, partial(backend.put_profile, profile=Profile.MEMORY)),
        ("/v1/result", limited.result_bytes, backend.put_result),
    ]
    for path, limit, take in puts:
        endpoint.take(app, path, limit, endpoint.part, take)
    endpoint.take(app, "/v1/environment", limited.environment_bytes, endpoint.node, environments.put_environment)
    return app


async def _healthy(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")


class _Endpoint:
    def __init__(self, tokens: Tokens, backend: Backend, spool: Path, limits: Limits) -> None:
        self._tokens, self._backend, self._spool, self.limits = tokens, backend, spool, limits
        self._under_way: set[Part | NodePart] = set()

    @web.middleware
    async def tell(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Turns errors into answers."""
        try:
            return await handler(request)
        except SnapshotError as error:
            return self._answer(request, error)

    async def instructions(self, request: web.Request) -> web.Response:
        instructions = await asyncio.to_thread(self._backend.instructions, self.part(request))
        return web.json_response(instructions.dump())

    async def archive(self, request: web.Request) -> web.StreamResponse:
        part = self.part(request)
        async with self._place(part):
            download = await asyncio.to_thread(self._backend.archive, part)
            stream = await asyncio.to_thread(download.content.__enter__)
            try:
                return await self._send(request, stream, download)
            finally:
                await asyncio.to_thread(download.content.__exit__, None, None, None)

    async def _send(self, request: web.Request, stream: BinaryIO, download: Download) -> web.StreamResponse:
        headers = {"Content-Type": "application/zip", digest.HEADER: digest.encode(download.sha256)}
        response = web.StreamResponse(headers=headers)
        response.content_length = left = download.size_bytes
        await response.prepare(request)
        try:
            while piece := await asyncio.to_thread(stream.read, _PIECE):
                async with asyncio.timeout(self.limits.silence_seconds):
                    await response.write(piece)
                left -= len(piece)
        except (SnapshotError, OSError) as error:
            log.warning("sending an archive broke off: %s", error)
        if left > 0 and request.transport is not None:
            request.transport.abort()  # a cut is all that can tell the client now that this is not the whole
        return response

    def take(
        self,
        app: web.Application,
        path: str,
        limit: int,
        part_of: Callable[[web.Request], P],
        take: Callable[[P, Upload], None],
    ) -> None:
        """Adds a PUT of at most `limit` bytes, which `take` gets."""

        async def put(request: web.Request) -> web.Response:
            part = part_of(request)
            _check_size(request, limit)
            async with self._place(part):
                with tempfile.TemporaryFile(dir=self._spool) as file:
                    upload = await self._receive(request, file, limit)
                    await asyncio.to_thread(take, part, upload)
            log.info("%s of %s: %d bytes", request.path, part, upload.size_bytes)
            return web.json_response({"sha256": upload.sha256})

        async def expect(request: web.Request) -> web.StreamResponse | None:
            """Refuses it before its body is sent, when the client waits for that (`Expect: 100-continue`)."""
            try:
                part = part_of(request)
                _check_size(request, limit)
                self._check_place(part)
            except SnapshotError as error:
                return self._answer(request, error)
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
            return None

        app.router.add_put(path, put, expect_handler=expect)

    def part(self, request: web.Request) -> Part:
        """The part of a replay that the request is about."""
        return _of_archive(_authorized(request, self._tokens.read), request.query.get("archive"))

    def node(self, request: web.Request) -> NodePart:
        """The node that the request is about."""
        return _authorized(request, self._tokens.read_node)

    def _check_place(self, part: Part | NodePart) -> None:
        if part in self._under_way:  # else one slow client could keep all others out
            raise TransientError(Reason.TRANSFER_BUSY, f"a transfer of {part} is under way, come again.")
        if len(self._under_way) >= self.limits.transfers:
            raise TransientError(Reason.TRANSFER_BUSY, f"{len(self._under_way)} transfers are under way, come again.")

    @asynccontextmanager
    async def _place(self, part: Part | NodePart) -> AsyncIterator[None]:
        self._check_place(part)
        self._under_way.add(part)
        try:
            yield
        finally:
            self._under_way.discard(part)

    async def _receive(self, request: web.Request, file: BinaryIO, limit: int) -> Upload:
        hasher, size = hashlib.sha256(), 0
        try:
            while True:
                async with asyncio.timeout(self.limits.silence_seconds):
                    piece = await request.content.read(_PIECE)
                if not piece:
                    break
                size += len(piece)
                if size > limit:
                    raise _too_large(request, limit)
                hasher.update(piece)
                await asyncio.to_thread(file.write, piece)
            await asyncio.to_thread(file.seek, 0)
        except TimeoutError as error:
            message = f"nothing came for {self.limits.silence_seconds:g} s."
            raise TransientError(Reason.CONNECTION_CUT, message) from error
        except (ConnectionError, web.RequestPayloadError) as error:
            raise TransientError(Reason.CONNECTION_CUT, "the connection broke within the body.") from error
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            message = "the operator's spool directory is full: give its emptyDir more room."
            raise TransientError(Reason.SPOOL_FULL, message) from error
        if digest.decode(request.headers.get(digest.HEADER)) != hasher.hexdigest():
            raise TransientError(Reason.CHECKSUM_MISMATCH, f"the body is not what its {digest.HEADER} header says.")
        return Upload(file, hasher.hexdigest(), size)

    def _answer(self, request: web.Request, error: SnapshotError) -> web.Response:
        log.warning("%s %s refused: %s: %s", request.method, request.path, error.reason, error.message)
        body = Problem(reason=error.reason, message=error.message).dump()
        if isinstance(error, _UnauthorizedError):
            return web.json_response(body, status=401, headers={"WWW-Authenticate": "Bearer"})
        if isinstance(error, TerminalError) and error.reason in _FINAL:
            return web.json_response(body, status=_FINAL[error.reason])
        headers = {"Retry-After": str(self.limits.retry_after_seconds)}
        return web.json_response(body, status=503, headers=headers)


class _UnauthorizedError(TerminalError):
    """No token, or none that can be read."""


def _authorized(request: web.Request, read: Callable[[str], P]) -> P:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise _UnauthorizedError(Reason.TRANSFER_REFUSED, "a bearer token is needed.")
    try:
        return read(token.strip())
    except TerminalError as error:
        raise _UnauthorizedError(error.reason, error.message) from error


def _of_archive(part: Part, archive: str | None) -> Part:
    """The token is the Job's, which archive of many it is about says the pod: it may have any of them anyway."""
    try:
        return part if archive is None else Part.model_validate({**part.dump(), "archive": archive})
    except ValidationError as error:
        message = f"?archive={archive[:80] if archive else ''} is no completion index."
        raise TerminalError(Reason.TRANSFER_REFUSED, message) from error


def _check_size(request: web.Request, limit: int) -> None:
    if (request.content_length or 0) > limit:
        raise _too_large(request, limit)


def _too_large(request: web.Request, limit: int) -> TerminalError:
    return TerminalError(Reason.TRANSFER_TOO_LARGE, f"{request.path} takes {limit} bytes at most.")
