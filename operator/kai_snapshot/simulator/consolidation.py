"""Action `consolidation`: moves running jobs together, so that what is free becomes large enough."""

from collections.abc import Callable

from kai_snapshot.api.result import JobOutcome
from kai_snapshot.simulator.makeroom import Action
from kai_snapshot.simulator.model import Job
from kai_snapshot.simulator.nexttasks import next_tasks
from kai_snapshot.simulator.request import GpuKind
from kai_snapshot.simulator.scenarios import Batches
from kai_snapshot.simulator.session import Session
from kai_snapshot.simulator.stock import Member, Stock
from kai_snapshot.simulator.victims import Victim


def _asks(session: Session, job: Job) -> bool:
    return job.preemptible and session.settings.consolidation_victims != 0


def _may(session: Session, job: Job) -> bool:
    del session, job
    return True


def _hopeful(session: Session, job: Job) -> bool:
    """Whether all that is free would do."""
    nodes, tasks = session.nodes, next_tasks(job, virtual=True)
    free = float((nodes.sum_idle() + nodes.sum_releasing())[nodes.ready].sum())
    if free < sum(task.shape.counted_gpus for task in tasks):
        return False
    memory = sum(
        task.shape.request.device_memory * task.shape.request.devices
        for task in tasks
        if task.shape.request.kind is GpuKind.MEMORY
    )
    return memory == 0 or nodes.sum_memory() >= memory


def _candidates(session: Session, job: Job) -> Callable[[], Stock]:
    found = [item for item in session.running().items() if _may_move(item[1], job)]
    most = session.settings.consolidation_victims + 1

    def drawn() -> Stock:
        return Stock.of(found if len(found) <= most else session.random.sample(found, most))

    return drawn


def _may_move(member: Member, job: Job) -> bool:
    victim = member.job if isinstance(member, Victim) else member
    return victim is not job and any(task.status.alive and task.node >= 0 for task in victim.tasks)


def _valid(session: Session, job: Job) -> Callable[[Job, Batches], bool]:
    del session, job
    return _all_move


def _all_move(clone: Job, batches: Batches) -> bool:
    """Whether every victim has a place again."""
    del clone
    return all(task.status.active for batch in batches for task in batch.tasks)


CONSOLIDATION = Action(
    name="consolidation",
    outcome=JobOutcome.CONSOLIDATED,
    per_queue=False,
    asks=_asks,
    may=_may,
    hopeful=_hopeful,
    candidates=_candidates,
    valid=_valid,
)
