"""The kind SnapshotReplay: run a stored archive through the scheduler's snapshot-tool, at one or more versions."""

from typing import Literal

from pydantic import Field

from kai_snapshot.api.base import ApiModel, Name, Time, unchanged
from kai_snapshot.api.conditions import Condition
from kai_snapshot.api.metadata import Metadata
from kai_snapshot.api.podtemplate import PodTemplate
from kai_snapshot.api.storage import PATH, Storage

AS_CAPTURED = "AsCaptured"
"""The version name that stands for the version that made the archive."""


class CaptureReference(ApiModel):
    """An archive of a SnapshotCapture in the same namespace."""

    model_config = {
        "json_schema_extra": {
            "x-kubernetes-validations": [
                {
                    "rule": "(self.select == 'AsOf') == has(self.asOf)",
                    "message": "asOf goes with select: AsOf, and only with it",
                },
                {
                    "rule": "(self.select == 'ID') == has(self.id)",
                    "message": "id goes with select: ID, and only with it",
                },
            ]
        }
    }

    name: Name
    """The SnapshotCapture's name. It may appear later than the replay."""
    select: Literal["Latest", "AsOf", "ID"] = "Latest"
    """Latest: the newest archive when the replay is first looked at. AsOf: the newest at or before `asOf`.
    ID: the one named."""
    as_of: Time | None = None
    """The moment for AsOf."""
    id: str | None = Field(default=None, min_length=1, max_length=64)
    """The run's id for ID, as in status.history[].id."""


class ArchiveReference(ApiModel):
    """An archive by its key, with no SnapshotCapture needed: another cluster's, or an uploaded one."""

    storage: Storage
    """Where it is."""
    key: str = Field(min_length=1, max_length=1024, pattern=PATH)
    """Its key, relative to the storage's prefix or subPath."""
    sha256: str | None = Field(default=None, max_length=64, pattern=r"^[0-9a-f]{64}$")
    """The SHA-256 it must have."""


class ReplaySource(ApiModel):
    """The archive to replay."""

    model_config = {
        "json_schema_extra": {
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.captureRef) != has(self.archive)",
                    "message": "exactly one of captureRef and archive must be given",
                }
            ]
        }
    }

    capture_ref: CaptureReference | None = None
    """An archive of a SnapshotCapture in the same namespace."""
    archive: ArchiveReference | None = None
    """An archive by its key."""


class ReplayVersion(ApiModel):
    """A version of the scheduler to replay with."""

    name: str = Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    """A tag of the snapshot-tool image such as v0.17.0, or AsCaptured; any name if `image` is given."""
    image: str | None = Field(default=None, min_length=1, max_length=512, pattern=r"^[^\s]+$")
    """The snapshot-tool image, in place of the published one of that tag."""


class Prepare(ApiModel):
    """What is done to the archive before the tool gets it. Each change is listed in the result."""

    config: Literal["TargetDefaults", "Verbatim"] = "TargetDefaults"
    """TargetDefaults: put in a healed configuration, and the plugins that are default in the version and were not yet
    default in the version that made the archive. Verbatim: leave it as it is."""


_IMMUTABLE = (
    "source", "versions", "prepare", "verbosity", "parallelism", "startingDeadlineSeconds", "activeDeadlineSeconds",
    "backoffLimit", "jobTTLSecondsAfterFinished", "podTemplate",
)  # fmt: skip


