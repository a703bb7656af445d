"""What becomes of one job in a cycle: whether it runs when that is over."""

from dataclasses import dataclass
from typing import NamedTuple

from kai_snapshot.api.result import JobOutcome, ReplayResult
from kai_snapshot.simulator.cluster import Cluster
from kai_snapshot.simulator.model import Group, PodSet

RUNNING, EVICTED, NOT_TRIED = "Running", "Evicted", "NotTried"


class Fate(NamedTuple):
    """What became of it."""

    runs: bool
    outcome: str
    """A JobOutcome, `Running`, `Evicted` or `NotTried`."""
    message: str
    """Why pods of it wait; empty if none does."""


@dataclass(frozen=True)
class Watched:
    """A job before a cycle."""

    name: str
    """namespace/name."""
    pods: frozenset[str]
    held: frozenset[str]
    """Those that have a place."""
    least: int
    """How many must run together."""

    def fate(self, result: ReplayResult) -> Fate:
        """What became of it."""
        evicted = {each.pod for each in result.evictions}
        placed = self.pods & {*(each.pod for each in result.placements), *(each.pod for each in result.pipelined)}
        runs = len((self.held - evicted) | placed) >= self.least
        outcome: str | None = next((each.outcome for each in result.pod_groups if each.name == self.name), None)
        if runs and outcome in (None, JobOutcome.UNSCHEDULABLE):
            outcome = RUNNING
        elif not runs and self.held & evicted:
            outcome = EVICTED
        message = next((each.message for each in result.waiting if each.name == self.name), "")
        return Fate(runs, outcome or NOT_TRIED, message)


def watched(cluster: Cluster, name: str) -> Watched | None:
    """The job of that name; None if the scheduler does not look after one."""
    job = next((each for each in cluster.jobs if each.name == name), None)
    if job is None:
        return None
    held = (task.name for task in job.tasks if task.status.active)
    return Watched(name, frozenset(task.name for task in job.tasks), frozenset(held), max(_least(job.root), 1))


def _least(part: Group | PodSet) -> int:
    if isinstance(part, PodSet):
        return part.minimum
    return sum(sorted(map(_least, part.children))[: part.threshold])
