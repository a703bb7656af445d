"""What one run of snapshot-tool made of an archive: the document that `parse-log` prints and a replay stores."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from kai_snapshot.api.base import ApiModel
from kai_snapshot.api.waiting import WaitingJob

Count = Annotated[int, Field(ge=0, lt=2**53)]
"""A number of things or milliseconds, which every reader of JSON takes as it is."""
EngineName = Literal["SnapshotTool", "Simulator"]
SIMULATED: Final = "v0.17.0"
"""The version of the scheduler whose rules the Simulator has."""
ActionName = Annotated[str, Field(max_length=63)]
MOST_ACTIONS: Final = 64
"""That one result may tell the times of: they are all in the status."""


class Outcome(StrEnum):
    """What became of the run as a whole."""

    SUCCEEDED = "Succeeded"
    """Every configured action ran to its end."""
    PANICKED = "Panicked"
    """The tool crashed: a finding about that version."""
    FAILED = "Failed"
    """The tool gave up with an error."""
    INCOMPLETE = "Incomplete"
    """The tool ended as if all were well, but not every configured action ran."""
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    """The tool was stopped at its deadline."""
    OOM_KILLED = "OOMKilled"
    """The tool was killed for its memory."""
    IMAGE_PULL_FAILED = "ImagePullFailed"
    """The tool's image could not be had, so nothing ran."""
    INCOMPATIBLE_SNAPSHOT = "IncompatibleSnapshot"
    """That version of the tool cannot read the archive."""


class JobOutcome(StrEnum):
    """What became of a job (a KAI PodGroup)."""

    ALLOCATED = "Allocated"
    """Bound to nodes with room."""
    PIPELINED = "Pipelined"
    """Waits for pods that are on their way out already."""
    RECLAIMED = "Reclaimed"
    """Gets the resources of other queues' jobs."""
    PREEMPTED = "Preempted"
    """Gets the resources of lower priorities in its own queue."""
    CONSOLIDATED = "Consolidated"
    """Gets room by moving other jobs."""
    UNSCHEDULABLE = "Unschedulable"
    """Tried, and found no place."""


class Engine(ApiModel):
    """What ran."""

    name: EngineName = "SnapshotTool"
    """SnapshotTool: KAI's own snapshot-tool. Simulator: this project's own engine."""
    version: str = ""
    """The scheduler's version, as `v0.17.0`; empty if unknown."""
    image: str | None = None
    """The image it ran from."""


class Durations(ApiModel):
    """How long it took, in whole milliseconds."""

    total: Count | None = None
    """From loading the archive to the last action's end. Up to v0.14.0, which does not say, and for a run that was cut
    short, from the opening of the session to the last action's end, or to the last message of the log."""
    actions: dict[ActionName, Count] = Field(default={}, max_length=MOST_ACTIONS)
    """By action: allocate, consolidation, reclaim, preempt, stalegangeviction. Only actions that ran to their end."""


class ResourceUse(ApiModel):
    """What the tool's process used."""

    peak_memory_bytes: int
    """Largest resident set, in bytes."""
    cpu_seconds: float
    """User and system time, in seconds."""


class Placement(ApiModel):
    """A pod that was bound to a node."""

    pod: str
    """namespace/name."""
    node: str
    """The node's name."""
    gpu_groups: tuple[str, ...] = ()
    """The shared GPUs it goes to, for a fraction of a GPU. New groups have random names."""


class Eviction(ApiModel):
    """A pod that was evicted. A pod is named once, with the first eviction."""

    pod: str
    """namespace/name."""
    action: str
    """The action that evicted it: reclaim, preempt, consolidation, stalegangeviction."""
    preemptor: str | None = None
    """The job it had to go for, as namespace/name; none for a stale gang."""


class Pipelined(ApiModel):
    """A pod that gets a place as soon as pods which are on their way out have left it."""

    pod: str
    """namespace/name."""
    node: str | None = None
    """The node; the log names it from verbosity 6 on."""


class PodGroupResult(ApiModel):
    """A job that an action tried to schedule."""

    name: str
    """namespace/name."""
    queue: str | None = None
    """Its queue; the log names it where a job was tried."""
    outcome: JobOutcome
    """What became of it."""
    reason: str | None = None
    """Why it is Unschedulable: the scheduler's own words from verbosity 6 on, below it what little the log says; of the
    Simulator the message in `waiting`."""


class QueueShare(ApiModel):
    """A queue's share of one resource when the cycle begins. null: unlimited, or not printed by that version."""

    deserved: float | None = None
    """Its quota."""
    requested: float | None = None
    """What its jobs ask for, up to its limit."""
    limit: float | None = None
    """What it may have at most."""
    allocated: float | None = None
    """What its running jobs have; printed from v0.10.3 on."""
    fair_share: float | None = None
    """What the scheduler grants it."""


class QueueResources(ApiModel):
    """A queue's shares."""

    gpu: QueueShare
    """In GPUs."""
    cpu: QueueShare
    """In cores."""
    memory: QueueShare
    """In GB (10^9 bytes)."""


class QueueResult(ApiModel):
    """A queue, leaf or parent."""

    name: str
    """The Queue's name. The log has `spec.displayName` instead, where a Queue has one."""
    resources: QueueResources
    """By resource."""


