"""What would be if: the document of what a cycle leaves behind, with one waiting job, and with that job's needs met."""

import copy
import json
import time
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kai_snapshot.api.result import JobOutcome, ReplayResult
from kai_snapshot.api.waiting import Need, NeedKind, WaitingJob
from kai_snapshot.simulator import cycle
from kai_snapshot.simulator.cluster import Cluster, build
from kai_snapshot.simulator.model import Task
from kai_snapshot.simulator.reasons import explain
from kai_snapshot.simulator.simulate import load, simulate
from kai_snapshot.simulator.status import Status
from support.clusters import Object
from support.simulated import RECORDED_AT, write

GRAINS = {"gpu": 1.0, "cpu": 0.001, "memory": 0.001, "pods": 1.0}
_ON_NODES = {"gpu": "nvidia.com/gpu", "pods": "pods"}


def document_of(path: Path) -> Object:
    """The snapshot in an archive."""
    with zipfile.ZipFile(path) as archive:
        found: Object = json.loads(archive.read("snapshot.json"))
        found["rawObjects"] = {kind: listed or [] for kind, listed in found["rawObjects"].items()}
        return found


@dataclass(frozen=True)
class Ended:
    """A cycle that is over."""

    document: Object
    cluster: Cluster
    waiting: tuple[WaitingJob, ...]

    def only(self, job: str) -> Object:
        """The document when all that was decided is carried out, with the waiting pods of one job; `allocate` only."""
        document = {**self.document, "config": {**self.document["config"], "actions": "allocate"}}
        tasks = {task.name: task for task in self.cluster.tasks}
        pods = [copy.deepcopy(pod) for pod in document["rawObjects"]["pods"] if _stays(tasks[_name(pod)], job)]
        for pod in pods:
            _settle(pod, tasks[_name(pod)], self.cluster.nodes.names)
        document["rawObjects"] = {**document["rawObjects"], "pods": pods, "bindRequests": []}
        return document


def ended(document: Object, directory: Path, *, seed: int | None = None) -> Ended:
    """A whole cycle on a document."""
    collected = load(write(document, directory / "before.zip"), not_after=RECORDED_AT)
    cluster = build(collected, now=RECORDED_AT)
    session = cycle.begin(cluster, seed=seed)
    for name in cluster.settings.actions:
        cycle.ACTIONS[name](session)
    return Ended(document, cluster, explain(session))


def again(document: Object, directory: Path) -> ReplayResult:
    """What the simulator makes of a document."""
    path = write(document, directory / "again.zip")
    return simulate(load(path, not_after=RECORDED_AT), clock=time.perf_counter, now=RECORDED_AT)


def of(result: ReplayResult, job: str) -> WaitingJob | None:
    """What a result says of a job; None if it got its place."""
    found = next((each for each in result.waiting if each.name == job), None)
    tried = next((each for each in result.pod_groups if each.name == job), None)
    return None if tried is not None and tried.outcome is JobOutcome.ALLOCATED else found


def met(document: Object, needs: Iterable[Need], job: str, *, by_holders: bool = False) -> Object:
    """The document with these needs met. What is to be freed: its holders are taken away, or the node made larger."""
    document = copy.deepcopy(document)
    for need in needs:
        meet = _leave if by_holders and need.what is NeedKind.FREE else _MEET[need.what]
        meet(document["rawObjects"], need, job)
    return document


def less(need: Need) -> Need:
    """One unit less of it."""
    assert need.amount is not None
    grain = 0.01 if need.resource == "gpu" and need.amount % 1 else GRAINS.get(need.resource, 1.0)
    return need.model_copy(update={"amount": round(need.amount - grain, 3)})


def _raise(raw: Object, need: Need, _: str) -> None:
    of_queue = _named(raw["queues"], need.queue)["spec"].setdefault("resources", {})
    settings = of_queue.setdefault(need.resource, {})
    factor = 1000 if need.resource in ("cpu", "memory") else 1
    field = "limit" if need.what is NeedKind.LIMIT else "quota"
    settings[field] = settings.get(field, 0) + (need.amount or 0) * factor


def _leave(raw: Object, need: Need, _: str) -> None:
    gone = [pod for pod in raw["pods"] if pod["spec"].get("nodeName") == need.node]
    gone = [pod for pod in gone if {_name(pod), _job(raw, pod)} & {*need.holders}]
    raw["pods"] = [pod for pod in raw["pods"] if pod not in gone]


def _make_room(raw: Object, need: Need, _: str) -> None:
    _enlarge(_named(raw["nodes"], need.node), need.resource, need.amount or 0)


def _label(raw: Object, need: Need, _: str) -> None:
    key, _, value = str(need.name).partition("=")
    _named(raw["nodes"], need.node)["metadata"]["labels"][key] = value


def _tolerate(raw: Object, need: Need, job: str) -> None:
    taint, _, effect = str(need.name).rpartition(":")
    key, _, value = taint.partition("=")
    wanted = {"key": key, "operator": "Equal", "value": value, "effect": effect}
    for pod in _own(raw, job):
        pod["spec"]["tolerations"] = [*pod["spec"].get("tolerations", ()), wanted]


