"""Why no node is one that a pod may go to, whatever is on the nodes."""

from collections import Counter

import numpy as np

from kai_snapshot.api.waiting import Need, NeedKind, WaitingReason
from kai_snapshot.simulator.constraints import Constraints
from kai_snapshot.simulator.model import Shape
from kai_snapshot.simulator.nodefacts import CPU_WORKER, GPU_WORKER
from kai_snapshot.simulator.nodes import GPU_COLUMN, PODS_COLUMN, Flags, Floats, Nodes
from kai_snapshot.simulator.predicates import Predicates
from kai_snapshot.simulator.reasons.words import Why, counted, few, in_units, measure, told
from kai_snapshot.simulator.request import GpuKind


class Suitable:
    """The nodes where a pod could be, if they were empty."""

    def __init__(self, nodes: Nodes, predicates: Predicates) -> None:
        self._nodes = nodes
        self._predicates = predicates
        self._kinds: dict[int, object] = {}

    def kind(self, shape: Shape) -> object:
        """The same for all shapes that ask for the same and may go to the same nodes."""
        known = self._kinds.get(id(shape))
        if known is None:
            request, allowed = shape.request, self._predicates.allowed(shape)
            shared = request.kind, request.devices, request.portion, request.device_memory
            known = self._kinds[id(shape)] = (shared, shape.vector.tobytes(), allowed.tobytes())
        return known

    def of(self, shape: Shape) -> Flags:
        """Those that take a pod of that shape and are large enough."""
        return self._predicates.allowed(shape) & self._large(shape)

    def why_none(self, shape: Shape) -> Why:
        """Why there are none of them, by the first condition that leaves none."""
        nodes, large, selected = self._nodes, self._large(shape), self._predicates.selected(shape)
        if not large.any():
            return self._larger(shape, np.ones_like(large), "node")
        if not selected.any():
            return self._unselected(shape, large)
        if not (left := selected & large).any():
            return self._larger(shape, selected, "node that its selector and affinity allow")
        if not (ready := left & nodes.ready).any():
            return self._not_ready(left)
        if not (tolerated := ready & self._predicates.tolerated(shape)).any():
            return self._tainted(shape, ready)
        return Why(WaitingReason.GPU_KIND, f"{self._which(tolerated)} {self._kind(shape, tolerated)}.")

    def _large(self, shape: Shape) -> Flags:
        needed, request = wanted(shape), shape.request
        large: Flags = np.asarray((self._nodes.alloc >= needed).all(axis=1))
        if request.kind is GpuKind.MEMORY:
            large &= self._nodes.device_memory >= request.device_memory
        return large

    def _larger(self, shape: Shape, among: Flags, which: str) -> Why:
        needed, request = wanted(shape), shape.request
        largest: Floats = self._nodes.alloc[among].max(axis=0, initial=0.0)
        over = [i for i in range(len(needed)) if needed[i] > largest[i]]
        names = [self._nodes.resources[i] for i in over]
        needs = tuple(
            Need(what=NeedKind.LARGER_NODE, resource=name, amount=in_units(name, needed[i]), unit=measure(name).unit)
            for i, name in zip(over, names, strict=True)
        )
        if names:
            asks = " and ".join(told(name, needed[i]) for i, name in zip(over, names, strict=True))
            has = " and ".join(told(name, largest[i]) for i, name in zip(over, names, strict=True))
            text = f"A pod asks for {asks}, and the largest {which} has {has}."
        elif request.kind is GpuKind.MEMORY and not (self._nodes.device_memory[among] >= request.device_memory).any():
            most = int(self._nodes.device_memory[among].max(initial=0))
            asks = f"{request.device_memory:,} MiB of a GPU"
            text = f"A pod asks for {asks}, and a GPU of any {which} has {most:,} at most."
        else:
            text = f"No {which} has all at once that a pod asks for: {self.asked(shape)}."
        return Why(WaitingReason.LARGER_THAN_NODES, text, needs)

    def asked(self, shape: Shape) -> str:
        """What a pod of that shape asks for."""
        needed = wanted(shape)
        named = [(name, needed[i]) for i, name in enumerate(self._nodes.resources) if needed[i] and i != PODS_COLUMN]
        return ", ".join(told(name, amount) for name, amount in sorted(named, key=lambda each: each[0] != "gpu"))

    def _unselected(self, shape: Shape, large: Flags) -> Why:
        constraints = shape.constraints
        good = large & self._nodes.ready & self._predicates.tolerated(shape)
        node = int((good if good.any() else large).argmax())
        labels = self._nodes.facts[node].labels
        needs = tuple(
            Need(what=NeedKind.LABEL, node=self._nodes.names[node], name=f"{key}={value}")
            for key, value in constraints.selector.items()
            if constraints.terms is None and labels.get(key) != value
        )
        return Why(WaitingReason.NO_NODE_SELECTED, f"No node matches {_selecting(constraints)}.", needs)

    def _not_ready(self, left: Flags) -> Why:
        names = [self._nodes.names[i] for i in left.nonzero()[0]]
        text = f"{self._which(left)} {'is' if len(names) == 1 else 'are'} cordoned or not ready: {few(names)}."
        return Why(WaitingReason.NODES_NOT_READY, text, (Need(what=NeedKind.NODE, node=names[0]),))

    def _tainted(self, shape: Shape, ready: Flags) -> Why:
        taints: dict[int, list[str]] = {
            int(i): [
                _taint(each)
                for each in self._nodes.facts[i].taints
                if not shape.constraints.tolerate([each])
            ]
            for i in ready.nonzero()[0]
        }  # fmt: skip
        on = Counter(taint for listed in taints.values() for taint in set(listed))
        most_first = sorted(on.items(), key=lambda each: (-each[1], each[0]))
        named = few([f"{taint} on {counted(count, 'node')}" for taint, count in most_first])
        best = min(taints, key=lambda node: len(taints[node]))
        needs = tuple(
            Need(what=NeedKind.TOLERATION, node=self._nodes.names[best], name=taint) for taint in taints[best]
        )
        return Why(
            WaitingReason.UNTOLERATED_TAINT,
            f"{self._which(ready)} {'has' if len(taints) == 1 else 'have'} taints it does not tolerate: {named}.",
            needs,
        )

    def _kind(self, shape: Shape, left: Flags) -> str:
        cpu_only = shape.request.cpu_only
        facts = [self._nodes.facts[i] for i in left.nonzero()[0]]
        if not any(each.takes_cpu_pods if cpu_only else each.takes_gpu_pods for each in facts):
            return f"cannot take such pods without the label {CPU_WORKER if cpu_only else GPU_WORKER}"
        return _KINDS[shape.request.kind]

    def _which(self, left: Flags) -> str:
        count = int(left.sum())
        everything = count == len(left)
        if count == 1:
            return "The only node" if everything else "The only node that it may go to otherwise"
        return f"All {count:,} nodes" if everything else f"All {count:,} nodes that it may go to otherwise"


def wanted(shape: Shape) -> Floats:
    """What a pod needs of a node, with the GPUs it shares, and with two places if it does."""
    needed: Floats = shape.vector.copy()
    if shape.request.shared:
        needed[GPU_COLUMN] = shape.request.devices
        needed[PODS_COLUMN] = 2
    return needed


_KINDS = {
    GpuKind.REGULAR: "cannot give it whole GPUs, only MIG devices",
    GpuKind.FRACTION: "cannot give it a part of a GPU, only MIG devices",
    GpuKind.MEMORY: "cannot give it GPU memory: without the label nvidia.com/gpu.memory, or with MIG devices only",
    GpuKind.MIG: "cannot give it MIG devices of the mixed strategy",
}


def _selecting(constraints: Constraints) -> str:
    selector = ", ".join(f"{key}={value}" for key, value in sorted(constraints.selector.items()))
    if constraints.terms is None:
        return f"the node selector {selector}"
    return f"the required node affinity and the node selector {selector}" if selector else "the required node affinity"


def _taint(taint: object) -> str:
    assert isinstance(taint, dict)
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key', '')}{value}:{taint.get('effect', '')}"
