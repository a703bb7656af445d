"""The OpenAPI document of the API, from its models."""

from functools import cache
from typing import Any, Final

import orjson
from pydantic.json_schema import models_json_schema

from kai_snapshot import __version__
from kai_snapshot.api.archivediff import ArchiveDiff
from kai_snapshot.api.base import ApiModel
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.visualizer import ArchiveView, ClusterSummary, JobView, NodeView, QueueView

_SNAPSHOT: Final = {
    "name": "snapshot",
    "in": "query",
    "description": "An archive's id or key, as /api/v1/snapshots lists them. Default: the newest.",
    "schema": {"type": "string"},
}
_NAMESPACE: Final = {
    "name": "namespace",
    "in": "query",
    "description": "Only jobs of this namespace. Default: of all.",
    "schema": {"type": "string"},
}
_REPLAY: Final = (
    {
        "name": "replay",
        "in": "query",
        "description": "A replay of the archive, as its page names it, or `simulated`: each GPU on which something "
        "changes then says what is on it `after`. Default: none.",
        "schema": {"type": "string"},
    },
    {
        "name": "version",
        "in": "query",
        "description": "The version of the replay; needed with all but `simulated`.",
        "schema": {"type": "string"},
    },
)
_SHA256: Final = {
    "name": "sha256",
    "in": "query",
    "description": "The SHA-256 that the snapshot is expected to have: of another, the answer is 409.",
    "schema": {"type": "string"},
}
_BETWEEN: Final = tuple(
    {
        "name": name,
        "in": "query",
        "description": f"The {what} archive, by id or key. Default: the newest.",
        "schema": {"type": "string"},
    }
    for name, what in (("from", "earlier"), ("to", "later"))
)
_STATUSES: Final = {
    "400": "The snapshot's name fits several archives, or the present was to be simulated.",
    "403": "A page of another site asks for it, without leave.",
    "404": "There is no such archive.",
    "405": "Something else than GET or HEAD.",
    "409": "The snapshot is not the one with the `sha256` that was asked for.",
    "421": "Served on loopback: the request is to a name that is not this server's.",
    "422": "The archive does not say what the scheduler was told to do: it cannot be simulated.",
    "500": "The archive, or the storage, is not good.",
    "503": "The storage, the scheduler or, with a sign-in, the API server cannot be reached at present.",
}
_SIGNED_IN: Final = {
    "401": "There is no token, or the cluster does not accept it.",
    "403": "The token's owner may not list the SnapshotCaptures, or a page of another site asks.",
}
_IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag of what is there already.",
    "schema": {"type": "string"},
}
_MODELS: Final[tuple[type[ApiModel], ...]] = (
    ClusterSummary,
    QueueView,
    JobView,
    NodeView,
    ArchiveView,
    ArchiveDiff,
    Problem,
)


@cache
def openapi(*, sign_in: bool = False) -> bytes:
    """The document, as JSON; `sign_in`: a token is needed."""
    _, schemas = models_json_schema(
        [(model, "serialization") for model in _MODELS], ref_template="#/components/schemas/{model}"
    )
    visualizer = "/api/v1/visualizer"
    failures = {
        status: {"description": text, "content": _json(_ref(Problem))}
        for status, text in sorted((_STATUSES | (_SIGNED_IN if sign_in else {})).items())
    }
    paths = {
        f"{visualizer}/summary": _about("The cluster in numbers.", _ref(ClusterSummary)),
        f"{visualizer}/queues": _about("The trees of queues.", _list_of(QueueView)),
        f"{visualizer}/jobs": _about("The jobs, with their pods.", _list_of(JobView), _NAMESPACE),
        f"{visualizer}/nodes": _about("The nodes, with their GPUs.", _list_of(NodeView), *_REPLAY, _SHA256),
        "/api/v1/snapshots": _get("The archives there are, oldest first.", _list_of(ArchiveView)),
        "/api/v1/snapshots/diff": _get("What changed between two archives.", _ref(ArchiveDiff), *_BETWEEN),
    }
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "KAI visualizer API",
            "version": __version__,
            "description": "What the KAI Scheduler saw when a snapshot was taken.",
        },
        "paths": {
            path: {"get": operation | {"responses": operation["responses"] | failures}}
            for path, operation in paths.items()
        },
        "components": {"schemas": schemas["$defs"]},
    }
    if sign_in:
        bearer = {"type": "http", "scheme": "bearer", "description": "What `kubectl create token` prints."}
        document["components"]["securitySchemes"] = {"token": bearer}
        document["security"] = [{"token": []}]
    return orjson.dumps(document)


def _about(summary: str, schema: dict[str, Any], *parameters: dict[str, Any]) -> dict[str, Any]:
    """A document about an archive: one that is known need not be sent again."""
    operation = _get(summary, schema, _SNAPSHOT, *parameters, _IF_NONE_MATCH)
    operation["responses"] |= {"304": {"description": "It is what the ETag stands for."}}
    return operation


def _get(summary: str, schema: dict[str, Any], *parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "summary": summary,
        "parameters": list(parameters),
        "responses": {"200": {"description": "The document.", "content": _json(schema)}},
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _ref(model: type[ApiModel]) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _list_of(model: type[ApiModel]) -> dict[str, Any]:
    return {"type": "array", "items": _ref(model)}
