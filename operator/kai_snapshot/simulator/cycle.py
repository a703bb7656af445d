"""Runs a whole cycle on an archive's state."""

from collections.abc import Callable
from functools import partial

from kai_snapshot.api.result import Durations, ReplayResult
from kai_snapshot.simulator.allocate import allocate
from kai_snapshot.simulator.cluster import Cluster
from kai_snapshot.simulator.consolidation import CONSOLIDATION
from kai_snapshot.simulator.fairshare import count_jobs, set_shares
from kai_snapshot.simulator.halt import halt
from kai_snapshot.simulator.makeroom import make_room
from kai_snapshot.simulator.outcome import queue_results, result
from kai_snapshot.simulator.preempt import PREEMPT
from kai_snapshot.simulator.reasons import explain
from kai_snapshot.simulator.reclaim import RECLAIM
from kai_snapshot.simulator.session import Session
from kai_snapshot.simulator.staleness import evict_stale_gangs

ACTIONS: dict[str, Callable[[Session], None]] = {
    "allocate": allocate,
    **{action.name: partial(make_room, action=action) for action in (CONSOLIDATION, RECLAIM, PREEMPT)},
    "stalegangeviction": evict_stale_gangs,
}


def begin(cluster: Cluster, *, seed: int | None = None) -> Session:
    """A cycle before its first action: every queue knows its share."""
    count_jobs(cluster.jobs, cluster.nodes)
    k = max(cluster.settings.number("proportion", "kValue", 1.0), 0.0)
    set_shares(cluster.queues.values(), cluster.total, k)
    return Session(cluster, seed=seed)


def run(cluster: Cluster, *, seed: int | None = None, clock: Callable[[], float]) -> ReplayResult:
    """Everything that the configured actions decide, in their order. Changes `cluster`.

    `seed`: the order in which jobs are looked at where the scheduler has none; None is the order of the archive.
    `clock`: seconds, to say how long it took.
    """
    started = clock()
    session = begin(cluster, seed=seed)
    queues = queue_results(cluster.queues)
    halted = halt(cluster.settings, ACTIONS)
    took: dict[str, int] = {}
    for name in () if halted else cluster.settings.actions:
        before = clock()
        ACTIONS[name](session)
        took[name] = took.get(name, 0) + round((clock() - before) * 1000)
    total = round((clock() - started) * 1000)
    durations = Durations(total=total, actions=took)
    return result(session, queues, durations, explain(session, halted), halted)
