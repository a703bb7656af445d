"""Which of two queues is served first, each with what it would bring next."""

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


def tied_before(left: Queue, right: Queue) -> bool:
    """Which of two queues of one standing is served first: who may have less, then who is older."""
    if _less(left.allocatable, right.allocatable):
        return True
    if _less(right.allocatable, left.allocatable):
        return False
    return left.created < right.created


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
