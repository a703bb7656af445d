"""What an archive says, understood: nodes, pods, jobs and queues, as the views show them."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from kai_snapshot.simulator import model
from kai_snapshot.simulator.cluster import RESERVATION, Cluster, build
from kai_snapshot.simulator.collect import PodFacts
from kai_snapshot.simulator.cycle import begin
from kai_snapshot.simulator.model import Shape, Task, Triple
from kai_snapshot.simulator.nodefacts import NodeFacts
from kai_snapshot.simulator.podgroups import make_job, priorities, transition
from kai_snapshot.simulator.queues import LONG_AGO, make_queue
from kai_snapshot.simulator.request import GPU, MIG_NAME
from kai_snapshot.simulator.status import Status, parse_time
from kai_snapshot.views.amounts import Amount, counted
from kai_snapshot.views.devices import Claim, Device
from kai_snapshot.views.gather import Gathered, PodDetails

SCALING = "scaling-pod"
_ANY_QUEUE = make_queue({"metadata": {"name": ""}}, None)
"""The scheduler gives a job no priority whose queue is missing; a view shows what its class says."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod."""

    namespace: str
    name: str
    status: Status
    node: str
    """Where it is or is about to be; empty if nowhere."""
    job: str
    """namespace/name of its PodGroup; empty if it names none."""
    sub_group: str
    shape: Shape
    amount: Amount
    """What it counts as in its queue."""
    whole: int
    """GPUs that it has for itself."""
    portion: float
    """What it takes of each GPU that it shares; zero if it shares none."""
    groups: tuple[str, ...]
    """The shared GPUs it is on, or holds."""
    mig: Mapping[str, int]
    """MIG devices, by resource."""
    claims: tuple[Claim, ...]
    """The claims that give it GPUs."""
    received: str
    started: datetime
    holder: bool
    """Whether its GPU is not its own: it holds it for pods that share it, or stands for one to come."""
    gpu_uuid: str


@dataclass(frozen=True, slots=True)
class Node:
    """A node, with the pods that hold something of it."""

    facts: NodeFacts
    ready: bool
    unschedulable: bool
    number: int | None
    """Its place in the state of a cycle; None if the scheduler leaves it alone."""
    devices: tuple[Device, ...]
    """GPUs that are claimed, not requested."""
    pods: list[Pod]

    @property
    def offered(self) -> Triple:
        """CPU in millicores, memory in bytes, and GPUs; MIG devices count as the slices they have."""
        amounts = self.facts.allocatable
        whole = max(amounts.get(GPU, 0.0), float(len(self.devices)))  # one GPU may be offered in both ways
        return amounts.get("cpu", 0.0), amounts.get("memory", 0.0), whole + self.slices

    @property
    def slices(self) -> float:
        """What its MIG devices count as."""
        return sum(
            int(mig[1]) * amount / 1000
            for name, amount in self.facts.allocatable.items()
            if (mig := MIG_NAME.fullmatch(name))
        )


@dataclass(frozen=True, slots=True)
class Job:
    """A PodGroup, with its pods."""

    of: model.Job
    """As the simulator sees it; its pods are not all, where another PodGroup has its name."""
    uid: str
    priority_class: str
    reason: str
    """Why it waits, as its status says."""
    pods: list[Pod]


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue, alone."""

    of: model.Queue
    """As the simulator sees it, without its tree."""
    display_name: str
    """What people call it."""
    parent: str
    share: Triple | None
    """What the scheduler grants it; None if it leaves the queue out."""
    reported: Mapping[str, Any]
    """What its status says that it has."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it, by name."""

    cluster: Cluster
    nodes: tuple[Node, ...]
    pods: tuple[Pod, ...]
    jobs: tuple[Job, ...]
    queues: tuple[Queue, ...]


def understand(gathered: Gathered, *, now: datetime) -> Facts:
    """What the archive says of the moment `now`. Raises whatever objects give rise to that are none of their kind."""
    collected = gathered.collected
    if collected.config is None:  # tells only how pods are placed, and views show where they are
        collected = replace(collected, config={})
    cluster = build(collected, now=now)
    begin(cluster)
    pods = tuple(_pods(gathered, cluster))
    jobs = tuple(sorted(_jobs(gathered, cluster, pods), key=lambda each: each.of.name))
    return Facts(cluster, tuple(_nodes(gathered, cluster, pods)), pods, jobs, tuple(_queues(gathered, cluster)))


