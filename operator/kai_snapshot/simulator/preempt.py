"""Action `preempt`: a job takes the places of jobs of lower priority in its own queue."""

from collections.abc import Callable

from kai_snapshot.api.result import JobOutcome
from kai_snapshot.simulator import capacity, runtime
from kai_snapshot.simulator.makeroom import Action
from kai_snapshot.simulator.model import Job
from kai_snapshot.simulator.nexttasks import next_tasks, total_claimed
from kai_snapshot.simulator.scenarios import Batches
from kai_snapshot.simulator.session import Session
from kai_snapshot.simulator.stock import Member, Stock
from kai_snapshot.simulator.victims import Victim


def _always(session: Session, job: Job) -> bool:
    del session, job
    return True


def _hopeful(session: Session, job: Job) -> bool:
    del session
    return not capacity.over_quota(job, total_claimed(next_tasks(job, virtual=True)))


def _candidates(session: Session, job: Job) -> Callable[[], Stock]:
    assert job.queue is not None
    own = session.running().only([job.queue])
    stock = Stock.of(item for item in own.items() if _may_go(session, item[1], job.priority))
    return lambda: stock


def _may_go(session: Session, member: Member, priority: int) -> bool:
    victim = member.job if isinstance(member, Victim) else member
    return victim.priority < priority and (not _is_protected(session, victim) or runtime.is_elastic(victim))


def _is_protected(session: Session, victim: Job) -> bool:
    return runtime.protected(victim, runtime.preempt_runtime(victim, session.settings), session.now)


def _valid(session: Session, job: Job) -> Callable[[Job, Batches], bool]:
    del job

    def valid(clone: Job, batches: Batches) -> bool:
        del clone
        return runtime.spares_core(batches, [batch.job for batch in batches if _is_protected(session, batch.job)])

    return valid


PREEMPT = Action(
    name="preempt",
    outcome=JobOutcome.PREEMPTED,
    per_queue=True,
    asks=_always,
    may=_always,
    hopeful=_hopeful,
    candidates=_candidates,
    valid=_valid,
)
