"""What the visualizer API answers: the nodes, queues and jobs that the scheduler saw, as documents.

Names and types are those of the KAI Visualizer plan; what is optional here is an addition to it.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from kai_snapshot.api.base import ApiModel, Time

Count = Annotated[int, Field(ge=0)]
Portion = Annotated[float, Field(ge=0)]
JobStatus = Literal["Running", "Pending", "Completed", "Failed"]
TaskStatus = Literal[
    "Pending", "Gated", "Allocated", "Pipelined", "Binding", "Bound", "Running", "Releasing", "Succeeded", "Failed",
    "Deleted", "StuckInReleasing", "Unknown",
]  # fmt: skip
JobCounts = dict[JobStatus, Count]
ResourceName = Literal["cpu", "memory", "gpu"]
ReceivedType = Literal["", "Regular", "Fraction", "MigInstance"]
Decision = Literal["Bound", "Pipelined", "Evicted", "Moved"]
"""What a cycle decides of a pod. Moved: evicted, and to come back elsewhere."""


class ResourceStats(ApiModel):
    """An amount of resources."""

    milli_cpu: Annotated[Count, Field(alias="milliCPU")]
    """Thousandths of a core."""
    memory: Count
    """Bytes."""
    gpu: Count
    """Whole GPUs, rounded down; of what a node's pods use: the devices with something on them."""
    scalar_resources: dict[str, Count] | None = None
    """MIG devices, by their resource's name."""
    gpu_fraction: Portion | None = None
    """GPUs with the parts of shared ones, as queues count them: a MIG device as the slices it has."""


class Source(ApiModel):
    """What a document was computed from."""

    kind: Literal["live", "stored", "file"]
    """The scheduler now, an archive in a storage, or one in a file."""
    capture: str | None = None
    """The archive's key in the storage, or its file's name."""
    captured_at: Time
    """When the scheduler said so; of a file, the newest time in it."""
    kai_version: str | None = None
    """The scheduler's version, where it is known."""
    sha256: str | None = None
    """The archive's SHA-256."""
    built_from_api: bool = Field(default=False, alias="builtFromAPI")
    """No scheduler served it: it was built from the lists of the API server."""
    redacted: bool = False
    """Names in it are pseudonyms."""


class QueueGPUs(ApiModel):
    """GPUs of a queue and all queues below it, with parts of them."""

    id: str
    """Its name."""
    name: str
    """`spec.displayName`, or its name."""
    allocated: Portion
    """What its pods hold."""
    requested: Portion
    """What its pods hold and wait for."""
    fair_share: Portion | None = None
    """What the scheduler grants it; absent for a queue the scheduler leaves out."""


class ClusterSummary(ApiModel):
    """`/api/v1/visualizer/summary`."""

    total_nodes: Count
    """Nodes."""
    healthy_nodes: Count
    """Nodes that are Ready."""
    total_gpus: Annotated[Count, Field(alias="totalGPUs")]
    """GPUs that nodes offer."""
    allocated_gpus: Annotated[Count, Field(alias="allocatedGPUs")]
    """GPUs with something on them, each shared one once."""
    total_queues: Count
    """Queues."""
    job_counts: JobCounts
    """Jobs by status; a status that no job has is absent."""
    total_slots: Count | None = None
    """GPU slots of all nodes: their devices, in order or not."""
    fragmented_gpus: Annotated[Portion | None, Field(alias="fragmentedGPUs")] = None
    """GPUs, and parts of them, that are free and that no waiting pod can use."""
    queue_gpus: Annotated[tuple[QueueGPUs, ...] | None, Field(alias="queueGPUs", max_length=50)] = None
    """Who has the GPUs: the 50 queues that have, or are granted, the most; absent if there is no queue."""
    warnings: tuple[str, ...] | None = None
    """What in the snapshot does not go together."""
    source: Source | None = None
    """What it was computed from."""


class UnlimitedResources(ApiModel):
    """Resources of which there is no bound; their amount is 0."""

    guaranteed: tuple[ResourceName, ...] = ()
    """With quota -1."""
    max: tuple[ResourceName, ...] = ()
    """With limit -1."""


class QueueResources(ApiModel):
    """What a queue has, and may have."""

    guaranteed: ResourceStats
    """Its quota."""
    allocated: ResourceStats
    """What its pods hold, and those of all queues below it."""
    max: ResourceStats
    """Its limit."""
    requested: ResourceStats | None = None
    """What its pods hold and wait for, and those of all queues below it."""
    fair_share: ResourceStats | None = None
    """What the scheduler grants it, as the simulator computes it; absent for a queue the scheduler leaves out."""
    over_quota_weight: dict[ResourceName, float] | None = None
    """Its weight where queues share what is over."""
    unlimited: UnlimitedResources | None = None
    """Where 0 stands for no bound; absent if nowhere."""


class QueueView(ApiModel):
    """A queue, with those below it."""

    name: str
    """`spec.displayName`, or its name."""
    parent: str
    """The name of the queue above it; empty for a root."""
    weight: int
    """`spec.priority`, 100 by default."""
    resources: QueueResources
    """What it has, and may have."""
    children: "tuple[QueueView, ...]"
    """The queues below it, the most important first."""
    id: str | None = None
    """Its name."""
    orphan: bool | None = None
    """Whether it does not stand below its parent, or is in a circle. Absent if not."""
    orphan_reason: Literal["ParentMissing", "Circle", "TooDeep"] | None = None
    """Why: its parent is missing, or it is below itself, and the scheduler leaves it out; or it is further down than
    one tree is shown. Absent unless it is an orphan."""
    job_counts: JobCounts | None = None
    """Its own jobs, by status."""


