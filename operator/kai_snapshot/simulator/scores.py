"""How well a node suits a pod; the highest wins, of equal ones the first by name."""

from dataclasses import dataclass

import numpy as np

from kai_snapshot.simulator.model import Task
from kai_snapshot.simulator.nodes import CPU_COLUMN, GPU_COLUMN, Flags, Floats, Nodes

AVAILABLE, SHARES, CPU_ONLY, NOMINATED = 1000.0, 10_000.0, 10.0, 10_000_000.0
_MOST = 9.0


@dataclass(frozen=True, slots=True)
class Placement:
    """Whether pods are packed or spread, by what they ask for."""

    gpu_spread: bool
    cpu_spread: bool
    plugins: frozenset[str]
    """Those that are on."""


def scores(nodes: Nodes, task: Task, within: Flags | None, fits_idle: Flags, placement: Placement) -> Floats:
    """Each node's score for a pod, of the nodes `within`."""
    request, on = task.shape.request, placement.plugins
    score: Floats = np.zeros(len(nodes.names))
    if "nodeavailability" in on:
        score[fits_idle] += AVAILABLE
    if nodes.sharing and "gpusharingorder" in on:
        score[nodes.shareable(request)] += SHARES
    if request.cpu_only and "resourcetype" in on:
        score[nodes.no_gpus] += CPU_ONLY
    if task.nominated and "nominatednode" in on and task.nominated in nodes.index:
        score[nodes.index[task.nominated]] += NOMINATED
    if "nodeplacement" in on:
        column = CPU_COLUMN if request.cpu_only else GPU_COLUMN
        spread = placement.cpu_spread if request.cpu_only else placement.gpu_spread
        score += _spread(nodes, column) if spread else _packed(nodes, column, within)
    return score


def _packed(nodes: Nodes, column: int, within: Flags | None) -> Floats:
    free = nodes.idle[:, column] + nodes.releasing[:, column]
    offers = nodes.offered[:, column]
    counted = free[offers if within is None else offers & within]
    if not counted.size:
        return np.zeros_like(free)
    low, high = counted.min(), counted.max()
    if high == 0:
        return np.zeros_like(free)
    if low == high:
        return np.where(offers, _MOST, 0.0)
    packed: Floats = np.where(offers, _MOST * (1 - (free - low) / (high - low)), 0.0)
    return packed


def _spread(nodes: Nodes, column: int) -> Floats:
    free = nodes.idle[:, column] + nodes.releasing[:, column]
    of = nodes.gpu_count if column == GPU_COLUMN else nodes.alloc[:, CPU_COLUMN]
    return np.divide(free, of, out=np.zeros_like(free), where=of != 0)
