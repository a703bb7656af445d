"""What the API server refuses, in our words."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import urllib3
from kubernetes.client.exceptions import ApiException

from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError


class ConflictError(TransientError):
    """The object was changed by somebody else meanwhile: look again."""

    def __init__(self, what: str) -> None:
        super().__init__(Reason.PROGRESSING, f"{what} was changed meanwhile")


class AlreadyExistsError(SnapshotError):
    """An object of that name is there."""


@contextmanager
def translated(verb: str, what: str) -> Iterator[None]:
    """Turns the package's errors into ours."""
    try:
        yield
    except ApiException as error:
        raise _translate(error, verb, what) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise TransientError(Reason.API_UNREACHABLE, f"the API server cannot be reached to {verb} {what}") from error


def _translate(error: ApiException, verb: str, what: str) -> SnapshotError:
    if error.status == 409 and verb == "create":
        return AlreadyExistsError(Reason.NAME_TAKEN, f"{what} exists")
    if error.status == 409 or (error.status == 404 and verb == "update"):
        return ConflictError(what)
    message = _status_message(error)
    if error.status in (401, 403):
        hint = "; see manifests/rbac" if " cannot " in message else ""  # else a quota or an admission policy says why
        return TransientError(
            Reason.FORBIDDEN, f"the API server does not allow the operator to {verb} {what}: {message}{hint}"
        )
    if error.status in (400, 422):
        return TerminalError(Reason.INVALID_SPEC, f"the API server refused to {verb} {what}: {message}")
    return TransientError(Reason.API_UNREACHABLE, f"the API server could not {verb} {what}: {error.status} {message}")


def _status_message(error: ApiException) -> str:
    try:
        body = json.loads(error.body or "{}")
    except ValueError:
        return str(error.reason)
    return str(body.get("message", error.reason))[:512] if isinstance(body, Mapping) else str(error.reason)
