"""Action `reclaim`: a queue below its share takes back what other queues have beyond theirs."""

from collections.abc import Callable

from kai_snapshot.api.result import JobOutcome
from kai_snapshot.simulator import runtime
from kai_snapshot.simulator.makeroom import Action
from kai_snapshot.simulator.model import UNLIMITED, Job, Queue, Triple
from kai_snapshot.simulator.nexttasks import asked_next
from kai_snapshot.simulator.queuepaths import first_different
from kai_snapshot.simulator.reclaimable import Reclaimable
from kai_snapshot.simulator.scenarios import Batches
from kai_snapshot.simulator.session import Session
from kai_snapshot.simulator.stock import Member, Stock
from kai_snapshot.simulator.victims import Victim

RESOURCES = (0, 1, 2)


def _asks(session: Session, job: Job) -> bool:
    del session, job
    return True


def _may(session: Session, job: Job) -> bool:
    """Whether its queue stays within its share with it, and within its quota where it cannot be evicted again."""
    del session
    queue, asked = job.queue, asked_next(job)
    assert queue is not None
    if any(queue.allocated[i] + asked[i] > queue.share[i] for i in RESOURCES):
        return False
    return job.preemptible or all(
        queue.quota[i] == UNLIMITED or queue.held[i] + asked[i] <= queue.quota[i] for i in RESOURCES
    )


def _hopeful(session: Session, job: Job) -> bool:
    del session, job
    return True


def _candidates(session: Session, job: Job) -> Callable[[], Stock]:
    asked, running = asked_next(job), session.running()
    stock = running.only(queue for queue in running.queues if queue is not job.queue and gives(job, queue, asked))
    if any(runtime.reclaim_runtime(job, queue, session.settings) for queue in stock.queues):
        stock = Stock.of(item for item in stock.items() if not _is_protected(session, job, item[1]))
    return lambda: stock


def _is_protected(session: Session, job: Job, member: Member) -> bool:
    victim = member.job if isinstance(member, Victim) else member
    assert victim.queue is not None
    least = runtime.reclaim_runtime(job, victim.queue, session.settings)
    return runtime.protected(victim, least, session.now) and not runtime.is_elastic(victim)


def gives(job: Job, victim: Queue, asked: Triple) -> bool:
    """Whether a queue has so much that something can be taken from it."""
    assert job.queue is not None
    taker, giver = first_different(job.queue, victim)
    if any(taker.quota[i] != UNLIMITED and taker.allocated[i] + asked[i] > taker.quota[i] for i in RESOURCES):
        return any(giver.allocatable[i] != UNLIMITED and giver.allocated[i] > giver.allocatable[i] for i in RESOURCES)
    limited = [i for i in RESOURCES if asked[i] > 0 and giver.quota[i] != UNLIMITED]
    if any(giver.allocated[i] > giver.quota[i] for i in limited):
        return True
    return not any(giver.allocated[i] < giver.quota[i] for i in limited)


def _valid(session: Session, job: Job) -> Callable[[Job, Batches], bool]:
    before = {
        name: ((q.allocated[0], q.allocated[1], q.allocated[2]), (q.held[0], q.held[1], q.held[2]))
        for name, q in session.cluster.queues.items()
    }
    saturation = session.settings.number("proportion", "relcaimerSaturationMultiplier", 1.0)
    rule = Reclaimable(before, max(saturation, 1.0), session.nodes, ignore_moved=session.settings.consolidating_reclaim)

    def valid(clone: Job, batches: Batches) -> bool:
        spared = [
            batch.job
            for batch in batches
            if batch.job.queue is not None
            and runtime.protected(
                batch.job, runtime.reclaim_runtime(job, batch.job.queue, session.settings), session.now
            )
        ]
        return runtime.spares_core(batches, spared) and rule.allows(clone, batches)

    return valid


RECLAIM = Action(
    name="reclaim",
    outcome=JobOutcome.RECLAIMED,
    per_queue=True,
    asks=_asks,
    may=_may,
    hopeful=_hopeful,
    candidates=_candidates,
    valid=_valid,
)