class LogMessage(ApiModel):
    """A message of the log and how often it came."""

    source: str
    """The source file and line that logged it; up to v0.9 that of the logger itself; of the Simulator the action."""
    message: str
    """The text, at most 1,024 characters."""
    count: Count
    """How often."""


class Frequencies(ApiModel):
    """In how many of the runs that succeeded each element came. What is in none of them is not listed."""

    placements: dict[str, dict[str, int]] = {}
    """By pod (namespace/name) and node."""
    evictions: dict[str, int] = {}
    """By pod."""
    pipelined: dict[str, int] = {}
    """By pod."""
    pod_groups: dict[str, dict[str, int]] = {}
    """By job (namespace/name) and outcome."""

    def counts(self) -> Iterator[int]:
        """All of them."""
        for by_value in (*self.placements.values(), *self.pod_groups.values(), self.evictions, self.pipelined):
            yield from by_value.values()


class Runs(ApiModel):
    """What repeated runs of the same request gave: the tool is not a function of its input."""

    count: Annotated[Count, Field(ge=1)]
    """Runs there were; fewer than wanted if one had to be stopped."""
    outcomes: dict[Outcome, Count]
    """By outcome."""
    distinct: Count
    """Different results among the runs that succeeded: placements, evictions, pipelined pods and job outcomes."""
    shown: Annotated[Count, Field(ge=1)]
    """The run, from 1, that the result's lists and the log are of: the first that did not succeed, or else the one most
    like all others."""
    durations_ms: tuple[Durations, ...] = ()
    """Of each run that succeeded, in their order."""
    frequencies: Frequencies | None = None
    """How often each element came; null if all runs that succeeded gave the same."""

    @model_validator(mode="after")
    def _nothing_comes_more_often_than_there_are_runs(self) -> Self:
        if self.frequencies is not None and not all(1 <= count <= self.count for count in self.frequencies.counts()):
            raise ValueError("frequencies must be from 1 to the number of runs")
        return self


class ReplayedArchive(ApiModel):
    """The archive as it was captured, before anything was changed in it."""

    name: str = ""
    """Its id in the storage, or its file's name; empty if unknown."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Its SHA-256."""


class ResultFacts(ApiModel):
    """What a result says of the run as a whole."""

    schema_version: Literal["kai-snapshot.io/replay-result/v1"] = "kai-snapshot.io/replay-result/v1"
    """The version of this document."""
    engine: Engine
    """What ran."""
    archive: ReplayedArchive | None = None
    """What it ran on; null if unknown. Results of different archives do not compare."""
    verbosity: int | None = None
    """The tool's log level, that the log was written with; null if unknown."""
    node_name: str = ""
    """The Kubernetes node it ran on; empty if it is none, or not known. Times of different nodes do not compare."""
    ran: bool = True
    """Whether the tool ran. If not, the image or the archive could not be had, which says nothing of the version."""
    outcome: Outcome
    """What became of the run as a whole. Unless it is Succeeded, all lists hold what came before the end."""
    exit_code: int | None = None
    """The tool's exit code; null if unknown."""
    message: str = ""
    """Why it is not Succeeded."""
    durations_ms: Durations = Durations()
    """How long it took: medians of the runs that succeeded, if there were several."""
    resources: ResourceUse | None = None
    """What the tool's process used: the most of all runs."""
    runs: Runs | None = None
    """When it was repeated. The lists are those of one run, `runs.shown`."""
    error_count: Count = 0
    """ERROR and FATAL lines of the log; of the Simulator, its errors."""
    warning_count: Count = 0
    """WARN lines of the log."""
    errors: tuple[LogMessage, ...] = ()
    """The 20 most frequent errors; of the Simulator, what the scheduler would log of settings that are not valid."""
    warnings: tuple[LogMessage, ...] = ()
    """The 20 most frequent warnings."""
    adaptations: tuple[str, ...] = ()
    """What was changed in the archive before the tool got it."""
    unmodelled: tuple[str, ...] = ()
    """What the archive uses that the Simulator does not know, with the objects concerned."""
    approximate: tuple[str, ...] = ()
    """What of the Simulator's result rests on a choice that the scheduler may make otherwise."""


class ReplayResult(ResultFacts):
    """What the scheduler's code of one version does with an archive: a simulation on a copy of the objects."""

    placements: tuple[Placement, ...] = ()
    """Committed binds, in the order of the decisions."""
    evictions: tuple[Eviction, ...] = ()
    """Committed evictions, of stale gangs too, in the order of the decisions."""
    pipelined: tuple[Pipelined, ...] = ()
    """Pods that wait for a place, in the order of the decisions. A pod both evicted and pipelined is moved."""
    pod_groups: tuple[PodGroupResult, ...] = ()
    """Jobs that were tried, by name."""
    queues: tuple[QueueResult, ...] = ()
    """All queues, by name."""
    waiting: tuple[WaitingJob, ...] = ()
    """Jobs with pods that have no place at the end, by name, and why; the Simulator only."""

    def dump(self) -> dict[str, Any]:
        """The JSON object, with every field: null says that something is unlimited or unknown."""
        return self.model_dump(mode="json", by_alias=True)
