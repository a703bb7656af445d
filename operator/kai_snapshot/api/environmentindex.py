"""What lies beside the documents of an environment: the plan, what became of each node, the index."""

from typing import Any, Literal, Self

import orjson
from pydantic import Field, ValidationError

from kai_snapshot.api.base import ApiModel, Time
from kai_snapshot.api.environmentdocument import CollectorReport, Measurement, MeasurementType, Subtype
from kai_snapshot.api.environmentspec import DriftBrief, EnvironmentMode
from kai_snapshot.api.problem import Problem
from kai_snapshot.errors import Reason, TerminalError

INDEX_VERSION: Literal["kai-snapshot.io/environment-index/v1"] = "kai-snapshot.io/environment-index/v1"
_SHA256 = r"^[0-9a-f]{64}$"


class _Stored(ApiModel):
    """A JSON document in the storage."""

    def encode(self) -> bytes:
        """The file's content."""
        return orjson.dumps(self.dump(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def decode(cls, content: bytes, *, where: str) -> Self:
        """Reads it; `where` names the file in messages. Raises TerminalError(InvalidEnvironment)."""
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "the document"
            message = (
                f"{where} is not what this release writes there: {field}: {first['msg']}. It was damaged or changed."
            )
            raise TerminalError(Reason.INVALID_ENVIRONMENT, message) from error


class StoredDocument(ApiModel):
    """A document as it is stored."""

    sha256: str = Field(pattern=_SHA256)
    """SHA-256, hexadecimal."""
    size_bytes: int = Field(ge=0)
    """Its size."""


class PlannedNode(ApiModel):
    """A node that is to be recorded."""

    name: str
    """Its name."""
    facts: Subtype
    """What the archive says of it: `K8s.node`."""


class EnvironmentPlan(_Stored):
    """Which nodes are recorded, and what is known without asking them. It is made once, from the archive."""

    mode: EnvironmentMode
    """What was wanted."""
    matching: int = Field(ge=0)
    """Nodes in the archive that fit the selector."""
    nodes: tuple[PlannedNode, ...] = ()
    """By name."""
    measurements: tuple[Measurement, ...] = ()
    """Of the cluster: they are in the document of each node."""
    collectors: tuple[CollectorReport, ...] = ()
    """How they were come by: the same."""
    cluster: StoredDocument
    """The document of the cluster."""

    def dump(self) -> dict[str, Any]:
        """The JSON object."""
        return super().dump() | {
            "measurements": [each.dump() for each in self.measurements],
            "nodes": [{"name": node.name, "facts": node.facts.dump()} for node in self.nodes],
        }

    def measurements_of(self, node: str) -> tuple[Measurement, ...]:
        """What is known of a node by the archive alone. Raises KeyError if it is not in the plan."""
        facts = next((each.facts for each in self.nodes if each.name == node), None)
        if facts is None:
            raise KeyError(node)
        return tuple(
            each.model_copy(update={"subtypes": (*(s for s in each.subtypes if s.subtype != facts.subtype), facts)})
            if each.type == MeasurementType.K8S
            else each
            for each in self.measurements
        )


class NodeRecord(_Stored):
    """What became of a node: its document, or why there is none. The first one counts."""

    node: str
    """Its name."""
    document: StoredDocument | None = None
    """Its document, `nodes/<node>.yaml`."""
    missing: tuple[str, ...] = ()
    """The collectors that failed, or had no answer to a part; the document says why."""
    received_sha256: str | None = None
    """SHA-256 of what its pod handed in, by which the same is known again."""
    gpu_count: int | None = None
    """GPUs that were found; unset if nothing tells."""
    problem: Problem | None = None
    """Why there is no document."""


class EnvironmentIndex(_Stored):
    """All documents beside an archive. Its digest is in the archive's manifest."""

    schema_version: Literal["kai-snapshot.io/environment-index/v1"] = INDEX_VERSION
    """The version of this document."""
    id: str
    """Id of the archive's run."""
    mode: EnvironmentMode
    """What was wanted."""
    matching: int = Field(ge=0)
    """Nodes in the archive that fit the selector."""
    cluster: StoredDocument
    """The document of the cluster, `cluster.yaml`."""
    nodes: tuple[NodeRecord, ...] = ()
    """By name."""
    drift: DriftBrief | None = None
    """What changed since the environment before; `drift.json` has it all."""
    completed_at: Time
    """When the last of them was over."""


class StoredEnvironment(ApiModel):
    """What the manifest says of the environment, once that is complete."""

    sha256: str = Field(pattern=_SHA256)
    """SHA-256 of the index `<id>/environment/index.json`, which has that of each document."""
    documents: int = Field(ge=0)
    """How many nodes have a document."""
    failed: int = Field(default=0, ge=0)
    """How many of those wanted have none."""
