"""Limits and quotas: whether a queue, and all above it, may take more."""

from kai_snapshot.simulator.model import UNLIMITED, Job, Triple


def over_limit(job: Job, amount: Triple) -> bool:
    """Whether so much more would be beyond the limit of a queue."""
    return job.queue is not None and any(
        amount[i] != 0 and queue.limit[i] != UNLIMITED and queue.limit[i] < queue.allocated[i] + amount[i]
        for queue in job.queue.path
        for i in (0, 1, 2)
    )


def over_quota(job: Job, amount: Triple) -> bool:
    """Whether so much more for a job that cannot be evicted would be beyond the quota of a queue."""
    return (
        not job.preemptible
        and job.queue is not None
        and any(
            amount[i] != 0 and queue.quota[i] != UNLIMITED and queue.quota[i] < queue.held[i] + amount[i]
            for queue in job.queue.path
            for i in (0, 1, 2)
        )
    )


def fits(job: Job, amount: Triple) -> bool:
    """Whether the job may have so much more."""
    return not over_limit(job, amount) and not over_quota(job, amount)
