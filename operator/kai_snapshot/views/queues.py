"""The tree of queues, with what each has, wants and may have."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from kai_snapshot.api.visualizer import QueueGPUs, QueueResources, QueueView, ResourceName, UnlimitedResources
from kai_snapshot.simulator.quantity import quantity
from kai_snapshot.simulator.status import Status
from kai_snapshot.views.amounts import NOTHING, Amount, counted, plus, stats, unlimited
from kai_snapshot.views.facts import Facts, Job, Queue
from kai_snapshot.views.jobs import job_counts

OrphanReason = Literal["ParentMissing", "Circle", "TooDeep"]
DEPTH = 50
"""Levels that are shown as a tree; KAI's are two or three."""
_NAMES: tuple[ResourceName, ...] = ("cpu", "memory", "gpu")
_TOLERANCE = 0.01


@dataclass(slots=True)
class _Branch:
    """A queue in its tree."""

    queue: Queue
    children: "list[_Branch]"
    jobs: Sequence[Job]
    orphan: OrphanReason | None = None
    allocated: Amount = NOTHING
    requested: Amount = NOTHING


@dataclass(frozen=True, slots=True)
class QueuesFound:
    """The roots, and what about queues does not go together."""

    views: tuple[QueueView, ...]
    warnings: tuple[str, ...]


def queues(facts: Facts) -> QueuesFound:
    """All queues, as trees, the most important first."""
    jobs: dict[str, list[Job]] = {}
    for job in facts.jobs:
        jobs.setdefault(job.of.queue_name, []).append(job)
    branches = {each.of.name: _Branch(each, [], jobs.get(each.of.name, ())) for each in facts.queues}
    roots = sorted(_grow(branches), key=_rank)
    for branch in reversed(list(_all(roots))):
        _count(branch)
    differing = [name for name, branch in branches.items() if _differs(branch)]
    warnings = []
    if differing:
        warnings.append(f"the status of queues says otherwise what they have: {_named(differing)}")
    if lost := sorted(set(jobs) - set(branches) - {""}):
        warnings.append(f"jobs are in queues that there are not: {_named(lost)}")
    return QueuesFound(tuple(_view(root) for root in roots), tuple(warnings))


def queue_gpus(roots: Iterable[QueueView], *, most: int) -> tuple[QueueGPUs, ...]:
    """So many queues that have, or are granted, the most GPUs."""
    found = []
    waiting = list(roots)
    while waiting:
        queue = waiting.pop()
        waiting.extend(queue.children)
        stats = queue.resources.allocated, queue.resources.requested, queue.resources.fair_share
        allocated, requested, share = (each.gpu_fraction if each is not None else None for each in stats)
        gpus = QueueGPUs(
            id=queue.id or queue.name,
            name=queue.name,
            allocated=allocated or 0.0,
            requested=requested or 0.0,
            fair_share=share,
        )
        found.append(gpus)
    found.sort(key=lambda each: (-max(each.allocated, each.fair_share or 0.0), each.id))
    return tuple(found[:most])


def told_apart(names: Mapping[str, str]) -> Mapping[str, str]:
    """What to call queues, by id, from their names: with its id, where several have one name."""
    often = Counter(names.values())
    return {id_: f"{name} ({id_})" if often[name] > 1 else name for id_, name in names.items()}


def _grow(branches: Mapping[str, _Branch]) -> Iterator[_Branch]:
    """The roots. A queue whose parent is missing, itself below it, or too far down becomes one."""
    depths: dict[str, int] = {}
    for name in branches:
        path: dict[str, None] = {}
        above = name
        while above in branches and above not in depths and above not in path:
            path[above] = None
            above = branches[above].queue.parent
        if above in path:
            for each in list(path)[list(path).index(above) :]:
                branches[each].orphan = "Circle"
        for each in reversed(path):
            depths[each] = _attach(branches, each, depths)
            if depths[each] == 0:
                yield branches[each]


def _attach(branches: Mapping[str, _Branch], name: str, depths: Mapping[str, int]) -> int:
    """Puts a queue below its parent, which has its place already if it is to have one; on which level that is."""
    branch, depth = branches[name], depths.get(branches[name].queue.parent, DEPTH) + 1
    if depth < DEPTH:
        branches[branch.queue.parent].children.append(branch)
        return depth
    if branch.queue.parent and branch.orphan is None:
        branch.orphan = "TooDeep" if branch.queue.parent in depths else "ParentMissing"
    return 0


def _all(roots: Iterable[_Branch]) -> Iterator[_Branch]:
    """Every queue after its parent."""
    waiting = list(roots)
    while waiting:
        branch = waiting.pop()
        yield branch
        waiting.extend(branch.children)


def _count(branch: _Branch) -> None:
    """Sums up what a queue has; those below it are counted."""
    branch.children.sort(key=_rank)
    for child in branch.children:
        branch.allocated = plus(branch.allocated, child.allocated)
        branch.requested = plus(branch.requested, child.requested)
    for job in branch.jobs:
        for pod in job.pods:
            if pod.status.used:
                branch.allocated = plus(branch.allocated, pod.amount)
            if pod.status.used or pod.status is Status.PENDING:
                branch.requested = plus(branch.requested, pod.amount)


def _rank(branch: _Branch) -> tuple[int, str]:
    return -branch.queue.of.priority, branch.queue.of.name


def _differs(branch: _Branch) -> bool:
    """Whether its status says something else; it has cores where we have millicores."""
    has = branch.allocated
    reported = {str(name): float(quantity(value)) for name, value in branch.queue.reported.items()}
    gpus = [amount for name, amount in reported.items() if name.endswith("gpu")]
    said = (
        reported["cpu"] * 1000 if "cpu" in reported else None,
        reported.get("memory"),
        sum(gpus) if gpus else None,
    )
    return any(
        theirs is not None and abs(theirs - ours) > _TOLERANCE * max(theirs, ours)
        for theirs, ours in zip(said, (has.cpu, has.memory, has.gpus), strict=True)
    )


def _view(branch: _Branch) -> QueueView:
    queue = branch.queue.of
    guaranteed, most = (
        tuple(name for name, free in zip(_NAMES, unlimited(amount), strict=True) if free)
        for amount in (queue.quota, queue.limit)
    )
    return QueueView(
        name=branch.queue.display_name,
        parent=branch.queue.parent,
        weight=queue.priority,
        resources=QueueResources(
            guaranteed=stats(counted(queue.quota)),
            allocated=stats(branch.allocated),
            max=stats(counted(queue.limit)),
            requested=stats(branch.requested),
            fair_share=stats(counted(branch.queue.share)) if branch.queue.share is not None else None,
            over_quota_weight=dict(zip(_NAMES, queue.weight, strict=True)),
            unlimited=UnlimitedResources(guaranteed=guaranteed, max=most) if guaranteed or most else None,
        ),
        children=tuple(_view(child) for child in branch.children),
        id=queue.name,
        orphan=branch.orphan is not None or None,
        orphan_reason=branch.orphan,
        job_counts=job_counts(branch.jobs),
    )


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