class TaskView(ApiModel):
    """A pod of a job."""

    name: str
    """Its name."""
    status: TaskStatus
    """Its state, as the scheduler sees it."""
    node_name: str
    """Its node; empty if it has none."""
    requested: ResourceStats | None = None
    """What it asks for."""
    received_type: ReceivedType | None = None
    """How it got its GPUs; absent as long as it has none."""
    gpu_groups: tuple[str, ...] | None = None
    """The shared GPUs it is on; absent if none."""
    sub_group: str | None = None
    """Its subgroup in the job; absent if none."""


class JobView(ApiModel):
    """A PodGroup."""

    uid: str
    """Its UID; namespace/name if it has none."""
    name: str
    """Its name."""
    namespace: str
    """Its namespace."""
    queue: str
    """The name of its queue."""
    status: JobStatus
    """Running if a pod holds resources, else Pending if one waits or there is none yet."""
    create_time: Time
    """When it was created."""
    tasks: tuple[TaskView, ...]
    """Its pods, by name."""
    min_member: int | None = None
    """How many of its pods must run together."""
    priority: int | None = None
    """The value of its priority class."""
    priority_class_name: str | None = None
    """Its priority class; absent if it names none."""
    preemptible: bool | None = None
    """Whether its pods may be evicted for others."""
    pending_reason: str | None = None
    """Why it waits, as the scheduler wrote it into its status."""
    stale_since: Time | None = None
    """Since when fewer pods of it run than must."""


class Occupant(ApiModel):
    """A pod on a GPU."""

    namespace: str
    """Its namespace."""
    pod: str
    """Its name."""
    portion: Portion
    """The part of the GPU it has."""
    decision: Decision | None = None
    """What the replay decided of it; absent where nothing, and where no replay is asked for."""
    leaving: bool | None = None
    """Whether it is on its way out already, and the scheduler may promise its place to another; absent if not."""


class GPUSlot(ApiModel):
    """A GPU of a node."""

    id: Count
    """Its number, from 0."""
    occupied_by: str
    """The names of the pods on it, with commas between; empty if it is free."""
    fragmented: bool
    """Whether something of it is free that no waiting pod can use."""
    occupants: tuple[Occupant, ...] | None = None
    """The pods on it; absent if it is free."""
    used_fraction: Portion | None = None
    """The part of it that pods have; absent if it is free."""
    gpu_group: str | None = None
    """The name that those sharing it know it by; absent if it is not shared."""
    gpu_uuid: Annotated[str | None, Field(alias="gpuUUID")] = None
    """The device's UUID, where the snapshot tells."""
    synthetic: bool | None = None
    """Whether its number is chosen to show it somewhere, and not the device's own; absent if it is free."""
    fragmented_reason: str | None = None
    """Why nobody can use it; absent unless it is fragmented."""
    after: tuple[Occupant, ...] | None = None
    """The pods on it when what the replay decided is carried out; absent where that changes nothing."""


class NodeView(ApiModel):
    """A node."""

    name: str
    """Its name."""
    status: Literal["Ready", "NotReady"]
    """Its condition `Ready`."""
    allocatable: ResourceStats
    """What it offers."""
    used: ResourceStats
    """What pods on it have, whoever scheduled them."""
    gpu_slots: tuple[GPUSlot, ...]
    """Its GPUs."""
    unschedulable: bool | None = None
    """Whether it is cordoned; absent if not."""
    gpu_product: str | None = None
    """What GPUs it has, as its label says."""
    gpu_memory_mib: Annotated[int | None, Field(alias="gpuMemoryMiB")] = None
    """The memory of each, as its label says."""
    mig_strategy: str | None = None
    """How its GPUs are divided, as its label says."""


class ArchiveView(ApiModel):
    """An archive that `?snapshot=` can name."""

    snapshot: str
    """What `?snapshot=` calls it: its key."""
    id: str
    """The capture run's id, which will do where only one capture has it."""
    capture: str
    """Its capture: namespace/name."""
    captured_at: Time
    """When the scheduler answered."""
    size_bytes: Count
    """Its size."""
    object_counts: dict[str, Count]
    """Objects in each list of the snapshot."""
    kai_version: str | None = None
    """The scheduler's version, where it is known."""
    built_from_api: bool = Field(default=False, alias="builtFromAPI")
    """No scheduler served it: it was built from the lists of the API server."""
    redacted: bool = False
    """Names in it are pseudonyms."""


QUEUES: TypeAdapter[tuple[QueueView, ...]] = TypeAdapter(tuple[QueueView, ...])
"""`/api/v1/visualizer/queues`."""
JOBS: TypeAdapter[tuple[JobView, ...]] = TypeAdapter(tuple[JobView, ...])
"""`/api/v1/visualizer/jobs`."""
NODES: TypeAdapter[tuple[NodeView, ...]] = TypeAdapter(tuple[NodeView, ...])
"""`/api/v1/visualizer/nodes`."""
ARCHIVES: TypeAdapter[tuple[ArchiveView, ...]] = TypeAdapter(tuple[ArchiveView, ...])
"""`/api/v1/snapshots`."""
NEVER: Time = datetime.fromisoformat("0001-01-01T00:00:00+00:00")
"""A time that an object does not have, as Go writes it."""
