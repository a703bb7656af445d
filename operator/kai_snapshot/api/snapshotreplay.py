"""The kind SnapshotReplay: run a stored archive through the scheduler's snapshot-tool, or through the Simulator."""

from pydantic import Field

from kai_snapshot.api.base import ApiModel, Time, unchanged
from kai_snapshot.api.comparison import ReplayComparison
from kai_snapshot.api.conditions import Condition
from kai_snapshot.api.expectations import Expectations
from kai_snapshot.api.metadata import Metadata
from kai_snapshot.api.podtemplate import PodTemplate
from kai_snapshot.api.preparation import Prepare
from kai_snapshot.api.replayplan import PlannedArchive
from kai_snapshot.api.replaysource import ReplaySource
from kai_snapshot.api.result import SIMULATED, EngineName
from kai_snapshot.api.storage import Storage

AS_CAPTURED = "AsCaptured"
"""The version name that stands for the version that made the archive."""


class ReplayVersion(ApiModel):
    """A version of the scheduler to replay with."""

    name: str = Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    """A tag of the snapshot-tool image such as v0.17.0, or AsCaptured; any name if `image` is given."""
    image: str | None = Field(default=None, min_length=1, max_length=512, pattern=r"^[^\s]+$")
    """The snapshot-tool image, in place of the published one of that tag."""


_SIMULATED = (ReplayVersion(name=SIMULATED),)
_IMMUTABLE = (
    "source", "engine", "versions", "baseline", "prepare", "verbosity", "repetitions", "profile", "parallelism",
    "expectations", "startingDeadlineSeconds", "activeDeadlineSeconds", "backoffLimit", "jobTTLSecondsAfterFinished",
    "podTemplate",
)  # fmt: skip


