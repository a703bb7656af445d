"""The smallest quota of a queue with which a job runs.

More quota can hurt a job: others of its queue come before it then. So quotas are tried one by one from below, or every
so many where there are too many, and it is not assumed that a larger one does what a smaller one did.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from kai_snapshot.api.preparation import Patch
from kai_snapshot.api.quotasweep import QueueResource, QuotaSweep, QuotaTried
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.simulator import cycle
from kai_snapshot.simulator.cluster import Cluster, build
from kai_snapshot.simulator.collect import Collected, Object
from kai_snapshot.simulator.fairshare import requestable
from kai_snapshot.simulator.fate import Watched, watched
from kai_snapshot.simulator.quota import UNITS, above, quota, with_quota
from kai_snapshot.simulator.simulate import simulate
from kai_snapshot.simulator.whatif import patched

MOST = 100
"""Quotas that are tried at even distances; if one does, those before it are tried as well."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked."""

    job: str
    """namespace/name."""
    queue: str | None = None
    """The queue whose quota is tried: the job's unless given, or one above it."""
    resource: QueueResource = "gpu"
    raise_parents: bool = False
    """Whether the quotas of the queues above grow by as much. What is reclaimed from queues below others is limited by
    the shares of those above, and jobs that cannot be evicted have to fit into the quotas of all of them."""


def sweep(
    collected: Collected,
    question: Question,
    *,
    clock: Callable[[], float],
    now: datetime | None = None,
    tell: Callable[[QuotaTried], None] | None = None,
) -> QuotaSweep:
    """Simulates with quotas from what the queue has to what its jobs ask for; `tell` is told of each.

    The queues have to be changeable in what is loaded. Raises TerminalError: InvalidSpec if there is no such job or
    queue, ConfigNull.
    """
    at = now or collected.captured_at
    return _Sweep(collected, question, clock=clock, now=at, tell=tell).run()


class _Sweep:
    def __init__(
        self,
        collected: Collected,
        question: Question,
        *,
        clock: Callable[[], float],
        now: datetime,
        tell: Callable[[QuotaTried], None] | None,
    ) -> None:
        self.collected, self.question, self.clock, self.now, self.tell = collected, question, clock, now, tell
        cluster = build(collected, now=now)
        self.job, (self.queue, *self.parents) = _known(collected, cluster, question)
        self.present = quota(self.queue, question.resource)
        self.quotas = self._quotas(cluster)
        self.step = math.ceil(len(self.quotas) / MOST)
        self.tried: dict[float | None, QuotaTried] = {}
        self.unmodelled = cluster.unmodelled

    def run(self) -> QuotaSweep:
        question = self.question
        smallest = self._search()
        found = smallest in self.tried and self.tried[smallest].runs
        return QuotaSweep(
            now=self.now,
            job=question.job,
            queue=self.queue["metadata"]["name"],
            resource=question.resource,
            unit=UNITS[question.resource].name,
            raise_parents=question.raise_parents,
            present=self.present,
            step=self.step,
            smallest=smallest,
            found=found,
            tried=tuple(sorted(self.tried.values(), key=lambda each: each.quota or 0.0)),
            parents_would_help=None if found else self._parents_would_help(),
            patches=self._patches(smallest, parents=question.raise_parents),
            adaptations=self.collected.adaptations,
            unmodelled=self.unmodelled,
        )

    def _quotas(self, cluster: Cluster) -> list[float | None]:
        """What the queue has, and each larger amount up to what its jobs ask for, or to what there is in the cluster.

        Of more than its jobs ask for a queue has nothing.
        """
        unit = UNITS[self.question.resource]
        if self.present is None:
            return [None]
        cycle.begin(cluster)
        known = cluster.queues.get(self.queue["metadata"]["name"])
        total = cluster.total[unit.place]
        largest = total if known is None else min(total, requestable(known, unit.place))
        larger = range(math.floor(self.present) + 1, math.ceil(largest / unit.of_total) + 1)
        return [self.present, *map(float, larger)]

    def _search(self) -> float | None:
        """The smallest that does, as far as is seen; None also for unlimited quota."""
        if self._try(self.quotas[0]).runs:
            return self.present
        last = len(self.quotas) - 1
        for low, high in pairwise([*range(0, last, self.step), last]):
            if self._try(self.quotas[high]).runs:
                return next((each for each in self.quotas[low + 1 : high] if self._try(each).runs), self.quotas[high])
        return None

    def _try(self, amount: float | None) -> QuotaTried:
        tried = self.tried[amount] = self._simulate(amount, parents=self.question.raise_parents)
        if self.tell is not None:
            self.tell(tried)
        return tried

    def _parents_would_help(self) -> bool | None:
        """Whether the largest quota does if the queues above get as much more."""
        if self.question.raise_parents or len(self.quotas) == 1:
            return None
        if all(quota(each, self.question.resource) is None for each in self.parents):
            return None
        return self._simulate(self.quotas[-1], parents=True).runs

    def _simulate(self, amount: float | None, *, parents: bool) -> QuotaTried:
        patches = self._patches(amount, parents=parents)
        changed = patched(self.collected, patches) if patches else self.collected
        result = simulate(changed, clock=self.clock, now=self.now)
        fate = self.job.fate(result)
        return QuotaTried(
            quota=amount, runs=fate.runs, outcome=fate.outcome, message=fate.message, evictions=len(result.evictions)
        )

    def _patches(self, amount: float | None, *, parents: bool) -> tuple[Patch, ...]:
        """What gives the queue that quota, and queues above it as much more."""
        if amount is None or self.present is None or amount == self.present:
            return ()
        resource, more = self.question.resource, amount - self.present
        finite = [(each, has) for each in self.parents if (has := quota(each, resource)) is not None] if parents else []
        return (
            with_quota(self.queue, resource, amount),
            *(with_quota(each, resource, has + more) for each, has in finite),
        )


def _known(collected: Collected, cluster: Cluster, question: Question) -> tuple[Watched, list[Object]]:
    """The job, the queue that is asked about, and all above that. Raises TerminalError(InvalidSpec)."""
    job = watched(cluster, question.job)
    if job is None:
        raise _unknown(f"the snapshot has no job (PodGroup) {question.job} that this scheduler looks after")
    queues = {each["metadata"]["name"]: each for each in collected.queues}
    own = next(each.queue_name for each in cluster.jobs if each.name == question.job)
    if own not in queues:
        raise _unknown(f"job {question.job} is in queue {own or 'none'}, which is not there")
    path = [queues[own], *above(own, queues)]
    names = [each["metadata"]["name"] for each in path]
    wanted = question.queue or own
    if wanted not in names:
        raise _unknown(
            f"the quota of queue {wanted} is none of job {question.job}: that is in {', below '.join(names)}"
        )
    return job, path[names.index(wanted) :]


def _unknown(message: str) -> TerminalError:
    return TerminalError(Reason.INVALID_SPEC, f"{message}.")
