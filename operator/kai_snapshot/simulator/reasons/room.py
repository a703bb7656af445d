"""Why nodes that a pod may go to have no room for it, and what would have to be freed on which."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kai_snapshot.api.waiting import Need, NeedKind, WaitingReason
from kai_snapshot.simulator.model import Job, Shape, Task
from kai_snapshot.simulator.nodes import GPU_COLUMN, Flags, Floats
from kai_snapshot.simulator.reasons.holders import Holders
from kai_snapshot.simulator.reasons.nodes import Suitable, wanted
from kai_snapshot.simulator.reasons.words import Why, counted, in_units, measure, number, told
from kai_snapshot.simulator.request import GPU, GpuKind
from kai_snapshot.simulator.session import Session

Freed = dict[int, Floats]
MOST_NODES = 5
"""Nodes to free something on; where it takes more, only how much in all is said."""


@dataclass(frozen=True, slots=True)
class Lack:
    """What a pod finds too little of."""

    shape: Shape
    nodes: Flags
    """Where it could be."""
    node: int
    """The one that lacks least; -1 if none is large enough for it beside the others of its job."""
    free: Floats
    """There, by resource."""
    lacks: Floats
    """There too."""
    everywhere: Flags
    """The resources that all of them have too little of."""
    somewhere: Flags


class Room:
    """Tries pods out on a state, and leaves it as it was."""

    def __init__(self, session: Session, suitable: Suitable) -> None:
        self._session = session
        self._suitable = suitable
        self._nodes = session.nodes
        self._anywhere: Flags = session.nodes.ready | True
        self._holders = Holders(session.nodes, session.cluster.tasks)
        self._alone: dict[object, Lack] = {}
        """What a pod of a kind lacks as things stand."""
        self._slots: dict[object, int] = {}
        """How many pods of a kind there is room for."""

    def why_none(self, job: Job, tasks: Sequence[Task]) -> Why | None:
        """Why these pods of a job, which its queue would let it have, find no room; None if they do."""
        if self._surely_fit(tasks):
            return None
        session = self._session
        mark, before = session.changes.mark(), self._nodes.idle.copy()
        placed = self._place(job, tasks)
        lack: Lack | None = None
        freed: Freed | None = None
        if placed < len(tasks):
            lack = self._lack(tasks[placed].shape, tasks[:placed])
            freed = self._free(job, tasks, placed)
        session.changes.undo(mark)
        self._nodes.idle[:] = before
        if lack is None:
            return None
        sure = freed is not None and (len(tasks) == 1 or self._enough(job, tasks, freed))
        needs = self._needs(job, freed, parts=lack.shape.request.shared) if sure and freed is not None else ()
        reason = WaitingReason.GANG_NOT_PLACED if placed else WaitingReason.NOT_ENOUGH_RESOURCES
        return Why(reason, self._text(lack, placed, len(tasks)), needs, evicting=lack.node >= 0)

    def _surely_fit(self, tasks: Sequence[Task]) -> bool:
        """Whether pods that are all alike find as many places, which takes no trying out."""
        shape = tasks[0].shape
        kind = self._suitable.kind(shape)
        if shape.request.shared or any(self._suitable.kind(task.shape) != kind for task in tasks):
            return False
        if kind not in self._slots:
            free, asked = self._nodes.idle + self._nodes.releasing, shape.vector > 0
            slots = np.floor((free[:, asked] / shape.vector[asked]).min(axis=1))
            self._slots[kind] = int(slots[self._suitable.of(shape) & (free >= shape.vector).all(axis=1)].sum())
        return self._slots[kind] >= len(tasks)

    def _place(self, job: Job, tasks: Sequence[Task]) -> int:
        """How many find a place, one after the other."""
        if not self._session.placer.fits_somewhere(tasks[0], self._anywhere):
            return 0
        for placed, task in enumerate(tasks):
            if not self._session.placer.place(job, [task], self._anywhere):
                return placed
        return len(tasks)

    def _lack(self, shape: Shape, own: Sequence[Task]) -> Lack:
        """`own`: the pods of the job that have found a place, which is not to be freed."""
        if not own and (known := self._alone.get(self._suitable.kind(shape))):
            return known
        nodes, needed, lacks, suitable = self._nodes, wanted(shape), self._lacks(shape), self._suitable.of(shape)
        able = suitable & (nodes.alloc - self._taken(own) >= needed).all(axis=1)
        relative = (lacks / np.where(needed > 0, needed, 1.0)).sum(axis=1)
        node = int(np.where(able, relative, np.inf).argmin()) if able.any() else -1
        short = lacks[suitable] > 0
        everywhere, somewhere = np.asarray(short.all(axis=0)), np.asarray(short.any(axis=0))
        free: Floats = nodes.idle[node] + nodes.releasing[node]
        found = Lack(shape, suitable, node, free, lacks[node], everywhere, somewhere)
        if not own:
            self._alone[self._suitable.kind(shape)] = found
        return found

    def _taken(self, own: Sequence[Task]) -> Floats:
        taken: Floats = np.zeros_like(self._nodes.alloc)
        for task in own:
            taken[task.node] += task.shape.vector
        return taken

    def _lacks(self, shape: Shape) -> Floats:
        """What each node has too little of; of shared GPUs in GPUs."""
        nodes, request = self._nodes, shape.request
        lacks: Floats = np.maximum(wanted(shape) - nodes.idle - nodes.releasing, 0.0)
        if not request.shared:
            return lacks
        whole = np.floor(nodes.idle[:, GPU_COLUMN] + nodes.releasing[:, GPU_COLUMN])
        for node in np.flatnonzero(lacks[:, GPU_COLUMN]).tolist():
            memory, shared = nodes.device_share(request, node), nodes.shared[node]
            if request.devices == 1:
                part = (memory - nodes.room[node]) / shared.device
                lacks[node, GPU_COLUMN] = min(max(part, 0.0), 1 - min(whole[node], 0.0))
            else:
                lacks[node, GPU_COLUMN] = max(request.devices - whole[node] - len(shared.fitting(memory)), 0)
        return lacks

    def _free(self, job: Job, tasks: Sequence[Task], placed: int) -> Freed | None:
        """What has to be freed by node so that the others find places too; None if that cannot be said."""
        freed: Freed = {}
        for i, task in enumerate(tasks[placed:], start=placed):
            if self._session.placer.place(job, [task], self._anywhere):
                continue
            lack = self._lack(task.shape, tasks[:i])
            if lack.node < 0 or (task.shape.request.shared and len(tasks) > 1):
                return None
            freed[lack.node] = freed.get(lack.node, 0.0) + lack.lacks
            self._nodes.idle[lack.node] += lack.lacks
            if not task.shape.request.shared and not self._session.placer.place(job, [task], self._anywhere):
                return None
        return freed

    def _enough(self, job: Job, tasks: Sequence[Task], freed: Freed) -> bool:
        """Whether all find places if that is free from the beginning."""
        mark, before = self._session.changes.mark(), self._nodes.idle.copy()
        for node, amounts in freed.items():
            self._nodes.idle[node] += amounts
        enough = self._place(job, tasks) == len(tasks)
        self._session.changes.undo(mark)
        self._nodes.idle[:] = before
        return enough

    def _needs(self, job: Job, freed: Freed, *, parts: bool) -> tuple[Need, ...]:
        if len(freed) > MOST_NODES:
            return tuple(self._each(np.sum([*freed.values()], axis=0), None, ()))
        needs: list[Need] = []
        for node, amounts in freed.items():
            if parts and 0 < amounts[GPU_COLUMN] < 1:
                only_part = np.count_nonzero(amounts) == 1
                memory = amounts[GPU_COLUMN] * self._nodes.shared[node].device
                holders = self._holders.of_part(node, round(memory, 3), job.name) if only_part else ()
            else:
                holders = self._holders.of(node, amounts, job.name)
            needs += self._each(amounts, self._nodes.names[node], holders)
        return tuple(needs)

    def _each(self, amounts: Floats, node: str | None, holders: tuple[str, ...]) -> list[Need]:
        return [
            Need(
                what=NeedKind.FREE,
                resource=name,
                amount=in_units(name, float(amounts[i])),
                unit=measure(name).unit,
                node=node,
                holders=holders,
            )
            for i, name in enumerate(self._nodes.resources)
            if amounts[i] > 0
        ]

    def _text(self, lack: Lack, placed: int, count: int) -> str:
        found = f"{placed} of {counted(count, 'pod')} that must start together find{'s' if placed == 1 else ''} a place"
        if lack.node < 0:
            return f"{found}, and then no node is large enough for the next beside them, even without other pods."
        columns = np.flatnonzero(lack.lacks > 0 if lack.everywhere.any() else lack.somewhere)
        order = sorted(columns.tolist(), key=lambda i: i != GPU_COLUMN)[:3]
        asked = " and ".join(self._asked(lack.shape, i) for i in order)
        has = " and ".join(self._has(lack, i) for i in order)
        at_once = " at once" if len(order) > 1 else ""
        nobody = self._nobody(lack.nodes)
        taken = len(order) == 1 and has.partition(" ")[0] == "0"
        closest = "all are taken" if taken else f"{self._nodes.names[lack.node]} comes closest with {has}"
        if count == 1:
            return f"{nobody} {asked} free{at_once}; {closest}."
        if not placed:
            return f"{nobody} {asked} free{at_once} for the first of {count} pods that must start together; {closest}."
        return f"{found}, and then {nobody[0].lower()}{nobody[1:]} {asked} free{at_once}; {closest}."

    def _nobody(self, able: Flags) -> str:
        count = int(able.sum())
        if count == len(able):
            return "No node has"
        return "The only node it may go to has no" if count == 1 else f"None of the {count:,} nodes it may go to has"

    def _asked(self, shape: Shape, i: int) -> str:
        request, name, needed = shape.request, self._nodes.resources[i], wanted(shape)[i]
        if needed == 0:
            return f"{name} that is not overbooked"
        if not request.shared or name != GPU:
            return told(name, needed)
        part = f"{request.device_memory:,} MiB" if request.kind is GpuKind.MEMORY else number(request.portion)
        return f"{part} of a GPU" if request.devices == 1 else f"{part} of {request.devices} GPUs each"

    def _has(self, lack: Lack, i: int) -> str:
        request, name = lack.shape.request, self._nodes.resources[i]
        if not request.shared or name != GPU:
            free = float(lack.free[i])
            return told(name, max(free, 0.0) if wanted(lack.shape)[i] else free)
        if request.devices > 1:
            return number(request.devices - lack.lacks[i])
        room = max(float(self._nodes.room[lack.node]), 0.0)
        if request.kind is GpuKind.MEMORY:
            return f"{int(room):,} MiB"
        return number(room / self._nodes.shared[lack.node].device)
