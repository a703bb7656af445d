"""The tree of queues as rows with a bar each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kai_snapshot.api.visualizer import JobView, QueueView, ResourceName, ResourceStats

UNITS: Final = {"cpu": "cores", "memory": "GiB", "gpu": "GPUs"}
LENGTH: Final = 1000
"""Of the longest bar."""


@dataclass(frozen=True)
class Bar:
    """A queue's amounts of one resource; None where there is no bound, or nothing is known."""

    queue: QueueView
    depth: int
    allocated: float
    requested: float
    guaranteed: float | None
    share: float | None
    limit: float | None

    @property
    def state(self) -> str:
        """Whether it has more than its quota, or its limit."""
        if self.limit is not None and self.allocated > self.limit:
            return "over-limit"
        return "over-quota" if self.guaranteed is not None and self.allocated > self.guaranteed else "within"


@dataclass(frozen=True)
class Bars:
    """All rows, parents before their children."""

    rows: Sequence[Bar]
    most: float
    """What the longest bar stands for."""
    unit: str

    def length(self, amount: float | None) -> float:
        """How long that is."""
        return round(LENGTH * (amount or 0.0) / self.most, 1) if self.most else 0.0


def bars(queues: Sequence[QueueView], resource: ResourceName) -> Bars:
    """The rows for a resource."""
    rows = list(_rows(queues, resource, 0))
    amounts = (each for row in rows for each in (row.allocated, row.requested, row.guaranteed, row.share, row.limit))
    return Bars(rows, max((each for each in amounts if each is not None), default=0.0), UNITS[resource])


def _rows(queues: Sequence[QueueView], resource: ResourceName, depth: int) -> Iterator[Bar]:
    for queue in queues:
        found = queue.resources
        unlimited = found.unlimited
        yield Bar(
            queue=queue,
            depth=depth,
            allocated=amount(found.allocated, resource),
            requested=amount(found.requested, resource) if found.requested is not None else 0.0,
            guaranteed=None
            if unlimited is not None and resource in unlimited.guaranteed
            else amount(found.guaranteed, resource),
            share=amount(found.fair_share, resource) if found.fair_share is not None else None,
            limit=None if unlimited is not None and resource in unlimited.max else amount(found.max, resource),
        )
        yield from _rows(queue.children, resource, depth + 1)


def amount(stats: ResourceStats, resource: ResourceName) -> float:
    """In the unit that people say it in."""
    if resource == "cpu":
        return stats.milli_cpu / 1000
    if resource == "memory":
        return stats.memory / 2**30
    return stats.gpu_fraction if stats.gpu_fraction is not None else float(stats.gpu)


def gpus(job: JobView) -> float:
    """What all pods of a job ask for."""
    return sum(amount(task.requested, "gpu") for task in job.tasks if task.requested is not None)
