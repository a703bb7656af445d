"""What a cycle decided, as a `ReplayResult`, with what it does not know and what rests on a choice."""

from collections.abc import Mapping

from kai_snapshot.api.result import (
    SIMULATED,
    Durations,
    Engine,
    Eviction,
    JobOutcome,
    LogMessage,
    Outcome,
    Pipelined,
    Placement,
    PodGroupResult,
    QueueResources,
    QueueResult,
    QueueShare,
    ReplayResult,
)
from kai_snapshot.api.waiting import WaitingJob
from kai_snapshot.simulator.fairshare import requestable
from kai_snapshot.simulator.halt import Halt
from kai_snapshot.simulator.journal import Journal
from kai_snapshot.simulator.model import UNLIMITED, Queue
from kai_snapshot.simulator.session import Session
from kai_snapshot.simulator.unmodelled import named

_SEARCHED = {
    JobOutcome.RECLAIMED: "whom `reclaim` evicts",
    JobOutcome.PREEMPTED: "whom `preempt` evicts",
    JobOutcome.CONSOLIDATED: "whom `consolidation` moves",
}
_PER_UNIT = (1000.0, 1e9, 1.0)
"""Millicores of a core, bytes of a GB."""


def result(
    session: Session,
    queues: tuple[QueueResult, ...],
    durations: Durations,
    waiting: tuple[WaitingJob, ...],
    halted: Halt | None,
) -> ReplayResult:
    """The result of a cycle."""
    journal, names = session.journal, session.nodes.names
    why = {each.name: each.message for each in waiting}
    return ReplayResult(
        engine=Engine(name="Simulator", version=SIMULATED),
        outcome=halted.outcome if halted else Outcome.SUCCEEDED,
        message=halted.message if halted else "",
        durations_ms=durations,
        error_count=len(journal.refused),
        errors=tuple(LogMessage(source=action, message=text, count=1) for action, text in journal.refused.items()),
        placements=tuple(
            Placement(pod=pod, node=names[node], gpu_groups=groups) for pod, (node, groups) in journal.bound.items()
        ),
        evictions=tuple(
            Eviction(pod=pod, action=each.action, preemptor=each.preemptor.name if each.preemptor else None)
            for pod, each in journal.evicted.items()
        ),
        pipelined=tuple(Pipelined(pod=pod, node=names[node]) for pod, node in journal.pipelined.items()),
        pod_groups=tuple(
            PodGroupResult(
                name=name,
                queue=job.queue_name,
                outcome=outcome,
                reason=why.get(name) if outcome is JobOutcome.UNSCHEDULABLE else None,
            )
            for name, (job, outcome) in sorted(journal.outcomes.items())
        ),
        queues=queues,
        waiting=waiting,
        unmodelled=session.cluster.unmodelled,
        approximate=tuple(_approximate(journal)),
    )


def queue_results(queues: Mapping[str, Queue]) -> tuple[QueueResult, ...]:
    """The shares of all queues as they stand, by name."""
    listed = [
        QueueResult(
            name=name,
            resources=QueueResources(cpu=_share(queue, 0), memory=_share(queue, 1), gpu=_share(queue, 2)),
        )
        for name, queue in queues.items()
    ]
    return tuple(sorted(listed, key=lambda each: each.name))


def _share(queue: Queue, i: int) -> QueueShare:
    quota, limit = queue.quota[i], queue.limit[i]
    return QueueShare(
        deserved=None if quota == UNLIMITED else quota / _PER_UNIT[i],
        requested=requestable(queue, i) / _PER_UNIT[i],
        limit=None if limit == UNLIMITED else limit / _PER_UNIT[i],
        allocated=queue.allocated[i] / _PER_UNIT[i],
        fair_share=queue.share[i] / _PER_UNIT[i],
    )


def _approximate(journal: Journal) -> list[str]:
    """What rests on a search among several right answers."""
    texts = []
    for outcome, what in _SEARCHED.items():
        jobs = [name for name, (_, each) in journal.outcomes.items() if each is outcome]
        if jobs:
            texts.append(f"{what} for {named(jobs)}: other victims may do as well")
    texts += [
        f"whom `{action}` would find for {named(jobs)}: the search went on for long and was ended, as KAI ends one by "
        "the clock"
        for action, jobs in journal.short.items()
    ]
    texts += [
        f"`{action}` for {named(sorted(jobs))}: all its searches together went on for long, and it was ended before "
        "these, as KAI ends it by the clock"
        for action, jobs in journal.untried.items()
    ]
    return texts
