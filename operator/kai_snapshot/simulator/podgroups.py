"""Jobs, as PodGroups say: their queue and priority, and how many of their pods must run together."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from kai_snapshot.simulator.duration import duration
from kai_snapshot.simulator.integer import integer
from kai_snapshot.simulator.model import Group, Job, PodSet, Queue, Topology
from kai_snapshot.simulator.queues import LONG_AGO
from kai_snapshot.simulator.status import parse_time

Aliases = Mapping[str, str]
"""The labels of a topology's levels, by their other names."""
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


def make_job(
    group: Mapping[str, Any],
    queues: Mapping[str, Queue],
    *,
    values: Mapping[str, int],
    default: int,
    aliases: Mapping[str, Aliases],
) -> Job:
    """The job of a PodGroup, without its pods. `aliases`: other names of levels, by topology."""
    metadata, spec = group["metadata"], group.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    queue = queues.get(spec.get("queue") or "")
    priority = values.get(spec.get("priorityClassName") or "", default) if queue else 0
    said = spec.get("preemptibility")
    preemptible = said == "preemptible" if said in ("preemptible", "non-preemptible") else priority < PREEMPTIBLE_BELOW
    root = _root(spec, aliases)
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
        constrained=_constrained(root),
        pod_sets=list(root.sets()),
    )


def backs_off(group: Mapping[str, Any], pool_label: str) -> bool:
    """Whether the scheduler leaves the PodGroup alone, because it found no place for it the last time."""
    spec, status = group.get("spec") or {}, group.get("status") or {}
    if spec.get("schedulingBackoff") in (None, -1):
        return False
    conditions = status.get("schedulingConditions") or ()
    newest = max(conditions, key=transition, default=None)
    pool = (group["metadata"].get("labels") or {}).get(pool_label) or "default"
    return newest is not None and (newest.get("nodePool") or "") == pool


def transition(condition: Mapping[str, Any]) -> int:
    """The number of a condition; what is no number comes first."""
    number = integer(condition.get("transitionID"))
    return -1 if number is None else number


def _root(spec: Mapping[str, Any], aliases: Mapping[str, Aliases]) -> Group:
    listed = spec.get("subGroups") or ()
    names = [each["name"] for each in listed]
    parents = [(each.get("parent") or "").lower() for each in listed]
    if len(set(names)) < len(names) or not {*parents} <= {*names, ""}:
        return _all_alike(1)
    made: dict[str, Group | PodSet] = {
        each["name"]: Group(each["name"], 0)
        if each["name"] in parents
        else PodSet(each["name"], max(int(each.get("minMember") or 0), 0))
        for each in listed
    }
    root = Group("", 0)
    for name, parent in zip(names, parents, strict=True):
        holder = made.get(parent, root)
        assert isinstance(holder, Group)
        holder.children.append(made[name])
    if not root.children:
        root = _all_alike(max(int(spec.get("minMember") or 0), 1))
    for each, part in ((spec, root), *((each, made[each["name"]]) for each in listed)):
        part.topology = _topology(each.get("topologyConstraint") or {}, aliases)
        if isinstance(part, Group):
            least = each.get("minSubGroup")
            part.threshold = len(part.children) if least is None else int(least)
    return root


def _topology(constraint: Mapping[str, Any], aliases: Mapping[str, Aliases]) -> Topology | None:
    name = constraint.get("topology")
    if not name:
        return None
    required, preferred = (constraint.get(f"{each}TopologyLevel") or "" for each in ("required", "preferred"))
    known = aliases.get(name, {})
    return Topology(name, known.get(required, required), known.get(preferred, preferred))


def _constrained(part: Group | PodSet) -> bool:
    children = part.children if isinstance(part, Group) else ()
    return part.topology is not None or any(map(_constrained, children))


def _all_alike(minimum: int) -> Group:
    """Of a PodGroup without subgroups, or with some that contradict each other, which KAI then ignores."""
    return Group("", 1, [PodSet(DEFAULT_SET, minimum)])
