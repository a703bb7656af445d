"""Why the scheduler makes no room for a job by itself: what keeps `reclaim` and `preempt` from it."""

from kai_snapshot.api.base import rfc3339
from kai_snapshot.simulator.model import Job
from kai_snapshot.simulator.nexttasks import asked_next
from kai_snapshot.simulator.preempt import PREEMPT
from kai_snapshot.simulator.reasons.words import QUEUE_RESOURCES, measure, number, told
from kai_snapshot.simulator.reclaim import RECLAIM, gives
from kai_snapshot.simulator.session import Session

_ORDER = (2, 0, 1)


def why_no_room_is_made(session: Session, job: Job) -> str:
    """A sentence; of the state that the next cycle begins with."""
    fault = session.settings.search.fault
    if fault and not {RECLAIM.name, PREEMPT.name}.isdisjoint(session.settings.actions):
        return (
            f"No room is made for it: scenarioSearchBudgets is not valid ({fault}), and so reclaim, preempt and "
            "consolidation do nothing."
        )
    since = max(job.created, job.last_eviction) if job.last_eviction else job.created
    if session.now < since + job.preemption_delay:
        return f"No pods are evicted for it before {rfc3339(since + job.preemption_delay)} (preemptionDelay)."
    said = [text for text in (_reclaim(session, job), _preempt(session, job)) if text]
    return f"No room is made for it: {'; '.join(said)}."


def _reclaim(session: Session, job: Job) -> str:
    queue, asked = job.queue, asked_next(job)
    assert queue is not None
    if RECLAIM.name not in session.settings.actions:
        return "reclaim is not configured"
    for i in _ORDER:
        if queue.allocated[i] + asked[i] > queue.share[i]:
            name = QUEUE_RESOURCES[i]
            fair = number(queue.share[i] / measure(name).factor)
            has = told(name, queue.allocated[i] + asked[i])
            return f"with it queue {queue.name} would have {has}, beyond its fair share of {fair}"
    if not RECLAIM.may(session, job):
        return f"with it queue {queue.name} would have more than its quota in jobs that are not preemptible"
    if job.name in session.journal.untried.get(RECLAIM.name, ()):
        return "reclaim was ended before it found victims for it, as it had searched for long"
    if RECLAIM.candidates(session, job)().lines:
        return "reclaim found no victims in other queues that would do"
    return _nothing_to_reclaim(session, job)


def _nothing_to_reclaim(session: Session, job: Job) -> str:
    asked = asked_next(job)
    assert job.queue is not None
    others = [queue for queue in session.running().queues if queue is not job.queue]
    if not others:
        return "no other queue runs a preemptible job"
    if any(gives(job, queue, asked) for queue in others):
        return "what it could reclaim from other queues is protected by their minimum runtime"
    return (
        "of the queues that run preemptible jobs, beside its own or beside those above it, none has so much that "
        "something can be reclaimed"
    )


def _preempt(session: Session, job: Job) -> str:
    if PREEMPT.name not in session.settings.actions:
        return "preempt is not configured"
    if job.name in session.journal.untried.get(PREEMPT.name, ()):
        return "preempt was ended before it found victims for it, as it had searched for long"
    if PREEMPT.candidates(session, job)().lines:
        return "preempt found no jobs of lower priority in its own queue that would do"
    assert job.queue is not None
    own = session.running().only([job.queue]).items()
    lower = [each for _, each in own if (each if isinstance(each, Job) else each.job).priority < job.priority]
    if lower:
        return "the jobs of lower priority in its own queue are protected by their minimum runtime"
    return "its own queue runs no preemptible job of lower priority"
