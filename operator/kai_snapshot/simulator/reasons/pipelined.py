"""Which jobs have got a place that is not free yet, and whose pods have to leave it first."""

from collections import defaultdict
from collections.abc import Sequence

from kai_snapshot.api.waiting import WaitingReason
from kai_snapshot.simulator.model import Job, Task
from kai_snapshot.simulator.reasons.words import Why, counted, few
from kai_snapshot.simulator.session import Session
from kai_snapshot.simulator.status import Status


class Leaving:
    """What is on its way out when a cycle is over, by node, and the pods that come for it."""

    def __init__(self, session: Session) -> None:
        self._names = session.nodes.names
        self._promised: defaultdict[int, list[tuple[Task, int]]] = defaultdict(list)
        self._leaving: defaultdict[int, dict[str, None]] = defaultdict(dict)
        evicted = session.journal.evicted
        for task in session.cluster.tasks:
            if task.status is Status.PIPELINED and task.name not in evicted and task.job is not None:
                self._promised[id(task.job)].append((task, task.node))
            for node, entry in task.entries.items():
                if entry.status is Status.RELEASING:
                    self._leaving[node][task.job.name if task.job is not None else task.name] = None

    def promised(self, job: Job) -> int:
        """How many pods of a job wait for others to leave."""
        return len(self._promised.get(id(job), ()))

    def why(self, job: Job) -> Why:
        """Which nodes it waits for, and whose pods are on their way out there."""
        places = sorted({node for _, node in self._promised[id(job)]})
        who = sorted({name for node in places for name in self._leaving[node]})
        count = self.promised(job)
        text = f"{counted(count, 'pod')} of it wait{'s' if count == 1 else ''} on {self._listed(places)}"
        text += f" for pods on their way out, of {few(who)}." if who else " for the others that start with it."
        return Why(WaitingReason.PIPELINED, text)

    def _listed(self, nodes: Sequence[int]) -> str:
        return few([self._names[node] for node in nodes])
