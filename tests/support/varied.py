"""Small made-up clusters with a little of everything that binds the scheduler, from any source of chance.

What runs at first fits: the constraints hold before the cycle, so whatever breaks one afterwards the cycle has done.
"""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

from support.clusters import ACTIONS, CLASSES, PLUGINS, Object

MIG = "nvidia.com/mig-1g.10gb"
NIC = "example.com/nic"
FUTURE = "2030-01-01T00:00:00Z"
TAINT = {"key": "dedicated", "value": "x", "effect": "NoSchedule"}
LEVELS = [{"nodeLabel": "zone"}, {"nodeLabel": "rack"}]
DEVICE = 80_000
"""MiB of every GPU, where the node says."""


def document(chance: random.Random) -> Object:
    """A snapshot document."""
    return _Maker(chance).document()


def plain(**lists: list[Object]) -> Object:
    """A snapshot document with these objects, KAI's defaults, and no others."""
    return {
        "config": {"actions": ACTIONS, "tiers": [{"plugins": [{"name": name} for name in PLUGINS]}]},
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
            "pods": [], "nodes": [], "queues": [], "podGroups": [], "bindRequests": [],
            "priorityClasses": [{"metadata": {"name": name}, "value": value} for name, value in CLASSES.items()],
            "topologies": [{"metadata": {"name": "rows"}, "spec": {"levels": LEVELS}}],
            **lists,
        },
    }  # fmt: skip


def meta(name: str, *, at: int = 0, namespace: str = "", **more: Any) -> Object:
    """The metadata of an object created `at` so many seconds after eight."""
    created = f"2026-11-20T08:{at // 60:02}:{at % 60:02}Z"
    return {"name": name, "uid": f"{namespace}-{name}", "creationTimestamp": created, "namespace": namespace, **more}


