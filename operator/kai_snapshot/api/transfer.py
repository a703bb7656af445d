"""What the operator and a replay's Job say to each other through the transfer endpoint."""

from typing import Any, Literal

from pydantic import Field

from kai_snapshot.api.base import ApiModel


class Part(ApiModel):
    """One result of one replay, as one Job works on it. Its token is the Job's whole identity."""

    uid: str
    """UID of the SnapshotReplay."""
    namespace: str
    """Namespace of the SnapshotReplay."""
    name: str
    """Name of the SnapshotReplay."""
    index: int = Field(ge=0)
    """Position in `spec.versions` and `status.results`."""
    attempt: int = Field(ge=1)
    """1 for the first Job of this result."""

    def __str__(self) -> str:
        return f"result {self.index} (attempt {self.attempt}) of SnapshotReplay {self.namespace}/{self.name}"


class Instructions(ApiModel):
    """What a Job needs to know besides its token; it keeps the document beside the archive."""

    version: str
    """The version's name in the spec: a tag, AsCaptured, or any name if it has an image of its own."""
    target_version: str
    """The version of the scheduler it stands for, such as v0.17.0; empty if unknown."""
    image: str
    """The snapshot-tool image."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 the archive must have."""
    size_bytes: int = Field(ge=0)
    """Size of the archive."""
    captured_version: str = ""
    """The version of the scheduler that made the archive; empty if unknown."""
    config: Literal["TargetDefaults", "Verbatim"] = "TargetDefaults"
    """What is done to the scheduler's configuration in the archive."""
    healed_config: dict[str, Any] | None = None
    """The configuration to put in where the archive says `"config": null`."""
    verbosity: int = Field(default=4, ge=0, le=8)
    """The tool's log level."""
    limit_seconds: int = Field(ge=1)
    """How long the tool may run."""
