"""Places the pods of a job one after the other, all of them or none."""

import itertools
import math
import random
from collections.abc import Sequence
from operator import itemgetter

import numpy as np

from kai_snapshot.simulator import capacity
from kai_snapshot.simulator.changes import Changes
from kai_snapshot.simulator.model import Job, Settings, Task
from kai_snapshot.simulator.nexttasks import must_wait, total_claimed
from kai_snapshot.simulator.nodes import GPU_COLUMN, PODS_COLUMN, Flags, Floats, Nodes
from kai_snapshot.simulator.predicates import Predicates
from kai_snapshot.simulator.request import GpuKind
from kai_snapshot.simulator.scores import Placement, scores
from kai_snapshot.simulator.sharedgpus import portion_of
from kai_snapshot.simulator.status import Status
from kai_snapshot.simulator.together import Together
from kai_snapshot.simulator.topology import Domains

_NEW = "new-"


class Placer:
    """Finds places."""

    def __init__(
        self, nodes: Nodes, changes: Changes, settings: Settings, domains: Domains, chance: random.Random
    ) -> None:
        self._nodes = nodes
        self._changes = changes
        self._domains = domains
        self.predicates = Predicates(nodes)
        self._full: set[int] = set()
        """Shapes of pods that no node has room for, until something is freed."""
        self._placement = Placement(
            gpu_spread=settings.argument("nodeplacement", "gpu", "binpack") == "spread",
            cpu_spread=settings.argument("nodeplacement", "cpu", "binpack") == "spread",
            plugins=frozenset(settings.plugins),
        )
        self._groups = itertools.count(1)
        self._chance = chance

    def place(self, job: Job, tasks: Sequence[Task], within: Flags | None = None, *, wait: bool = False) -> bool:
        """Places these pods of a job on nodes `within`, or none.

        `wait`: pipelined only. Where a gang cannot start at once, all of it is pipelined.
        """
        if not tasks or not capacity.fits(job, total_claimed(tasks)):
            return False
        mark = self._changes.mark()
        place_all = self._place_together if job.constrained else self._place_all
        if not place_all(job, tasks, within, wait=wait):
            self._changes.undo(mark)
            return False
        if not wait and must_wait(job):
            self._changes.pipeline_bound(mark)
        return True

    def _place_all(self, job: Job, tasks: Sequence[Task], within: Flags | None, *, wait: bool) -> bool:
        """Whether all have a place; if not, some may have one."""
        everywhere = within is None and not wait
        if everywhere and id(tasks[0].shape) in self._full:
            return False
        for task in tasks:
            if not self._place(job, task, within, wait=wait):
                if everywhere and task is tasks[0] and not self._candidates(task, None).any():
                    self._full.add(id(task.shape))
                return False
        return True

    def _place_together(self, job: Job, tasks: Sequence[Task], within: Flags | None, *, wait: bool) -> bool:
        """The same where they, or some of them, must or should stay together."""

        def place_one(task: Task, nodes: Flags, preference: Floats | None) -> bool:
            return self._place(job, task, nodes, wait=wait, preference=preference)

        everywhere: Flags = np.ones(len(self._nodes.names), dtype=np.bool_)
        together = Together(self._changes, self._domains, place_one)
        return together.place(job.root, tasks, everywhere if within is None else within)

    def freed(self) -> None:
        """Something was evicted: there may be room again."""
        self._full.clear()

    def fits_somewhere(self, task: Task, within: Flags) -> bool:
        """Whether a node of `within` has room for a pod, now or later."""
        return bool(self._candidates(task, within).any())

    def _place(
        self, job: Job, task: Task, within: Flags | None, *, wait: bool, preference: Floats | None = None
    ) -> bool:
        if task.shape.impossible or task.missing:
            return False
        able = self._candidates(task, within)
        able = able & self._within_capacity(job, task)
        if not able.any():
            return False
        nodes = self._nodes
        fits_idle = self._fits(task, nodes.idle)
        score = scores(nodes, task, within, fits_idle, self._placement)
        if preference is not None:
            score += preference
        score[~able] = -math.inf
        node = int(score.argmax())
        groups, waits = self._gpus(task, node) if task.shape.request.shared else ((), False)
        if self._changes.can_restore(task, node, groups):
            self._changes.restore(task)
            return True
        status = Status.PIPELINED if wait or waits or not fits_idle[node] else Status.ALLOCATED
        self._changes.place(task, node, groups, status)
        return True

    def _candidates(self, task: Task, within: Flags | None) -> Flags:
        nodes, request = self._nodes, task.shape.request
        free = nodes.idle + nodes.releasing
        able = self.predicates.allowed(task.shape) & self._fits(task, free)
        if request.shared:
            able &= free[:, PODS_COLUMN] >= 2  # one for the pod that may have to hold the GPU
        if within is not None:
            able &= within
        return able

    def _fits(self, task: Task, free: Floats) -> Flags:
        nodes, request = self._nodes, task.shape.request
        enough: Flags = free >= task.shape.vector
        if not request.shared:
            return np.asarray(enough.all(axis=1))
        devices = np.floor(free[:, GPU_COLUMN])
        if request.devices == 1:
            devices += nodes.shareable(request)
        else:
            for node in nodes.sharing:
                devices[node] += len(nodes.shared[node].fitting(nodes.device_share(request, node)))
        enough[:, GPU_COLUMN] = devices >= request.devices
        if request.kind is GpuKind.MEMORY:
            enough[:, GPU_COLUMN] &= nodes.device_memory >= request.device_memory
        return np.asarray(enough.all(axis=1))

    def _within_capacity(self, job: Job, task: Task) -> Flags | bool:
        request, (cpu, memory, _) = task.shape.request, task.shape.claimed
        if not request.shared:
            return capacity.fits(job, task.shape.claimed)
        fits = []
        for device in self._nodes.devices.tolist():
            asked = request.device_memory if request.kind is GpuKind.MEMORY else int(request.portion * device)
            fits.append(capacity.fits(job, (cpu, memory, request.devices * portion_of(asked, device))))
        return np.array(fits, dtype=np.bool_)[self._nodes.device_of]

    def _gpus(self, task: Task, node: int) -> tuple[tuple[str, ...], bool]:
        """The GPUs that a pod is to share, the fullest first, and whether it has to wait for one."""
        nodes, request = self._nodes, task.shape.request
        shared, memory = nodes.shared[node], nodes.device_share(task.shape.request, node)
        fitting = shared.fitting(memory)
        spread = "gpuspread" in self._placement.plugins
        sign = 1.0 if spread or "gpupack" not in self._placement.plugins else -1.0
        offers: list[tuple[float, str]] = [(sign * shared.gpus[each].used / shared.device, each) for each in fitting]
        whole = int(nodes.idle[node, GPU_COLUMN]) + int(nodes.releasing[node, GPU_COLUMN])
        offers += [(0.0, "")] * max(whole, 0)
        self._chance.shuffle(offers)  # of equals the scheduler takes any
        offers.sort(key=itemgetter(0))
        chosen = [name for _, name in offers[: request.devices]]
        waits = any(
            name and (shared.device - shared.gpus[name].allocated - memory < 0 or shared.gpus[name].allocated == 0)
            for name in chosen
        )
        return tuple(name or f"{_NEW}{next(self._groups)}" for name in chosen), waits