class _Maker:
    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.nodes = [self._node(i) for i in range(chance.randint(2, 6))]
        self.free = {each["metadata"]["name"]: _amounts(each["status"]["allocatable"]) for each in self.nodes}
        self.shared: dict[str, tuple[str, float]] = {}
        """GPUs with room: their node, and what part of each is free."""
        self.queues: list[Object] = []
        self.groups: list[Object] = []
        self.pods: list[Object] = []
        self.binds: list[Object] = []

    def document(self) -> Object:
        leaves = [leaf for i in range(self.chance.randint(1, 2)) for leaf in self._queues(f"d{i}", depth=0)]
        for i in range(self.chance.randint(3, 12)):
            self._job(i, self.chance.choice(leaves))
        made = plain(
            nodes=self.nodes, queues=self.queues, podGroups=self.groups, pods=self.pods, bindRequests=self.binds
        )
        placement = self.chance.choice(("binpack", "binpack", "spread"))
        made["config"]["tiers"][0]["plugins"][PLUGINS.index("nodeplacement")]["arguments"] = {
            "cpu": placement, "gpu": placement,
        }  # fmt: skip
        return made

    def _hit(self, probability: float) -> bool:
        return self.chance.random() < probability

    def _node(self, i: int) -> Object:
        chance, name = self.chance, f"n{i}"
        gpus = chance.choice((0, 2, 4, 8, 8))
        labels = {"zone": f"z{i % 2}", "rack": f"r{i // 2}", "size": str(chance.choice((8, 16)))}
        offered = {"cpu": chance.choice(("16", "64")), "memory": "64Gi", "pods": chance.choice(("4", "110", "110"))}
        if gpus:
            offered["nvidia.com/gpu"] = str(gpus)
            labels |= {"nvidia.com/gpu.memory": str(DEVICE)} if self._hit(0.9) else {}
        elif self._hit(0.4):
            offered[MIG] = "4"
            labels |= {"nvidia.com/mig.strategy": "mixed", "node-role.kubernetes.io/mig-enabled": "true"}
        if self._hit(0.5):
            offered[NIC] = "2"
        spec: Object = {"taints": [TAINT]} if self._hit(0.2) else {}
        if self._hit(0.1):
            spec["unschedulable"] = True
        ready = "False" if self._hit(0.05) else "True"
        status = {"allocatable": offered, "conditions": [{"type": "Ready", "status": ready}]}
        return {"metadata": meta(name, labels=labels), "spec": spec, "status": status}

    def _queues(self, name: str, *, depth: int, parent: str = "") -> list[str]:
        """Makes a queue and those below; the names of those that hold jobs."""
        chance = self.chance
        quota = chance.choice((-1, -1, 0, 1, 4, 8))
        limit = chance.choice((2, 3, 6)) if self._hit(0.08) else -1
        gpu = {"quota": quota, "limit": limit, "overQuotaWeight": chance.choice((0, 1, 1, 2))}
        free = {"quota": -1, "limit": -1, "overQuotaWeight": 1}
        cpu = {**free, "quota": 4000 if self._hit(0.05) else -1, "limit": 8000 if self._hit(0.05) else -1}
        spec: Object = {"resources": {"gpu": gpu, "cpu": cpu, "memory": free}}
        if parent:
            spec["parentQueue"] = parent
        if self._hit(0.3):
            spec["priority"] = chance.choice((50, 200))
        self.queues.append({"metadata": meta(name, at=len(self.queues)), "spec": spec})
        below = chance.randint(1, 3) if depth == 0 else chance.choice((0, 0, 2)) if depth == 1 else 0
        if not below:
            return [name]
        return [leaf for i in range(below) for leaf in self._queues(f"{name}-{i}", depth=depth + 1, parent=name)]

    def _job(self, i: int, queue: str) -> None:
        chance, name = self.chance, f"j{i:02}"
        count = chance.choice((1, 1, 2, 2, 3, 4))
        priority = chance.choice(("train", "train", *CLASSES))
        spec: Object = {"queue": queue, "priorityClassName": priority}
        if self._hit(0.1):
            spec["preemptibility"] = chance.choice(("preemptible", "non-preemptible"))
        subgroups = [""] * count
        if count > 1 and self._hit(0.3):
            subgroups = [("left", "right")[j % 2] for j in range(count)]
            spec |= self._subgroups(Counter(subgroups))
        else:
            spec["minMember"] = count if self._hit(0.6) else chance.randint(1, count)
        if self._hit(0.15):
            level = chance.choice(("requiredTopologyLevel", "preferredTopologyLevel"))
            spec["topologyConstraint"] = {"topology": "rows", level: chance.choice(("zone", "rack"))}
        self.groups.append({"metadata": meta(name, at=i, namespace=queue), "spec": spec})
        requests, annotations = self._request()
        own: Object = {"schedulerName": "kai-scheduler", "priorityClassName": priority}
        own |= self._conditions() | {"containers": [{"name": "main", "resources": {"requests": requests}}]}
        running = chance.choice((0, 0, count, count, chance.randint(0, count)))
        for j in range(count):
            labels = {"kai.scheduler/subgroup-name": subgroups[j]} if subgroups[j] else {}
            metadata = meta(f"{name}-{j}", at=i, namespace=queue, labels=labels)
            metadata["annotations"] = {"pod-group-name": name, **annotations}
            pod = {"metadata": metadata, "spec": dict(own), "status": {"phase": "Pending"}}
            self.pods.append(pod)
            if j < running and (place := self._place(pod, requests, annotations)) is not None:
                self._put(pod, *place)

    def _subgroups(self, sizes: Counter[str]) -> Object:
        groups: list[Object] = [
            {"name": name, "minMember": self.chance.randint(0, size)} for name, size in sizes.items()
        ]
        if self._hit(0.4):
            groups = [{"name": "both"}, *({**each, "parent": "both"} for each in groups)]
            groups[0] |= {"minSubGroup": 1} if self._hit(0.5) else {}
            return {"subGroups": groups}
        return {"subGroups": groups} | ({"minSubGroup": 1} if self._hit(0.3) else {})

    def _request(self) -> tuple[dict[str, str], dict[str, str]]:
        chance = self.chance
        requests = {"cpu": chance.choice(("500m", "1", "2", "4")), "memory": chance.choice(("1Gi", "8Gi"))}
        annotations: dict[str, str] = {}
        match chance.choice(("whole", "whole", "whole", "fraction", "fraction", "memory", "devices", "cpu", "mig")):
            case "whole":
                requests["nvidia.com/gpu"] = str(chance.choice((1, 1, 2, 4)))
            case "fraction":
                annotations["gpu-fraction"] = chance.choice(("0.25", "0.5", "0.75"))
            case "memory":
                annotations["gpu-memory"] = chance.choice(("20000", "40000", "60000"))
            case "devices":
                annotations |= {"gpu-fraction": "0.5", "gpu-fraction-num-devices": "2"}
            case "mig":
                requests[MIG] = chance.choice(("1", "2"))
        if self._hit(0.15):
            requests[NIC] = "1"
        return requests, annotations

    def _conditions(self) -> Object:
        conditions: Object = {}
        if self._hit(0.2):
            conditions["nodeSelector"] = {"zone": self.chance.choice(("z0", "z1"))}
        if self._hit(0.2):
            operator, values = self.chance.choice((("In", ["z0"]), ("NotIn", ["z0"]), ("Gt", ["10"]), ("Lt", ["10"])))
            key = "zone" if operator in ("In", "NotIn") else "size"
            terms = [{"matchExpressions": [{"key": key, "operator": operator, "values": values}]}]
            required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
            conditions["affinity"] = {"nodeAffinity": required}
        if self._hit(0.4):
            conditions["tolerations"] = [{"key": "dedicated", "operator": "Exists"}]
        return conditions

    def _place(
        self, pod: Object, requests: dict[str, str], annotations: dict[str, str]
    ) -> tuple[str, Sequence[str]] | None:
        """A node with room, and the shared GPUs there."""
        part = _part(annotations)
        devices = int(annotations.get("gpu-fraction-num-devices", 1)) if part else 0
        asked = _amounts({**requests, "pods": "1"})
        known = {
            each["metadata"]["name"] for each in self.nodes if "nvidia.com/gpu.memory" in each["metadata"]["labels"]
        }
        for name in self.chance.sample(sorted(self.free), len(self.free)):
            free = self.free[name]
            mixed = "nvidia.com/gpu" not in free and MIG in free
            if (part and name not in known) or any(free.get(each, 0.0) < amount for each, amount in asked.items()):
                continue
            if mixed and "nvidia.com/gpu" in requests:
                continue
            groups = [each for each, (node, room) in self.shared.items() if node == name and room >= part][:devices]
            fresh = devices - len(groups)
            if free.get("nvidia.com/gpu", 0.0) < fresh + asked.get("nvidia.com/gpu", 0.0):
                continue
            for each, amount in asked.items():
                free[each] -= amount
            for i in range(fresh):
                free["nvidia.com/gpu"] -= 1
                groups.append(f"{pod['metadata']['uid']}-{i}")
                self.shared[groups[-1]] = name, 1.0
            for group in groups:
                self.shared[group] = name, self.shared[group][1] - part
            return name, groups
        return None

    def _put(self, pod: Object, node: str, groups: Sequence[str]) -> None:
        """On the node, or on its way there or from there."""
        metadata = pod["metadata"]
        if self._hit(0.1):
            bind: Object = {"podName": metadata["name"], "selectedNode": node, "selectedGPUGroups": list(groups)}
            self.binds.append({"metadata": meta(metadata["name"], namespace=metadata["namespace"]), "spec": bind})
            return
        pod["spec"]["nodeName"], pod["status"]["phase"] = node, "Running"
        metadata["labels"] |= {"runai-gpu-group": groups[0]} if groups else {}
        if len(groups) > 1:
            metadata["labels"] |= {f"runai-gpu-group/{group}": group for group in groups}
        if self._hit(0.1):
            metadata["deletionTimestamp"] = FUTURE


def _amounts(listed: dict[str, str]) -> dict[str, float]:
    units = {"m": 1e-3, "Gi": 2.0**30}
    found = {}
    for name, text in listed.items():
        unit = next((unit for unit in units if text.endswith(unit)), "")
        found[name] = float(text.removesuffix(unit)) * units.get(unit, 1.0)
    return found


def _part(annotations: dict[str, str]) -> float:
    if "gpu-memory" in annotations:
        return int(annotations["gpu-memory"]) / DEVICE
    return float(annotations.get("gpu-fraction", 0))
