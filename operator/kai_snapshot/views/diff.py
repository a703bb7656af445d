"""What changed between two archives."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from kai_snapshot.api.archivediff import ArchiveDiff, Change, Changed, ListDiff, PodMove, PodsDiff, Value
from kai_snapshot.api.visualizer import JobView, NodeView, QueueView, ResourceStats
from kai_snapshot.views import Views
from kai_snapshot.views.inventory import READ_BY_NAME, NodeStock

Fields = Mapping[str, Value]
"""What an object is compared by, in the order it is to be told."""
_ACTIONS = "actions"
"""The key of the configuration that names the actions, and may be shown."""
_RESOURCES = {"cpu": "milliCPU", "memory": "memory", "gpu": "gpu"}


def diff(before: Views, after: Views) -> ArchiveDiff:
    """What changed, everything by name."""
    labels = before.inventory.chosen_by | after.inventory.chosen_by
    return ArchiveDiff(
        before=before.source,
        after=after.source,
        nodes=_compare(_nodes(before, labels), _nodes(after, labels)),
        queues=_compare(_queues(before), _queues(after)),
        jobs=_compare(_jobs(before), _jobs(after)),
        pods=_pods(before, after),
        priority_classes=_compare(_classes(before), _classes(after)),
        config_maps=_compare(_names(before.inventory.config_maps), _names(after.inventory.config_maps)),
        config=_keys(before.inventory.config, after.inventory.config, lambda key, _: key == _ACTIONS),
        params=_keys(before.inventory.params, after.inventory.params, lambda _, value: isinstance(value, int | float)),
    )


def shown(value: Value) -> str:
    """A value as people read it, in full: two that differ never look the same."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _compare(before: Mapping[str, Fields], after: Mapping[str, Fields]) -> ListDiff:
    both = sorted(before.keys() & after.keys())
    changed = ((name, tuple(_changes(before[name], after[name]))) for name in both)
    return ListDiff(
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(Changed(name=name, changes=changes) for name, changes in changed if changes),
    )


def _changes(before: Fields, after: Fields) -> Iterator[Change]:
    for field in dict.fromkeys((*before, *after)):
        if before.get(field) != after.get(field):
            yield Change(field=field, before=before.get(field), after=after.get(field))


def _keys(before: Mapping[str, Any], after: Mapping[str, Any], shown: Callable[[str, object], bool]) -> ListDiff:
    """Only values that may be shown are told with their key."""
    return ListDiff(
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(
            Changed(
                name=key,
                changes=(Change(field="value", before=before[key], after=after[key]),)
                if shown(key, before[key]) and shown(key, after[key])
                else (),
            )
            for key in sorted(before.keys() & after.keys())
            if before[key] != after[key]
        ),
    )


def _nodes(views: Views, labels: Iterable[str]) -> dict[str, Fields]:
    stock = views.inventory.nodes
    return {node.name: dict(_node(node, stock[node.name], frozenset(labels))) for node in views.nodes}


def _node(node: NodeView, stock: NodeStock, labels: frozenset[str]) -> Iterator[tuple[str, Value]]:
    yield "status", node.status
    yield "unschedulable", bool(node.unschedulable)
    yield from _amounts("allocatable", node.allocatable)
    yield "gpus", len(node.gpu_slots)
    for taint in stock.taints:
        yield f"taint {taint}", True
    for key, value in sorted(stock.labels.items()):
        if key in labels or key.startswith(READ_BY_NAME):
            yield f"label {key}", value


def _queues(views: Views) -> dict[str, Fields]:
    found: dict[str, Fields] = {}
    waiting = list(views.queues)
    while waiting:
        queue = waiting.pop()
        found[queue.id or queue.name] = dict(_queue(queue))
        waiting.extend(queue.children)
    return found


def _queue(queue: QueueView) -> Iterator[tuple[str, Value]]:
    resources, free = queue.resources, queue.resources.unlimited
    yield "displayName", queue.name
    yield "parent", queue.parent or None
    yield "priority", queue.weight
    yield from _amounts("quota", resources.guaranteed, free.guaranteed if free is not None else ())
    yield from _amounts("limit", resources.max, free.max if free is not None else ())
    for name, weight in (resources.over_quota_weight or {}).items():
        yield f"overQuotaWeight.{name}", weight
    if resources.fair_share is not None:
        yield from _amounts("fairShare", resources.fair_share)
    yield from _amounts("allocated", resources.allocated)
    if resources.requested is not None:
        yield from _amounts("requested", resources.requested)


def _amounts(what: str, stats: ResourceStats, unlimited: Iterable[str] = ()) -> Iterator[tuple[str, Value]]:
    amounts = {"cpu": stats.milli_cpu, "memory": stats.memory, "gpu": stats.gpu_fraction}
    for name, amount in amounts.items():
        yield f"{what}.{_RESOURCES[name]}", None if name in unlimited else amount
    for name, count in (stats.scalar_resources or {}).items():
        yield f"{what}.{name}", count


def _jobs(views: Views) -> dict[str, Fields]:
    return {f"{job.namespace}/{job.name}": dict(_job(job)) for job in views.jobs}


def _job(job: JobView) -> Iterator[tuple[str, Value]]:
    yield "uid", job.uid
    yield "status", job.status
    yield "queue", job.queue
    yield "priority", job.priority
    yield "minMember", job.min_member
    yield "pods", len(job.tasks)
    yield "podsOnNodes", sum(bool(task.node_name) for task in job.tasks)


def _pods(before: Views, after: Views) -> PodsDiff:
    was, now = _places(before), _places(after)
    return PodsDiff(
        added=len(now.keys() - was.keys()),
        removed=len(was.keys() - now.keys()),
        moved=tuple(
            PodMove(name=name, job=now[name][0], before=was[name][1] or None, after=now[name][1] or None)
            for name in sorted(was.keys() & now.keys())
            if was[name][1] != now[name][1]
        ),
    )


def _places(views: Views) -> dict[str, tuple[str, str]]:
    """Of each pod its job and its node."""
    return {
        f"{job.namespace}/{task.name}": (f"{job.namespace}/{job.name}", task.node_name)
        for job in views.jobs
        for task in job.tasks
    }


def _names(names: Iterable[str]) -> dict[str, Fields]:
    """Of objects of which no more is known."""
    return {name: {} for name in names}


def _classes(views: Views) -> dict[str, Fields]:
    return {name: {"value": value} for name, value in views.inventory.priority_classes.items()}
