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
    "400": "The snapshot's name fits several archives.",
    "404": "There is no such archive.",
    "500": "The archive, or the storage, is not good.",
    "503": "The storage or the scheduler cannot be reached at present.",
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
def openapi() -> bytes:
    """The document, as JSON."""
    _, schemas = models_json_schema(
        [(model, "serialization") for model in _MODELS], ref_template="#/components/schemas/{model}"
    )
    visualizer = "/api/v1/visualizer"
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "KAI visualizer API",
            "version": __version__,
            "description": "What the KAI Scheduler saw when a snapshot was taken.",
        },
        "paths": {
            f"{visualizer}/summary": _path("The cluster in numbers.", _ref(ClusterSummary), _SNAPSHOT),
            f"{visualizer}/queues": _path("The trees of queues.", _list_of(QueueView), _SNAPSHOT),
            f"{visualizer}/jobs": _path("The jobs, with their pods.", _list_of(JobView), _SNAPSHOT, _NAMESPACE),
            f"{visualizer}/nodes": _path(
                "The nodes, with their GPUs.", _list_of(NodeView), _SNAPSHOT, *_REPLAY, _SHA256
            ),
            "/api/v1/snapshots": _path("The archives there are, oldest first.", _list_of(ArchiveView)),
            "/api/v1/snapshots/diff": _path("What changed between two archives.", _ref(ArchiveDiff), *_BETWEEN),
        },
        "components": {"schemas": schemas["$defs"]},
    }
    return orjson.dumps(document)


def _path(summary: str, schema: dict[str, Any], *parameters: dict[str, Any]) -> dict[str, Any]:
    failures = {status: {"description": text, "content": _json(_ref(Problem))} for status, text in _STATUSES.items()}
    return {
        "get": {
            "summary": summary,
            "parameters": list(parameters),
            "responses": {"200": {"description": "The document.", "content": _json(schema)}} | failures,
        }
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _ref(model: type[ApiModel]) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _list_of(model: type[ApiModel]) -> dict[str, Any]:
    return {"type": "array", "items": _ref(model)}
