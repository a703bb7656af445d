"""What a pod asks for: CPU, memory, GPUs whole, in parts or by their memory, and whatever else nodes offer."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import Any

from kai_snapshot.simulator.integer import integer
from kai_snapshot.simulator.quantity import ZERO, quantity, thousandths, units

CPU, MEMORY, GPU, PODS = "cpu", "memory", "gpu", "pods"
GPU_NAMES = frozenset({"nvidia.com/gpu", "amd.com/gpu"})
MIG_NAME = re.compile(r"nvidia\.com/mig-(\d+)g\.\d+gb")
_EXTENDED = ("hugepages-", "attachable-volumes-")

Amounts = Mapping[str, float]
Exact = dict[str, Fraction]


class GpuKind(Enum):
    """How a pod asks for GPUs."""

    REGULAR = "Regular"
    FRACTION = "Fraction"
    MEMORY = "GpuMemory"
    MIG = "Mig"


@dataclass(frozen=True, slots=True)
class Request:
    """What a pod asks of a node."""

    amounts: Amounts
    """By resource: CPU in millicores, memory in bytes, extended resources in thousandths; without GPUs."""
    kind: GpuKind = GpuKind.REGULAR
    devices: int = 0
    """GPUs, or shared ones."""
    portion: float = 0.0
    """Of each."""
    device_memory: int = 0
    """Of each, in MiB, where the pod asks for memory."""
    mig_gpus: float = 0.0
    """What its MIG devices count as in queues."""
    gpus: float = field(init=False)
    """Whole GPUs and parts of them, as queues count them; zero for memory."""
    shared: bool = field(init=False)
    """Whether it takes part of a GPU that others may use too."""
    cpu_only: bool = field(init=False)
    """Whether it asks for no GPU at all."""

    def __post_init__(self) -> None:
        gpus = math.floor(self.portion * 100 + 0.5) * self.devices / 100
        object.__setattr__(self, "gpus", gpus)
        object.__setattr__(self, "shared", self.kind in (GpuKind.FRACTION, GpuKind.MEMORY))
        object.__setattr__(self, "cpu_only", gpus == 0 and self.kind in (GpuKind.REGULAR, GpuKind.FRACTION))


def pod_request(spec: Mapping[str, Any], annotations: Mapping[str, str]) -> Request:
    """What a pod of that `spec` asks for."""
    total = _pod_total(spec)
    devices = sum((total.pop(name, ZERO) for name in GPU_NAMES), ZERO)
    amounts = {name: amount for name, number in total.items() if (amount := in_units(name, number)) is not None}
    amounts[PODS] = 1.0
    mig = {name: float(each[1]) for name in amounts if (each := MIG_NAME.fullmatch(name))}
    count = max(integer(annotations.get("gpu-fraction-num-devices")) or 0, 0) or 1
    portion = _number(annotations.get("gpu-fraction"))
    if 0 < portion <= 1:
        return Request(amounts, GpuKind.FRACTION, count, portion)
    if (memory := integer(annotations.get("gpu-memory")) or 0) > 0:
        return Request(amounts, GpuKind.MEMORY, count, 0.0, memory)
    whole = int(units(devices))
    if mig:
        weight = sum(gpus * amounts[name] / 1000 for name, gpus in mig.items())
        return Request(amounts, GpuKind.MIG, whole, 1.0 if whole else 0.0, 0, weight)
    return Request(amounts, GpuKind.REGULAR, whole, 1.0 if whole else 0.0)


def in_units(name: str, number: Fraction) -> float | None:
    """The amount of a resource in the units that are compared; None for what KAI does not look at."""
    if name == CPU:
        return thousandths(number)
    if name in (MEMORY, PODS, "ephemeral-storage"):
        return units(number)
    if "/" in name or name.startswith(_EXTENDED):
        return thousandths(number)
    return None


def _pod_total(spec: Mapping[str, Any]) -> Exact:
    main = _sum(_container(each) for each in spec.get("containers") or ())
    sidecars: Exact = {}
    peak: Exact = {}
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            sidecars = _sum((sidecars, _container(container)))
        else:
            own = _sum((sidecars, _container(container)))
            peak = {name: max(peak.get(name, ZERO), own.get(name, ZERO)) for name in {*peak, *own}}
    running = _sum((main, sidecars))
    most = {name: max(running.get(name, ZERO), peak.get(name, ZERO)) for name in sorted({*running, *peak})}
    overhead = {name: quantity(value) for name, value in (spec.get("overhead") or {}).items() if name not in GPU_NAMES}
    return _sum((most, overhead))


def _container(container: Mapping[str, Any]) -> Exact:
    asked = (container.get("resources") or {}).get("requests") or {}
    return {name: quantity(value) for name, value in asked.items()}


def _sum(parts: Iterable[Exact]) -> Exact:
    total: Exact = {}
    for part in parts:
        for name, number in part.items():
            total[name] = total.get(name, ZERO) + number
    return total


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
