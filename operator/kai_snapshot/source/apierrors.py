"""What it means when the API server refuses, is busy, or cannot be reached."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
from pydantic import ValidationError

from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.source.objects import Status
from kai_snapshot.source.request import Request
from kai_snapshot.source.text import one_line

REQUEST_SECONDS: Final = 30
BUSY: Final = 429
BUSY_TRIES: Final = 5
BUSY_SECONDS: Final = 10.0
"""How often a server that is busy is asked, and how long it may have that wait at most."""


@dataclass(frozen=True)
class Refused:
    """An answer without what was asked for."""

    status: int
    following: str
    """How to go on with a list nevertheless; empty: not at all."""


class Refusals:
    """The failures of one API server, in our words."""

    def __init__(self, server: str) -> None:
        self._server = server

    def unlike_kubernetes(self, request: Request) -> SnapshotError:
        """What came is nothing that an API server says."""
        return TransientError(
            Reason.API_UNREACHABLE,
            f"{self._server} gave no Kubernetes answer to `{request}`. Is it an API server?",
        )

    def refusal(self, request: Request, status: int, message: str) -> SnapshotError:
        """What a status other than 200 and 404 means."""
        server, said = self._server, one_line(message, limit=400)
        if status == 401:
            return TerminalError(
                Reason.UNAUTHORIZED,
                f"{server} does not accept the credentials: {said}. Log in again, or renew the token.",
            )
        if status == 403:
            return TerminalError(Reason.FORBIDDEN, f"May not {request}: {said}. It takes {request.rule}.")
        return TransientError(Reason.API_UNREACHABLE, f"{server} answered {status} to `{request}`: {said}.")

    @contextmanager
    def network_errors(self, request: Request) -> Iterator[None]:
        """Turns the errors of the connection into ours."""
        server = self._server
        try:
            yield
        except aiohttp.ClientSSLError as error:
            raise TerminalError(
                Reason.API_UNREACHABLE,
                f"TLS with {server} fails: {one_line(str(error))}. Check the CA and the name of the server.",
            ) from error
        except TimeoutError as error:
            raise TransientError(
                Reason.API_UNREACHABLE, f"{server} did not answer `{request}` within {REQUEST_SECONDS} s."
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise TransientError(
                Reason.API_UNREACHABLE, f"{server} cannot be reached for `{request}`: {one_line(str(error))}."
            ) from error


def said(body: bytes) -> Status:
    """The Status object that came, else one with the beginning of whatever else came."""
    try:
        return Status.model_validate_json(body)
    except ValidationError:
        return Status(message=body[:1000].decode("utf-8", "replace"))


def busy_seconds(retry_after: str) -> float:
    """How long to wait; the API server says so in whole seconds."""
    return min(float(retry_after) if retry_after.isdecimal() else 1.0, BUSY_SECONDS)
