"""One cycle's state and tools, shared by its actions."""

import random
from collections.abc import Iterable, Sequence
from operator import itemgetter

import numpy as np

from kai_snapshot.simulator.changes import Changes, Committed
from kai_snapshot.simulator.cluster import Cluster
from kai_snapshot.simulator.jobtree import JobTree
from kai_snapshot.simulator.journal import Journal
from kai_snapshot.simulator.model import Job, Queue, Task
from kai_snapshot.simulator.placing import Placer
from kai_snapshot.simulator.stock import Item, Member, Stock, item_of
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
        self._jobs_of: dict[str, list[Job]] = {}
        for job in cluster.jobs:
            if job.queue is not None and not job.queue.children:
                self._jobs_of.setdefault(job.queue.name, []).append(job)
        self._waiting: dict[str, tuple[Queue, Sequence[Item]]] = {}
        self._running: dict[str, tuple[Queue, Sequence[Item]]] = {}
        for name in self._jobs_of:
            self._sort(cluster.queues[name])
        self._stocks = self._new_stocks()

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
        for queue in {job.queue.name: job.queue for job in done.jobs if job.queue is not None}.values():
            self._sort(queue)
        self._stocks = self._new_stocks()
        return done

    def waiting(self) -> Stock:
        """The jobs with a pod that waits, by queue."""
        return self._stocks[0]

    def running(self) -> Stock:
        """The jobs that can be evicted and have a pod that holds a place, by queue."""
        return self._stocks[1]

    def _sort(self, queue: Queue) -> None:
        """Puts the jobs of a queue in order anew."""
        jobs = self._jobs_of.get(queue.name, ())
        self._waiting[queue.name] = (
            queue,
            sorted((item_of(job) for job in jobs if job.has_pending()), key=itemgetter(0)),
        )
        victims = (Victim(job) for job in jobs if job.preemptible and job.has_active())
        self._running[queue.name] = queue, sorted(map(item_of, victims), key=itemgetter(0))

    def _new_stocks(self) -> tuple[Stock, Stock]:
        return Stock(self._waiting.values()), Stock(self._running.values())

    def tree(self, stock: Stock, jobs: Iterable[Member] = (), *, without: frozenset[int] = frozenset()) -> JobTree:
        """A tree of jobs that wait, with others besides."""
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
