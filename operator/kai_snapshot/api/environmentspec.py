"""The environment beside an archive: what is wanted of it, and what became of it."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from kai_snapshot.api.base import ApiModel, Time
from kai_snapshot.api.podtemplate import LocalObjectReference, Resources

EnvironmentMode = Literal["ClusterOnly", "SingleNode", "PerNode"]


class Environment(ApiModel):
    """What the nodes were besides what the scheduler knew: driver, kernel, sysctl, units, as NVIDIA AICR's `Snapshot`.

    It is recorded once the archive is safe, and whatever becomes of it, the archive stays as good as it is.
    """

    model_config = {
        "json_schema_extra": {
            "x-kubernetes-validations": [
                {
                    "rule": "self.mode != 'ClusterOnly' || !self.requireGPU && !self.privileged",
                    "message": "mode ClusterOnly starts no pod: requireGPU and privileged need SingleNode or PerNode",
                }
            ]
        }
    }

    mode: EnvironmentMode
    """ClusterOnly: from the archive, without a pod. SingleNode: of the first node that fits. PerNode: of each."""
    node_selector: dict[str, str] = Field(default_factory=dict, max_length=32)
    """Labels a node must have, such as nvidia.com/gpu.present. Nodes are those in the archive, and so of its shard."""
    tolerations: tuple[dict[str, Any], ...] = Field(
        default=({"operator": "Exists"},),
        max_length=32,
        json_schema_extra={"items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    )
    """As in a pod. Default: all taints are tolerated."""
    image: str | None = Field(default=None, min_length=1, max_length=1024)
    """The image that collects, which must have kai-snapshot in it. Default: the operator's own."""
    image_pull_secrets: tuple[LocalObjectReference, ...] = Field(default=(), max_length=8)
    """As in a pod."""
    runtime_class_name: str | None = Field(default=None, min_length=1, max_length=253)
    """As in a pod. One that brings the driver, such as nvidia, lets nvidia-smi tell of all GPUs and takes none."""
    resources: Resources | None = None
    """Of the container that collects. A limit of nvidia.com/gpu brings the driver, and takes a GPU meanwhile."""
    require_gpu: bool = Field(default=False, alias="requireGPU")
    """A node without a GPU is a failure."""
    privileged: bool = False
    """Run as root, privileged, with the host mounted read-only: units and the host's own nvidia-smi need it.
    The namespace must admit that, and the operator's setting KAI_SNAPSHOT_PRIVILEGED_NAMESPACES name it."""
    timeout_seconds: int = Field(default=300, ge=10, le=3600)
    """How long one node may take, from its Job on, pulling the image included."""
    max_nodes: int = Field(default=20, ge=1, le=1000)
    """How many nodes are recorded, by name the first that fit."""
    parallelism: int = Field(default=5, ge=1, le=100)
    """How many at the same time."""
    max_nodes_per_entry: int = Field(default=100, ge=0, le=10000)
    """How many nodes NodeTopology names for a label or taint; 0: all. It is in the document of every node."""

    @model_validator(mode="after")
    def _cluster_only_starts_no_pod(self) -> Self:
        if self.mode == "ClusterOnly" and (self.require_gpu or self.privileged):
            raise ValueError("mode ClusterOnly starts no pod: requireGPU and privileged need SingleNode or PerNode")
        return self

    @property
    def nodes_wanted(self) -> int:
        """How many nodes are recorded at the most."""
        return {"ClusterOnly": 0, "SingleNode": 1, "PerNode": self.max_nodes}[self.mode]


class NodeCounts(ApiModel):
    """How far it has come."""

    matching: int = 0
    """Nodes in the archive that fit the selector."""
    total: int = 0
    """Nodes that are to be recorded."""
    captured: int = 0
    """Nodes whose document is stored."""
    incomplete: int = 0
    """Those of them where a collector failed, or had no answer: the document lacks what it would have found."""
    failed: int = 0
    """Nodes without a document."""


class NodeFailure(ApiModel):
    """A node without a document."""

    node: str
    """Its name."""
    reason: str
    """Why, in one word."""
    message: str
    """Why, and what to do."""


class DriftBrief(ApiModel):
    """What changed since the environment before. What always changes does not count."""

    since: str
    """Id of the run it is compared with."""
    nodes: int = 0
    """Nodes on which something changed; the cluster as a whole is not counted."""
    changes: int = 0
    """How much changed."""
    examples: tuple[str, ...] = ()
    """At most three of the changes."""
    message: str = ""
    """What could not be compared, and why."""


class EnvironmentStatus(ApiModel):
    """The environment beside one archive."""

    id: str
    """The run's id."""
    outcome: str = "Running"
    """Running, or how it ended: Succeeded, PartiallyFailed (lacks some nodes), or Failed (has nothing)."""
    reason: str = "Progressing"
    """Why, in one word."""
    message: str = ""
    """Why, and what to do."""
    start_time: Time
    """When the archive was safe and the environment begun."""
    completion_time: Time | None = None
    """When it was over."""
    retry_time: Time | None = None
    """When it is tried again, after the trouble that the message tells of."""
    previous: str | None = None
    """Id of the run whose environment it is compared with."""
    nodes: NodeCounts | None = None
    """How far it has come."""
    failures: tuple[NodeFailure, ...] = ()
    """At most three of the nodes without a document; the index has all."""
    uri: str | None = None
    """Where its index is."""
    sha256: str | None = None
    """SHA-256 of the index, which has that of each document."""
    drift: DriftBrief | None = None
    """What changed since the environment before."""
