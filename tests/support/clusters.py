"""Made-up clusters as snapshot documents: of any size, the same for a seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

Object = dict[str, Any]

PLUGINS = (
    "predicates", "proportion", "priority", "elastic", "kubeflow", "ray", "nodeavailability", "gpusharingorder",
    "gpupack", "resourcetype", "subgrouporder", "taskorder", "nominatednode", "dynamicresources", "nodeplacement",
    "minruntime", "topology", "snapshot", "sg-nodelocalgreedy", "sg-multinodegang",
)  # fmt: skip
ACTIONS = "allocate, consolidation, reclaim, preempt, stalegangeviction"
CLASSES = {"train": 50, "interactive-preemptible": 75, "build": 100, "inference": 125}
GPUS_OF_A_NODE = 8
LARGE_MIB, SMALL_MIB = 81559, 40960
"""Of a GPU."""
WIDER, LARGE = 100, 200
"""The numbers from which kinds of clusters have more of everything, and are large."""
LEAVING_UNTIL = "2026-12-31T00:00:00Z"
"""Ahead of any `now`: whether a pod takes too long to end would depend on that."""


@dataclass(frozen=True)
class Kind:
    """What clusters are like; the numbers are probabilities."""

    nodes: int = 15
    jobs_per_node: float = 5.0
    full: float = 0.9
    """The part of the GPUs that is in use."""
    shared: float = 0.25
    cpu_only: float = 0.0
    elastic: float = 0.0
    selecting: float = 0.0
    tainted: float = 0.0
    limited: float = 0.0
    priorities: bool = True
    spread: bool = False
    departments: tuple[int, ...] = (2, 3, 3)
    """Queues of each."""
    small: float = 0.0
    """Nodes with half the GPUs, and these with half the memory."""
    by_memory: float = 0.0
    """Of those that share GPUs, jobs that ask for so much memory of one."""
    devices: float = 0.0
    """Of the others that share GPUs, jobs that ask for a part of two."""
    contrary: float = 0.0
    """Jobs that may be evicted, or not, other than by their priority."""
    leaving: float = 0.0
    """Running pods on their way out."""
    gated: float = 0.0
    subgroups: float = 0.0
    """Gangs of two sorts of pods."""
    tight: bool = False
    """Whether queues have quotas of CPU and memory."""
    deep: bool = False
    """Whether departments have divisions between them and their queues."""


def drawn(number: int) -> Kind:
    """A kind of cluster for each number: none is in the corpus.

    From `WIDER` on they have more of everything. Some were looked into where the tool did otherwise.
    """
    chance = random.Random(number * 7919)
    kind = Kind(
        nodes=chance.randint(4, 18),
        jobs_per_node=chance.choice((3.0, 5.0, 7.5)),
        full=chance.choice((0.0, 0.6, 0.9, 0.95)),
        shared=chance.choice((0, 0, 0.25, 0.5)),
        cpu_only=chance.choice((0, 0, 0.15)),
        elastic=chance.choice((0, 0, 0.4)),
        selecting=chance.choice((0, 0, 0.3)),
        tainted=chance.choice((0, 0, 0.2)),
        limited=chance.choice((0, 0, 0.4)),
        priorities=chance.random() < 0.6,
        spread=chance.random() < 0.2,
        departments=chance.choice(((2, 3, 3), (3, 3), (2, 2, 2, 3), (5,))),
    )
    if number < WIDER:
        return kind
    wider = replace(
        kind,
        nodes=chance.randint(60, 100) if number >= LARGE else chance.randint(4, 30),
        departments=chance.choice(((1, 4), (4, 2, 3), (3, 3, 3, 3), (2, 2), (6,))),
        small=chance.choice((0, 0.3)),
        by_memory=chance.choice((0, 0.5)),
        devices=chance.choice((0, 0, 0.2)),
        contrary=chance.choice((0, 0, 0.15)),
        leaving=chance.choice((0, 0, 0.1)),
        gated=chance.choice((0, 0, 0.05)),
        subgroups=chance.choice((0, 0, 0.3)),
        tight=chance.random() < 0.3,
        deep=chance.random() < 0.3,
    )
    return replace(wider, shared=0.3) if wider.by_memory or wider.devices else wider


def snapshot(kind: Kind, seed: int) -> Object:
    """The document of a cluster of that kind."""
    return _Maker(kind, random.Random(seed)).document()


class _Maker:
    def __init__(self, kind: Kind, chance: random.Random) -> None:
        self.kind = kind
        self.chance = chance
        self.nodes = [self._node(i) for i in range(kind.nodes)]
        self.free = {
            node["metadata"]["name"]: float(node["status"]["allocatable"]["nvidia.com/gpu"]) for node in self.nodes
        }
        self.parts: dict[str, tuple[str, float]] = {}
        """Shared GPUs with room: their node, and how much."""
        self.queues = list(self._queues())
        parents = {each["spec"].get("parentQueue") for each in self.queues}
        self.leaves = [each["metadata"]["name"] for each in self.queues if each["metadata"]["name"] not in parents]
        self.groups: list[Object] = []
        self.pods: list[Object] = []
        self.to_use = kind.full * sum(self.free.values())

    def document(self) -> Object:
        for i in range(int(self.kind.nodes * self.kind.jobs_per_node)):
            self._job(i)
        placement = "spread" if self.kind.spread else "binpack"
        plugins: list[Object] = [{"name": name} for name in PLUGINS]
        plugins[PLUGINS.index("nodeplacement")]["arguments"] = {"cpu": placement, "gpu": placement}
        return {
            "config": {"actions": ACTIONS, "tiers": [{"plugins": plugins}]},
            "schedulerParams": {
                "schedulerName": "kai-scheduler",
                "partitionParams": {"NodePoolLabelKey": "kai.scheduler/node-pool", "NodePoolLabelValue": ""},
                "maxNumberConsolidationPreemptees": 16,
                "useSchedulingSignatures": True,
                "fullHierarchyFairness": True,
                "allowConsolidatingReclaim": True,
                "globalDefaultStalenessGracePeriod": 60_000_000_000,
                "stuckInReleasingThreshold": 120_000_000_000,
            },
            "rawObjects": {
                "pods": self.pods,
                "nodes": self.nodes,
                "queues": self.queues,
                "podGroups": self.groups,
                "priorityClasses": [{"metadata": {"name": name}, "value": value} for name, value in CLASSES.items()],
            },
        }

    def _node(self, i: int) -> Object:
        name, zone = f"node-{i:04}", f"z{i % 3}"
        small = self._some(self.kind.small)
        gpus, memory = (GPUS_OF_A_NODE // 2, SMALL_MIB) if small else (GPUS_OF_A_NODE, LARGE_MIB)
        offered = {"cpu": "126", "memory": "1008Gi", "pods": "110", "nvidia.com/gpu": str(gpus)}
        labels = {"zone": zone, "nvidia.com/gpu.count": str(gpus), "nvidia.com/gpu.memory": str(memory)}
        taints = [{"key": "dedicated", "value": "x", "effect": "NoSchedule"}] if self._hit(self.kind.tainted) else []
        return {
            "metadata": {"name": name, "uid": name, "labels": labels},
            "spec": {"taints": taints},
            "status": {"allocatable": offered, "conditions": [{"type": "Ready", "status": "True"}]},
        }

    def _queues(self) -> Iterator[Object]:
        gpus = self.kind.nodes * GPUS_OF_A_NODE
        of_department = gpus * 0.8 / len(self.kind.departments)
        for i, leaves in enumerate(self.kind.departments):
            yield self._queue(f"d{i}", of_department)
            divisions = min(2, leaves) if self.kind.deep else 0
            for j in range(divisions):
                yield self._queue(f"d{i}-v{j}", round(of_department / divisions, 2), parent=f"d{i}")
            for j in range(leaves):
                parent = f"d{i}-v{j % divisions}" if divisions else f"d{i}"
                yield self._queue(f"d{i}-{j}", round(of_department / leaves, 2), parent=parent)

    def _queue(self, name: str, quota: float, parent: str = "") -> Object:
        limit = round(quota * self.chance.choice((1.0, 1.25, 1.5))) if self._hit(self.kind.limited) else -1
        unlimited = {"quota": -1, "overQuotaWeight": 1, "limit": -1}
        cpu, memory = self._tight(quota * 6000, unlimited), self._tight(quota * 30_000, unlimited)
        gpu = {"quota": quota, "overQuotaWeight": self.chance.choice((1, 1, 2)), "limit": limit}
        spec: Object = {"resources": {"gpu": gpu, "cpu": cpu, "memory": memory}}
        if parent:
            spec["parentQueue"] = parent
        if self.kind.priorities:
            spec["priority"] = self.chance.choice((90, 100, 100, 110))
        metadata = {"name": name, "uid": name, "creationTimestamp": "2026-11-20T08:00:00Z"}
        return {"metadata": metadata, "spec": spec}

    def _tight(self, quota: float, unlimited: Object) -> Object:
        """In millicores, or millions of bytes."""
        if not self.kind.tight:
            return unlimited
        limit = round(quota * 1.5) if self._hit(0.2) else -1
        return {"quota": round(quota), "overQuotaWeight": self.chance.choice((1, 1, 2)), "limit": limit}

    def _job(self, i: int) -> None:
        chance, kind = self.chance, self.kind
        queue = chance.choice(self.leaves)
        name = f"{chance.choice(('train', 'eval', 'serve', 'sweep'))}-{i:05}"
        created = f"2026-11-20T{8 + i // 3600 % 12:02}:{i // 60 % 60:02}:{i % 60:02}Z"
        count = chance.choice((1, 1, 1, 1, 2, 2, 4, 8))
        sort = chance.random()
        shared = sort < kind.shared
        gpus = 0 if shared or sort > 1 - kind.cpu_only else chance.choice((1, 1, 1, 2, 4, 8))
        portion = chance.choice((0.25, 0.5, 0.75)) if shared else 0.0
        classes = ("train", "train", "interactive-preemptible", "build", "inference")
        priority = chance.choice(classes) if kind.priorities else "train"
        minimum = chance.randint(1, count) if self._hit(kind.elastic) else count
        spec = self._pod_spec(gpus, priority)
        annotations, portion, placeable = self._shared_gpu(portion)
        places = self._places(count, gpus, portion) if placeable else []
        group: Object = {"minMember": minimum, "queue": queue, "priorityClassName": priority}
        sorts = self._sorts(count, group)
        if self._some(kind.contrary):
            group["preemptibility"] = "non-preemptible" if CLASSES[priority] < 100 else "preemptible"
        self.groups.append(
            {
                "metadata": {"name": name, "namespace": queue, "uid": f"g-{name}", "creationTimestamp": created},
                "spec": group,
            }
        )
        for j in range(count):
            pod: Object = {
                "metadata": {
                    "name": f"{name}-{j}", "namespace": queue, "uid": f"{chance.getrandbits(64):016x}",
                    "creationTimestamp": created, "annotations": {"pod-group-name": name} | annotations,
                    "labels": {"kai.scheduler/subgroup-name": sorts[j]} if sorts else {},
                },
                "spec": dict(spec),
                "status": {"phase": "Pending"},
            }  # fmt: skip
            if places:
                node, shared_gpu = places[j]
                pod["spec"]["nodeName"], pod["status"]["phase"] = node, "Running"
                if shared_gpu:
                    pod["metadata"]["labels"]["runai-gpu-group"] = shared_gpu
                if self._some(kind.leaving):
                    pod["metadata"]["deletionTimestamp"] = LEAVING_UNTIL
            elif self._some(kind.gated):
                pod["spec"]["schedulingGates"] = [{"name": "example.com/quota"}]
            self.pods.append(pod)

    def _shared_gpu(self, portion: float) -> tuple[dict[str, str], float, bool]:
        """How a pod asks for its part, how much of a GPU to put it on at most, and whether to."""
        if not portion:
            return {}, portion, True
        if self._some(self.kind.by_memory):
            mebibytes = round(portion * SMALL_MIB) // 100 * 100
            return {"gpu-memory": str(mebibytes)}, portion, True
        annotations = {"gpu-fraction": str(portion)}
        if self._some(self.kind.devices):
            return annotations | {"gpu-fraction-num-devices": "2"}, portion, False
        return annotations, portion, True

    def _sorts(self, count: int, group: Object) -> list[str]:
        """Of each pod, if the group has several."""
        if count < 2 or not self._some(self.kind.subgroups):
            return []
        lead = self.chance.randint(1, count - 1)
        del group["minMember"]
        workers = self.chance.randint(1, count - lead)
        group["subGroups"] = [{"name": "lead", "minMember": lead}, {"name": "work", "minMember": workers}]
        return ["lead"] * lead + ["work"] * (count - lead)

    def _pod_spec(self, gpus: int, priority: str) -> Object:
        chance = self.chance
        requests = {"cpu": str(chance.choice((1, 2, 4, 8))), "memory": f"{chance.choice((2, 4, 16, 32))}Gi"}
        if gpus:
            requests["nvidia.com/gpu"] = str(gpus)
        spec: Object = {
            "schedulerName": "kai-scheduler",
            "priorityClassName": priority,
            "containers": [{"name": "main", "resources": {"requests": requests}}],
        }
        if self._hit(self.kind.selecting):
            spec["nodeSelector"] = {"zone": chance.choice(("z0", "z1", "z2"))}
        if self.kind.tainted and self._hit(0.5):
            spec["tolerations"] = [{"key": "dedicated", "operator": "Exists"}]
        return spec

    def _places(self, count: int, gpus: int, portion: float) -> list[tuple[str, str]]:
        """Nodes, and shared GPUs, for all pods of a job; none if it waits."""
        if self.to_use <= 0 or self._hit(0.2):
            return []
        places: list[tuple[str, str]] = []
        free, parts = dict(self.free), dict(self.parts)
        for _ in range(count):
            group = next((name for name, (_, room) in parts.items() if portion and room >= portion), "")
            if group:
                node, room = parts[group]
                parts[group] = node, room - portion
            else:
                need = 1.0 if portion else float(gpus)
                node = self._roomy(free, need)
                if not node:
                    return []
                free[node] -= need
                if portion:
                    group = f"{node}-{self.chance.getrandbits(32):08x}"
                    parts[group] = node, 1 - portion
            places.append((node, group))
        self.to_use -= sum(self.free.values()) - sum(free.values())
        self.free, self.parts = free, {name: part for name, part in parts.items() if part[1] > 0}
        return places

    def _roomy(self, free: dict[str, float], need: float) -> str:
        names = [*free]
        start = self.chance.randrange(len(names))
        return next((name for name in (*names[start:], *names[:start]) if free[name] >= need), "")

    def _hit(self, probability: float) -> bool:
        return self.chance.random() < probability

    def _some(self, probability: float) -> bool:
        """The same, without drawing where none is meant: what clusters were before, they stay."""
        return probability > 0 and self._hit(probability)