def _pods(gathered: Gathered, cluster: Cluster) -> Iterator[Pod]:
    claims = {each.name: each for each in gathered.claims}
    kept_for: dict[str, set[str]] = {}
    for claim in gathered.claims:
        for pod in claim.pods:
            kept_for.setdefault(pod, set()).add(claim.name)
    for facts, details, task in zip(gathered.collected.pods, gathered.pods, cluster.tasks, strict=True):
        names = sorted({*details.claims, *kept_for.get(facts.name, ())})
        own = tuple(claims[name] for name in names if name in claims)
        yield _pod(facts, details, task, cluster, own)


def _pod(facts: PodFacts, details: PodDetails, task: Task, cluster: Cluster, claims: tuple[Claim, ...]) -> Pod:
    request, nodes = task.shape.request, cluster.nodes
    placed = task.node >= 0 and task.status.used
    cpu, memory, gpus = nodes.accepted(task, task.node) if placed else task.shape.asked
    return Pod(
        namespace=facts.namespace,
        name=facts.name.removeprefix(f"{facts.namespace}/"),
        status=task.status,
        node=facts.node or (nodes.names[task.node] if task.node >= 0 else ""),
        job=f"{facts.namespace}/{facts.group}" if facts.group else "",
        sub_group=facts.labels.get("kai.scheduler/subgroup-name", ""),
        shape=task.shape,
        amount=counted((cpu, memory, gpus + sum(claim.count for claim in claims))),
        whole=0 if request.shared else request.devices,
        portion=gpus / request.devices if request.shared else 0.0,
        groups=tuple(dict.fromkeys(task.groups)),  # the first may be named twice
        mig={name: int(amount // 1000) for name, amount in request.amounts.items() if MIG_NAME.fullmatch(name)},
        claims=claims,
        received=details.received,
        started=parse_time(details.started) or LONG_AGO,
        holder=task.reservation or facts.labels.get("app") == SCALING,
        gpu_uuid=details.gpu_uuid if facts.labels.get("app") == RESERVATION else "",
    )


def _nodes(gathered: Gathered, cluster: Cluster, pods: tuple[Pod, ...]) -> Iterator[Node]:
    on: dict[str, list[Pod]] = {}
    for pod in pods:
        if pod.node and pod.status.used:
            on.setdefault(pod.node, []).append(pod)
    offered: dict[str, dict[object, Device]] = {}
    for device in gathered.devices:
        offered.setdefault(device.node, {})[device.key] = device
    both = zip(gathered.collected.nodes, gathered.nodes, strict=True)
    for facts, details in sorted(both, key=lambda each: each[0].name):
        yield Node(
            facts=facts,
            ready=details.ready,
            unschedulable=details.unschedulable,
            number=cluster.nodes.index.get(facts.name),
            devices=tuple(offered.get(facts.name, {}).values()),
            pods=on.get(facts.name, []),
        )


def _jobs(gathered: Gathered, cluster: Cluster, pods: tuple[Pod, ...]) -> Iterator[Job]:
    known = {job.name: job for job in cluster.jobs if job.queue is not None}
    of_job: dict[str, list[Pod]] = {}
    for pod in sorted(pods, key=lambda each: each.name):
        of_job.setdefault(pod.job, []).append(pod)
    values, default = priorities(gathered.collected.priority_classes)
    for group in gathered.collected.pod_groups:
        metadata, spec = group["metadata"], group.get("spec") or {}
        job = known.get(f"{metadata.get('namespace', '')}/{metadata['name']}")
        if job is None:
            any_queue = {spec.get("queue") or "": _ANY_QUEUE}
            job = make_job(group, any_queue, values=values, default=default, aliases={})
        yield Job(
            of=job,
            uid=metadata.get("uid") or job.name,
            priority_class=spec.get("priorityClassName") or "",
            reason=_reason(group.get("status") or {}),
            pods=of_job.get(job.name, []),
        )


def _reason(status: Mapping[str, Any]) -> str:
    conditions = status.get("schedulingConditions") or ()
    newest = max(conditions, key=transition, default=None)
    if newest is None:
        return ""
    messages = [str(each.get("message") or "") for each in newest.get("reasons") or ()]
    return "; ".join(filter(None, messages)) or str(newest.get("message") or "")


def _queues(gathered: Gathered, cluster: Cluster) -> Iterator[Queue]:
    for value in sorted(gathered.collected.queues, key=lambda each: str(each["metadata"]["name"])):
        queue, spec = make_queue(value, None), value.get("spec") or {}
        known = cluster.queues.get(queue.name)
        if not all(map(math.isfinite, (*queue.quota, *queue.limit, *queue.weight))):
            raise ValueError("an amount is a number")
        yield Queue(
            of=queue,
            display_name=str(spec.get("displayName") or queue.name),
            parent=spec.get("parentQueue") or "",
            share=None if known is None else (known.share[0], known.share[1], known.share[2]),
            reported=(value.get("status") or {}).get("allocated") or {},
        )
