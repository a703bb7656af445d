"""The kind SnapshotCapture: pull the scheduler's snapshot, once or on a schedule, and keep it."""

from typing import Literal, Self

from pydantic import Field, model_validator

from kai_snapshot.api.base import GROUP, ApiModel, Time, unchanged
from kai_snapshot.api.conditions import Condition
from kai_snapshot.api.environmentspec import Environment, EnvironmentStatus
from kai_snapshot.api.metadata import Metadata
from kai_snapshot.api.redactionspec import RedactionSpec
from kai_snapshot.api.retention import Retention
from kai_snapshot.api.source import Source
from kai_snapshot.api.storage import LOCATION_RULES, Storage

RUN_REQUESTED_AT = f"{GROUP}/run-requested-at"
"""Annotation: any new value starts one run."""
SKIP_ARCHIVE_CLEANUP = f"{GROUP}/skip-archive-cleanup"
"""Annotation: `"true"` lets an object with `deletionPolicy: Delete` go although its archives cannot be deleted."""
ARCHIVE_CLEANUP_FINALIZER = f"{GROUP}/archive-cleanup"

CRON_PATTERN = r"^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|[^\s=@]+( +[^\s=@]+){4})$"


class Schedule(ApiModel):
    """When to capture, in CronJob's words."""

    cron: str = Field(
        min_length=1,
        max_length=128,
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": f"self.matches(r'{CRON_PATTERN}')",
                    "message": "cron takes five fields (minute hour day month weekday) or @hourly, @daily, @weekly, "
                    "@monthly, @yearly; no seconds, no @every; the zone goes into timeZone",
                }
            ]
        },
    )
    """Five fields (minute hour day month weekday) or @hourly, @daily, @weekly, @monthly, @yearly.
    No seconds, no TZ= prefix."""
    time_zone: str = Field(default="Etc/UTC", min_length=1, max_length=64)
    """IANA name of the time zone of `cron`."""
    starting_deadline_seconds: int = Field(default=600, ge=1, le=604800)
    """How late a missed run may still start. At most one run, of the newest missed slot, is made up for."""
    jitter_seconds: int = Field(default=0, ge=0, le=86400)
    """Spreads captures of many objects: a delay below this many seconds, always the same for one object."""
    immediate: bool = False
    """Capture once as soon as the object is created, besides the schedule."""


class SnapshotCaptureSpec(ApiModel):
    """What to capture, when, and where to keep it. Without `schedule` it is captured once."""

    model_config = {
        "json_schema_extra": {
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.schedule) == has(oldSelf.schedule)",
                    "message": "a capture is one-shot or scheduled for life: create a new SnapshotCapture",
                },
                {
                    "rule": f"has(self.schedule) || {unchanged('source')} && self.storage == oldSelf.storage",
                    "message": "source and storage of a one-shot capture are immutable: create a new SnapshotCapture",
                },
                {
                    "rule": "!has(self.retention) || has(self.schedule)",
                    "message": "retention needs a schedule: a one-shot capture keeps its one archive",
                },
                {
                    "rule": "has(self.redaction) == has(oldSelf.redaction)",
                    "message": "a capture is redacted or not for life, for its archives lie in one place: "
                    "create a new SnapshotCapture with another storage",
                },
                {
                    "rule": "!has(self.redaction) || !has(self.environment)",
                    "message": "redaction and environment exclude each other: the documents of an environment name "
                    "nodes, kernels and units in plain text; use two captures with storages of their own",
                },
            ]
        }
    }

    source: Source = Field(default_factory=Source)
    """The scheduler to ask."""
    schedule: Schedule | None = None
    """When to capture. Absent: once, as soon as the object exists."""
    environment: Environment | None = None
    """What else to record of the cluster and its nodes, beside each archive. Absent: nothing."""
    redaction: RedactionSpec | None = None
    """Store archives without the names of this cluster. Absent: as the scheduler wrote them."""
    suspend: bool = False
    """Start no run by schedule. A run in progress ends; a requested run still starts."""
    storage: Storage = Field(json_schema_extra={"x-kubernetes-validations": LOCATION_RULES})
    """Where archives are kept. The location is immutable, credentials and encryption are not."""
    retention: Retention | None = None
    """Which archives to keep. Absent: all."""
    history_limit: int = Field(default=25, ge=1, le=50)
    """Entries in status.history; archives are not touched by it."""
    failure_threshold: int = Field(default=3, ge=1, le=100)
    """Failed runs in a row before Ready turns False."""
    deletion_policy: Literal["Retain", "Delete"] = "Retain"
    """What happens to the archives when the object is deleted."""
    retries: int = Field(default=2, ge=0, le=10)
    """How often one run is tried again after a failure that may heal by itself."""
    active_deadline_seconds: int = Field(default=600, ge=10, le=86400)
    """How long one run may take, with all its tries, so that none can hold up the next for ever."""

    @model_validator(mode="after")
    def _the_table_lies_elsewhere(self) -> Self:
        if self.redaction is not None and self.environment is not None:
            raise ValueError("redaction and environment exclude each other")
        if self.redaction is not None and self.redaction.table.overlaps(self.storage):
            raise ValueError(
                "redaction.table must be another place than storage, not below it nor above: "
                "who may read the archives could read the names as well"
            )
        return self


