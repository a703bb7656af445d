"""Action `allocate`: gives jobs the places that are free, or that get free by themselves."""

from kai_snapshot.api.result import JobOutcome
from kai_snapshot.simulator.jobtree import JobTree
from kai_snapshot.simulator.model import Job
from kai_snapshot.simulator.nexttasks import is_ready, must_wait, next_tasks
from kai_snapshot.simulator.session import Session

NAME = "allocate"


def allocate(session: Session) -> None:
    """Tries each job; one that got its minimum comes again for one pod more, as long as there is room."""
    waiting = (job for job in session.jobs() if job.has_pending() and is_ready(job))
    tree = JobTree(waiting, depth=session.settings.depth.get(NAME, 0))
    while tree:
        job = tree.pop()
        assert isinstance(job, Job)
        tasks = next_tasks(job, virtual=False)
        if not session.place(job, tasks):
            session.journal.failed(job)
            continue
        waits = must_wait(job)
        if not waits and not any(task.status.allocated for task in job.tasks if task not in tasks):
            job.last_start = session.now
        outcome = JobOutcome.PIPELINED if waits else JobOutcome.ALLOCATED
        session.journal.succeeded(job, outcome, NAME, session.commit())
        if job.has_pending():
            tree.push(job)