def _make_ready(raw: Object, need: Need, _: str) -> None:
    node = _named(raw["nodes"], need.node)
    node["spec"].pop("unschedulable", None)
    node["status"]["conditions"] = [{"type": "Ready", "status": "True"}]


def _create_config_map(raw: Object, need: Need, job: str) -> None:
    raw.setdefault("configMaps", []).append({"metadata": {"name": need.name, "namespace": job.partition("/")[0]}})


def _lift_gates(raw: Object, need: Need, job: str) -> None:
    gated = [pod for pod in _own(raw, job) if pod["spec"].get("schedulingGates")]
    for pod in gated[: int(need.amount or 0)]:
        pod["spec"].pop("schedulingGates")


def _add_pods(raw: Object, need: Need, job: str) -> None:
    for i in range(int(need.amount or 0)):
        more = copy.deepcopy(_own(raw, job)[0])
        labels = {"kai.scheduler/subgroup-name": need.name} if need.name else {}
        name = f"{more['metadata']['name']}-more-{need.name}-{i}"
        more["metadata"] |= {"name": name, "uid": name, "labels": labels}
        raw["pods"].append(more)


def _add_larger_node(raw: Object, need: Need, job: str) -> None:
    node = raw["nodes"][0]
    node["spec"] = {}
    node["metadata"]["labels"] |= _own(raw, job)[0]["spec"].get("nodeSelector") or {}
    _enlarge(node, need.resource, need.amount or 0)


def _create_queue(raw: Object, need: Need, _: str) -> None:
    resources = {name: {"quota": -1, "limit": -1, "overQuotaWeight": 1} for name in ("cpu", "memory", "gpu")}
    raw["queues"].append({"metadata": {"name": need.queue}, "spec": {"resources": resources}})


_MEET: dict[NeedKind, Callable[[Object, Need, str], None]] = {
    NeedKind.FREE: _make_room,
    NeedKind.LIMIT: _raise,
    NeedKind.QUOTA: _raise,
    NeedKind.PODS: _add_pods,
    NeedKind.GATES: _lift_gates,
    NeedKind.LABEL: _label,
    NeedKind.TOLERATION: _tolerate,
    NeedKind.NODE: _make_ready,
    NeedKind.CONFIG_MAP: _create_config_map,
    NeedKind.LARGER_NODE: _add_larger_node,
    NeedKind.QUEUE: _create_queue,
}


def _enlarge(node: Object, resource: str, amount: float) -> None:
    offered = node["status"]["allocatable"]
    if resource in _ON_NODES:
        name = _ON_NODES[resource]
        offered[name] = str(int(float(offered.get(name, 0)) + amount))
        if resource == "gpu" and "nvidia.com/gpu.count" in node["metadata"].get("labels", {}):
            node["metadata"]["labels"]["nvidia.com/gpu.count"] = offered[name]
    elif resource == "cpu":
        offered["cpu"] = f"{_milli(offered['cpu']) + round(amount * 1000)}m"
    elif resource in ("memory", "ephemeral-storage"):
        offered[resource] = str(_bytes(offered.get(resource, "0")) + round(amount * 1e9))
    else:
        offered[resource] = str(_bytes(offered.get(resource, "0")) + round(amount))


def _milli(text: str) -> int:
    return int(text[:-1]) if text.endswith("m") else int(text) * 1000


def _bytes(text: str) -> int:
    units = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
    return int(text[:-2]) * units[text[-2:]] if text[-2:] in units else int(float(text))


def _stays(task: Task, job: str) -> bool:
    if task.status in (Status.PENDING, Status.GATED):
        return task.job is not None and task.job.name == job
    return task.status is not Status.RELEASING


def _settle(pod: Object, task: Task, nodes: list[str]) -> None:
    if task.status is not Status.RUNNING or task.node < 0:
        return
    pod["spec"]["nodeName"], pod["status"]["phase"] = nodes[task.node], "Running"
    labels = pod["metadata"].setdefault("labels", {}) or {}
    labels = {name: value for name, value in labels.items() if not name.startswith("runai-gpu-group")}
    first, *others = task.groups or ("",)
    if first:
        labels |= {"runai-gpu-group": first, **{f"runai-gpu-group/{each}": each for each in others}}
    pod["metadata"]["labels"] = labels


def _name(pod: Object) -> str:
    return f"{pod['metadata'].get('namespace', '')}/{pod['metadata']['name']}"


def _own(raw: Object, job: str) -> list[Object]:
    return [pod for pod in raw["pods"] if _group(pod) == job.partition("/")[2]]


def _group(pod: Object) -> str:
    return str((pod["metadata"].get("annotations") or {}).get("pod-group-name", ""))


def _job(raw: Object, pod: Object) -> str:
    found = next((each for each in raw["podGroups"] if each["metadata"]["name"] == _group(pod)), None)
    return f"{found['metadata'].get('namespace', '')}/{_group(pod)}" if found else _name(pod)


def _named(objects: list[Any], name: str | None) -> Object:
    found: Object = next(each for each in objects if each["metadata"]["name"] == name)
    return found
