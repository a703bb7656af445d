"""Who holds what on a node: jobs whose pods would free enough there if they left."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from kai_snapshot.simulator.model import Task
from kai_snapshot.simulator.nodes import Floats, Nodes
from kai_snapshot.simulator.status import Status

MOST = 5
"""Holders that are named; where it takes more, none is."""

Share = tuple[str, Floats]
"""A job, or a pod that is of none, and what it frees on a node."""


class Holders:
    """The pods by node, looked at one node at a time."""

    def __init__(self, nodes: Nodes, tasks: Iterable[Task]) -> None:
        self._nodes = nodes
        self._tasks: defaultdict[int, list[Task]] = defaultdict(list)
        for task in tasks:
            if task.node >= 0 and task.node in task.entries:
                self._tasks[task.node].append(task)
        self._shares: dict[int, list[Share]] = {}

    def of(self, node: int, amounts: Floats, besides: str) -> tuple[str, ...]:
        """Those that together hold so much there, `besides` one: one alone if it can be, with the least beyond."""
        shares = [each for each in self._on(node) if each[0] != besides]
        return _enough(shares, amounts) or self._enough_together(node, shares, amounts)

    def of_part(self, node: int, memory: float, besides: str) -> tuple[str, ...]:
        """Those on the shared GPU with the most room there that hold so many MiB of it."""
        shared = self._nodes.shared[node]
        group = max(
            (name for name, gpu in shared.gpus.items() if gpu.used),
            key=lambda name: shared.device - shared.gpus[name].allocated,
            default="",
        )
        held: defaultdict[str, float] = defaultdict(float)
        for task in self._tasks[node]:
            if task.shape.request.shared and _name(task) != besides and group in task.entries[node].groups:
                held[_name(task)] += self._nodes.device_share(task.shape.request, node)
        return _enough([(name, np.array([amount])) for name, amount in held.items()], np.array([memory]))

    def _enough_together(self, node: int, shares: Sequence[Share], amounts: Floats) -> tuple[str, ...]:
        """The same with GPUs that get free only when several have left, those with the fewest pods first."""
        if not self._nodes.shared[node].gpus:
            return ()
        by_name = self._by_name(node)
        names = sorted((name for name, _ in shares), key=lambda name: (len(by_name[name]), name))[:MOST]
        chosen: list[str] = []
        for name in names:
            chosen.append(name)
            if (self._freed(node, [task for each in chosen for task in by_name[each]]) >= amounts).all():
                return tuple(chosen)
        return ()

    def _by_name(self, node: int) -> dict[str, list[Task]]:
        by_name: defaultdict[str, list[Task]] = defaultdict(list)
        for task in self._tasks[node]:
            if not task.reservation:
                by_name[_name(task)].append(task)
        return by_name

    def _on(self, node: int) -> list[Share]:
        known = self._shares.get(node)
        if known is None:
            by_name = self._by_name(node)
            known = self._shares[node] = [(name, self._freed(node, tasks)) for name, tasks in by_name.items()]
        return known

    def _freed(self, node: int, tasks: Sequence[Task]) -> Floats:
        """What gets free without these pods, found by taking them away."""
        nodes = self._nodes
        before: Floats = nodes.idle[node].copy()
        entries = [(task, task.entries[node].status, task.entries[node].groups) for task in tasks]
        for task in tasks:
            nodes.remove(task, node)
        freed: Floats = nodes.idle[node] - before
        for task, status, groups in entries:
            nodes.add(task, node, status, groups)
        return freed


def _name(task: Task) -> str:
    return task.job.name if task.job is not None and task.status is not Status.STUCK else task.name


def _enough(shares: Sequence[Share], amounts: Floats) -> tuple[str, ...]:
    asked = amounts > 0
    sized = sorted(((float((freed / np.where(asked, amounts, 1))[asked].sum()), name, freed) for name, freed in shares))
    for _, name, freed in sized:
        if (freed >= amounts).all():
            return (name,)
    chosen: list[str] = []
    left = amounts.copy()
    for size, name, freed in reversed(sized):
        if size <= 0 or len(chosen) == MOST:
            break
        if (freed[left > 0] > 0).any():
            chosen.append(name)
            left = left - freed
        if (left <= 0).all():
            return tuple(chosen)
    return ()
