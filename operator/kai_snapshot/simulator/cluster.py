"""Puts together what an archive holds into the state that a cycle starts from."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from kai_snapshot.simulator.collect import Collected, PodFacts
from kai_snapshot.simulator.integer import integer
from kai_snapshot.simulator.model import Job, Queue, Settings, Task, Triple
from kai_snapshot.simulator.nodefacts import NodeFacts, as_worker
from kai_snapshot.simulator.nodes import CPU_COLUMN, GPU_COLUMN, MEMORY_COLUMN, Nodes
from kai_snapshot.simulator.podgroups import DEFAULT_SET, backs_off, make_job, priorities
from kai_snapshot.simulator.queues import LONG_AGO, queue_tree
from kai_snapshot.simulator.request import GpuKind, Request
from kai_snapshot.simulator.settings import settings, stuck_after
from kai_snapshot.simulator.signatures import job_signature
from kai_snapshot.simulator.status import Status, parse_time, pod_status

RESERVATION = "kai-resource-reservation"


@dataclass(frozen=True, slots=True)
class Ignored:
    """A PodGroup with pods that wait, which the scheduler leaves alone."""

    name: str
    """namespace/name."""
    queue_name: str
    pods: int
    """How many wait."""
    backs_off: bool
    """Whether because it found no place the last time; else it is of another node pool."""


@dataclass(slots=True)
class Cluster:
    """The state of a cycle."""

    now: datetime
    settings: Settings
    nodes: Nodes
    queues: dict[str, Queue]
    jobs: list[Job]
    """In the order of the archive."""
    tasks: list[Task]
    total: Triple
    """What the queues have to share."""
    topologies: Mapping[str, tuple[str, ...]]
    """The node labels of each topology's levels, widest first."""
    unmodelled: tuple[str, ...]
    ignored: tuple[Ignored, ...]


def build(collected: Collected, *, now: datetime) -> Cluster:
    """The state at `now`. Raises TerminalError(ConfigNull)."""
    params = collected.params
    setup = settings(collected.config, params)
    pool = _Pool(params)
    facts = list(pool.nodes(collected.nodes))
    asked = {name for each, _, _ in collected.shapes.values() for name in each.request.amounts}
    nodes = Nodes(facts, [*asked, *(name for each in facts for name in each.allocatable)])
    largest = nodes.alloc.max(axis=0, initial=0.0)
    for shape, _, _ in collected.shapes.values():
        request = shape.request
        shape.vector = nodes.vector(request)
        shape.asked = _triple(request, nodes.least_memory)
        shape.claimed = _triple(request, nodes.most_memory)
        shape.counted_gpus = request.gpus + request.mig_gpus
        comparable = shape.vector.copy()
        comparable[GPU_COLUMN] = request.gpus
        shape.impossible = bool((comparable > largest).any())
        comparable[GPU_COLUMN] = shape.asked[2]
        shape.comparable = tuple(comparable.tolist())
    queues = queue_tree(
        (each for each in collected.queues if pool.has(each["metadata"].get("labels") or {})),
        full_hierarchy=bool(params.get("fullHierarchyFairness")),
    )
    jobs = _jobs(collected, pool, queues)
    tasks = _tasks(collected, nodes, now)
    of_pods = {pod.uid: pod.signature for pod in collected.pods}
    _join(collected, jobs, tasks, setup.scheduler_name)
    for age, job in enumerate(sorted(jobs.values(), key=lambda each: (each.created, each.key))):
        job.age = age
        job.signature = job_signature(job, of_pods)
    _occupy(nodes, tasks)
    return Cluster(
        now=now,
        settings=setup,
        nodes=nodes,
        queues=queues,
        jobs=list(jobs.values()),
        tasks=tasks,
        total=_total(nodes, tasks),
        topologies={
            each["metadata"]["name"]: tuple(level["nodeLabel"] for level in _levels(each))
            for each in collected.topologies
        },
        unmodelled=collected.unmodelled.texts({pod.namespace for pod in collected.pods if pod.group}),
        ignored=tuple(_ignored(collected, pool, jobs)),
    )


