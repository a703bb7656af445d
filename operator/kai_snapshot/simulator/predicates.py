"""Which nodes a pod may go to whatever is on them: ready, selected, tolerated, of the right kind."""

import numpy as np

from kai_snapshot.simulator.model import Shape
from kai_snapshot.simulator.nodefacts import NodeFacts
from kai_snapshot.simulator.nodes import Flags, Nodes
from kai_snapshot.simulator.request import GpuKind


class Predicates:
    """Answers once for all pods of a shape."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._allowed: dict[int, Flags] = {}
        self._selected: dict[int, Flags] = {}

    def allowed(self, shape: Shape) -> Flags:
        """The nodes where a pod may be placed."""
        known = self._allowed.get(id(shape))
        if known is None:
            facts = self._nodes.facts
            known = self.selected(shape) & self._nodes.ready
            known &= np.array([_suits(shape, each) for each in facts], dtype=np.bool_)
            known &= np.array([shape.constraints.tolerate(each.taints) for each in facts], dtype=np.bool_)
            self._allowed[id(shape)] = known
        return known

    def selected(self, shape: Shape) -> Flags:
        """The nodes that the pod's selector and required affinity let it go to."""
        known = self._selected.get(id(shape))
        if known is None:
            select = shape.constraints.select
            known = np.array([select(each.name, each.labels) for each in self._nodes.facts], dtype=np.bool_)
            self._selected[id(shape)] = known
        return known


def _suits(shape: Shape, node: NodeFacts) -> bool:
    request = shape.request
    if not (node.takes_cpu_pods if request.cpu_only else node.takes_gpu_pods):
        return False
    if request.kind is GpuKind.MIG:
        return node.mig and node.mig_strategy != "single"
    if request.kind is GpuKind.MEMORY and not node.memory_known:
        return False
    if request.cpu_only or not node.mig:
        return True
    return node.mig_strategy != "mixed" and (node.mig_strategy != "single" or not request.shared)
