"""Which free GPUs nobody can use: no pod that waits fits on their node."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kai_snapshot.simulator.model import Shape
from kai_snapshot.simulator.predicates import Predicates
from kai_snapshot.simulator.status import Status
from kai_snapshot.views.facts import Facts, Node, Pod
from kai_snapshot.views.slots import Slot

_ENOUGH = 1e-6
"""Sums of parts are not exact."""


@dataclass(frozen=True, slots=True)
class _Demand:
    """What some pods that wait ask for, all the same."""

    shape: Shape
    cpu: float
    memory: float
    whole: int
    """GPUs, or shared ones."""
    memory_of_each: int
    """MiB, if it asks for memory."""
    portion: float
    """Of each; 1 if it shares none."""
    mig: Mapping[str, int]
    """MIG devices, by resource."""

    def part(self, device_memory: int) -> float:
        """What it takes of each GPU of that memory."""
        return self.memory_of_each / device_memory if self.memory_of_each else self.portion


@dataclass(frozen=True, slots=True)
class _Room:
    """What is free on a node."""

    slots: Sequence[Slot]
    device_memory: int
    cpu: float
    memory: float
    idle: int
    """GPUs that have nothing on them."""
    mig: Mapping[str, float]


class Fragments:
    """Says of each node why nobody can use what is free on it."""

    def __init__(self, facts: Facts) -> None:
        self._demands = list(_demands(pod for job in facts.jobs for pod in job.pods))
        self._predicates = Predicates(facts.cluster.nodes)

    def of(self, node: Node, slots: Sequence[Slot]) -> list[str]:
        """For each slot why what is free of it is of no use; empty if somebody can use it, or nothing is free."""
        free = [slot.used <= 1 - _ENOUGH for slot in slots]
        if not self._demands or not any(free):
            return [""] * len(slots)
        room = _room(node, slots)
        if any(_fits(each, room) and self._allowed(node, each) for each in self._demands):
            return [""] * len(slots)
        able = [each for each in self._demands if self._allowed(node, each)]
        reason = _closed(node) if not able else ""
        for name in ("cpu", "memory"):
            if not reason:
                able = [each for each in able if getattr(each, name) <= getattr(room, name)]
                reason = "" if able else f"{name} exhausted"
        return [(reason or _too_small(able, slot, room)) * here for slot, here in zip(slots, free, strict=True)]

    def _allowed(self, node: Node, demand: _Demand) -> bool:
        return node.number is not None and node.ready and bool(self._predicates.allowed(demand.shape)[node.number])


def _closed(node: Node) -> str:
    """Why no pod that waits may go there, however much is free."""
    if node.number is None or not node.ready or not node.facts.ready:
        return "node unschedulable"
    return "no pending pod tolerates or selects this node"


def _demands(pods: Iterable[Pod]) -> Iterator[_Demand]:
    """The different requests for GPUs among the pods that wait."""
    seen: set[tuple[int, int]] = set()
    for pod in pods:
        request, claimed = pod.shape.request, sum(claim.count for claim in pod.claims)
        if pod.status is not Status.PENDING or (id(pod.shape), claimed) in seen:
            continue
        seen.add((id(pod.shape), claimed))
        if claimed or request.devices or pod.mig:
            yield _Demand(
                shape=pod.shape,
                cpu=pod.amount.cpu,
                memory=pod.amount.memory,
                whole=request.devices + claimed,
                memory_of_each=request.device_memory,
                portion=request.portion if request.shared else 1.0,
                mig=pod.mig,
            )


def _room(node: Node, slots: Sequence[Slot]) -> _Room:
    cpu, memory, _ = node.offered
    mig = {name: amount / 1000 for name, amount in node.facts.allocatable.items() if "/mig-" in name}
    for pod in node.pods:
        for name, count in pod.mig.items():
            mig[name] = mig.get(name, 0.0) - count
    return _Room(
        slots=slots,
        device_memory=node.facts.device_memory,
        cpu=cpu - sum(pod.amount.cpu for pod in node.pods),
        memory=memory - sum(pod.amount.memory for pod in node.pods),
        idle=sum(not slot.occupants for slot in slots),
        mig=mig,
    )


def _fits(demand: _Demand, room: _Room) -> bool:
    if demand.cpu > room.cpu or demand.memory > room.memory:
        return False
    if any(room.mig.get(name, 0.0) < count for name, count in demand.mig.items()):
        return False
    part = demand.part(room.device_memory)
    if part > 1 - _ENOUGH:
        return demand.whole <= room.idle
    shareable = sum(
        any(pod.portion for pod, _ in slot.occupants) and slot.used + part <= 1 + _ENOUGH for slot in room.slots
    )
    return shareable + room.idle >= demand.whole


def _too_small(able: Sequence[_Demand], slot: Slot, room: _Room) -> str:
    """Why a slot is of no use to pods that have all else they need there."""
    parts = [part for each in able if (part := each.part(room.device_memory)) <= 1 - _ENOUGH]
    if slot.occupants and parts:
        return f"free {1 - slot.used:.2g} < smallest pending fraction {min(parts):.2g}"
    if whole := [each.whole for each in able if not each.mig]:
        return f"idle {room.idle} < smallest pending {min(whole)}"
    return "no free MIG device of a kind that is asked for"
