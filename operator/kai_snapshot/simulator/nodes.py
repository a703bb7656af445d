"""The nodes as arrays, and what pods on them take and free."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kai_snapshot.simulator.model import Entry, Shape, Task, Triple
from kai_snapshot.simulator.nodefacts import UNKNOWN_MEMORY, NodeFacts
from kai_snapshot.simulator.request import CPU, GPU, MEMORY, MIG_NAME, PODS, GpuKind, Request
from kai_snapshot.simulator.sharedgpus import Change, SharedGpus, portion_of
from kai_snapshot.simulator.status import Status

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
CPU_COLUMN, MEMORY_COLUMN, GPU_COLUMN, PODS_COLUMN = range(4)


class Nodes:
    """All nodes, by name; a node is its place in that order."""

    def __init__(self, facts: Sequence[NodeFacts], resources: Sequence[str]) -> None:
        self.facts = sorted(facts, key=lambda each: each.name)
        self.names = [each.name for each in self.facts]
        self.index = {name: i for i, name in enumerate(self.names)}
        self.resources = [CPU, MEMORY, GPU, PODS, *sorted(set(resources) - {CPU, MEMORY, GPU, PODS})]
        self.alloc: Floats = np.array(
            [[each.allocatable.get(name, 0.0) for each in self.facts] for name in self.resources], dtype=np.float64
        ).T  # all nodes are looked at together, so a resource of all of them lies together in memory
        self.offered: Flags = self.alloc > 0
        self._offers = [row.tobytes() for row in self.offered]
        self._charges: dict[tuple[int, bytes, bool], Floats] = {}
        """By shape, what a node offers, and whether the pod only holds a GPU for others."""
        self.idle: Floats = self.alloc.copy(order="K")
        self.releasing: Floats = np.zeros_like(self.alloc)
        self.used_gpus = [0.0] * len(self.facts)
        self.ready: Flags = np.array([each.ready for each in self.facts], dtype=np.bool_)
        self.gpu_count: Floats = np.array([each.gpu_count for each in self.facts], dtype=np.float64)
        self.shared = [SharedGpus(each.device_memory, int(each.gpu_count)) for each in self.facts]
        self.sharing: set[int] = set()
        """Nodes with shared GPUs in use."""
        self.room: Floats = np.full(len(self.facts), -np.inf)
        """The most MiB that fit on one shared GPU, by node."""
        self.part_idle: Floats = np.zeros(len(self.facts))
        self.part_releasing: Floats = np.zeros(len(self.facts))
        memories = [each.device_memory for each in self.facts if each.device_memory > UNKNOWN_MEMORY]
        self.least_memory = min(memories, default=0)
        self.most_memory = max(memories, default=0)
        self.mig_weights: Floats = np.array(
            [float(each[1]) / 1000 if (each := MIG_NAME.fullmatch(name)) else 0.0 for name in self.resources]
        )
        self.no_gpus: Flags = (self.alloc[:, GPU_COLUMN] <= 0) & ~np.array(
            [each.mig for each in self.facts], dtype=np.bool_
        )
        self.has_mig = bool(self.mig_weights.any())
        self.device_memory: Floats = np.array([each.device_memory for each in self.facts], dtype=np.float64)
        self.devices, self.device_of = np.unique(self.device_memory, return_inverse=True)
        """The sizes of a GPU's memory that there are, and of each node, which of them it has."""

    def vector(self, request: Request) -> Floats:
        """A request in the order of the resources; GPUs whole ones only."""
        amounts = [request.amounts.get(name, 0.0) for name in self.resources]
        amounts[GPU_COLUMN] = 0.0 if request.shared else request.gpus
        return np.array(amounts, dtype=np.float64)

    def device_share(self, request: Request, node: int) -> int:
        """The MiB that a pod takes of each of its GPUs on that node."""
        if request.kind is GpuKind.MEMORY:
            return request.device_memory
        return int(request.portion * self.shared[node].device)

    def shareable(self, request: Request) -> Flags:
        """Where a pod finds room on a GPU that others use; pods that ask for no GPU need none."""
        if request.kind is GpuKind.MEMORY:
            fits: Flags = self.room >= request.device_memory
            return fits
        return self.room >= np.floor(request.portion * self.device_memory)

    def accepted(self, task: Task, node: int) -> Triple:
        """What a pod on that node counts as in its queue."""
        request, asked = task.shape.request, task.shape.asked
        if request.kind is GpuKind.MEMORY:
            return asked[0], asked[1], request.devices * portion_of(request.device_memory, self.shared[node].device)
        return asked

    def add(self, task: Task, node: int, status: Status, groups: tuple[str, ...]) -> None:
        """A pod takes what it asks for, as one of that status does.

        A pod that is on the node already and goes to another GPU of it leaves behind what it took before, as in KAI:
        when it is taken away, only what came last is.
        """
        self._count(task, node, status, +1)
        for group in self._groups(task, groups):
            self._shift(node, group, task.shape.request, status, add=True)
        task.entries[node] = Entry(status, groups)

    def remove(self, task: Task, node: int) -> None:
        """A pod gives back what it took when it came; nothing if it is not there."""
        entry = task.entries.pop(node, None)
        if entry is None:
            return
        self._count(task, node, entry.status, -1)
        for group in self._groups(task, entry.groups):
            self._shift(node, group, task.shape.request, entry.status, add=False)

    def sum_idle(self) -> Floats:
        """Free GPUs, with the free parts of shared ones, by node."""
        return self._with_mig(self.idle, self.part_idle)

    def sum_releasing(self) -> Floats:
        """GPUs that get free, by node."""
        return self._with_mig(self.releasing, self.part_releasing)

    def sum_memory(self) -> float:
        """MiB of GPU memory that is free or gets free on nodes that take pods."""
        total = 0.0
        idle, releasing = self._with_mig(self.idle), self._with_mig(self.releasing)
        for node in np.flatnonzero(self.ready):
            shared = self.shared[node]
            whole = int(idle[node]) + int(releasing[node])
            total += shared.idle_memory() + shared.releasing_memory() + whole * shared.device
        return total

    def _with_mig(self, free: Floats, parts: Floats | float = 0.0) -> Floats:
        whole: Floats = free[:, GPU_COLUMN] + parts
        return whole + free @ self.mig_weights if self.has_mig else whole

    def _groups(self, task: Task, groups: tuple[str, ...]) -> tuple[str, ...]:
        return groups if task.shape.request.shared else ()

    def _count(self, task: Task, node: int, status: Status, sign: int) -> None:
        amounts = self._charge(task.shape, node, reservation=task.reservation)
        if status is Status.RELEASING:
            self.idle[node] -= sign * amounts
            self.releasing[node] += sign * amounts
        elif status is Status.PIPELINED:
            self.releasing[node] -= sign * amounts
        else:
            self.idle[node] -= sign * amounts
        self.used_gpus[node] += sign * float(amounts[GPU_COLUMN])

    def _charge(self, shape: Shape, node: int, *, reservation: bool) -> Floats:
        """What a pod takes of what the node offers at all."""
        key = id(shape), self._offers[node], reservation
        amounts = self._charges.get(key)
        if amounts is None:
            amounts = self._charges[key] = shape.vector * self.offered[node]
            if reservation:
                amounts[GPU_COLUMN] = 0.0
        return amounts

    def _shift(self, node: int, group: str, request: Request, status: Status, *, add: bool) -> None:
        shared = self.shared[node]
        memory, idle, used = (
            self.device_share(request, node),
            int(self.idle[node, GPU_COLUMN]),
            int(self.used_gpus[node]),
        )
        change: Change = (shared.add if add else shared.remove)(group, memory, status, idle, used)
        self.idle[node, GPU_COLUMN] += change.idle
        self.releasing[node, GPU_COLUMN] += change.releasing
        (self.sharing.add if shared.gpus else self.sharing.discard)(node)
        self.room[node] = shared.room()
        self.part_idle[node] = shared.idle_part()
        self.part_releasing[node] = shared.releasing_part()
