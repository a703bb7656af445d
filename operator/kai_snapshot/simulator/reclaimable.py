"""Whether what a plan takes from other queues is fair: they keep their shares, and the taker does not pass them."""

import math
from collections.abc import Iterator, Mapping, Sequence

from kai_snapshot.simulator.model import UNLIMITED, Job, Queue, Task, Triple
from kai_snapshot.simulator.nexttasks import asked_next
from kai_snapshot.simulator.nodes import Nodes
from kai_snapshot.simulator.queuepaths import first_different
from kai_snapshot.simulator.scenarios import Batches

RESOURCES = (0, 1, 2)
Held = Mapping[str, tuple[Triple, Triple]]
"""What queues have, and of that what cannot be taken back, by name."""


class Reclaimable:
    """The rules, with what queues had before the job tried."""

    def __init__(self, before: Held, saturation: float, nodes: Nodes, *, ignore_moved: bool) -> None:
        self._before = before
        self._saturation = saturation
        self._nodes = nodes
        self._ignore_moved = ignore_moved

    def allows(self, job: Job, batches: Batches) -> bool:
        """Whether the job may have what these victims give."""
        assert job.queue is not None
        asked = asked_next(job)
        left: dict[str, tuple[Queue, list[float], set[int]]] = {}
        for queue, amount in self._items(batches):
            if not self._may_take(job, asked, queue, left):
                return False
            for each in queue.path:
                _, rest, touched = left.setdefault(each.name, (each, list(self._before[each.name][0]), set()))
                for i in RESOURCES:
                    rest[i] -= amount[i]
                    if amount[i] > 0:
                        touched.add(i)
        return all(self._stays_within(queue, job, asked, left) for queue in job.queue.path)

    def _items(self, batches: Batches) -> Iterator[tuple[Queue, Triple]]:
        """What is taken, piece by piece: pods beyond the minimum one by one, then the others of a job together."""
        by_job: dict[int, tuple[Job, list[Task]]] = {}
        for batch in batches:
            by_job.setdefault(id(batch.job), (batch.job, []))[1].extend(batch.tasks)
        of_queue: dict[str, list[tuple[Queue, Triple]]] = {}
        for job, tasks in by_job.values():
            assert job.queue is not None
            elastic, core = _split(job, tasks)
            parts = [*([task] for task in elastic), core]
            of_queue.setdefault(job.queue.name, []).extend(
                (job.queue, self._sum(part)) for part in parts if any(map(self._counts, part))
            )
        for items in of_queue.values():
            yield from items

    def _counts(self, task: Task) -> bool:
        return not (self._ignore_moved and task.status.active)

    def _sum(self, tasks: Sequence[Task]) -> Triple:
        amounts = [self._nodes.accepted(task, task.node) for task in tasks if self._counts(task)]
        return sum(each[0] for each in amounts), sum(each[1] for each in amounts), sum(each[2] for each in amounts)

    def _may_take(
        self, job: Job, asked: Triple, victim: Queue, left: Mapping[str, tuple[Queue, list[float], set[int]]]
    ) -> bool:
        assert job.queue is not None
        taker, giver = first_different(job.queue, victim)
        rest = left[giver.name][1] if giver.name in left else self._before[giver.name][0]
        if any(giver.allocatable[i] != UNLIMITED and rest[i] > giver.allocatable[i] for i in RESOURCES):
            return True
        have = self._before[taker.name][0]
        within = all(taker.quota[i] == UNLIMITED or have[i] + asked[i] <= taker.quota[i] for i in RESOURCES)
        return within and any(giver.quota[i] != UNLIMITED and rest[i] > giver.quota[i] for i in RESOURCES)

    def _stays_within(
        self, queue: Queue, job: Job, asked: Triple, left: Mapping[str, tuple[Queue, list[float], set[int]]]
    ) -> bool:
        have, held = self._before[queue.name]
        if not job.preemptible and any(
            queue.quota[i] != UNLIMITED and held[i] + asked[i] > queue.quota[i] for i in RESOURCES
        ):
            return False
        rest = left[queue.name][1] if queue.name in left else have
        for sibling, kept, touched in left.values():
            if sibling is queue or sibling.parent is not queue.parent:
                continue
            for i in RESOURCES:
                if (asked[i] > 0 or i in touched) and sibling.share[i] > 0:
                    mine = _saturation(rest[i] + asked[i], queue.share[i])
                    if mine > 1 and mine * self._saturation >= _saturation(kept[i], sibling.share[i]):
                        return False
        return True


def _split(job: Job, tasks: Sequence[Task]) -> tuple[list[Task], list[Task]]:
    """Of the victims of a job those beyond the minimum of their pod sets, and all others."""
    elastic: list[Task] = []
    core: list[Task] = []
    for pod_set in job.pod_sets:
        members = {id(task) for task in pod_set.tasks}
        victims = [task for task in tasks if id(task) in members]
        core += victims[: pod_set.minimum]
        elastic += victims[pod_set.minimum :]
    return elastic, core


def _saturation(amount: float, share: float) -> float:
    if share == 0:
        return math.inf if amount > 0 else 0.0
    return amount / share
