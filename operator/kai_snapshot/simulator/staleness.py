"""Action `stalegangeviction`: ends gangs that have fewer pods than must run together, for too long."""

from datetime import timedelta

from kai_snapshot.simulator.model import Job
from kai_snapshot.simulator.session import Session
from kai_snapshot.simulator.status import Status

NAME = "stalegangeviction"


def evict_stale_gangs(session: Session) -> None:
    """Evicts what is left of every stale gang."""
    for job in session.jobs():
        if _is_stale(job) and _is_over(session, job):
            for task in job.tasks:
                if task.status.active:
                    session.journal.stale(task)


def _is_stale(job: Job) -> bool:
    if any(task.status is Status.SUCCEEDED for task in job.tasks) or not any(task.status.used for task in job.tasks):
        return False
    return any(sum(task.status.used for task in each.tasks) < each.minimum for each in job.pod_sets)


def _is_over(session: Session, job: Job) -> bool:
    grace = session.settings.stale_grace if job.grace is None else job.grace
    return grace >= timedelta(0) and session.now - (job.stale_since or session.now) >= grace