class _Pool:
    """The part of the cluster that the scheduler looks after."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        partition = params.get("partitionParams") or {}
        self.label: str = partition.get("NodePoolLabelKey") or ""
        self.value: str = partition.get("NodePoolLabelValue") or ""
        self.restricted = bool(params.get("restrictSchedulingNodes"))

    def has(self, labels: Mapping[str, str]) -> bool:
        if not self.label:
            return True
        return labels.get(self.label) == self.value if self.value else self.label not in labels

    def nodes(self, all_there_are: Iterable[NodeFacts]) -> Iterable[NodeFacts]:
        own = (each for each in all_there_are if self.has(each.labels))
        workers = map(as_worker, own) if self.restricted else own
        return (each for each in workers if each.takes_gpu_pods or each.takes_cpu_pods)


def _triple(request: Request, device: int) -> Triple:
    gpus = request.gpus + request.mig_gpus
    if request.kind is GpuKind.MEMORY:
        gpus = request.devices * request.device_memory / device if device else 0.0
    return request.amounts.get("cpu", 0.0), request.amounts.get("memory", 0.0), gpus


def _levels(topology: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return (topology.get("spec") or {}).get("levels") or ()


def _jobs(collected: Collected, pool: _Pool, queues: Mapping[str, Queue]) -> dict[str, Job]:
    values, default = priorities(collected.priority_classes)
    aliases = {
        each["metadata"]["name"]: {level["alias"]: level["nodeLabel"] for level in _levels(each) if level.get("alias")}
        for each in collected.topologies
    }
    jobs: dict[str, Job] = {}
    for group in collected.pod_groups:
        if pool.has(group["metadata"].get("labels") or {}) and not backs_off(group, pool.label):
            job = make_job(group, queues, values=values, default=default, aliases=aliases)
            jobs[job.key] = job
    return jobs


def _ignored(collected: Collected, pool: _Pool, jobs: Mapping[str, Job]) -> Iterable[Ignored]:
    waiting = Counter(pod.group for pod in collected.pods if pod.phase == "Pending" and not (pod.node or pod.deleted))
    for group in collected.pod_groups:
        metadata, count = group["metadata"], waiting[group["metadata"]["name"]]
        if count and metadata["name"] not in jobs:
            own = pool.has(metadata.get("labels") or {})
            queue = (group.get("spec") or {}).get("queue") or ""
            yield Ignored(f"{metadata.get('namespace', '')}/{metadata['name']}", queue, count, backs_off=own)


def _tasks(collected: Collected, nodes: Nodes, now: datetime) -> list[Task]:
    limit = stuck_after(collected.params)
    binds = dict(_binds(collected.bind_requests, nodes))
    config_maps = frozenset(collected.config_maps)
    tasks = []
    for pod in collected.pods:
        bind = binds.get(pod.name)
        status = pod_status(
            phase=pod.phase,
            deleted=parse_time(pod.deleted),
            node=pod.node,
            gated=pod.gated,
            bound=bind is not None,
            now=now,
            stuck_after=limit,
        )
        node = pod.node or (bind["selectedNode"] if bind and status is Status.BINDING else "")
        groups = tuple(bind.get("selectedGPUGroups") or ()) if bind else ()
        tasks.append(
            Task(
                name=pod.name,
                uid=pod.uid,
                created=parse_time(pod.created) or LONG_AGO,
                shape=pod.shape,
                status=status,
                node=nodes.index.get(node, -1),
                groups=groups or _groups(pod.labels),
                order=_task_order(pod),
                nominated=pod.nominated,
                missing=tuple(
                    sorted(
                        each
                        for each in pod.config_maps
                        if (pod.namespace, each) not in config_maps
                        and not each.startswith("runai/shared-gpu-configmap")
                    )
                ),
                reservation=pod.labels.get("app") == RESERVATION,
            )
        )
    return tasks


def _binds(requests: Iterable[Mapping[str, Any]], nodes: Nodes) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """The bind requests that still count, by their pod."""
    for each in requests:
        spec, status = each.get("spec") or {}, each.get("status") or {}
        limit = spec.get("backoffLimit")
        failed = status.get("phase") == "Failed" and (limit is None or int(status.get("failedAttempts") or 0) >= limit)
        if not failed and spec.get("selectedNode") in nodes.index:
            yield f"{each['metadata'].get('namespace', '')}/{spec.get('podName')}", spec


def _groups(labels: Mapping[str, str]) -> tuple[str, ...]:
    first = labels.get("runai-gpu-group")
    if first is None:
        return ()
    return first, *(value for name, value in labels.items() if name.startswith("runai-gpu-group/"))


def _task_order(pod: PodFacts) -> tuple[object, ...]:
    leads = pod.labels.get("training.kubeflow.org/job-role") in ("master", "launcher")
    heads = pod.labels.get("ray.io/node-type") == "head"
    number = integer(pod.labels.get("kai.scheduler/task-priority"))
    return not leads, not heads, number is None, -(number or 0), parse_time(pod.created) or LONG_AGO, pod.uid


def _join(collected: Collected, jobs: Mapping[str, Job], tasks: Iterable[Task], scheduler: str) -> None:
    """Gives each pod to its job."""
    for pod, task in zip(collected.pods, tasks, strict=True):
        task.foreign = pod.scheduler != scheduler and not task.reservation and pod.labels.get("app") != "scaling-pod"
        job = jobs.get(pod.group) if pod.group else None
        if job is None:
            continue
        name = pod.labels.get("kai.scheduler/subgroup-name") or DEFAULT_SET
        pod_set = next((each for each in job.pod_sets if each.name == name), None)
        if pod_set is not None:
            task.job = job
            pod_set.tasks.append(task)
            job.tasks.append(task)
    for job in jobs.values():
        for pod_set in job.pod_sets:
            pod_set.tasks.sort(key=lambda task: task.order)


def _occupy(nodes: Nodes, tasks: Iterable[Task]) -> None:
    """Puts the pods that hold resources on their nodes, those that hold GPUs for others first."""
    for task in sorted(tasks, key=lambda each: not each.reservation):
        if task.node >= 0 and task.status.used:
            nodes.add(task, task.node, task.status, task.groups)


def _total(nodes: Nodes, tasks: Iterable[Task]) -> Triple:
    """What ready nodes offer, less what pods of other schedulers use there."""
    offered = nodes.alloc[nodes.ready].sum(axis=0)
    cpu, memory = float(offered[CPU_COLUMN]), float(offered[MEMORY_COLUMN])
    takes_gpu_pods = np.array([each.takes_gpu_pods for each in nodes.facts], dtype=np.bool_)
    for_gpus = nodes.alloc[nodes.ready & takes_gpu_pods].sum(axis=0)
    gpus = float(for_gpus[GPU_COLUMN] + for_gpus @ nodes.mig_weights)
    for task in tasks:
        if task.foreign and task.status.used and task.node >= 0 and nodes.ready[task.node]:
            asked = task.shape.asked
            cpu, memory, gpus = cpu - asked[0], memory - asked[1], gpus - asked[2]
    return cpu, memory, gpus
