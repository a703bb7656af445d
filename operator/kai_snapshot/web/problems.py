"""Failures as answers: a status, and a document with the reason."""

import logging
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from kai_snapshot.api.problem import Problem
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError

RETRY_AFTER_SECONDS: Final = 5
_STATUS: Final = {
    Reason.ARCHIVE_NOT_FOUND: 404,
    Reason.CONFIG_NULL: 422,
    Reason.INVALID_SPEC: 400,
    Reason.ARCHIVE_REPLACED: 409,
    Reason.HOST_NOT_SERVED: 421,
    Reason.METHOD_NOT_ALLOWED: 405,
    Reason.PAGE_NOT_FOUND: 404,
}

logger = logging.getLogger(__name__)


def status_of(error: SnapshotError) -> int:
    """The status that tells of a failure."""
    return _STATUS.get(error.reason, 503 if isinstance(error, TransientError) else 500)


def problem(status: int, reason: Reason, message: str, **headers: str) -> Response:
    """A failure as an answer."""
    content = Problem(reason=reason, message=message).model_dump_json(by_alias=True) + "\n"
    return Response(content, status, headers=headers, media_type="application/json")


async def of_snapshot_error(request: Request, error: Exception) -> Response:
    """What is known to go wrong."""
    del request
    assert isinstance(error, SnapshotError)
    status = status_of(error)
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else {}
    return problem(status, error.reason, error.message, **headers)


async def of_http(request: Request, error: Exception) -> Response:
    """What is not there, or not to be changed."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        message = f"{request.method} is not possible: what is shown here is read only."
        return problem(405, Reason.METHOD_NOT_ALLOWED, message, **(error.headers or {}))
    return problem(404, Reason.PAGE_NOT_FOUND, f"There is nothing at {request.url.path[:200]!r}.")


async def of_os_error(request: Request, error: Exception) -> Response:
    """A file that cannot be read."""
    assert isinstance(error, OSError)
    return await of_snapshot_error(request, unreadable(error))


def unreadable(error: OSError) -> SnapshotError:
    """The same, as a failure: it names no path."""
    return TerminalError(Reason.STORAGE_REFUSED, f"The archive cannot be read: {error.strerror or 'no reason given'}.")


async def of_fault(request: Request, error: Exception) -> Response:
    """What must not happen: its details are for the log only."""
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(500, Reason.INTERNAL_ERROR, "A fault in this program: the server's log has the details.")