class SnapshotReplaySpec(ApiModel):
    """A request: what to replay with which versions. Immutable but for `suspend`."""

    model_config = {
        "json_schema_extra": {
            "x-kubernetes-validations": [
                {
                    # lists of the type `map` are equal in any order, but a result goes by its index
                    "rule": " && ".join(unchanged(field) for field in _IMMUTABLE)
                    + " && (!has(self.versions) || self.versions.map(v, v.name) == oldSelf.versions.map(v, v.name))",
                    "message": "a replay is immutable (but for suspend): create a new SnapshotReplay",
                },
                {
                    "rule": "self.engine == 'Simulator' || has(self.versions)",
                    "message": "versions are missing: name those to replay with, or set engine: Simulator",
                },
                {
                    "rule": "self.engine == 'SnapshotTool' || !(has(self.versions) || self.profile)",
                    "message": "versions and profile are for snapshot-tool: the Simulator has the rules of one version",
                },
                {
                    "rule": "!has(self.baseline) || "
                    "has(self.versions) && self.versions.exists(v, v.name == self.baseline)",
                    "message": "baseline must be the name of one of the versions",
                },
                {
                    # within the seven days that a Job's token is good for
                    "rule": "self.startingDeadlineSeconds + self.repetitions * self.activeDeadlineSeconds <= 561600",
                    "message": "startingDeadlineSeconds and repetitions times activeDeadlineSeconds "
                    "may be six and a half days (561600) together",
                },
                {
                    "rule": "!has(self.expectations) || has(self.versions) && size(self.versions) > 1 || !("
                    "size(self.expectations.unchanged) > 0 || has(self.expectations.maxTotalSlowdownPercent) || "
                    "has(self.expectations.maxActionSlowdownPercent))",
                    "message": "expectations of what is unchanged or not slower need a second version to compare with",
                },
                {
                    # docs/decisions/0011: with three, one comparison of a version with itself in ten fails by chance
                    "rule": "!has(self.expectations) || size(self.expectations.unchanged) == 0 "
                    "|| self.repetitions >= 5",
                    "message": "expectations.unchanged needs repetitions of 5 or more: with fewer, what only varies "
                    "between runs is often taken for a difference",
                },
                {
                    "rule": "!has(self.expectations) || size(self.expectations.unchanged) == 0 || self.verbosity >= 4",
                    "message": "expectations.unchanged needs verbosity 4 or more: below it the tool does not tell",
                },
            ]
        }
    }

    source: ReplaySource
    """The archive to replay. It is pinned once, when the replay is first looked at."""
    engine: EngineName = "SnapshotTool"
    """SnapshotTool: the scheduler's own code, from its published images. Simulator: this project's own, which needs no
    image but the operator's, takes seconds and says why jobs wait; the tool is the authority."""
    versions: tuple[ReplayVersion, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=32,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    """The versions of snapshot-tool to replay with, a Job each. Not with the Simulator."""
    baseline: str | None = Field(default=None, min_length=1, max_length=63)
    """The name of the version that the others are compared with; the first if not given."""
    prepare: Prepare = Field(default_factory=Prepare)
    """What is done to the archive before the tool gets it."""
    verbosity: int = Field(default=4, ge=0, le=8)
    """The tool's log level. Placements need 3, evictions and jobs 4, reasons 6 (much larger logs). The Simulator
    always says all."""
    repetitions: int = Field(default=3, ge=1, le=20)
    """How often each version runs: the tool is not a function of its input. Times are medians; what varies between runs
    of one version is no difference between versions. A gate on what is unchanged wants five or more. The Simulator
    draws the order of jobs that the scheduler leaves open for each run; with 1 it is that of the archive."""
    profile: bool = False
    """Whether to keep a CPU and a memory profile of the last run, of versions whose tool can write them."""
    parallelism: int = Field(default=1, ge=1, le=32)
    """How many pods run at the same time: versions, or archives of one version if there are many. 1 keeps timings
    undisturbed."""
    expectations: Expectations | None = None
    """What must come out for the replay to be Ready. Without it every version must succeed, and no more."""
    suspend: bool = False
    """Start no new Job; what runs ends. With many archives no new pod either: those at work are ended, and what they
    were at is begun anew later."""
    # with activeDeadlineSeconds still within the seven days that a Job's token is good for
    starting_deadline_seconds: int = Field(default=3600, ge=1, le=432000)
    """How long to wait for a capture that does not exist yet, and for a Job's pod to start."""
    active_deadline_seconds: int = Field(default=1800, ge=1, le=86400)
    """How long the tool may take for one run."""
    backoff_limit: int = Field(default=1, ge=0, le=10)
    """How often a Job's pod is tried again after a failure of the infrastructure. A panic is a result."""
    job_ttl_seconds_after_finished: int = Field(default=3600, ge=0, le=604800, alias="jobTTLSecondsAfterFinished")
    """How long a Job stays once its result is in the status. The replay itself stays."""
    pod_template: PodTemplate = Field(default_factory=PodTemplate)
    """What may be set of the replay's pods."""

    @property
    def planned_versions(self) -> tuple[ReplayVersion, ...]:
        """The versions there is a result for, in their order: of the Simulator the one whose rules it has."""
        return self.versions or _SIMULATED


class ResolvedArchives(ApiModel):
    """Many archives, by the plan that lies in the storage."""

    count: int
    """How many."""
    first: str
    """The id of the oldest."""
    last: str
    """The id of the newest."""
    digest: str
    """SHA-256 of the plan."""
    plan_uri: str = Field(alias="planURI")
    """The plan: all of them by name."""


class ResolvedSource(PlannedArchive):
    """The archive this replay is about, pinned once; of many, the newest, beside which all results lie."""

    capture: str | None = None
    """The SnapshotCapture it is of."""
    storage: Storage
    """Where it is."""
    uri: str
    """Storage and key as one string."""
    scheduler_version: str = ""
    """The version that made it; empty if unknown, or if many archives are of different versions."""
    archives: ResolvedArchives | None = None
    """All of them, if there can be many."""

    def what(self) -> str:
        """It, or them, for people."""
        many = self.archives
        return f"{many.count} archives, {many.first} to {many.last}" if many is not None else self.uri


class ActionDuration(ApiModel):
    """How long an action of the scheduler took."""

    name: str
    """allocate, consolidation, reclaim, preempt, stalegangeviction, ..."""
    ms: int
    """Milliseconds: the median, where it was repeated or there are many archives."""
    p90_ms: int | None = None
    """With many archives: nine of ten took no longer."""
    max_ms: int | None = None
    """With many archives: the longest."""


class ArchiveProgress(ApiModel):
    """How far a version has come with many archives."""

    total: int
    """All of them."""
    done: int = 0
    """Those with a result."""
    succeeded: int | None = None
    """Those with the outcome Succeeded; counted when all are done."""
    failed: int | None = None
    """Those with another outcome or without a result; counted when all are done."""


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
    """The snapshot-tool image; the operator's, with the Simulator."""
    image_id: str = Field(default="", alias="imageID")
    """Its digest, as the node resolved it."""
    outcome: str = "Pending"
    """Pending, Running, Succeeded, Panicked, Failed, Incomplete, DeadlineExceeded, OOMKilled, ImagePullFailed,
    IncompatibleSnapshot or ResultLost; with many archives PartiallyFailed, if it is neither Succeeded nor Failed."""
    attempt: int = 1
    """The Job of this result: a second one is started when the first was lost."""
    exit_code: int | None = None
    """The tool's exit code."""
    runs: int | None = None
    """How often it ran, if it was to run more than once."""
    distinct: int | None = None
    """How many different results the runs that succeeded gave."""
    archives: ArchiveProgress | None = None
    """With many archives: how far it has come."""
    total_ms: int | None = None
    """What the whole cycle took, in milliseconds: the median of all runs, or of many archives."""
    actions: tuple[ActionDuration, ...] = ()
    """What each action took."""
    counts: ResultCounts | None = None
    """How much of everything there is."""
    message: str = ""
    """Why it is not Succeeded."""
    compatibility: tuple[str, ...] = Field(default=(), max_length=3)
    """What this version will get wrong about the archive, known before it ran; of many archives, about one by each
    version of the scheduler."""
    log_uri: str | None = Field(default=None, alias="logURI")
    """The tool's log, gzip."""
    cpu_profile_uri: str | None = Field(default=None, alias="cpuProfileURI")
    """The CPU profile, for `go tool pprof`."""
    memory_profile_uri: str | None = Field(default=None, alias="memoryProfileURI")
    """The memory profile, for `go tool pprof`."""
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
    comparison: ReplayComparison | None = None
    """How the versions differ, once all are over."""


class SnapshotReplay(ApiModel):
    """Runs a stored archive through the scheduler's own snapshot-tool, at one or more versions, or the Simulator."""

    metadata: Metadata
    spec: SnapshotReplaySpec
    status: SnapshotReplayStatus = Field(default_factory=SnapshotReplayStatus)
