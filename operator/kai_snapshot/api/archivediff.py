"""What changed between two archives: the document that `diff` prints."""

from typing import Any, Literal

from kai_snapshot.api.base import ApiModel
from kai_snapshot.api.visualizer import Count, Source

Value = str | int | float | bool | None
"""null: it has none, or there is no bound."""


class Change(ApiModel):
    """A field that is not the same."""

    field: str
    """Its name. Amounts are in the units of the visualizer API: GPUs, thousandths of a core (milliCPU), bytes."""
    before: Value
    """What it was."""
    after: Value
    """What it is."""


class Changed(ApiModel):
    """An object that is in both archives, and not the same."""

    name: str
    """Its name; namespace/name of what is in a namespace."""
    changes: tuple[Change, ...] = ()
    """What changed; none where values are not shown."""


class ListDiff(ApiModel):
    """What changed in a list."""

    added: tuple[str, ...] = ()
    """Names that only the later archive has."""
    removed: tuple[str, ...] = ()
    """Names that only the earlier archive has."""
    changed: tuple[Changed, ...] = ()
    """What both have, and not the same."""

    @property
    def count(self) -> int:
        """How many objects."""
        return len(self.added) + len(self.removed) + len(self.changed)


class PodMove(ApiModel):
    """A pod that is in both archives, and on another node."""

    name: str
    """namespace/name."""
    job: str
    """namespace/name of its job."""
    before: str | None = None
    """The node it was on; null: on none."""
    after: str | None = None
    """The node it is on; null: on none."""


class PodsDiff(ApiModel):
    """What changed of the pods of jobs."""

    added: Count = 0
    """Pods that only the later archive has."""
    removed: Count = 0
    """Pods that only the earlier archive has."""
    moved: tuple[PodMove, ...] = ()
    """Pods in both that were put on a node, or left theirs."""


class ArchiveDiff(ApiModel):
    """What changed between two archives, everything by name."""

    schema_version: Literal["kai-snapshot.io/archive-diff/v1"] = "kai-snapshot.io/archive-diff/v1"
    """The version of this document."""
    before: Source
    """The archive that is compared with."""
    after: Source
    """The other archive."""
    nodes: ListDiff
    """Nodes: what they offer, whether they take pods, taints, and the labels that something is chosen by."""
    queues: ListDiff
    """Queues: quota, limit, weights, fair share, and what they have and want."""
    jobs: ListDiff
    """Jobs: their state, queue, priority, and pods."""
    pods: PodsDiff
    """Pods of jobs."""
    priority_classes: ListDiff
    """Priority classes, and their values."""
    config_maps: ListDiff
    """ConfigMaps by name: their data is neither compared nor shown."""
    config: ListDiff
    """Keys of the scheduler's configuration, plugins by their name. Values are compared, and only the actions shown."""
    params: ListDiff
    """Keys of `schedulerParams`. Only numbers and truths are shown."""

    @property
    def lists(self) -> dict[str, ListDiff]:
        """All but the pods, by the field's name in JSON."""
        return {
            "nodes": self.nodes,
            "queues": self.queues,
            "jobs": self.jobs,
            "priorityClasses": self.priority_classes,
            "configMaps": self.config_maps,
            "config": self.config,
            "params": self.params,
        }

    @property
    def differs(self) -> bool:
        """Whether anything changed."""
        return any(each.count for each in self.lists.values()) or self.pods != PodsDiff()

    def dump(self) -> dict[str, Any]:
        """The JSON object, with every field."""
        return self.model_dump(mode="json", by_alias=True)
