"""What a cycle has decided, in order."""

from dataclasses import dataclass, field

from kai_snapshot.api.result import JobOutcome
from kai_snapshot.simulator.changes import Committed
from kai_snapshot.simulator.model import Job, Task


@dataclass(frozen=True, slots=True)
class Evicted:
    """A pod that has to go."""

    task: Task
    action: str
    preemptor: Job | None


@dataclass(slots=True)
class Journal:
    """Committed decisions; a pod is named once of each kind."""

    bound: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    evicted: dict[str, Evicted] = field(default_factory=dict)
    pipelined: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, tuple[Job, JobOutcome]] = field(default_factory=dict)

    def succeeded(self, job: Job, outcome: JobOutcome, action: str, done: Committed) -> None:
        """A job gets its place."""
        for task in done.bound:
            self.bound[task.name] = task.node, task.groups
        for task in done.evicted:
            self.evicted.setdefault(task.name, Evicted(task, action, job))
        for task in done.pipelined:
            self.pipelined[task.name] = task.node
        self.outcomes[job.name] = job, outcome

    def failed(self, job: Job) -> None:
        """A job finds no place, which counts unless it had one before."""
        self.outcomes.setdefault(job.name, (job, JobOutcome.UNSCHEDULABLE))

    def stale(self, task: Task) -> None:
        """A pod goes because its gang is too small."""
        self.evicted.setdefault(task.name, Evicted(task, "stalegangeviction", None))
