"""How long a job may run before it can be evicted."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from kai_snapshot.simulator.duration import duration
from kai_snapshot.simulator.model import Job, Queue, Settings
from kai_snapshot.simulator.scenarios import Batches


def protected(job: Job, least: timedelta, now: datetime) -> bool:
    """Whether it has not yet run for so long."""
    return job.last_start is not None and now < job.last_start + least


def is_elastic(job: Job) -> bool:
    """Whether it has more pods, in whatever state, than must run together."""
    return any(len(each.tasks) > each.minimum for each in job.pod_sets)


def spares_core(batches: Batches, protected_jobs: Sequence[Job]) -> bool:
    """Whether protected elastic jobs keep what must run together.

    KAI counts pods on their way out as running, so what others have taken from a job before does not count.
    """
    for job in protected_jobs:
        gone = Counter(id(task) for batch in batches if batch.job is job for task in batch.tasks)
        if not is_elastic(job):
            continue
        for pod_set in job.pod_sets:
            leaving = sum(gone[id(task)] for task in pod_set.tasks)
            if leaving and sum(task.status.used for task in pod_set.tasks) - leaving < pod_set.minimum:
                return False
    return True


def preempt_runtime(victim: Job, settings: Settings) -> timedelta:
    """The least time before preemption: of the victim's queue, or the next above that has one."""
    assert victim.queue is not None
    found = (queue.preempt_min_runtime for queue in victim.queue.path)
    return _first(found, settings.argument("minruntime", "defaultPreemptMinRuntime", ""))


def reclaim_runtime(job: Job, victim: Queue, settings: Settings) -> timedelta:
    """The least time before reclaim: of the queue below the nearest that both have in common, or the next above.

    With `reclaimResolveMethod: queue` of the victim's queue, or the next above.
    """
    assert job.queue is not None
    above = set(map(id, job.queue.path))
    own = [queue for queue in victim.path if id(queue) not in above]
    by_queue = settings.argument("minruntime", "reclaimResolveMethod", "") == "queue"
    considered = victim.path[0 if by_queue else max(len(own) - 1, 0) :]
    found = (queue.reclaim_min_runtime for queue in considered)
    return _first(found, settings.argument("minruntime", "defaultReclaimMinRuntime", ""))


def _first(found: Iterator[timedelta | None], default: str) -> timedelta:
    said = next((each for each in found if each is not None), None)
    return said if said is not None else duration(default) or timedelta(0)
