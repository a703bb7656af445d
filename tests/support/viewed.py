"""Documents of the visualizer API, of archives and of made-up snapshots."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from kai_snapshot.api.visualizer import JOBS, NODES, QUEUES, QueueView, Source
from kai_snapshot.simulator.collect import Collected
from kai_snapshot.views import Gathered, Views, compute, gather

Object = dict[str, Any]
NOW = datetime(2026, 11, 22, 12, 39, tzinfo=UTC)
_SCHEMA = json.loads((Path(__file__).parent.parent / "data" / "visualizer.schema.json").read_bytes())
_REGISTRY: Registry[Any] = Registry().with_resource(_SCHEMA["$id"], Resource.from_contents(_SCHEMA))
SCHEMAS = {
    name: Draft202012Validator(
        {"$ref": f"{_SCHEMA['$id']}#/$defs/{name}"},
        registry=_REGISTRY,
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
    for name in ("summary", "queues", "jobs", "nodes")
}
"""The contract, as the KAI Visualizer plan has it."""


def views_of(path: Path) -> Views:
    """Of an archive in a file."""
    gathered = gather(path, not_after=NOW)
    return compute(gathered, source=Source(kind="file", captured_at=gathered.collected.captured_at))


def views(now: datetime = NOW, *, params: Object | None = None, **lists: Iterable[Object] | None) -> Views:
    """Of a snapshot with these lists of objects, as they are at that time."""
    gathered = Gathered(Collected(now))
    gathered.value(("config",), {"actions": "allocate", "tiers": []}, (0, 0))
    gathered.value(("schedulerParams",), params or {"fullHierarchyFairness": True}, (0, 0))
    for name, objects in lists.items():
        gathered.key(("rawObjects", name))
        for each in objects or ():
            gathered.element(("rawObjects", name), each, (0, 0))
    return compute(gathered, source=Source(kind="file", captured_at=now))


def documents(found: Views) -> dict[str, Any]:
    """The four documents, as they go over the wire."""
    return {
        "summary": found.summary.dump(),
        "queues": QUEUES.dump_python(found.queues, mode="json", by_alias=True, exclude_none=True),
        "jobs": JOBS.dump_python(found.jobs, mode="json", by_alias=True, exclude_none=True),
        "nodes": NODES.dump_python(found.nodes, mode="json", by_alias=True, exclude_none=True),
    }


def every_queue(roots: Iterable[QueueView]) -> Iterable[QueueView]:
    """The queues of trees."""
    for queue in roots:
        yield queue
        yield from every_queue(queue.children)


def node(name: str = "n", gpus: int = 8, *, labels: Object | None = None, **more: Any) -> Object:
    """A node that is Ready."""
    offered = {"cpu": "64", "memory": "512Gi", "pods": "110"} | ({"nvidia.com/gpu": str(gpus)} if gpus else {})
    return {
        "metadata": {"name": name, "labels": labels or {}},
        "spec": more.get("spec", {}),
        "status": {
            "allocatable": offered | more.get("allocatable", {}),
            "conditions": [{"type": "Ready", "status": more.get("ready", "True")}],
        },
    }


def pod(name: str = "p", node: str = "", *, gpus: int = 0, job: str = "j", **more: Any) -> Object:
    """A pod of a job; Running if it has a node, unless `phase` says otherwise."""
    requests = {"cpu": "1", "memory": "1Gi"} | ({"nvidia.com/gpu": str(gpus)} if gpus else {}) | more.get("asks", {})
    annotations = ({"pod-group-name": job} if job else {}) | more.get("annotations", {})
    return {
        "metadata": {
            "name": name,
            "namespace": more.get("namespace", "ns"),
            "uid": f"{more.get('namespace', 'ns')}-{name}",
            "creationTimestamp": more.get("created", "2026-11-22T10:00:00Z"),
            "annotations": annotations,
            "labels": more.get("labels", {}),
        }
        | ({"deletionTimestamp": more["deleted"]} if "deleted" in more else {}),
        "spec": {"schedulerName": "kai-scheduler", "containers": [{"name": "c", "resources": {"requests": requests}}]}
        | ({"nodeName": node} if node else {})
        | more.get("spec", {}),
        "status": {"phase": more.get("phase", "Running" if node else "Pending")} | more.get("status", {}),
    }


def shared(name: str, node: str = "", *, part: float = 0.5, group: str = "", **more: Any) -> Object:
    """A pod that shares a GPU."""
    labels = {"runai-gpu-group": group} if group else {}
    return pod(name, node, annotations={"gpu-fraction": str(part)}, labels=labels, **more)


def job(name: str = "j", queue: str = "q", *, namespace: str = "ns", **spec: Any) -> Object:
    """A PodGroup."""
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{namespace}-{name}",
            "creationTimestamp": "2026-11-22T09:00:00Z",
        },
        "spec": {"queue": queue, "minMember": 1} | spec,
    }


def queue(name: str = "q", parent: str = "", *, gpu: Object | None = None, **more: Any) -> Object:
    """A queue."""
    amount = {"quota": 0, "limit": -1, "overQuotaWeight": 1}
    resources = {"gpu": gpu or amount, "cpu": more.get("cpu", amount), "memory": more.get("memory", amount)}
    return {
        "metadata": {"name": name, "creationTimestamp": "2026-11-22T08:00:00Z"},
        "spec": {"resources": resources} | ({"parentQueue": parent} if parent else {}) | more.get("spec", {}),
        "status": more.get("status", {}),
    }
