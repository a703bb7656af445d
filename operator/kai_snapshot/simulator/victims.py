"""Jobs that may have to go, and which of a job's pods go first."""

from dataclasses import dataclass

from kai_snapshot.simulator.model import NOTHING, Group, Job, PodSet, Rank, Task, Triple
from kai_snapshot.simulator.nexttasks import met, ordered, rank, satisfied, state


@dataclass(frozen=True, slots=True)
class Batch:
    """Pods of one job that go together."""

    job: Job
    tasks: tuple[Task, ...]


class Victim:
    """A job that may be evicted, or what is left of it."""

    __slots__ = ("_root", "held", "job", "rank")

    def __init__(self, job: Job, root: Group | None = None) -> None:
        self.job = job
        self._root = root or job.root
        of_job = rank(job)
        standing = of_job[1] if root is None else state([(each.active(), each.minimum) for each in root.sets()])
        self.rank: Rank = (-of_job[0], -standing, -of_job[2])
        self.held: Triple = _held(self._root)
        """What its pods have."""

    def first_to_go(self) -> Batch:
        """One pod beyond what must run together, else all."""
        tasks = _surplus(self._root) or [
            task for each in self._root.sets() for task in each.tasks if task.status.active
        ]
        return Batch(self.job, tuple(tasks))

    def without(self, gone: set[int]) -> "Victim | None":
        """What is left when the pods with these `id()` are gone; None: nothing that could go."""
        root = _reduced(self._root, gone)
        return Victim(self.job, root) if any(each.active() for each in root.sets()) else None


def _held(root: Group) -> Triple:
    cpu = memory = gpus = 0.0
    for pod_set in root.sets():
        for task in pod_set.tasks:
            if task.status.allocated:
                asked = task.shape.asked
                cpu, memory, gpus = cpu + asked[0], memory + asked[1], gpus + task.shape.counted_gpus
    return (cpu, memory, gpus) if cpu or memory or gpus else NOTHING


def _surplus(group: Group) -> list[Task]:
    children = ordered(group.children)
    for child in reversed(children):
        if isinstance(child, Group):
            if tasks := _surplus(child):
                return tasks
        elif child.active() > child.minimum:
            return [next(task for task in reversed(child.tasks) if task.status.active)]
    if met(group) > group.threshold:
        last = next(child for child in reversed(children) if satisfied(child))
        return [task for each in last.sets() for task in each.tasks if task.status.active]
    return []


def _reduced(group: Group, gone: set[int]) -> Group:
    children: list[Group | PodSet] = [
        _reduced(child, gone)
        if isinstance(child, Group)
        else PodSet(child.name, child.minimum, [task for task in child.tasks if id(task) not in gone])
        for child in group.children
    ]
    return Group(group.name, group.threshold, children)
