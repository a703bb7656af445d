"""One cycle's state and tools, shared by its actions."""

import random
from collections.abc import Iterable, Sequence

import numpy as np

from kai_snapshot.simulator.changes import Changes, Committed
from kai_snapshot.simulator.cluster import Cluster
from kai_snapshot.simulator.jobtree import JobTree
from kai_snapshot.simulator.journal import Journal
from kai_snapshot.simulator.model import Job, Task
from kai_snapshot.simulator.placing import Placer
from kai_snapshot.simulator.stock import Member, Roster, Stock
from kai_snapshot.simulator.topology import Domains
from kai_snapshot.simulator.victims import Victim


class Session:
    """What actions work on. `seed` None: jobs come in the order of the archive, else in a random one."""

    def __init__(self, cluster: Cluster, *, seed: int | None) -> None:
        self.cluster = cluster
        self.settings = cluster.settings
        self.now = cluster.now
        self.nodes = cluster.nodes
        self.changes = Changes(cluster.nodes)
        self.journal = Journal()
        self.random = random.Random(0 if seed is None else seed)  # noqa: S311 - to be repeated, not to be secret
        self.placer = Placer(
            cluster.nodes, self.changes, cluster.settings, Domains(cluster.nodes, cluster.topologies), self.random
        )
        self._chance = np.random.default_rng(0 if seed is None else seed)
        self._shuffles = seed is not None
        self._waiting = Roster(cluster.jobs, lambda job: job if job.has_pending() else None)
        self._running = Roster(cluster.jobs, lambda job: Victim(job) if job.preemptible and job.has_active() else None)

    def jobs(self) -> list[Job]:
        """All jobs, in the order they are looked at."""
        jobs = list(self.cluster.jobs)
        self.shuffle(jobs)
        return jobs

    def commit(self) -> Committed:
        """Carries out what is planned."""
        done = self.changes.commit()
        for task in done.evicted:
            if task.job is not None:
                task.job.last_eviction = self.now
        if done.evicted:
            self.placer.freed()
        self._waiting.change(done.jobs)
        self._running.change(done.jobs)
        return done

    def waiting(self) -> Stock:
        """The jobs with a pod that waits, by queue."""
        return self._waiting.stock()

    def running(self) -> Stock:
        """The jobs that can be evicted and have a pod that holds a place, by queue."""
        return self._running.stock()

    def tree(self, stock: Stock, jobs: Iterable[Member], *, without: Sequence[Job]) -> JobTree:
        """A tree of jobs that wait, with others besides, and without some."""
        return JobTree(jobs, stock=stock, without=without, chance=self._chance)

    def victims(self, stock: Stock, order: int) -> JobTree:
        """A tree of jobs that may be evicted, the same for one `order`."""
        return JobTree(victims=True, stock=stock, chance=np.random.default_rng(order))

    def shuffle(self, jobs: list[Job]) -> None:
        """Puts jobs in another order, if this cycle has random ones."""
        if self._shuffles:
            self.random.shuffle(jobs)

    def place(self, job: Job, tasks: Sequence[Task]) -> bool:
        """Places pods of a job, all or none."""
        return self.placer.place(job, tasks)
