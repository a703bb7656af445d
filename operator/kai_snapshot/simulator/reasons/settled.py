"""The state when all that a cycle decided is carried out, and what was to leave has left: where the next one begins."""

from dataclasses import replace

from kai_snapshot.simulator.cluster import Cluster
from kai_snapshot.simulator.model import Task, Triple
from kai_snapshot.simulator.nodes import Nodes
from kai_snapshot.simulator.session import Session
from kai_snapshot.simulator.status import Status


def settled(session: Session) -> Session:
    """That state, of the session's own jobs, pods and queues: the session cannot go on after it.

    Nodes and queues are counted anew, because trying plans leaves a little behind where GPUs are shared.
    """
    before = session.cluster
    nodes = Nodes(before.nodes.facts, before.nodes.resources)
    ended = {id(each.task) for each in session.journal.evicted.values() if each.preemptor is None}
    for task in sorted(before.tasks, key=lambda each: not each.reservation):
        _settle(task, nodes, ended=id(task) in ended)
    _count(before, nodes)
    after = Session(replace(before, nodes=nodes), seed=None)
    after.placer.predicates = session.placer.predicates
    return after


def _settle(task: Task, nodes: Nodes, *, ended: bool) -> None:
    task.virtual = False
    task.entries = {}
    if ended:
        task.status = Status.RELEASING
    elif task.status.active:
        task.status = Status.RUNNING
    task.groups = tuple(f"kept-{group}" for group in task.groups)  # names of new ones begin anew
    if task.node >= 0 and task.status.used and task.status is not Status.RELEASING:
        nodes.add(task, task.node, task.status, task.groups)


def _count(cluster: Cluster, nodes: Nodes) -> None:
    for queue in cluster.queues.values():
        queue.allocated, queue.held = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
        queue.standing.clear()
    for job in cluster.jobs:
        job.changed()
        if job.queue is not None:
            for task in job.tasks:
                if task.status.allocated and task.node >= 0:
                    amount: Triple = nodes.accepted(task, task.node)
                    job.queue.add(amount, 1, held=not job.preemptible)
