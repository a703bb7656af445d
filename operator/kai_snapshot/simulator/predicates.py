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
        self._tainted = [i for i, each in enumerate(nodes.facts) if each.taints]
        kinds: dict[object, NodeFacts] = {}
        for each in nodes.facts:
            kinds.setdefault(_kind(each), each)
        self._kinds = [*kinds.values()]
        """One node of each kind."""
        places = {kind: i for i, kind in enumerate(kinds)}
        self._kind_of = np.array([places[_kind(each)] for each in nodes.facts], dtype=np.intp)

    def allowed(self, shape: Shape) -> Flags:
        """The nodes where a pod may be placed."""
        known = self._allowed.get(id(shape))
        if known is None:
            suits = np.array([_suits(shape, each) for each in self._kinds], dtype=np.bool_)
            known = self.selected(shape) & self._nodes.ready & self.tolerated(shape) & suits[self._kind_of]
            self._allowed[id(shape)] = known
        return known

    def selected(self, shape: Shape) -> Flags:
        """The nodes that the pod's selector and required affinity let it go to."""
        known = self._selected.get(id(shape))
        if known is None:
            constraints, facts = shape.constraints, self._nodes.facts
            if constraints.selector or constraints.terms is not None:
                known = np.array([constraints.select(each.name, each.labels) for each in facts], dtype=np.bool_)
            else:
                known = np.ones(len(facts), dtype=np.bool_)
            self._selected[id(shape)] = known
        return known

    def tolerated(self, shape: Shape) -> Flags:
        """The nodes whose taints the pod stands."""
        tolerated: Flags = np.ones(len(self._nodes.facts), dtype=np.bool_)
        for node in self._tainted:
            tolerated[node] = shape.constraints.tolerate(self._nodes.facts[node].taints)
        return tolerated


def _kind(node: NodeFacts) -> object:
    """All that `_suits` looks at."""
    return node.takes_gpu_pods, node.takes_cpu_pods, node.memory_known, node.mig, node.mig_strategy


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
