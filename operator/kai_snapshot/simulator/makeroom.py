"""What the three actions that take places from others have in common: which jobs ask, in what order, and who skips."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kai_snapshot.api.result import JobOutcome
from kai_snapshot.simulator.budget import Budget
from kai_snapshot.simulator.jobtree import JobTree
from kai_snapshot.simulator.model import Job
from kai_snapshot.simulator.nexttasks import is_ready, next_tasks
from kai_snapshot.simulator.scenarios import Batches
from kai_snapshot.simulator.session import Session
from kai_snapshot.simulator.signatures import Failures
from kai_snapshot.simulator.solver import Solver
from kai_snapshot.simulator.stock import Stock


@dataclass(frozen=True, slots=True)
class Action:
    """One of the three."""

    name: str
    outcome: JobOutcome
    per_queue: bool
    """Whether a job that failed counts in its queue only."""
    asks: Callable[[Session, Job], bool]
    """Whether a job takes part."""
    may: Callable[[Session, Job], bool]
    """Whether it may try now; else it is passed over silently."""
    hopeful: Callable[[Session, Job], bool]
    """Whether trying has a chance; else it fails at once."""
    candidates: Callable[[Session, Job], Callable[[], Stock]]
    """Who may have to go for it."""
    valid: Callable[[Session, Job], Callable[[Job, Batches], bool]]
    """Which plans may be carried out."""


def make_room(session: Session, action: Action) -> None:
    """Tries each waiting job once, as long as the search may go; none if its limits are not valid."""
    limits = session.settings.search
    if limits.fault:
        session.journal.refused[action.name] = f"Invalid scenario search budget for {action.name}: {limits.fault}"
        return
    waiting = [job for job in session.jobs() if _waits(session, job) and action.asks(session, job)]
    tree = JobTree(waiting, depth=session.settings.depth.get(action.name, 0))
    failures = Failures()
    budget = limits.of_action(action.name)
    while tree:
        job = tree.pop()
        assert isinstance(job, Job)
        if not action.may(session, job):
            continue
        key = (job.queue_name if action.per_queue else "", job.signature)
        if session.settings.signatures and failures.skips(key, job):
            continue
        if any(task.shape.impossible or task.missing for task in next_tasks(job, virtual=True)):
            continue
        of_job = limits.of_job(budget)
        if of_job.over:
            session.journal.stopped(action.name, [job, *_rest(tree)])
            return
        if action.hopeful(session, job) and _solved(session, action, job, of_job):
            session.journal.succeeded(job, action.outcome, action.name, session.commit())
        elif of_job.over:  # KAI ends the whole action with it
            session.journal.stopped(action.name, [job, *_rest(tree)])
            return
        else:
            session.journal.failed(job)
            failures.failed(key, job)
        budget.spend(of_job.spent)


def _solved(session: Session, action: Action, job: Job, budget: Budget) -> bool:
    solver = Solver(session, job, action.candidates(session, job), action.valid(session, job), budget)
    solved = solver.solve()
    if solver.cut_short:
        session.journal.cut_short(action.name, job)
    return solved


def _rest(tree: JobTree) -> Iterator[Job]:
    while tree:
        job = tree.pop()
        assert isinstance(job, Job)
        yield job


def _waits(session: Session, job: Job) -> bool:
    since = max(job.created, job.last_eviction) if job.last_eviction else job.created
    return job.has_pending() and is_ready(job) and not session.now < since + job.preemption_delay
