"""Which object is not one of its kind, once a cluster could not be put together."""

from collections.abc import Callable, Iterator
from typing import Any

from kai_snapshot.archive.read import incomplete
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.simulator.collect import FORM_ERRORS, Collected
from kai_snapshot.simulator.podgroups import make_job, priorities
from kai_snapshot.simulator.queues import queue_tree
from kai_snapshot.simulator.status import parse_time


def malformed(collected: Collected) -> TerminalError | None:
    """The error about the first object that cannot be read; None if all can: then the fault is not the archive's.

    PatchFailed, if something was changed, for an API server lets no such object pass; else IncompleteSnapshot.
    """
    found = next(_unreadable(collected), None)
    if found is None:
        return None
    if not collected.adaptations:
        return incomplete(f"{found} is not one of its kind")
    what = f"{found} is not one of its kind any more; see the types of what the patches put in"
    return TerminalError(Reason.PATCH_FAILED, f"{what}: {'; '.join(collected.adaptations)}.")


def _unreadable(collected: Collected) -> Iterator[str]:
    read_as: list[tuple[str, list[Any], Callable[[Any], object]]] = [
        ("queues", collected.queues, lambda each: queue_tree([_root(each)], full_hierarchy=True)),
        ("podGroups", collected.pod_groups, lambda each: make_job(each, {}, values={}, default=0, aliases={})),
        ("priorityClasses", collected.priority_classes, lambda each: priorities([each])),
        ("bindRequests", collected.bind_requests, _bind_request),
        ("topologies", collected.topologies, _topology),
        ("pods", collected.pods, lambda each: (parse_time(each.created), parse_time(each.deleted), each.labels.get)),
    ]
    for kind, values, read in read_as:
        for number, value in enumerate(values, 1):
            try:
                read(value)
            except FORM_ERRORS:
                yield f"object {number} of `{kind}`"


def _root(queue: Any) -> Any:
    """The same without its parent."""
    return {**queue, "spec": {**(queue.get("spec") or {}), "parentQueue": None}}


def _bind_request(request: Any) -> object:
    spec, status = request.get("spec") or {}, request.get("status") or {}
    return request["metadata"].get("namespace"), spec.get("selectedNode"), int(status.get("failedAttempts") or 0)


def _topology(topology: Any) -> object:
    spec = topology.get("spec") or {}
    return topology["metadata"]["name"], [level["nodeLabel"] for level in spec.get("levels") or ()]
