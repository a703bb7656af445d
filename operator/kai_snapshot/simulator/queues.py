"""The tree of queues, as the objects say."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from kai_snapshot.simulator.duration import duration
from kai_snapshot.simulator.model import UNLIMITED, Queue, Triple
from kai_snapshot.simulator.status import parse_time

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
DEFAULT_PRIORITY = 100
_MEGABYTE = 1e6


def queue_tree(objects: Iterable[Mapping[str, Any]], *, full_hierarchy: bool) -> dict[str, Queue]:
    """All queues, by name. One whose parent is missing is left out with all below it."""
    listed = {each["metadata"]["name"]: each for each in objects}
    queues: dict[str, Queue] = {}
    if full_hierarchy:
        for name in listed:
            _build(name, listed, queues, set())
    else:
        queues["default"] = _everything()
        for name, each in listed.items():
            if (each.get("spec") or {}).get("parentQueue"):
                queues[name] = make_queue(each, queues["default"])
    for queue in queues.values():
        queue.path = tuple(_upward(queue))
    return queues


def _build(
    name: str, listed: Mapping[str, Mapping[str, Any]], queues: dict[str, Queue], above: set[str]
) -> Queue | None:
    if name in queues:
        return queues[name]
    if name not in listed or name in above:
        return None
    parent_name = (listed[name].get("spec") or {}).get("parentQueue")
    parent = _build(parent_name, listed, queues, above | {name}) if parent_name else None
    if parent_name and parent is None:
        return None
    queues[name] = make_queue(listed[name], parent)
    return queues[name]


def make_queue(value: Mapping[str, Any], parent: Queue | None) -> Queue:
    """The queue of an object, below its parent."""
    metadata, spec = value["metadata"], value.get("spec") or {}
    resources = spec.get("resources") or {}
    priority = spec.get("priority")
    queue = Queue(
        name=metadata["name"],
        parent=parent,
        children=[],
        priority=DEFAULT_PRIORITY if priority is None else int(priority),
        created=parse_time(metadata.get("creationTimestamp")) or LONG_AGO,
        quota=_triple(resources, "quota"),
        limit=_triple(resources, "limit"),
        weight=_triple(resources, "overQuotaWeight", scale=1.0),
        reclaim_min_runtime=duration(spec.get("reclaimMinRuntime")),
        preempt_min_runtime=duration(spec.get("preemptMinRuntime")),
    )
    if parent is not None:
        parent.children.append(queue)
    return queue


def _everything() -> Queue:
    unlimited = (UNLIMITED, UNLIMITED, UNLIMITED)
    return Queue("default", None, [], DEFAULT_PRIORITY, LONG_AGO, unlimited, unlimited, (1.0, 1.0, 1.0))


def _triple(resources: Mapping[str, Any], name: str, *, scale: float = _MEGABYTE) -> Triple:
    """What is not said is zero; memory is in megabytes, -1 is unlimited."""
    cpu, memory, gpu = (float((resources.get(each) or {}).get(name) or 0.0) for each in ("cpu", "memory", "gpu"))
    return cpu, max(memory * scale, UNLIMITED), gpu


def _upward(queue: Queue) -> list[Queue]:
    path = [queue]
    while path[-1].parent is not None:
        path.append(path[-1].parent)
    return path
