"""Why no domain of a topology has places for all pods of a job, though there would be room."""

from collections.abc import Sequence

import numpy as np

from kai_snapshot.api.waiting import WaitingReason
from kai_snapshot.simulator.model import Job, Task
from kai_snapshot.simulator.nodes import GPU_COLUMN
from kai_snapshot.simulator.reasons.words import Why, counted, number, told
from kai_snapshot.simulator.session import Session
from kai_snapshot.simulator.topology import Domains


def why_no_domain(session: Session, job: Job, tasks: Sequence[Task]) -> Why:
    """Of a job that requires a topology level, or of which a part does, and that would find places without it."""
    if job.root.topology is None or not job.root.topology.required:
        text = "There are places for its pods, but not in the domains of a topology that its parts are to stay in."
        return Why(WaitingReason.TOPOLOGY_DOMAIN, text, evicting=True)
    nodes, level = session.nodes, f"level {job.root.topology.required} of topology {job.root.topology.name}"
    domains = Domains(nodes, session.cluster.topologies).possible(job)
    if not domains:
        held = any(task.status.active for task in job.tasks)
        text = (
            f"Its running pods are not in one domain of {level}, which it requires."
            if held
            else f"There is no node with the labels of {level}, which it requires."
        )
        return Why(WaitingReason.TOPOLOGY_DOMAIN, text)
    asked = np.sum([task.shape.vector for task in tasks], axis=0)
    free = np.array([(nodes.idle[domain] + nodes.releasing[domain]).sum(axis=0) for domain in domains])
    pods = f"its {counted(len(tasks), 'pod')}" if len(tasks) > 1 else "its pod"
    order = sorted(np.flatnonzero((free < asked).all(axis=0)).tolist(), key=lambda i: i != GPU_COLUMN)
    if order:
        name, most = nodes.resources[order[0]], float(free[:, order[0]].max())
        text = f"{pods} ask{'' if len(tasks) > 1 else 's'} for {told(name, asked[order[0]])} in one domain of {level}"
        text += f"; the one with the most free has {told(name, max(most, 0.0))}."
    else:
        text = f"none of the {number(len(domains))} domains of {level} has places for {pods} on its nodes."
    return Why(WaitingReason.TOPOLOGY_DOMAIN, text[0].upper() + text[1:], evicting=True)
