"""Which sets of victims are tried for a job: the two generators of KAI, `sg-nodelocalgreedy` and `sg-multinodegang`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from kai_snapshot.simulator.budget import Budget
from kai_snapshot.simulator.jobtree import JobTree
from kai_snapshot.simulator.model import Group, Job, Task
from kai_snapshot.simulator.nodes import Flags, Floats, Nodes
from kai_snapshot.simulator.predicates import Predicates
from kai_snapshot.simulator.victims import Batch, Victim

Batches = list[Batch]
Generator = Callable[["Search"], Iterator[Batches]]
"""Yields potential victims, in addition to the recorded ones."""


@dataclass(slots=True)
class Search:
    """What a generator knows: the pods that want a place, and who may have to go for them."""

    nodes: Nodes
    predicates: Predicates
    root: Group
    """Of the job, with these pods and those that have a place."""
    pending: Sequence[Task]
    tree: Callable[[], JobTree]
    """The jobs that may have to go."""
    recorded: Batches
    feasible: Flags
    """Nodes to place the pods on."""
    budget: Budget
    steps: Batches = field(default_factory=list)
    """The victims so far."""
    on_node: dict[int, dict[int, Job]] = field(default_factory=dict)
    """Their jobs by node, in the order they came; by their `id()`."""
    pods: dict[int, list[Task]] = field(default_factory=dict)
    """All victims of a job, recorded ones too; by its `id()`."""
    freed: Floats = field(init=False)
    """The GPUs that recorded victims and those so far free, by node."""

    def __post_init__(self) -> None:
        self.freed = self.nodes.sum_idle() + self.nodes.sum_releasing()
        for batch in self.recorded:
            self._count(batch)

    def free_without(self) -> Floats:
        """The GPUs that are free, get free, or are freed by recorded victims, by node."""
        free = self.nodes.sum_idle() + self.nodes.sum_releasing()
        for batch in self.recorded:
            for task in batch.tasks:
                free[task.node] += self.nodes.accepted(task, task.node)[2]
        return free

    def walk(self) -> Iterator[Batch]:
        """Takes one step after the other; those after which a place is possible at all."""
        recorded = {id(task) for batch in self.recorded for task in batch.tasks}
        tree = self.tree()
        while tree and not self.budget.over:
            self.budget.spend(1)
            victim = tree.pop()
            assert isinstance(victim, Victim)
            batch = victim.first_to_go()
            chosen = {id(task) for task in batch.tasks}
            known = bool(chosen & recorded)
            if rest := victim.without(recorded if known else chosen):
                tree.push(rest)
            if known:
                continue
            self.steps.append(batch)
            self._count(batch)
            for task in batch.tasks:
                self.on_node.setdefault(task.node, {})[id(batch.job)] = batch.job
            if self.possible():
                yield batch

    def possible(self) -> bool:
        """Whether the pods could have places, as far as a rough look says."""
        return self._selectable() and self._enough_together() and self._enough_gpus()

    def _count(self, batch: Batch) -> None:
        self.pods.setdefault(id(batch.job), []).extend(batch.tasks)
        for task in batch.tasks:
            self.freed[task.node] += self.nodes.accepted(task, task.node)[2]

    def _selectable(self) -> bool:
        selecting = {id(task.shape): task.shape for task in self.pending if task.shape.constraints.selects}
        if not selecting:
            return True
        within = self.feasible.copy()
        within[[*self.on_node, *(task.node for batch in self.recorded for task in batch.tasks)]] = True
        return all((self.predicates.selected(shape) & within).any() for shape in selecting.values())

    def _enough_gpus(self) -> bool:
        recorded = [id(task) for batch in self.recorded for task in batch.tasks]
        if len(set(recorded)) < len(recorded):  # KAI fails here, and goes on as if there were enough
            return True
        wanted = [task.shape.counted_gpus for task in self.pending]
        return _fit(wanted, _largest(self.freed, len(wanted)))

    def _enough_together(self) -> bool:
        """Whether domains have so many GPUs as the parts of the job that must stay in one have in all."""
        wanted: dict[str, list[float]] = {}
        for group, level in _required(self.root):
            gpus = sum(task.shape.counted_gpus for each in group.sets() for task in each.tasks)
            wanted.setdefault(level, []).append(gpus)
        for level, listed in wanted.items():
            room: dict[str, float] = {}
            for facts, free in zip(self.nodes.facts, self.freed.tolist(), strict=True):
                if value := facts.labels.get(level):
                    room[value] = room.get(value, 0.0) + free
            if not _fit(listed, sorted(room.values(), reverse=True)):
                return False
        return True


def _largest(amounts: Floats, count: int) -> list[float]:
    if count < len(amounts):
        amounts = np.partition(amounts, -count)[-count:]
    return sorted(amounts.tolist(), reverse=True)


def _fit(wanted: Sequence[float], room: list[float]) -> bool:
    """Whether all fit, the largest first, each where there is room first."""
    for gpus in sorted(wanted, reverse=True):
        if gpus == 0:
            return True
        place = next((i for i, free in enumerate(room) if free >= gpus), None)
        if place is None:
            return False
        room[place] -= gpus
    return True


def _required(group: Group) -> Iterator[tuple[Group, str]]:
    """Groups that must stay in one domain, and the label of its level."""
    if group.topology is not None and group.topology.required:
        yield group, group.topology.required
    for child in group.children:
        if isinstance(child, Group):
            yield from _required(child)


def node_by_node(search: Search) -> Iterator[Batches]:
    """`sg-nodelocalgreedy`: after each step the victims that have a pod on one of the nodes of the last one.

    Each with all its pods so far, recorded ones too, which KAI then evicts twice.
    """
    if search.recorded and search.possible():
        yield []
    for last in search.walk():
        tried: set[frozenset[int]] = set()
        for node in sorted({task.node for task in last.job.tasks if task.node >= 0}):
            jobs = search.on_node.get(node, {})
            if frozenset(jobs) in tried:
                continue
            tried.add(frozenset(jobs))
            yield [Batch(job, tuple(search.pods[id(job)])) for job in jobs.values()]


def gang_of_nodes(search: Search) -> Iterator[Batches]:
    """`sg-multinodegang`: after each step the victims on as many nodes as are needed, the emptiest last."""
    if search.possible():
        yield []
    before = search.free_without()
    wanted = [task.shape.counted_gpus for task in search.pending]
    least = min(wanted)
    for _ in search.walk():
        touched = np.array([*search.on_node])
        enough = touched[search.freed[touched] >= least] if least > 0 else touched
        listed = enough[np.argsort(search.freed[enough], kind="stable")]
        others = search.feasible.copy()
        others[touched] = False
        need = sum(wanted) - float(before[others].sum())
        first = _prefix(search.freed[listed], need)
        if first is None:
            continue
        for length in _lengths(first, len(listed)):
            chosen = set(listed[:length].tolist())
            yield [batch for batch in search.steps if any(task.node in chosen for task in batch.tasks)]


def _prefix(capacities: Floats, need: float) -> int | None:
    """How many of the first have so much together."""
    if need <= 0:
        return 0
    enough = capacities.cumsum() >= need
    return int(enough.argmax()) + 1 if enough.any() else None


def _lengths(first: int, full: int) -> Iterator[int]:
    more = 0
    while first + more < full:
        yield first + more
        more = 2 * more + 1
    yield full


GENERATORS: dict[str, Generator] = {"sg-nodelocalgreedy": node_by_node, "sg-multinodegang": gang_of_nodes}
