"""What the operator and its Jobs say to each other through the transfer endpoint."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, computed_field

from kai_snapshot.api.base import ApiModel, Time
from kai_snapshot.api.preparation import Prepare
from kai_snapshot.api.result import Engine, EngineName, ReplayedArchive


class Profile(StrEnum):
    """A profile of the tool's process, in the format of pprof."""

    CPU = "cpu"
    MEMORY = "memory"


class Part(ApiModel):
    """One result of one replay, as its Job works on it, named by a token; of many archives, as one of its pods does."""

    uid: str
    """UID of the SnapshotReplay."""
    namespace: str
    """Namespace of the SnapshotReplay."""
    name: str
    """Name of the SnapshotReplay."""
    index: int = Field(ge=0)
    """Position in `status.results`."""
    attempt: int = Field(ge=1)
    """1 for the first Job of this result."""
    archive: int | None = Field(default=None, ge=0)
    """Position in the plan of a replay of many archives: what the pod says, its Job's token is for all of them."""

    @property
    def result(self) -> tuple[str, int, int | None]:
        """What tells its result from all others, whichever Job it is from."""
        return self.uid, self.index, self.archive

    def __str__(self) -> str:
        archive = f"archive {self.archive} of " if self.archive is not None else ""
        result = f"result {self.index} (attempt {self.attempt})"
        return f"{archive}{result} of SnapshotReplay {self.namespace}/{self.name}"


class NodePart(ApiModel):
    """One node beside one archive, as its Job works on it, named by a token."""

    uid: str
    """UID of the SnapshotCapture."""
    namespace: str
    """Namespace of the SnapshotCapture."""
    name: str
    """Name of the SnapshotCapture."""
    run: str
    """Id of the archive's run."""
    node: str
    """Name of the node."""

    def __str__(self) -> str:
        return f"node {self.node} of run {self.run} of SnapshotCapture {self.namespace}/{self.name}"


class Instructions(ApiModel):
    """What a Job needs to know besides its token; it keeps the document beside the archive."""

    version: str
    """The version's name in the spec: a tag, AsCaptured, or any name if it has an image of its own."""
    target_version: str
    """The version of the scheduler it stands for, such as v0.17.0; empty if unknown."""
    engine: EngineName = "SnapshotTool"
    """What it is replayed with."""
    image: str
    """The engine's image."""
    archive_id: str = ""
    """Id of the archive in the storage."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 the archive must have."""
    size_bytes: int = Field(ge=0)
    """Size of the archive."""
    captured_version: str = ""
    """The version of the scheduler that made the archive; empty if unknown."""
    captured_at: Time | None = None
    """When the scheduler answered; unset if unknown."""
    prepare: Prepare = Field(default_factory=Prepare)
    """What is done to the archive."""
    healed_config: dict[str, Any] | None = None
    """The configuration to put in where the archive says `"config": null`."""
    verbosity: int = Field(default=4, ge=0, le=8)
    """The tool's log level."""
    limit_seconds: int = Field(ge=1)
    """How long the tool may take for one run."""
    repetitions: int = Field(default=1, ge=1)
    """How many runs are wanted."""

    @property
    def what_runs(self) -> Engine:
        """The engine, as results say it."""
        return Engine(name=self.engine, version=self.target_version, image=self.image)

    @property
    def archive(self) -> ReplayedArchive:
        """The archive, as results say it."""
        return ReplayedArchive(name=self.archive_id, sha256=self.sha256)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def config(self) -> Literal["TargetDefaults", "Verbatim"]:
        """`prepare.config` where pods of 0.1.0 look for it, whose replays run on while the operator is upgraded.

        It goes with the release after 0.2.
        """
        return self.prepare.config
