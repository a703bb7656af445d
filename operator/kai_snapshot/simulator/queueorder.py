"""Which of two queues is served first, each with what it would bring next."""

from collections.abc import Iterable

from kai_snapshot.simulator.model import NOTHING, UNLIMITED, Queue, Standing, Triple


def standing(queue: Queue, job: Triple, victims: Triple = NOTHING) -> Standing:
    """A queue's place with that job, or without those victims; the smaller is served first."""
    have, share, quota, most = queue.allocated, queue.share, queue.quota, queue.allocatable
    over = have[0] > share[0] and have[1] > share[1] and have[2] > share[2]
    cpu, memory, gpu = have[0] + job[0], have[1] + job[1], have[2] + job[2]
    within = (
        (quota[0] == UNLIMITED or cpu <= quota[0])
        and (quota[1] == UNLIMITED or memory <= quota[1])
        and (quota[2] == UNLIMITED or gpu <= quota[2])
    )
    barred = (most[0] == 0 and cpu > 0) or (most[1] == 0 and memory > 0) or (most[2] == 0 and gpu > 0)
    use = _dominant(queue, cpu - victims[0], memory - victims[1], gpu - victims[2])
    return over, not within, -queue.priority, barred, use, _dominant(queue, have[0], have[1], have[2])


def standing_with(queue: Queue, job: Triple) -> Standing:
    """The same with a job, which is kept until what the queue has changes."""
    known = queue.standing.get(job)
    if known is None:
        known = queue.standing[job] = standing(queue, job)
    return known


def tied_before(left: Queue, right: Queue) -> bool:
    """Which of two queues of one standing is served first: who may have less, then who is older."""
    if _less(left.allocatable, right.allocatable):
        return True
    if _less(right.allocatable, left.allocatable):
        return False
    return left.created < right.created


class Ahead:
    """Whether queues, each within the one before, stay ahead of one beside each, by what the last brings next."""

    def __init__(self, queues: Iterable[tuple[Queue, Queue, Standing]]) -> None:
        """Each with the one beside it, and how that stands."""
        self._limits = list(queues)
        self._most: Triple = (-1.0, -1.0, -1.0)
        """They do with this, and so with all that is no more."""

    def with_job(self, asked: Triple) -> bool:
        """Whether they do if the next job asks for so much."""
        most = self._most
        if asked[0] <= most[0] and asked[1] <= most[1] and asked[2] <= most[2]:
            return True
        larger = max(asked[0], most[0]), max(asked[1], most[1]), max(asked[2], most[2])
        if self._with(larger):
            self._most = larger
            return True
        return larger != asked and self._with(asked)

    def _with(self, asked: Triple) -> bool:
        for queue, other, limit in self._limits:
            own = standing_with(queue, asked)
            if limit < own or (limit == own and tied_before(other, queue)):
                return False
        return True


def _dominant(queue: Queue, cpu: float, memory: float, gpu: float) -> float:
    """The largest part it has of what it may have."""
    by = queue.divisors
    return max(
        cpu / by[0] if by[0] else 1000 * cpu,
        memory / by[1] if by[1] else 1000 * memory,
        gpu / by[2] if by[2] else 1000 * gpu,
    )


def _less(left: Triple, right: Triple) -> bool:
    pairs = [(_number(mine), _number(other)) for mine, other in zip(left, right, strict=True)]
    return all(mine <= other for mine, other in pairs) and any(mine < other for mine, other in pairs)


def _number(amount: float) -> float:
    return float("inf") if amount == UNLIMITED else amount
