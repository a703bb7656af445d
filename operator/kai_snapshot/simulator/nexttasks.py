"""Which pods of a job are placed next, and where the job stands among the others of its queue."""

from collections.abc import Sequence

from kai_snapshot.simulator.model import NOTHING, Group, Job, PodSet, Rank, Task, Triple
from kai_snapshot.simulator.status import Status

BELOW, EXACTLY, ABOVE = 0, 1, 2


def next_tasks(job: Job, *, virtual: bool) -> list[Task]:
    """Pods to place together: what the gang lacks, else one more. `virtual`: those too that a plan has evicted."""
    known = job.next_cache.get(virtual)
    if known is None:
        known = job.next_cache[virtual] = _of_group(job.root, virtual=virtual)
    return known


def asked_next(job: Job) -> Triple:
    """What the next pods ask for together."""
    if job.asked_cache is None:
        job.asked_cache = total_asked([task for task in next_tasks(job, virtual=True) if _is_next(task, virtual=True)])
    return job.asked_cache


def total_asked(tasks: Sequence[Task]) -> Triple:
    """What pods ask for together."""
    if not tasks:
        return NOTHING
    cpu = memory = gpus = 0.0
    for task in tasks:
        asked = task.shape.asked
        cpu, memory, gpus = cpu + asked[0], memory + asked[1], gpus + asked[2]
    return cpu, memory, gpus


def total_claimed(tasks: Sequence[Task]) -> Triple:
    """What pods count against limits and quotas together."""
    cpu = memory = gpus = 0.0
    for task in tasks:
        claimed = task.shape.claimed
        cpu, memory, gpus = cpu + claimed[0], memory + claimed[1], gpus + claimed[2]
    return cpu, memory, gpus


def rank(job: Job) -> Rank:
    """The place of a job in its queue; the smaller comes first."""
    if job.rank_cache is None:
        counts = [(pod_set.active(), pod_set.minimum) for pod_set in job.pod_sets]
        job.rank_cache = -job.priority, state(counts), job.age
    return job.rank_cache


def state(counts: Sequence[tuple[int, int]]) -> int:
    """Whether a job of so many active pods and such minimums is below, at, or above what must run together."""
    if any(active < minimum for active, minimum in counts):
        return BELOW
    return ABOVE if any(active > minimum for active, minimum in counts) else EXACTLY


def is_ready(job: Job) -> bool:
    """Whether there are enough pods that may run for the gang."""
    return _ready(job.root)


def _ready(part: Group | PodSet) -> bool:
    if isinstance(part, PodSet):
        return sum(task.status.alive and task.status is not Status.GATED for task in part.tasks) >= part.minimum
    return sum(_ready(child) for child in part.children) >= part.threshold


def must_wait(job: Job) -> bool:
    """Whether a gang has too few pods that can start without waiting."""
    return any(
        any(task.status is Status.PIPELINED for task in pod_set.tasks)
        and sum(task.status.allocated for task in pod_set.tasks) < pod_set.minimum
        for pod_set in job.pod_sets
    )


def satisfied(part: Group | PodSet) -> bool:
    """Whether what must run together has its places."""
    return met(part) >= part.minimum if isinstance(part, PodSet) else met(part) >= part.threshold


def met(part: Group | PodSet) -> int:
    """How many pods, or parts, of it have their places."""
    if isinstance(part, PodSet):
        return part.active()
    return sum(satisfied(child) for child in part.children)


def ordered(children: Sequence[Group | PodSet]) -> list[Group | PodSet]:
    """Parts of a job in the order they are served."""
    return sorted(children, key=_child_order) if len(children) > 1 else list(children)


def _child_order(part: Group | PodSet) -> tuple[object, ...]:
    least = part.minimum if isinstance(part, PodSet) else part.threshold
    active = met(part)
    if active < least:
        return 0, part.name
    return 1, least == 0, active / least if least else active, part.name


def _of_group(group: Group, *, virtual: bool) -> list[Task]:
    children = ordered(group.children)
    if met(group) < group.threshold:
        return [
            task
            for child in children[: group.threshold]
            if not satisfied(child)
            for task in _of(child, virtual=virtual)
        ]
    return next((tasks for child in children if (tasks := _of(child, virtual=virtual))), [])


def _of(part: Group | PodSet, *, virtual: bool) -> list[Task]:
    if isinstance(part, Group):
        return _of_group(part, virtual=virtual)
    most = max(part.minimum - part.active(), 0) or 1
    tasks: list[Task] = []
    for task in part.tasks:
        if _is_next(task, virtual=virtual):
            tasks.append(task)
            if len(tasks) == most:
                break
    return tasks


def _is_next(task: Task, *, virtual: bool) -> bool:
    return task.status is Status.PENDING or (virtual and task.virtual and task.status is Status.RELEASING)
