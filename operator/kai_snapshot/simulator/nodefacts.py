"""What a node offers, and whether it takes pods, as its object says."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from kai_snapshot.simulator.integer import integer
from kai_snapshot.simulator.quantity import quantity, units
from kai_snapshot.simulator.request import GPU, GPU_NAMES, MIG_NAME, in_units

_PRESSURES = frozenset({"MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"})
UNKNOWN_MEMORY = 100
"""MiB of a GPU whose node does not say."""
_MIB = 1 << 20
GPU_WORKER, CPU_WORKER = "node-role.kubernetes.io/gpu-worker", "node-role.kubernetes.io/cpu-worker"


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """A node."""

    name: str
    labels: Mapping[str, str]
    taints: tuple[Mapping[str, Any], ...]
    allocatable: Mapping[str, float]
    """By resource, in the units of requests; GPUs of all makers together under `gpu`."""
    ready: bool
    device_memory: int
    """Of one GPU, in MiB."""
    memory_known: bool
    gpu_count: float
    """As the node's label says, else what it offers."""
    mig: bool
    mig_strategy: str
    takes_gpu_pods: bool = True
    takes_cpu_pods: bool = True
    """Whether it is for pods that ask for GPUs, and for those that ask for none."""


def node_facts(node: Mapping[str, Any]) -> NodeFacts:
    """What a node object says."""
    metadata, spec, status = node["metadata"], node.get("spec") or {}, node.get("status") or {}
    labels = metadata.get("labels") or {}
    allocatable = _allocatable(status.get("allocatable") or {})
    memory, count = _device_memory(labels.get("nvidia.com/gpu.memory")), integer(labels.get("nvidia.com/gpu.count"))
    said = _truth(labels.get("node-role.kubernetes.io/mig-enabled", ""))
    return NodeFacts(
        name=metadata["name"],
        labels=labels,
        taints=tuple(spec.get("taints") or ()),
        allocatable=allocatable,
        ready=not spec.get("unschedulable") and all(_good(each) for each in status.get("conditions") or ()),
        device_memory=memory or UNKNOWN_MEMORY,
        memory_known=memory is not None,
        gpu_count=float(int(allocatable[GPU]) if count is None else count),
        mig=any(amount > 0 and MIG_NAME.fullmatch(name) for name, amount in allocatable.items())
        if said is None
        else said,
        mig_strategy=labels.get("nvidia.com/mig.strategy", ""),
    )


def as_worker(node: NodeFacts) -> NodeFacts:
    """A node where those are kept apart: as it is labelled, for both, for one, or for none."""
    return replace(node, takes_gpu_pods=GPU_WORKER in node.labels, takes_cpu_pods=CPU_WORKER in node.labels)


def _allocatable(offered: Mapping[str, Any]) -> dict[str, float]:
    amounts: dict[str, float] = {}
    gpus = Fraction(0)
    for name, value in offered.items():
        number = quantity(value)
        if name in GPU_NAMES:
            gpus += number
        elif (amount := in_units(name, number)) is not None:
            amounts[name] = amount
    amounts[GPU] = units(gpus)
    return amounts


def _good(condition: Mapping[str, Any]) -> bool:
    kind, status = condition.get("type"), condition.get("status")
    if kind == "Ready":
        return status == "True"
    return kind not in _PRESSURES or status == "False"


def _device_memory(text: str | None) -> int | None:
    memory = integer(text)
    if memory is None or memory < 0:
        return None
    if memory >= _MIB:
        memory //= _MIB
    return memory - memory % 100


def _truth(text: str) -> bool | None:
    if text in ("1", "t", "T", "TRUE", "true", "True"):
        return True
    return False if text in ("0", "f", "F", "FALSE", "false", "False") else None
