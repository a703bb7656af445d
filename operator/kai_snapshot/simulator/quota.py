"""The quotas of queues, as their objects say and as patches change them."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from kai_snapshot.api.preparation import Patch, PatchTarget
from kai_snapshot.api.quotasweep import QueueResource
from kai_snapshot.simulator.model import UNLIMITED

Object = Mapping[str, Any]


class Unit(NamedTuple):
    """What people count a resource in, and what queues do."""

    name: str
    of_queue: int
    """What a queue calls one of it: millicores, megabytes."""
    of_total: float
    """What the total of a cluster calls one of it: millicores, bytes."""
    place: int
    """Its place in that total."""


UNITS: Mapping[QueueResource, Unit] = {
    "gpu": Unit("GPUs", 1, 1.0, 2),
    "cpu": Unit("cores", 1000, 1000.0, 0),
    "memory": Unit("GB", 1000, 1e9, 1),
}


def quota(queue: Object, resource: QueueResource) -> float | None:
    """The quota of a queue in the resource's unit; None: unlimited."""
    said = float(_resource(queue, resource).get("quota") or 0)
    return None if said == UNLIMITED else said / UNITS[resource].of_queue


def with_quota(queue: Object, resource: QueueResource, amount: float) -> Patch:
    """What gives a queue that quota."""
    said = amount * UNITS[resource].of_queue
    path, wanted = "/spec/resources", int(said) if said.is_integer() else said
    operations = []
    if not (queue.get("spec") or {}).get("resources"):
        operations.append(_add(path, {}))
    if not _resource(queue, resource):
        operations.append(_add(f"{path}/{resource}", {}))
    operations.append(_add(f"{path}/{resource}/quota", wanted))
    target = PatchTarget(kind="Queue", name=queue["metadata"]["name"])
    return Patch(target=target, patch=f"[{', '.join(operations)}]")


def above(name: str, queues: Mapping[str, Object]) -> Iterator[Object]:
    """The queues above that one, as far as they are there, the nearest first."""
    seen = {name}
    while (name := (queues[name].get("spec") or {}).get("parentQueue") or "") in queues and name not in seen:
        seen.add(name)
        yield queues[name]


def _resource(queue: Object, resource: QueueResource) -> Object:
    resources = (queue.get("spec") or {}).get("resources") or {}
    return resources.get(resource) or {}


def _add(path: str, value: object) -> str:
    return f"{{op: add, path: {path}, value: {orjson.dumps(value).decode()}}}"
