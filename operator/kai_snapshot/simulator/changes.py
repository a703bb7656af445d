"""What a cycle plans: pods bound, pipelined and evicted on the virtual state, each undone one by one or committed."""

from dataclasses import dataclass, field
from enum import Enum

from kai_snapshot.simulator.model import Job, Task, Triple
from kai_snapshot.simulator.nodes import Nodes
from kai_snapshot.simulator.status import Status


class Kind(Enum):
    """What is done to a pod."""

    PLACE = "place"
    EVICT = "evict"
    RESTORE = "restore"


@dataclass(eq=False, slots=True)
class Change:
    """One step, with what was before."""

    kind: Kind
    task: Task
    amount: Triple
    status: Status
    node: int
    groups: tuple[str, ...]
    virtual: bool
    undoes: "Change | None" = None
    undone: bool = False


@dataclass(slots=True)
class Committed:
    """What of a plan is carried out."""

    bound: list[Task] = field(default_factory=list)
    evicted: list[Task] = field(default_factory=list)
    pipelined: list[Task] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    """All that have a pod of which something was planned."""


class Changes:
    """The plan in progress. Steps are taken on `nodes`, queues and pods at once."""

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        self._steps: list[Change] = []

    def mark(self) -> int:
        """Where the plan stands, for `undo`."""
        return len(self._steps)

    def place(self, task: Task, node: int, groups: tuple[str, ...], status: Status) -> None:
        """Binds a pod, or pipelines it."""
        self.nodes.add(task, node, status, groups)
        amount = self.nodes.accepted(task, node)
        self._note(Kind.PLACE, task, amount)
        _count(task, amount, +1)
        _set(task, status, node, groups, virtual=True)

    def evict(self, task: Task) -> None:
        """Plans to evict a pod."""
        amount = self.nodes.accepted(task, task.node)
        self._reenter(task, Status.RELEASING, task.groups)
        self._note(Kind.EVICT, task, amount)
        _count(task, amount, -1)
        _set(task, Status.RELEASING, task.node, task.groups, virtual=True)

    def can_restore(self, task: Task, node: int, groups: tuple[str, ...]) -> bool:
        """Whether placing an evicted pod there is to let it stay: it holds the same GPUs on that node already."""
        entry = task.entries.get(node)
        return (
            entry is not None
            and (not task.shape.request.shared or sorted(entry.groups) == sorted(groups))
            and self._eviction(task) is not None
        )

    def restore(self, task: Task) -> None:
        """Drops the eviction of a pod."""
        eviction = self._eviction(task)
        assert eviction is not None
        self._reenter(task, eviction.status, eviction.groups)
        self._note(Kind.RESTORE, task, eviction.amount)
        self._steps[-1].undoes = eviction
        eviction.undone = True
        _count(task, eviction.amount, +1)
        _set(task, eviction.status, eviction.node, eviction.groups, virtual=eviction.virtual)

    def undo(self, mark: int) -> None:
        """Takes back all steps since `mark`, the last one first."""
        while len(self._steps) > mark:
            step = self._steps.pop()
            task = step.task
            if step.kind is Kind.PLACE:
                self.nodes.remove(task, task.node)
                _count(task, step.amount, -1)
            elif step.kind is Kind.EVICT:
                self._reenter(task, step.status, step.groups)
                _count(task, step.amount, +1)
            else:
                self._reenter(task, Status.RELEASING, task.groups)
                _count(task, step.amount, -1)
                if step.undoes is not None:
                    step.undoes.undone = False
            _set(task, step.status, step.node, step.groups, virtual=step.virtual)

    def pipeline_bound(self, mark: int) -> None:
        """Makes pods that were bound since `mark` wait with the others of their gang."""
        for step in self._steps[mark:]:
            if step.kind is Kind.PLACE and step.task.status is Status.ALLOCATED:
                self._reenter(step.task, Status.PIPELINED, step.task.groups)
                _set(step.task, Status.PIPELINED, step.task.node, step.task.groups, virtual=True)

    def commit(self) -> Committed:
        """Carries the plan out."""
        done = Committed()
        steps, self._steps = self._steps, []
        done.jobs.extend(step.task.job for step in steps if step.task.job is not None)
        evictions = [step for step in steps if step.kind is Kind.EVICT and not step.undone]
        failed: set[int] = set()
        for step in evictions:
            task = step.task
            done.evicted.append(task)
            if task.removed:  # in a replay the pod is gone, and evicting it again fails: it stays as it was planned
                self._fail(step)
                failed.add(id(task))
        for step in evictions:  # it is gone a moment after: who is evicted twice by one plan is not missed
            step.task.removed = True
        for step in steps:
            task = step.task
            task.virtual = id(task) in failed
            if step.kind is Kind.PLACE:
                if task.status is Status.ALLOCATED:
                    _set(task, Status.BINDING, task.node, task.groups, virtual=False)
                    task.entries[task.node].status = Status.BINDING
                    done.bound.append(task)
                elif task.status is Status.PIPELINED:
                    done.pipelined.append(task)
        return done

    def _fail(self, eviction: Change) -> None:
        task = eviction.task
        if entry := task.entries.get(eviction.node):
            self.nodes.remove(task, eviction.node)
            self.nodes.add(task, eviction.node, task.status, entry.groups)
        _count(task, eviction.amount, +1)

    def _eviction(self, task: Task) -> Change | None:
        return next(
            (
                step
                for step in reversed(self._steps)
                if step.task is task and step.kind is Kind.EVICT and not step.undone
            ),
            None,
        )

    def _reenter(self, task: Task, status: Status, groups: tuple[str, ...]) -> None:
        """Changes with what status a pod stands on its node."""
        self.nodes.remove(task, task.node)
        self.nodes.add(task, task.node, status, groups)

    def _note(self, kind: Kind, task: Task, amount: Triple) -> None:
        self._steps.append(Change(kind, task, amount, task.status, task.node, task.groups, task.virtual))


def _set(task: Task, status: Status, node: int, groups: tuple[str, ...], *, virtual: bool) -> None:
    task.status, task.node, task.groups, task.virtual = status, node, groups, virtual
    if task.job is not None:
        task.job.changed()


def _count(task: Task, amount: Triple, sign: float) -> None:
    job = task.job
    if job is not None and job.queue is not None:
        job.queue.add(amount, sign, held=not job.preemptible)
