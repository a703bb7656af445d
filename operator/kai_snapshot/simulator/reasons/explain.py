"""Why each job waits that has pods without a place when a cycle is over."""

from collections.abc import Sequence
from dataclasses import replace

from kai_snapshot.api.waiting import Need, NeedKind, WaitingJob, WaitingReason
from kai_snapshot.simulator.allocate import NAME as ALLOCATE
from kai_snapshot.simulator.halt import Halt
from kai_snapshot.simulator.model import Job, Task
from kai_snapshot.simulator.nexttasks import next_tasks
from kai_snapshot.simulator.reasons.capacity import why_over
from kai_snapshot.simulator.reasons.evicting import why_no_room_is_made
from kai_snapshot.simulator.reasons.nodes import Suitable
from kai_snapshot.simulator.reasons.pipelined import Leaving
from kai_snapshot.simulator.reasons.room import Room
from kai_snapshot.simulator.reasons.settled import settled
from kai_snapshot.simulator.reasons.topology import why_no_domain
from kai_snapshot.simulator.reasons.untried import why_ignored, why_untried
from kai_snapshot.simulator.reasons.words import Why, few
from kai_snapshot.simulator.session import Session
from kai_snapshot.simulator.status import Status

_ROOM = "There is room for it, taken alone, once what this cycle decided is carried out"


def explain(session: Session, halted: Halt | None = None) -> tuple[WaitingJob, ...]:
    """All of them, by name.

    Numbers are of the state when all that the cycle decided is carried out. The session cannot go on after it.
    """
    leaving = Leaving(session)
    journal = session.journal
    after = settled(session)
    after.journal = journal
    places = _Places(after)
    found = [_waiting(each.name, each.queue_name, each.pods, why_ignored(each)) for each in session.cluster.ignored]
    for job in session.cluster.jobs:
        pods = sum(task.status in (Status.PENDING, Status.GATED) for task in job.tasks)
        if promised := leaving.promised(job):
            found.append(_waiting(job.name, job.queue_name, pods + promised, leaving.why(job)))
        elif pods:
            why = why_untried(after, job, halted) or places.why(job)
            found.append(_waiting(job.name, job.queue_name, pods, why))
    return tuple(sorted(found, key=lambda each: each.name))


def _waiting(name: str, queue: str, pods: int, why: Why) -> WaitingJob:
    return WaitingJob(name=name, queue=queue, pods=pods, reason=why.reason, message=why.message, needs=why.needs)


class _Places:
    """Jobs that the scheduler tries: whether they may have what they ask for, and where it would be."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._suitable = Suitable(session.nodes, session.placer.predicates)
        self._room = Room(session, self._suitable)
        self._known: dict[tuple[object, ...], Why | None] = {}
        """By the kinds of the pods that come next, and by the job where it has pods already."""

    def why(self, job: Job) -> Why:
        """Why it has no place."""
        tasks = next_tasks(job, virtual=False)
        if not tasks:
            text = "The subgroups that come first have no pod that waits, and others are not tried before those run."
            return Why(WaitingReason.TOO_FEW_PODS, text)
        why = self._refused(job, tasks) or self._no_place(job, tasks)
        if why is None:
            tried = "" if self._session.settings.depth.get(ALLOCATE) else "; the next one tries it again"
            return Why(WaitingReason.ROOM_NEXT_CYCLE, f"{_ROOM}{tried}.")
        if why.evicting:
            return replace(why, message=f"{why.message} {why_no_room_is_made(self._session, job)}")
        return why

    def _refused(self, job: Job, tasks: Sequence[Task]) -> Why | None:
        """Whatever is on the nodes."""
        if missing := sorted({name for task in tasks for name in task.missing}):
            needs = tuple(Need(what=NeedKind.CONFIG_MAP, name=name) for name in missing)
            text = f"There is no ConfigMap {few(missing)} in its namespace."
            return Why(WaitingReason.CONFIG_MAP_MISSING, text, needs)
        if why := why_over(job, tasks, self._session.nodes, self._session.placer.predicates.allowed):
            return why
        for shape in {id(task.shape): task.shape for task in tasks}.values():
            if not self._suitable.of(shape).any():
                return self._suitable.why_none(shape)
        return None

    def _no_place(self, job: Job, tasks: Sequence[Task]) -> Why | None:
        if job.constrained:
            return self._no_place_together(job, tasks)
        key = (id(job) if job.has_active() else 0, *(self._suitable.kind(task.shape) for task in tasks))
        if key not in self._known:
            self._known[key] = self._room.why_none(job, tasks)
        return self._known[key]

    def _no_place_together(self, job: Job, tasks: Sequence[Task]) -> Why | None:
        mark = self._session.changes.mark()
        fits = self._session.placer.place(job, tasks)
        self._session.changes.undo(mark)
        if fits:
            return None
        job.constrained = False
        why = self._room.why_none(job, tasks)
        job.constrained = True
        return why if why is not None else why_no_domain(self._session, job, tasks)
