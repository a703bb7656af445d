"""What share of the cluster each queue may claim: what is guaranteed, then what is over, by priority and weight."""

import math
from collections.abc import Iterable, Sequence
from itertools import groupby

from kai_snapshot.simulator.model import UNLIMITED, Job, Queue, Triple
from kai_snapshot.simulator.nodes import Nodes
from kai_snapshot.simulator.status import Status


def count_jobs(jobs: Iterable[Job], nodes: Nodes) -> None:
    """Counts in every queue what its jobs have and ask for."""
    for job in jobs:
        if job.queue is None:
            continue
        for task in job.tasks:
            if task.status.allocated and task.node >= 0:
                job.queue.add(nodes.accepted(task, task.node), 1, held=not job.preemptible)
            elif task.status is Status.PENDING:
                for queue in job.queue.path:
                    for i in (0, 1, 2):
                        queue.requested[i] += task.shape.asked[i]


def set_shares(queues: Iterable[Queue], total: Triple, k: float) -> None:
    """Divides the total among all queues, from the top. `k` weighs past usage, of which a snapshot has none."""
    queues = list(queues)
    for queue in queues:
        for i in (0, 1, 2):
            queue.requested[i] += queue.allocated[i]
    for i in (0, 1, 2):
        _divide([queue for queue in queues if queue.parent is None], total[i], i, k)
    for queue in queues:
        cpu, memory, gpu = (_allocatable(queue, i) for i in (0, 1, 2))
        queue.allocatable = cpu, memory, gpu
        queue.divisors = tuple(  # type: ignore[assignment]
            all_there_is if mine == UNLIMITED else mine
            for mine, all_there_is in zip(queue.allocatable, total, strict=True)
        )


def requestable(queue: Queue, i: int) -> float:
    """What a queue asks for, up to its limit."""
    requested, limit = queue.requested[i], queue.limit[i]
    return requested if limit == UNLIMITED else min(limit, requested)


def _allocatable(queue: Queue, i: int) -> float:
    quota, limit = queue.quota[i], queue.limit[i]
    if quota == UNLIMITED:
        return limit
    most = max(quota, queue.share[i])
    return most if limit == UNLIMITED else min(most, limit)


def _divide(siblings: Sequence[Queue], amount: float, i: int, k: float) -> None:
    """Gives siblings their shares of one resource, and of that their children theirs."""
    left = amount
    for queue in siblings:
        quota = amount if queue.quota[i] == UNLIMITED else queue.quota[i]
        guaranteed = min(quota, requestable(queue, i))
        queue.share[i] += guaranteed
        left -= guaranteed
    if left > 0:
        _divide_rest(siblings, left, i, k)
    for queue in siblings:
        _divide(queue.children, queue.share[i], i, k)


def _divide_rest(siblings: Sequence[Queue], left: float, i: int, k: float) -> None:
    ordered = sorted(siblings, key=lambda queue: -queue.priority)
    buckets = [list(bucket) for _, bucket in groupby(ordered, key=lambda queue: queue.priority)]
    leftovers: list[dict[str, tuple[float, Queue]]] = []
    for bucket in buckets:
        leftover: dict[str, tuple[float, Queue]] = {}
        while left > 0:
            left, again = _round(bucket, left, i, k, leftover)
            if not again or left == 0:
                break
        leftovers.append(leftover)
    for leftover in leftovers:
        for _, queue in sorted(leftover.values(), key=lambda each: (-each[0], each[1].created, each[1].name)):
            if left <= 0:
                return
            given = min(1.0, left)
            queue.share[i] += given
            left -= given


def _round(
    bucket: Sequence[Queue], left: float, i: int, k: float, leftover: dict[str, tuple[float, Queue]]
) -> tuple[float, bool]:
    """One round among queues of one priority: what is left, and whether another one may give more."""
    weights = sum(queue.weight[i] for queue in bucket if requestable(queue, i) > queue.share[i])
    if weights == 0:
        return left, False
    wanting = [queue for queue in bucket if _unsatisfied(queue, i)]
    parts = {queue.name: _part(queue.weight[i] / weights, k) for queue in wanting}
    total = sum(parts.values())
    if total == 0:
        return left, False
    give, again = left, False
    for queue in wanting:
        if queue.weight[i] == 0:
            continue
        fair = give * (parts[queue.name] / total)
        need = requestable(queue, i) - queue.share[i]
        if need <= fair:
            given = need
            leftover.pop(queue.name, None)
        else:
            given = float(math.floor(fair))
            if fair - given > 0:
                leftover[queue.name] = fair - given, queue
        if given == 0:
            continue
        again |= need < fair
        queue.share[i] += given
        left -= given
        if left == 0:
            break
    return left, again


def _part(weight: float, k: float) -> float:
    return max(0.0, weight + k * weight)


def _unsatisfied(queue: Queue, i: int) -> bool:
    limit = queue.limit[i]
    return not queue.requested[i] <= queue.share[i] and not (limit != UNLIMITED and limit <= queue.share[i])
