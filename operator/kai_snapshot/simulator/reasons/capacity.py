"""Which limit or quota a job would break, and by how much it would have to be raised."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from kai_snapshot.api.waiting import Need, NeedKind, WaitingReason
from kai_snapshot.simulator.model import UNLIMITED, Job, Queue, Shape, Task, Triple
from kai_snapshot.simulator.nexttasks import total_claimed
from kai_snapshot.simulator.nodes import Flags, Nodes
from kai_snapshot.simulator.reasons.words import QUEUE_RESOURCES, Why, counted, measure, told
from kai_snapshot.simulator.request import MEMORY, GpuKind
from kai_snapshot.simulator.sharedgpus import portion_of

_ORDER = (2, 0, 1)
"""GPUs before CPU and memory."""


def why_over(job: Job, tasks: Sequence[Task], nodes: Nodes, allowed: Callable[[Shape], Flags]) -> Why | None:
    """Why the queues above a job refuse it its next pods; `allowed` gives the nodes that a pod may go to."""
    asked = _asked(tasks, nodes, allowed)
    limits = list(_beyond(job, asked, NeedKind.LIMIT))
    quotas = [] if job.preemptible else list(_beyond(job, asked, NeedKind.QUOTA))
    if not limits and not quotas:
        return None
    needs = tuple(_need(*each) for each in (*limits, *quotas))
    what, queue, i, wanted = (limits or quotas)[0]
    resource, amount = QUEUE_RESOURCES[i], told(QUEUE_RESOURCES[i], wanted)
    subject = f"{counted(len(tasks), 'pod')} of it {'asks' if len(tasks) == 1 else 'ask'} for {amount}"
    if what is NeedKind.LIMIT:
        text = (
            f"Queue {queue.name} has {told(resource, queue.allocated[i])} of its limit of "
            f"{told(resource, queue.limit[i])}; {subject}."
        )
        return Why(WaitingReason.OVER_LIMIT, text, needs)
    text = (
        f"It is not preemptible, and so must stay within the quota of queue {queue.name}: of "
        f"{told(resource, queue.quota[i])} {number_of(resource, queue.held[i])} are taken by others like it; {subject}."
    )
    return Why(WaitingReason.NON_PREEMPTIBLE_OVER_QUOTA, text, needs)


def number_of(resource: str, amount: float) -> str:
    """The amount without its unit."""
    return told(resource, amount).partition(" ")[0]


def _beyond(job: Job, asked: Triple, what: NeedKind) -> Iterator[tuple[NeedKind, Queue, int, float]]:
    assert job.queue is not None
    for queue in job.queue.path:
        most, have = (queue.limit, queue.allocated) if what is NeedKind.LIMIT else (queue.quota, queue.held)
        for i in _ORDER:
            if asked[i] != 0 and most[i] != UNLIMITED and most[i] < have[i] + asked[i]:
                yield what, queue, i, asked[i]


def _need(what: NeedKind, queue: Queue, i: int, wanted: float) -> Need:
    most, have = (queue.limit[i], queue.allocated[i]) if what is NeedKind.LIMIT else (queue.quota[i], queue.held[i])
    resource = QUEUE_RESOURCES[i]
    how = measure(resource)
    lacking = have + wanted - most
    grain = 1e6 if resource == MEMORY else how.factor / 1e6  # queues have whole megabytes
    amount = math.ceil(round(lacking / grain, 3)) * grain / how.factor
    amount = round(amount, 6)
    if most + amount * how.factor < have + wanted:
        amount = math.nextafter(amount, math.inf)
    return Need(what=what, resource=resource, amount=amount, unit=how.unit, queue=queue.name)


def _asked(tasks: Sequence[Task], nodes: Nodes, allowed: Callable[[Shape], Flags]) -> Triple:
    """What is counted against limits when the last pod comes: a part of a GPU counts as much as a node rounds it to."""
    cpu, memory, gpus = total_claimed(tasks)
    rounded = before = 0.0
    least = {id(task.shape): _least(task.shape, nodes, allowed) for task in _of_each_shape(tasks)}
    for task in tasks:
        rounded = max(rounded, before + least[id(task.shape)])
        before += task.shape.asked[2]
    return cpu, memory, max(gpus, rounded)


def _of_each_shape(tasks: Sequence[Task]) -> Iterable[Task]:
    return {id(task.shape): task for task in tasks}.values()


def _least(shape: Shape, nodes: Nodes, allowed: Callable[[Shape], Flags]) -> float:
    request = shape.request
    if not request.shared:
        return shape.claimed[2]
    devices = {int(device) for device in set(nodes.device_memory[allowed(shape)].tolist())}
    return min(
        (
            request.devices
            * portion_of(
                request.device_memory if request.kind is GpuKind.MEMORY else int(request.portion * device), device
            )
            for device in devices
        ),
        default=shape.claimed[2],
    )
