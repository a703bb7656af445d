"""Jobs, as PodGroups say: their queue and priority, and how many of their pods must run together."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from kai_snapshot.simulator.duration import duration
from kai_snapshot.simulator.model import Group, Job, PodSet, Queue, Topology
from kai_snapshot.simulator.queues import LONG_AGO
from kai_snapshot.simulator.status import parse_time

DEFAULT_SET = "default"
DEFAULT_PRIORITY, PREEMPTIBLE_BELOW = 50, 100


def priorities(classes: Iterable[Mapping[str, Any]]) -> tuple[dict[str, int], int]:
    """The values of the priority classes, by name, and that of a PodGroup without one."""
    values: dict[str, int] = {}
    default = DEFAULT_PRIORITY
    for each in classes:
        values[each["metadata"]["name"]] = int(each.get("value") or 0)
        if each.get("globalDefault"):
            default = int(each.get("value") or 0)
    return values, default


def make_job(group: Mapping[str, Any], queues: Mapping[str, Queue], values: Mapping[str, int], default: int) -> Job:
    """The job of a PodGroup, without its pods."""
    metadata, spec = group["metadata"], group.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    queue = queues.get(spec.get("queue") or "")
    priority = values.get(spec.get("priorityClassName") or "", default) if queue else 0
    said = spec.get("preemptibility")
    preemptible = said == "preemptible" if said in ("preemptible", "non-preemptible") else priority < PREEMPTIBLE_BELOW
    constraint = spec.get("topologyConstraint") or {}
    root = _root(spec)
    return Job(
        name=f"{metadata.get('namespace', '')}/{metadata['name']}",
        key=metadata["name"],
        queue=queue,
        queue_name=spec.get("queue") or "",
        priority=priority,
        preemptible=preemptible and queue is not None,
        created=parse_time(metadata.get("creationTimestamp")) or LONG_AGO,
        root=root,
        stale_since=parse_time(annotations.get("kai.scheduler/stale-podgroup-timestamp")),
        grace=duration(spec.get("stalenessGracePeriod")),
        last_start=parse_time(annotations.get("kai.scheduler/last-start-timestamp")),
        last_eviction=parse_time(annotations.get("kai.scheduler/last-eviction-timestamp")),
        preemption_delay=duration(spec.get("preemptionDelay")) or timedelta(0),
        topology=Topology(constraint["topology"], constraint["requiredTopologyLevel"])
        if constraint.get("topology") and constraint.get("requiredTopologyLevel")
        else None,
        pod_sets=list(root.sets()),
    )


def backs_off(group: Mapping[str, Any], pool_label: str) -> bool:
    """Whether the scheduler leaves the PodGroup alone, because it found no place for it the last time."""
    spec, status = group.get("spec") or {}, group.get("status") or {}
    if spec.get("schedulingBackoff") in (None, -1):
        return False
    conditions = status.get("schedulingConditions") or ()
    newest = max(conditions, key=lambda each: int(each.get("transitionID") or 0), default=None)
    pool = (group["metadata"].get("labels") or {}).get(pool_label, "default")
    return newest is not None and newest.get("nodePool") == pool


def _root(spec: Mapping[str, Any]) -> Group:
    listed = spec.get("subGroups") or ()
    if not listed:
        return Group("", 1, [PodSet(DEFAULT_SET, max(int(spec.get("minMember") or 0), 1))])
    root = Group("", 0)
    names = {each["name"] for each in listed}
    inner = {each["parent"] for each in listed if each.get("parent") in names}
    made: dict[str, Group | PodSet] = {}
    for each in listed:
        minimum = max(int(each.get("minMember") or 0), 0)
        made[each["name"]] = Group(each["name"], 0) if each["name"] in inner else PodSet(each["name"], minimum)
    for each in listed:
        holder = made.get(each.get("parent") or "")
        (holder if isinstance(holder, Group) else root).children.append(made[each["name"]])
    for each in listed:
        child = made[each["name"]]
        if isinstance(child, Group):
            child.threshold = int(each.get("minSubGroup") or len(child.children))
    root.threshold = int(spec.get("minSubGroup") or len(root.children))
    return root