class ActiveRun(ApiModel):
    """A run that is not over. It is written before the capture starts, so that no run is lost or doubled."""

    id: str
    """Names the run and its archive: the slot as 20261122T101500Z, for a requested run the time and a hash."""
    trigger: str
    """OneShot, Schedule, Immediate or Manual."""
    scheduled_for: Time
    """The moment the run was due."""
    start_time: Time
    """When the run was started; `activeDeadlineSeconds` counts from here."""
    attempt: int = 1
    """1 for the first try."""
    attempt_time: Time
    """When this try was, or is to be, started."""
    operator: str
    """The operator process that makes this try, so that its successor knows that the try is lost."""
    message: str = ""
    """Why the try before failed."""


class CaptureRecord(ApiModel):
    """A run that is over."""

    id: str
    """The run's id."""
    trigger: str = ""
    """OneShot, Schedule, Immediate or Manual."""
    outcome: str
    """Succeeded or Failed."""
    reason: str
    """Succeeded, SucceededHealed, SucceededFromAPI, or why it failed."""
    message: str = ""
    """Why it failed, and what to do; or why it was built from the API server."""
    completion_time: Time
    """When it was over."""
    size_bytes: int | None = None
    """Size of the archive."""


class StoredCapture(ApiModel):
    """An archive in the storage."""

    id: str
    """The run's id; a replay may name it."""
    uri: str
    """Where the archive is, as s3://bucket/key or pvc://claim/path."""
    sha256: str
    """SHA-256 of the archive, hexadecimal."""
    size_bytes: int
    """Size of the archive in bytes."""
    captured_at: Time
    """When the scheduler answered, or the first list was asked for."""
    scheduler_version: str = ""
    """The scheduler's image tag; empty if the image has none."""
    object_counts: dict[str, int] = Field(default_factory=dict)
    """Number of objects in each list of the snapshot."""
    healed: bool = False
    """Whether the configuration had to be read from the ConfigMap."""
    built_from_api: bool = Field(default=False, alias="builtFromAPI")
    """Whether it was built from the API server's lists, because the scheduler did not answer."""


class ArchiveTotals(ApiModel):
    """What the storage holds under the capture's name, counted after the last success."""

    count: int
    """Number of archives."""
    bytes: int
    """Their size together."""


class SnapshotCaptureStatus(ApiModel):
    """What the operator knows of the capture."""

    observed_generation: int = -1
    """The metadata.generation the operator last looked at; -1 until it has."""
    conditions: tuple[Condition, ...] = Field(
        default=(),
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    """Ready, Reconciling, Stalled, LastCaptureSucceeded (scheduled), Finished (one-shot), EnvironmentCaptured."""
    last_handled_run_request: str | None = None
    """The value of the annotation kai-snapshot.io/run-requested-at that was last acted on."""
    schedule_base_time: Time | None = None
    """Creation, the last change of the schedule, or the last resumption: slots before it are never made up for."""
    schedule_in_force: str | None = None
    """The schedule and zone `scheduleBaseTime` belongs to; `suspended` while suspended."""
    last_schedule_time: Time | None = None
    """The newest slot that was started or given up."""
    next_schedule_time: Time | None = None
    """When the next run starts, jitter included."""
    last_successful_time: Time | None = None
    """When the last successful run was over."""
    consecutive_failures: int = 0
    """Failed runs since the last success."""
    active: ActiveRun | None = None
    """The run in progress."""
    last_successful_capture: StoredCapture | None = None
    """The newest archive."""
    history: tuple[CaptureRecord, ...] = ()
    """The last runs, newest first. The manifests in the storage are the full list."""
    archives: ArchiveTotals | None = None
    """What the storage holds."""
    environment: EnvironmentStatus | None = None
    """The newest environment, which may be of an archive before the newest."""


class SnapshotCapture(ApiModel):
    """Pulls the scheduler's snapshot, once or on a schedule, and keeps checked archives in S3 or on a volume."""

    metadata: Metadata
    spec: SnapshotCaptureSpec
    status: SnapshotCaptureStatus = Field(default_factory=SnapshotCaptureStatus)
