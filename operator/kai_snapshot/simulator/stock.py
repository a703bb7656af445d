"""Jobs by queue, in their order there: what many trees begin with, so it is put in order once."""

from collections.abc import Iterable, Sequence
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from kai_snapshot.simulator.model import Job, Queue, Rank
from kai_snapshot.simulator.nexttasks import rank
from kai_snapshot.simulator.victims import Victim

Member = Job | Victim
Item = tuple[Rank, Member]


def item_of(job: Member) -> Item:
    """A job with its place among those of its queue."""
    return job.rank if isinstance(job, Victim) else rank(job), job


def queue_of(job: Member) -> Queue | None:
    """The queue of a job; None if it is not there, or holds no jobs but other queues."""
    queue = (job.job if isinstance(job, Victim) else job).queue
    return None if queue is None or queue.children else queue


class Stock:
    """Jobs by queue."""

    def __init__(self, lists: Iterable[tuple[Queue, Sequence[Item]]]) -> None:
        listed = [(queue, items) for queue, items in lists if items]
        self.queues = [queue for queue, _ in listed]
        self.lists = [items for _, items in listed]
        sizes = [len(items) for items in self.lists]
        self.queue_numbers: NDArray[np.intp] = np.repeat(np.arange(len(sizes)), sizes)
        """Of each job, which of the queues it is in."""
        places = [np.arange(size, dtype=np.float64) for size in sizes]
        self.places: NDArray[np.float64] = np.concatenate(places) if places else np.zeros(0)
        """Of each job, where it stands there."""
        self._number: dict[int, int] | None = None

    @classmethod
    def of(cls, items: Iterable[Item]) -> "Stock":
        """These jobs, but for those of queues that hold none."""
        by_queue: dict[str, tuple[Queue, list[Item]]] = {}
        for item in items:
            if (queue := queue_of(item[1])) is not None:
                by_queue.setdefault(queue.name, (queue, []))[1].append(item)
        for _, each in by_queue.values():
            each.sort(key=itemgetter(0))
        return cls(by_queue.values())

    def only(self, queues: Iterable[Queue]) -> "Stock":
        """Those of some queues."""
        kept = {id(queue) for queue in queues}
        return Stock(each for each in zip(self.queues, self.lists, strict=True) if id(each[0]) in kept)

    def items(self) -> Iterable[Item]:
        """All jobs."""
        return (item for items in self.lists for item in items)

    def numbers(self, jobs: Iterable[int]) -> list[int]:
        """Where jobs stand among all; by their `id()`."""
        if self._number is None:
            self._number = {id(item[1]): i for i, item in enumerate(self.items())}
        return [number for job in jobs if (number := self._number.get(job)) is not None]