class SnapshotReplaySpec(ApiModel):
    """A request: what to replay with which versions. Immutable but for `suspend`."""

    model_config = {
        "json_schema_extra": {
            "x-kubernetes-validations": [
                {
                    # lists of the type `map` are equal in any order, but a result goes by its index
                    "rule": " && ".join(unchanged(field) for field in _IMMUTABLE)
                    + " && self.versions.map(v, v.name) == oldSelf.versions.map(v, v.name)",
                    "message": "a replay is immutable (but for suspend): create a new SnapshotReplay",
                },
            ]
        }
    }

    source: ReplaySource
    """The archive to replay. It is pinned once, when the replay is first looked at."""
    versions: tuple[ReplayVersion, ...] = Field(
        min_length=1,
        max_length=32,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    """The versions to replay with, a Job each."""
    prepare: Prepare = Field(default_factory=Prepare)
    """What is done to the archive before the tool gets it."""
    verbosity: int = Field(default=4, ge=0, le=8)
    """The tool's log level. Placements need 3, evictions 4, reasons 6 (much larger logs)."""
    parallelism: int = Field(default=1, ge=1, le=32)
    """How many versions run at the same time; 1 keeps timings undisturbed."""
    suspend: bool = False
    """Start no new Job; what runs ends."""
    # with activeDeadlineSeconds still within the seven days that a Job's token is good for
    starting_deadline_seconds: int = Field(default=3600, ge=1, le=432000)
    """How long to wait for a capture that does not exist yet, and for a Job's pod to start."""
    active_deadline_seconds: int = Field(default=1800, ge=1, le=86400)
    """How long the tool may run at one version."""
    backoff_limit: int = Field(default=1, ge=0, le=10)
    """How often a Job's pod is tried again after a failure of the infrastructure. A panic is a result."""
    job_ttl_seconds_after_finished: int = Field(default=3600, ge=0, le=604800, alias="jobTTLSecondsAfterFinished")
    """How long a Job stays once its result is in the status. The replay itself stays."""
    pod_template: PodTemplate = Field(default_factory=PodTemplate)
    """What may be set of the replay's pods."""


class ResolvedSource(ApiModel):
    """The archive this replay is about, pinned once."""

    id: str
    """The capture run's id, or the key's file name."""
    capture: str | None = None
    """The SnapshotCapture it is of."""
    storage: Storage
    """Where it is."""
    key: str
    """Its key there."""
    uri: str
    """The same as one string."""
    sha256: str
    """SHA-256 of the archive, checked when it was pinned."""
    size_bytes: int
    """Size of the archive."""
    captured_at: Time | None = None
    """When the scheduler answered."""
    scheduler_version: str = ""
    """The version that made it; empty if unknown."""
    healed: bool = False
    """Whether the configuration comes from the manifest."""


class ActionDuration(ApiModel):
    """How long an action of the scheduler took."""

    name: str
    """allocate, consolidation, reclaim, preempt, stalegangeviction, ..."""
    ms: int
    """Milliseconds."""


class ResultCounts(ApiModel):
    """How much of everything a result has; the result in the storage has it by name."""

    placements: int = 0
    """Pods bound to a node."""
    evictions: int = 0
    """Pods evicted."""
    pipelined: int = 0
    """Pods that wait for a place being freed."""
    unschedulable: int = 0
    """Jobs that found no place."""
    errors: int = 0
    """Error lines of the log."""


class VersionResult(ApiModel):
    """What became of one version."""

    name: str
    """The version's name in the spec."""
    image: str = ""
    """The snapshot-tool image."""
    image_id: str = Field(default="", alias="imageID")
    """Its digest, as the node resolved it."""
    outcome: str = "Pending"
    """Pending, Running, Succeeded, Panicked, Failed, Incomplete, DeadlineExceeded, OOMKilled, ImagePullFailed,
    IncompatibleSnapshot or ResultLost."""
    attempt: int = 1
    """The Job of this result: a second one is started when the first was lost."""
    exit_code: int | None = None
    """The tool's exit code."""
    total_ms: int | None = None
    """What the whole cycle took, in milliseconds."""
    actions: tuple[ActionDuration, ...] = ()
    """What each action took."""
    counts: ResultCounts | None = None
    """How much of everything there is."""
    message: str = ""
    """Why it is not Succeeded."""
    log_uri: str | None = Field(default=None, alias="logURI")
    """The tool's log, gzip."""
    result_uri: str | None = Field(default=None, alias="resultURI")
    """The result by name, as JSON."""
    node_name: str = ""
    """The node it ran on: timings of different nodes do not compare."""


class SnapshotReplayStatus(ApiModel):
    """What the operator knows of the replay."""

    observed_generation: int = -1
    """The metadata.generation the operator last looked at; -1 until it has."""
    conditions: tuple[Condition, ...] = Field(
        default=(),
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    """Ready, Reconciling, Stalled, SourceResolved, Finished."""
    resolved_source: ResolvedSource | None = None
    """The archive, pinned once."""
    start_time: Time | None = None
    """When the archive was pinned."""
    completion_time: Time | None = None
    """When the last version was over."""
    outcome: str | None = None
    """Succeeded, PartiallyFailed or Failed."""
    summary: str | None = None
    """The outcome in a line."""
    results: tuple[VersionResult, ...] = Field(
        default=(),
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    """A result for each version, in the order of the spec."""


class SnapshotReplay(ApiModel):
    """Runs a stored archive through the scheduler's own snapshot-tool, at one or more versions."""

    metadata: Metadata
    spec: SnapshotReplaySpec
    status: SnapshotReplayStatus = Field(default_factory=SnapshotReplayStatus)
