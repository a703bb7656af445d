"""Where pods of a job must, or should, stay together: the domains of a topology, such as racks in zones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kai_snapshot.simulator.model import Group, Job, PodSet, Task, Topology
from kai_snapshot.simulator.nodes import CPU_COLUMN, GPU_COLUMN, MEMORY_COLUMN, PODS_COLUMN, Flags, Floats, Nodes

_PREFERENCE = 100_000.0
"""What one of ten steps of the preferred domains adds to a node's score."""


@dataclass(eq=False, slots=True)
class Domain:
    """A part of a topology: the nodes with the same labels down to a level."""

    name: str
    depth: int
    """0: all nodes of the topology."""
    nodes: Flags
    children: list["Domain"] = field(default_factory=list)

    def below(self) -> Iterator["Domain"]:
        """Itself and all within it, the smallest parts first; of one level in the order of their parents."""
        levels = [[self]]
        while below := [child for domain in levels[-1] for child in domain.children]:
            levels.append(below)
        for level in reversed(levels):
            yield from level


@dataclass(frozen=True, slots=True)
class Choice:
    """Nodes to place pods on together, and how much each is preferred."""

    nodes: Flags
    preference: Floats | None = None


class Domains:
    """The domains that pods may be placed in."""

    def __init__(self, nodes: Nodes, topologies: Mapping[str, Sequence[str]]) -> None:
        self._nodes = nodes
        self._levels = topologies
        self._roots: dict[str, Domain] = {}

    def choices(self, part: Group | PodSet, tasks: Sequence[Task], within: Flags) -> list[Choice]:
        """The sets of nodes of `within` where a part of a job can place these pods, in the order they are tried."""
        asked = part.topology
        if asked is None:
            return [Choice(within)]
        if asked.name not in self._levels:
            return []
        labels = self._levels[asked.name]
        depths = _depths(asked, labels)
        if not depths:
            return []
        root = self._root(asked.name)
        valid = within & root.nodes
        start = _common(root, valid, labels.index(asked.preferred) + 1 if asked.preferred else len(labels))
        room = _Room(self._nodes, tasks)
        if not room.fits(start):
            return []
        _sort(start, room)
        preference = self._preference(start, labels.index(asked.preferred) + 1) if asked.preferred else None
        held = [task.node for each in _sets_of(part, tasks) for task in each.tasks if task.status.active]
        kept = _holding(start, depths[-1], held) if held and asked.required else None
        return [
            Choice(domain.nodes & valid, preference)
            for domain in start.below()
            if domain.depth in depths and room.fits(domain) and (kept is None or bool((domain.nodes & kept).any()))
        ]

    def possible(self, job: Job) -> list[Flags]:
        """The domains of the level that all of a job requires, where its running pods are if it has any."""
        asked = job.root.topology
        if asked is None or asked.required not in self._levels.get(asked.name, ()):
            return []
        root, depth = self._root(asked.name), self._levels[asked.name].index(asked.required) + 1
        held = [task.node for task in job.tasks if task.status.active]
        domains = [domain.nodes for domain in root.below() if domain.depth == depth]
        return [nodes for nodes in domains if not held or bool(nodes[held].any())]

    def _root(self, name: str) -> Domain:
        known = self._roots.get(name)
        if known is None:
            labels, facts = self._levels[name], self._nodes.facts
            all_of_it = np.array([all(label in each.labels for label in labels) for each in facts], dtype=np.bool_)
            known = self._roots[name] = Domain("", 0, all_of_it)
            self._divide(known, labels)
        return known

    def _divide(self, domain: Domain, labels: Sequence[str]) -> None:
        if domain.depth == len(labels):
            return
        values = {i: self._nodes.facts[i].labels[labels[domain.depth]] for i in np.flatnonzero(domain.nodes).tolist()}
        for value in sorted(set(values.values())):
            members = np.isin(np.arange(len(self._nodes.facts)), [i for i, each in values.items() if each == value])
            child = Domain(f"{domain.name}.{value}" if domain.name else value, domain.depth + 1, members)
            domain.children.append(child)
            self._divide(child, labels)

    def _preference(self, start: Domain, depth: int) -> Floats:
        score: Floats = np.zeros(len(self._nodes.names))
        preferred = [domain for domain in start.below() if domain.depth == depth]
        for place, domain in enumerate(preferred, start=1):
            score[domain.nodes] = np.floor(place / len(preferred) * 10) * _PREFERENCE
        return score


