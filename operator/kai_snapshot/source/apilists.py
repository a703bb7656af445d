"""Where the API server has what a snapshot holds: the lists of `rawObjects`, in their order in v0.17.0. No Secrets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kai_snapshot.source.request import Request


@dataclass(frozen=True)
class ApiList:
    """A list of a snapshot."""

    name: str
    """In `rawObjects`."""
    group: str
    versions: Sequence[str]
    """Those that will do, the one that the scheduler uses first."""
    resource: str
    pooled: bool = False
    """Whether a shard sees those of its node pool only."""

    def request(self, served: Mapping[str, frozenset[str]]) -> Request | None:
        """How to ask for it, given the names of what there is by `group/version`; None if the cluster has no such kind.

        An API server refuses to list what it does not have with 403, not with 404, where the right is missing too.
        """
        for version in self.versions:
            group_version = f"{self.group}/{version}" if self.group else version
            if self.resource in served.get(group_version, ()):
                path = f"/apis/{group_version}/{self.resource}" if self.group else f"/api/{version}/{self.resource}"
                return Request(path=path, verbs=["list"], resource=self.resource, group=self.group)
        return None


DRA: Final = ("v1", "v1beta2", "v1beta1")
"""Of resource.k8s.io, which has v1 from Kubernetes 1.34 on; v1beta2 has its form."""

PODS: Final = ApiList("pods", "", ["v1"], "pods")
API_LISTS: Final = (
    PODS,
    ApiList("nodes", "", ["v1"], "nodes", pooled=True),
    ApiList("queues", "scheduling.run.ai", ["v2"], "queues", pooled=True),
    ApiList("podGroups", "scheduling.run.ai", ["v2alpha2"], "podgroups", pooled=True),
    ApiList("bindRequests", "scheduling.run.ai", ["v1alpha2"], "bindrequests"),
    ApiList("priorityClasses", "scheduling.k8s.io", ["v1"], "priorityclasses"),
    ApiList("configMaps", "", ["v1"], "configmaps"),
    ApiList("persistentVolumes", "", ["v1"], "persistentvolumes"),
    ApiList("persistentVolumeClaims", "", ["v1"], "persistentvolumeclaims"),
    ApiList("csiStorageCapacities", "storage.k8s.io", ["v1"], "csistoragecapacities"),
    ApiList("storageClasses", "storage.k8s.io", ["v1"], "storageclasses"),
    ApiList("csiDrivers", "storage.k8s.io", ["v1"], "csidrivers"),
    ApiList("resourceClaims", "resource.k8s.io", DRA, "resourceclaims"),
    ApiList("resourceSlices", "resource.k8s.io", DRA, "resourceslices"),
    ApiList("deviceClasses", "resource.k8s.io", DRA, "deviceclasses"),
    ApiList("topologies", "kai.scheduler", ["v1alpha1"], "topologies"),
    ApiList("nodeResourceTopologies", "topology.node.k8s.io", ["v1alpha2"], "noderesourcetopologies"),
)
GROUPS: Final = frozenset(each.group for each in API_LISTS)
