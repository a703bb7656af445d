"""GPUs that several pods share: how much of each is used, and whether more fits on it."""

import math
from dataclasses import dataclass, field

from kai_snapshot.simulator.status import Status


def portion_of(memory: float, device: int) -> float:
    """What part of a GPU so many MiB are, in hundredths, rounded up, with the errors of doubles that KAI has."""
    return math.ceil(memory / device * 100) / 100


@dataclass(slots=True)
class SharedGpu:
    """One GPU, in MiB."""

    used: int = 0
    releasing: int = 0
    allocated: int = 0

    def fits(self, memory: int, device: int) -> bool:
        """Whether so much more fits on it, now or when what is on its way out has left."""
        return (
            self.used != 0
            and device - self.allocated + self.releasing - memory >= 0
            and self.allocated != self.releasing
        )


@dataclass(slots=True)
class Change:
    """What whole GPUs a change of shared ones takes (-) or gives (+)."""

    idle: int = 0
    releasing: int = 0


@dataclass(slots=True)
class SharedGpus:
    """The shared GPUs of one node."""

    device: int
    """MiB of each."""
    count: int
    """GPUs of the node."""
    gpus: dict[str, SharedGpu] = field(default_factory=dict)
    marked: set[str] = field(default_factory=set)
    """Those whose whole GPU counts as releasing."""

    def in_use(self) -> int:
        """How many have something on them."""
        return sum(gpu.used > 0 for gpu in self.gpus.values())

    def fitting(self, memory: int) -> list[str]:
        """Those that so much more fits on, in the order they came."""
        return [name for name, gpu in self.gpus.items() if gpu.fits(memory, self.device)]

    def room(self) -> float:
        """The most MiB that fit on one of them; less than nothing if nothing does."""
        return max(
            (
                float(self.device - gpu.allocated + gpu.releasing)
                for gpu in self.gpus.values()
                if gpu.used != 0 and gpu.allocated != gpu.releasing
            ),
            default=-math.inf,
        )

    def add(self, group: str, memory: int, status: Status, idle: int, used: int) -> Change:
        """A pod comes; `idle` and `used` are the node's whole GPUs now."""
        gpu = self.gpus.setdefault(group, SharedGpu())
        gpu.used += memory
        if status is Status.PIPELINED:
            gpu.releasing -= memory
            return Change(releasing=-1 if gpu.used - memory == gpu.releasing + memory else 0)
        gpu.allocated += memory
        taken = used + self.in_use()
        if status is Status.RELEASING:
            gpu.releasing += memory
            return self._releasing(group, gpu, idle + taken)
        change = Change()
        if gpu.used <= memory and self.count < idle + taken:
            change.idle = -1
        if group in self.marked:
            self.marked.discard(group)
            change.releasing = -1
        return change

    def _releasing(self, group: str, gpu: SharedGpu, total: int) -> Change:
        change = Change()
        if gpu.used == gpu.releasing:
            if group not in self.marked:
                self.marked.add(group)
                change.releasing = 1
            if self.count < total:
                change.idle = -1
        return change

    def remove(self, group: str, memory: int, status: Status, idle: int, used: int) -> Change:
        """A pod goes that came with that status."""
        gpu = self.gpus.setdefault(group, SharedGpu())
        gpu.used -= memory
        change = Change()
        if status is Status.PIPELINED:
            gpu.releasing += memory
            if gpu.used + memory == gpu.releasing - memory or (gpu.used == 0 and gpu.releasing == 0):
                change.releasing = 1
            self._forget(group, gpu)
            return change
        gpu.allocated -= memory
        if status is Status.RELEASING:
            gpu.releasing -= memory
        if gpu.used <= 0 and self.count >= idle + used + self.in_use():
            change.idle = 1
        if status is Status.RELEASING:
            if gpu.used <= 0 and group in self.marked:
                self.marked.discard(group)
                change.releasing = -1
        elif gpu.used != 0 and gpu.releasing == gpu.used and group not in self.marked:
            self.marked.add(group)
            change.releasing = 1
        self._forget(group, gpu)
        return change

    def _forget(self, group: str, gpu: SharedGpu) -> None:
        if gpu.used == 0 and gpu.releasing == 0 and gpu.allocated == 0:
            del self.gpus[group]
            self.marked.discard(group)

    def idle_part(self) -> float:
        """What is free on GPUs that have something on them, in GPUs."""
        return sum((1 - portion_of(gpu.allocated, self.device) for gpu in self.gpus.values() if gpu.allocated > 0), 0.0)

    def idle_memory(self) -> float:
        """The same in MiB."""
        return float(sum(self.device - gpu.allocated for gpu in self.gpus.values() if gpu.allocated > 0))

    def releasing_part(self) -> float:
        """What gets free on GPUs that keep something, in GPUs."""
        return sum((portion_of(gpu.releasing, self.device) for gpu in self._partly_releasing()), 0.0)

    def releasing_memory(self) -> float:
        """The same in MiB."""
        return float(sum(gpu.releasing for gpu in self._partly_releasing()))

    def _partly_releasing(self) -> list[SharedGpu]:
        return [gpu for gpu in self.gpus.values() if gpu.releasing > 0 and gpu.releasing != gpu.used]
