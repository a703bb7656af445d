"""The manifest `<id>.json` beside an archive: what the snapshot itself does not say. Writing it commits the run."""

from typing import Any, Literal, Self

import orjson
from pydantic import Field, JsonValue, ValidationError

from kai_snapshot.api.base import ApiModel, Time
from kai_snapshot.api.environmentindex import StoredEnvironment
from kai_snapshot.api.ids import ID
from kai_snapshot.api.problem import Problem
from kai_snapshot.errors import Reason, TerminalError

MANIFEST_VERSION: Literal["kai-snapshot.io/manifest/v1"] = "kai-snapshot.io/manifest/v1"

Trigger = Literal["OneShot", "Schedule", "Immediate", "Manual", "Command"]


class CaptureIdentity(ApiModel):
    """Whose archive it is. A capture created again under the same name in the same cluster keeps its archives."""

    cluster_uid: str = Field(default="", alias="clusterUID")
    """UID of the namespace kube-system; empty if it could not be read."""
    namespace: str
    """Namespace of the SnapshotCapture, or what `kai-snapshot capture` was told."""
    name: str
    """Name of the SnapshotCapture, or what `kai-snapshot capture` was told."""


class SchedulerIdentity(ApiModel):
    """The scheduler that answered, or would have. Not known with `kai-snapshot capture --url`: then all is absent."""

    image: str | None = None
    """Image of its container."""
    version: str | None = None
    """Tag of the image, such as v0.17.0."""
    namespace: str | None = None
    """Its namespace."""
    deployment: str | None = None
    """Its Deployment."""
    pod: str | None = None
    """The pod that was asked: the leader. Absent if none was to be had."""
    shard: str | None = None
    """The SchedulingShard it serves."""


class BuiltFromAPI(ApiModel):
    """How a document came about that was built from the API server's lists, and not served by the scheduler."""

    because: Problem | None = None
    """Why the scheduler's endpoint could not be had; absent if it was not to be asked."""
    resource_versions: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Which resource version each list is of. Two: the API server forgot the first while the list was read."""
    not_installed: tuple[str, ...] = ()
    """Lists whose kind the cluster does not have."""


class Redaction(ApiModel):
    """That names in the archive are pseudonyms."""

    key_id: str = Field(alias="keyID", pattern=r"^[0-9a-f]{16}$")
    """Tells keys apart, and nothing of them: archives of the same key match."""


class Manifest(ApiModel):
    """What is known of a stored archive."""

    schema_version: Literal["kai-snapshot.io/manifest/v1"] = MANIFEST_VERSION
    """The version of this document."""
    id: str = Field(pattern=ID)
    """The run's id; its time is `scheduledFor`."""
    archive: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*\.zip$")
    """File name of the archive, beside the manifest."""
    capture: CaptureIdentity
    """Whose archive it is."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the archive, hexadecimal."""
    size_bytes: int = Field(ge=0)
    """Size of the archive in bytes."""
    uncompressed_bytes: int = Field(ge=0)
    """Size of `snapshot.json` in bytes."""
    object_counts: dict[str, int] = Field(default_factory=dict)
    """Number of objects in each list of the snapshot."""
    scheduler: SchedulerIdentity = Field(default_factory=SchedulerIdentity)
    """The scheduler that answered."""
    kubernetes_version: str | None = None
    """The API server's version, such as v1.35.4."""
    scheduled_for: Time
    """When the run was due: the slot, the moment of the request, or the creation of a one-shot capture."""
    captured_at: Time
    """When the scheduler answered, or the first list was asked for."""
    completed_at: Time | None = None
    """When the archive was stored."""
    trigger: Trigger
    """What started the run."""
    healed: bool = False
    """Whether the snapshot said `"config": null` and `config` was read from the shard's ConfigMap."""
    config: JsonValue = None
    """The scheduler's configuration, if healed."""
    built_from_api: BuiltFromAPI | None = Field(default=None, alias="builtFromAPI")
    """How the document was built, if the scheduler did not serve it."""
    redaction: Redaction | None = None
    """That the archive is redacted, and under which key; absent if it is not."""
    environment: StoredEnvironment | None = None
    """What the cluster and its nodes were, once that is recorded: the only part that is written later."""

    def dump(self) -> dict[str, Any]:
        """The JSON object: nothing that is unset, but every null of `config`."""
        healed = {"config": self.config} if self.config is not None else {}
        return super().dump() | healed

    def encode(self) -> bytes:
        """The file's content: JSON, indented."""
        return orjson.dumps(self.dump(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def decode(cls, content: bytes, *, where: str) -> Self:
        """Reads a manifest; `where` names the file in messages. Raises TerminalError(InvalidManifest)."""
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "the document"
            raise TerminalError(
                Reason.INVALID_MANIFEST,
                f"{where} is not a manifest of {MANIFEST_VERSION}: {field}: {first['msg']}. "
                "It was damaged, or written by another release; the archive beside it is not touched.",
            ) from error
