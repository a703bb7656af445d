"""What a cycle has decided, in order."""

from collections.abc import Iterable
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
    short: dict[str, list[str]] = field(default_factory=dict)
    """By action, the jobs for which the search for victims ended at a limit."""
    refused: dict[str, str] = field(default_factory=dict)
    """By action that did nothing, as its settings are not valid, what the scheduler logs of it."""
    untried: dict[str, frozenset[str]] = field(default_factory=dict)
    """By action that ended at its limit, the jobs that it did not come to, or not to an end with."""

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

    def cut_short(self, action: str, job: Job) -> None:
        """The search for a job ended at a limit."""
        self.short.setdefault(action, []).append(job.name)

    def stopped(self, action: str, jobs: Iterable[Job]) -> None:
        """An action ended at its limit, before these jobs."""
        self.untried[action] = frozenset(job.name for job in jobs)

    def stale(self, task: Task) -> None:
        """A pod goes because its gang is too small."""
        self.evicted.setdefault(task.name, Evicted(task, "stalegangeviction", None))
