"""Why jobs wait when a cycle is over, and what would have to change for each."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from kai_snapshot.api.base import ApiModel


class WaitingReason(StrEnum):
    """What a job waits for first: the others may hold too."""

    PIPELINED = "Pipelined"
    """Its places are known; it waits for pods on their way out."""
    ROOM_NEXT_CYCLE = "RoomNextCycle"
    """There is room for it once all that the cycle decided is carried out."""
    ACTION_NOT_CONFIGURED = "ActionNotConfigured"
    """The configuration has no action that would try it."""
    QUEUE_DOES_NOT_EXIST = "QueueDoesNotExist"
    """Its queue, or one above it, is not there, or not for this scheduler."""
    QUEUE_NOT_LEAF = "QueueNotLeaf"
    """Its queue has queues below it, and only queues without any run jobs."""
    OTHER_NODE_POOL = "OtherNodePool"
    """It is of another node pool, which this scheduler does not look after."""
    SCHEDULING_BACKOFF = "SchedulingBackoff"
    """It found no place before, and asks to be left alone since (`spec.schedulingBackoff`)."""
    SCHEDULING_GATED = "SchedulingGated"
    """Too many of its pods have scheduling gates."""
    TOO_FEW_PODS = "TooFewPods"
    """It has fewer pods than must run together (`minMember`)."""
    BEYOND_QUEUE_DEPTH = "BeyondQueueDepth"
    """`queueDepthPerAction` lets the scheduler look at the first jobs of its queue only."""
    OVER_LIMIT = "OverLimit"
    """A queue would be over its limit."""
    NON_PREEMPTIBLE_OVER_QUOTA = "NonPreemptibleOverQuota"
    """A queue's jobs that cannot be evicted would be over its quota."""
    CONFIG_MAP_MISSING = "ConfigMapMissing"
    """A ConfigMap that a pod cannot do without is not there."""
    LARGER_THAN_NODES = "LargerThanNodes"
    """A pod asks for more than any node, or any that it may go to, has in all."""
    NO_NODE_SELECTED = "NoNodeSelected"
    """A pod's node selector or required node affinity matches no node that is large enough."""
    NODES_NOT_READY = "NodesNotReady"
    """The nodes that a pod may go to are cordoned, or not ready."""
    UNTOLERATED_TAINT = "UntoleratedTaint"
    """The nodes that a pod may go to have taints that it does not tolerate."""
    GPU_KIND = "GpuKind"
    """The nodes that a pod may go to do not offer GPUs as it asks for them: whole, shared, by memory, or MIG."""
    NOT_ENOUGH_RESOURCES = "NotEnoughResources"
    """No node has enough free for a pod."""
    GANG_NOT_PLACED = "GangNotPlaced"
    """Some of the pods that must start together would find a place, but not all."""
    TOPOLOGY_DOMAIN = "TopologyDomain"
    """There would be room, but not in one domain of the topology level that it requires."""


class NeedKind(StrEnum):
    """What would have to be done for a job."""

    FREE = "Free"
    """Free `amount` of `resource` on `node`; without a node, on as many as it takes."""
    LIMIT = "Limit"
    """Raise the limit of `queue` by `amount` of `resource`."""
    QUOTA = "Quota"
    """Raise the quota of `queue` by `amount` of `resource`."""
    PODS = "Pods"
    """Create `amount` more pods; of the subgroup `name`, if it has one."""
    GATES = "Gates"
    """Lift the scheduling gates of `amount` pods; of the subgroup `name`, if it has one."""
    LABEL = "Label"
    """Give `node` the label `name`, or ask for another."""
    TOLERATION = "Toleration"
    """Tolerate the taint `name`, which `node` has."""
    NODE = "Node"
    """Make `node` ready, or uncordon it."""
    CONFIG_MAP = "ConfigMap"
    """Create the ConfigMap `name`, in the pods' namespace."""
    LARGER_NODE = "LargerNode"
    """Ask for less than `amount` of `resource` in a pod, or add a node that has it."""
    QUEUE = "Queue"
    """Have the queue `queue` in the tree of queues and in the node pool, or name another."""


class Need(ApiModel):
    """One thing that would have to be done for a job. All of a job's needs together do for what it waits for."""

    what: NeedKind
    """What to do."""
    resource: str = ""
    """Of which resource: gpu, cpu, memory, pods, or a resource's full name."""
    amount: float | None = None
    """How much: exactly so much more than there is now."""
    unit: str = ""
    """Of the amount: GPUs, cores, GB (10^9 bytes), pods; empty for plain numbers."""
    queue: str | None = None
    """The queue."""
    node: str | None = None
    """The node that lacks least."""
    name: str | None = None
    """The ConfigMap, taint, label or subgroup."""
    holders: Annotated[tuple[str, ...], Field(max_length=5)] = ()
    """To free: jobs (namespace/name) whose pods on the node hold enough together; none if more than five are needed.
    A pod that is of no job is named itself."""


class WaitingJob(ApiModel):
    """A job with pods that have no place when the cycle is over."""

    name: str
    """namespace/name."""
    queue: str
    """Its queue, as it says."""
    pods: Annotated[int, Field(ge=1)]
    """How many of its pods wait."""
    reason: WaitingReason
    """What it waits for first."""
    message: str
    """The same in words and numbers, and why the scheduler makes no room for it."""
    needs: tuple[Need, ...] = ()
    """What would have to be freed or changed; none where that cannot be said for certain."""
