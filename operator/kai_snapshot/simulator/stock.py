"""Jobs by queue, in their order there: what many trees begin with, so it is put in order once."""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from kai_snapshot.simulator.model import NOTHING, Job, Queue, Rank, Triple
from kai_snapshot.simulator.nexttasks import asked_next, rank
from kai_snapshot.simulator.victims import Victim

Member = Job | Victim
Item = tuple[Rank, Member]
_RANK = itemgetter(0)


def item_of(job: Member) -> Item:
    """A job with its place among those of its queue."""
    return job.rank if isinstance(job, Victim) else rank(job), job


def job_of(job: Member) -> Job:
    """The job itself, of one that may be evicted too."""
    return job.job if isinstance(job, Victim) else job


def queue_of(job: Member) -> Queue | None:
    """The queue of a job; None if it is not there, or holds no jobs but other queues."""
    queue = job_of(job).queue
    return None if queue is None or queue.children else queue


class Line:
    """Jobs of a queue, in their order."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.items: list[Item] = []
        self.asked: list[Triple] = []
        """What those that wait ask for next, as they came."""
        self.ranks: dict[int, Rank] = {}
        """As they came, by the `id()` of the job."""
        self._asks_more: dict[int, int] = {}

    @classmethod
    def of(cls, queue: Queue, items: Iterable[Item]) -> "Line":
        """These jobs."""
        line = cls(queue)
        line.items = sorted(items, key=_RANK)
        line.asked = [_asked(job) for _, job in line.items]
        line.ranks = {id(job_of(job)): rank for rank, job in line.items}
        return line

    def copy(self) -> "Line":
        """The same, that can be changed while trees still have this one."""
        line = Line(self.queue)
        line.items, line.asked, line.ranks = self.items.copy(), self.asked.copy(), self.ranks.copy()
        return line

    def __len__(self) -> int:
        return len(self.items)

    def before(self, rank: Rank) -> int:
        """How many come before one of that rank."""
        return bisect_left(self.items, rank, key=_RANK)

    def place(self, job: Job) -> int | None:
        """Where a job stands; None if it is not in the line."""
        rank = self.ranks.get(id(job))
        return None if rank is None else self.before(rank)

    def put_in(self, item: Item) -> None:
        """A job comes."""
        rank, job = item
        place = self.before(rank)
        self.items.insert(place, item)
        self.asked.insert(place, _asked(job))
        self.ranks[id(job_of(job))] = rank
        self._asks_more.clear()

    def take_out(self, job: Job) -> None:
        """A job goes, if it is there."""
        if (place := self.place(job)) is not None:
            del self.items[place], self.asked[place], self.ranks[id(job)]
            self._asks_more.clear()

    def asks_more(self, at: int) -> int:
        """The first job after that one that asks for more of anything; as many as there are if none does."""
        found = self._asks_more.get(at)
        if found is None:
            cpu, memory, gpus = self.asked[at]
            found = at + 1
            while found < len(self.asked):
                asked = self.asked[found]
                if asked[0] > cpu or asked[1] > memory or asked[2] > gpus:
                    break
                found = self._asks_more.get(found, found + 1)  # what asks for no more than that one asks for no more
            self._asks_more[at] = found
        return found


def _asked(job: Member) -> Triple:
    return asked_next(job) if isinstance(job, Job) else NOTHING


class Stock:
    """Jobs by queue."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self.lines = [line for line in lines if line.items]
        sizes = [len(line) for line in self.lines]
        self.queue_numbers: NDArray[np.intp] = np.repeat(np.arange(len(sizes)), sizes)
        """Of each job, which of the queues it is in."""
        places = [np.arange(size, dtype=np.float64) for size in sizes]
        self.places: NDArray[np.float64] = np.concatenate(places) if places else np.zeros(0)
        """Of each job, where it stands there."""
        starts = np.cumsum([0, *sizes]).tolist()
        self._by_queue = {id(line.queue): (start, line) for start, line in zip(starts, self.lines, strict=False)}

    @classmethod
    def of(cls, items: Iterable[Item]) -> "Stock":
        """These jobs, but for those of queues that hold none."""
        by_queue: dict[str, tuple[Queue, list[Item]]] = {}
        for item in items:
            if (queue := queue_of(item[1])) is not None:
                by_queue.setdefault(queue.name, (queue, []))[1].append(item)
        return cls(Line.of(queue, listed) for queue, listed in by_queue.values())

    def __len__(self) -> int:
        return len(self.places)

    @property
    def queues(self) -> list[Queue]:
        """Those that have jobs."""
        return [line.queue for line in self.lines]

    def only(self, queues: Iterable[Queue]) -> "Stock":
        """Those of some queues."""
        kept = {id(queue) for queue in queues}
        return Stock(line for line in self.lines if id(line.queue) in kept)

    def items(self) -> Iterable[Item]:
        """All jobs."""
        return (item for line in self.lines for item in line.items)

    def numbers(self, jobs: Iterable[Job]) -> list[int]:
        """Where jobs stand among all."""
        found = []
        for job in jobs:
            first, line = self._by_queue.get(id(job.queue), (0, None))
            if line is not None and (place := line.place(job)) is not None:
                found.append(first + place)
        return found


class Roster:
    """The jobs of one kind, kept in order as jobs change: those that wait, or those that can be evicted."""

    def __init__(self, jobs: Iterable[Job], kind: Callable[[Job], Member | None]) -> None:
        self._kind = kind
        self._lines: dict[str, Line] = {}
        self._changed: dict[int, Job] = {}
        self._stock = Stock(())
        self.change(jobs)

    def change(self, jobs: Iterable[Job]) -> None:
        """These may be of the kind now, or not any more, or stand elsewhere."""
        self._changed.update((id(job), job) for job in jobs)

    def stock(self) -> Stock:
        """As it is now."""
        if self._changed:
            by_queue: dict[str, tuple[Queue, list[Job]]] = {}
            for job in self._changed.values():
                if (queue := queue_of(job)) is not None:
                    by_queue.setdefault(queue.name, (queue, []))[1].append(job)
            for name, (queue, jobs) in by_queue.items():
                line = self._lines[name].copy() if name in self._lines else Line(queue)
                for job in jobs:
                    line.take_out(job)
                    if (member := self._kind(job)) is not None:
                        line.put_in(item_of(member))
                self._lines[name] = line
            self._changed.clear()
            self._stock = Stock(self._lines.values())
        return self._stock