class _Room:
    """Whether pods fit into a domain, and how full they make it."""

    def __init__(self, nodes: Nodes, tasks: Sequence[Task]) -> None:
        self._free: Floats = nodes.idle + nodes.releasing
        requests = np.array([_request(task) for task in tasks])
        self._total: Floats = requests.sum(axis=0)
        self._count = len(tasks)
        self._each = _pods_by_node(nodes, self._free, requests) if _alike(tasks, requests) else None

    def fits(self, domain: Domain) -> bool:
        """Whether there seems to be room for all of them: by the largest of pods that are alike, else in sum."""
        if self._each is not None:
            return int(self._each[domain.nodes].sum()) >= self._count
        return self.ratio(domain) <= 1

    def ratio(self, domain: Domain) -> float:
        """What part of what is free they take, of the resource that is scarcest."""
        free = self._free[domain.nodes].sum(axis=0)
        wanted = self._total > 0
        wanted[PODS_COLUMN] = False
        parts = np.divide(self._total, free, out=np.full(len(free), 1000.0), where=free > 0)
        return float(parts[wanted].max(initial=0.0))


def _request(task: Task) -> Floats:
    vector = task.shape.vector.copy()
    vector[GPU_COLUMN] = task.shape.request.gpus
    return vector


def _alike(tasks: Sequence[Task], requests: Floats) -> bool:
    """Whether they ask for the same resources, be it of different amounts."""
    others = np.delete(requests, [CPU_COLUMN, MEMORY_COLUMN, GPU_COLUMN], axis=1) > 0
    with_gpus = sum(task.shape.request.gpus > 0 for task in tasks)
    return with_gpus in (0, len(tasks)) and bool((others.all(axis=0) | ~others.any(axis=0)).all())


def _pods_by_node(nodes: Nodes, free: Floats, requests: Floats) -> Floats:
    """How many of the largest pod each node takes."""
    largest = requests.max(axis=0)
    if not np.delete(largest, PODS_COLUMN).any():
        return np.full(len(free), float(len(requests)))
    free = free.copy()
    if 0 < largest[GPU_COLUMN] < 1:
        free[:, GPU_COLUMN] += [
            sum(max(shared.device - gpu.allocated + gpu.releasing, 0) for gpu in shared.gpus.values() if gpu.used > 0)
            / shared.device
            for shared in nodes.shared
        ]
    asked = largest > 0
    takes: Floats = np.floor(free[:, asked] / largest[asked]).min(axis=1)
    takes[~(largest <= free).all(axis=1)] = 0
    return takes


def _depths(asked: Topology, labels: Sequence[str]) -> list[int]:
    """The depths of the levels to try, the deepest first; none where the levels are not the topology's."""
    if any(level and level not in labels for level in (asked.required, asked.preferred)):
        return []
    if not asked.required and not asked.preferred:
        return []
    upper = labels.index(asked.required) + 1 if asked.required else 0
    lower = labels.index(asked.preferred) + 1 if asked.preferred else upper
    return list(range(lower, upper - 1, -1))


def _common(root: Domain, valid: Flags, most: int) -> Domain:
    """The smallest domain that all these nodes are in, down to a depth."""
    domain = root
    while domain.depth < most:
        inside = next((child for child in domain.children if bool((child.nodes | ~valid).all())), None)
        if inside is None or not valid.any():
            break
        domain = inside
    return domain


def _sort(domain: Domain, room: _Room) -> None:
    """The parts that the pods would fill the most come first."""
    domain.children.sort(key=lambda child: (-room.ratio(child), child.name))
    for child in domain.children:
        _sort(child, room)


def _holding(start: Domain, depth: int, held: Sequence[int]) -> Flags:
    """The domains of a depth that have one of these nodes."""
    kept: Flags = np.zeros(len(start.nodes), dtype=np.bool_)
    for domain in start.below():
        if domain.depth == depth and bool(domain.nodes[held].any()):
            kept |= domain.nodes
    return kept


def _sets_of(part: Group | PodSet, tasks: Sequence[Task]) -> list[PodSet]:
    wanted = {id(task) for task in tasks}
    return [each for each in part.sets() if any(id(task) in wanted for task in each.tasks)]
