"""Makes room for a job: searches victims, plays through what would follow, and keeps the first plan that is good."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from kai_snapshot.simulator import capacity
from kai_snapshot.simulator.budget import Budget
from kai_snapshot.simulator.model import Group, Job, PodSet, Task
from kai_snapshot.simulator.nexttasks import asked_next, next_tasks, rank, total_claimed
from kai_snapshot.simulator.nodes import Flags
from kai_snapshot.simulator.scenarios import GENERATORS, Batches, Generator, Search
from kai_snapshot.simulator.session import Session
from kai_snapshot.simulator.status import Status
from kai_snapshot.simulator.stock import Stock

Candidates = Callable[[], Stock]
Valid = Callable[[Job, Batches], bool]
"""Whether a plan may be carried out, of the job with the pods it gets and all victims."""


class Solver:
    """Searches for one job."""

    def __init__(self, session: Session, job: Job, candidates: Candidates, valid: Valid, budget: Budget) -> None:
        self._session = session
        self._job = job
        self._candidates = candidates
        self._valid = valid
        self._budget = budget
        self.cut_short = False
        """Whether a limit ended the search, or a part of it."""
        self._tasks = list(next_tasks(job, virtual=True))
        self._waiting = session.waiting()
        self._order = session.random.getrandbits(32)
        self._failed: set[tuple[int, frozenset[int], frozenset[int]]] = set()

    def solve(self) -> bool:
        """Whether there is a plan, which then stands in the session's changes."""
        session, changes = self._session, self._session.changes
        mark = changes.mark()
        before = [_used(pod_set) for pod_set in self._job.pod_sets]
        for name in session.settings.plugins:
            if name not in GENERATORS:
                continue
            budget = session.settings.search.of_generator(name, self._budget)
            found = self._with(GENERATORS[name], budget)
            self.cut_short |= budget.over
            if found:
                after = [_used(pod_set) for pod_set in self._job.pod_sets]
                enough = all(used >= each.minimum for used, each in zip(after, self._job.pod_sets, strict=True))
                if enough and sum(after) > sum(before):
                    return True
                changes.undo(mark)
        return False

    def _with(self, generator: Generator, budget: Budget) -> bool:
        """Finds out with how few victims ever more of the pods get a place, then places all."""
        most, count = len(self._tasks), 1
        recorded: Batches = []
        good, bad = 0, most + 1
        while bad - good > 1:
            mark = self._session.changes.mark()
            found = self._probe(generator, count, recorded, budget)
            self._session.changes.undo(mark)
            if found is None:
                bad = count
            else:
                good, recorded = count, found
            count = min(2 * count, most) if bad > most else (good + bad) // 2
        return good > 0 and self._probe(generator, most, recorded, budget) is not None

    def _probe(self, generator: Generator, count: int, recorded: Batches, budget: Budget) -> Batches | None:
        """Tries to place the first pods; the victims if it works, and the changes stand."""
        session = self._session
        clone = self._clone(self._tasks[:count])
        feasible = self._feasible(recorded)
        search = Search(
            nodes=session.nodes,
            predicates=session.placer.predicates,
            root=clone.root,
            pending=self._tasks[:count],
            tree=partial(session.victims, self._candidates(), self._order),
            recorded=recorded,
            feasible=feasible,
            budget=budget,
        )
        of_recorded = frozenset(id(task) for batch in recorded for task in batch.tasks)
        for potential in generator(search):
            if budget.over:
                break
            budget.spend(1 + sum(len(batch.tasks) for batch in potential))
            key = count, of_recorded, frozenset(id(task) for batch in potential for task in batch.tasks)
            if key in self._failed:
                continue
            mark = session.changes.mark()
            victims = [*recorded, *potential]
            if self._play(clone, victims, feasible) and self._valid(clone, victims):
                return [batch for batch in victims if any(_goes(task) for task in batch.tasks)]
            session.changes.undo(mark)
            self._failed.add(key)
        return None

    def _play(self, clone: Job, victims: Batches, feasible: Flags) -> bool:
        """Evicts the victims, and lets them and the job look for places in the order of queues."""
        session = self._session
        if not victims:
            return False
        within = feasible.copy()
        owners: dict[int, Job] = {}
        for batch in victims:
            owners[id(batch.job)] = batch.job
            for task in batch.tasks:
                within[task.node] = True
                session.changes.evict(task)
        tasks = next_tasks(clone, virtual=True)
        if not self._has_room(clone, tasks, within):
            return False
        for job in self._in_turn(clone, owners):
            if not session.placer.place(job, next_tasks(job, virtual=True), within, wait=True):
                if job is clone:
                    return False
                next_tasks(job, virtual=True)  # what KAI keeps of a victim: it is not looked for again once it has gone
        return True

    def _in_turn(self, clone: Job, owners: Mapping[int, Job]) -> Iterator[Job]:
        """The job and the victims' jobs, in the order of queues as it changes while they get their places.

        All that wait shape that order, but where the queue is one and the same.
        """
        if all(owner.queue is clone.queue for owner in owners.values()):
            yield from sorted([*owners.values(), clone], key=rank)
            return
        tree = self._session.tree(self._waiting, [*owners.values(), clone], without=[*owners.values(), self._job])
        for _ in range(len(owners) + 1):
            job = tree.pop_besides()
            assert isinstance(job, Job)
            yield job

    def _has_room(self, clone: Job, tasks: Sequence[Task], within: Flags) -> bool:
        """Whether each pod alone would have a place: nobody who comes back makes more room."""
        if not capacity.fits(clone, total_claimed(tasks)):
            return False
        shapes = {id(task.shape): task for task in tasks}
        return all(self._session.placer.fits_somewhere(task, within) for task in shapes.values())

    def _feasible(self, recorded: Batches) -> Flags:
        nodes = self._session.nodes
        if any(task.shape.request.cpu_only for task in self._job.tasks):
            feasible: Flags = nodes.ready | True
            return feasible
        feasible = (nodes.sum_idle() > 0) | (nodes.sum_releasing() > 0)
        for batch in recorded:
            for task in batch.tasks:
                feasible[task.node] = True
        return feasible

    def _clone(self, tasks: Sequence[Task]) -> Job:
        """The job as if it had these pods only, besides those that have a place."""
        kept = {id(task) for task in tasks}
        root = _kept(self._job.root, kept)
        pod_sets = list(root.sets())
        clone = replace(
            self._job,
            root=root,
            pod_sets=pod_sets,
            tasks=[task for each in pod_sets for task in each.tasks],
            next_cache={},
            asked_cache=None,
            rank_cache=None,
        )
        asked_next(clone)
        rank(clone)
        return clone


def _kept(group: Group, kept: set[int]) -> Group:
    children: list[Group | PodSet] = []
    for child in group.children:
        if isinstance(child, Group):
            children.append(_kept(child, kept))
        else:
            tasks = [task for task in child.tasks if task.status.active or id(task) in kept]
            children.append(PodSet(child.name, min(child.minimum, len(tasks)), tasks, child.topology))
    return Group(group.name, group.threshold, children, group.topology)


def _used(pod_set: PodSet) -> int:
    return sum(task.status.used for task in pod_set.tasks)


def _goes(task: Task) -> bool:
    return task.status in (Status.RELEASING, Status.PIPELINED)
