"""What a cycle works on: queues, jobs with their pods, and nodes, as plain objects that it changes as it decides."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from kai_snapshot.simulator.budget import Limits
from kai_snapshot.simulator.constraints import Constraints
from kai_snapshot.simulator.request import Request
from kai_snapshot.simulator.status import Status

Triple = tuple[float, float, float]
"""CPU in millicores, memory in bytes, GPUs."""
Rank = tuple[int, int, int]
Standing = tuple[bool, bool, int, bool, float, float]
UNLIMITED = -1.0
NOTHING: Triple = (0.0, 0.0, 0.0)


@dataclass(eq=False, slots=True)
class Shape:
    """What pods have in common that ask for the same under the same conditions: whatever is found out once for all."""

    request: Request
    constraints: Constraints
    vector: NDArray[np.float64] = field(init=False)
    """The request in the order of the cluster's resources, for comparing with nodes."""
    asked: Triple = NOTHING
    """What it counts in its queue's requests and in the order of queues."""
    claimed: Triple = NOTHING
    """What it counts against limits and quotas."""
    counted_gpus: float = 0.0
    """The GPUs it asks for, as far as they can be counted without knowing the node."""
    comparable: tuple[float, ...] = ()
    """The request, with the GPUs it asks for, for telling which of two jobs is easier."""
    impossible: bool = False
    """Whether it asks for more than any node has."""


@dataclass(eq=False, slots=True)
class Task:
    """A pod."""

    name: str
    """namespace/name."""
    uid: str
    created: datetime
    shape: Shape
    status: Status
    node: int = -1
    groups: tuple[str, ...] = ()
    """The shared GPUs it is on."""
    job: "Job | None" = None
    order: tuple[object, ...] = ()
    """Smaller comes first in its pod set."""
    nominated: str = ""
    missing: tuple[str, ...] = ()
    """ConfigMaps it needs that are not there."""
    foreign: bool = False
    """Whether another scheduler runs it."""
    reservation: bool = False
    """Whether it only holds a GPU for others that share it."""
    virtual: bool = False
    """Whether its status is a plan of this cycle that may still be dropped."""
    removed: bool = False
    """Whether an eviction of this cycle was committed."""
    entries: dict[int, "Entry"] = field(default_factory=dict)
    """Where it holds resources, by node: on two while it moves."""


@dataclass(eq=False, slots=True)
class Entry:
    """A pod on a node, with what it had when it came."""

    status: Status
    groups: tuple[str, ...]


@dataclass(eq=False, slots=True)
class PodSet:
    """Pods of a job of which a minimum must run together."""

    name: str
    minimum: int
    tasks: list[Task] = field(default_factory=list)
    topology: "Topology | None" = None

    def active(self) -> int:
        """How many hold a place."""
        return sum(task.status.active for task in self.tasks)

    def sets(self) -> Iterator["PodSet"]:
        """Itself."""
        yield self


@dataclass(eq=False, slots=True)
class Group:
    """Pod sets, or groups of them, of which some must run together."""

    name: str
    threshold: int
    children: list["Group | PodSet"] = field(default_factory=list)
    topology: "Topology | None" = None

    def sets(self) -> Iterator[PodSet]:
        """All pod sets below."""
        for child in self.children:
            yield from child.sets()


@dataclass(eq=False, slots=True)
class Job:
    """A PodGroup."""

    name: str
    """namespace/name."""
    key: str
    """KAI's: the name without namespace."""
    queue: "Queue | None"
    queue_name: str
    priority: int
    preemptible: bool
    created: datetime
    root: Group
    stale_since: datetime | None = None
    grace: timedelta | None = None
    """How long it may stay below its minimum; None: the scheduler's default."""
    last_start: datetime | None = None
    last_eviction: datetime | None = None
    preemption_delay: timedelta = timedelta(0)
    constrained: bool = False
    """Whether it, or a part of it, must or should stay together."""
    age: int = 0
    """Its place among all jobs by age and name."""
    signature: tuple[object, ...] = ()
    """Jobs of one signature differ in what they ask for at most."""
    pod_sets: list[PodSet] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    next_cache: dict[bool, list[Task]] = field(default_factory=dict)
    asked_cache: Triple | None = None
    rank_cache: Rank | None = None

    def changed(self) -> None:
        """Forgets what followed from the states of its pods."""
        self.next_cache.clear()
        self.asked_cache = None
        self.rank_cache = None

    def has_pending(self) -> bool:
        """Whether a pod of it waits."""
        return any(task.status is Status.PENDING for task in self.tasks)

    def has_active(self) -> bool:
        """Whether a pod of it holds a place."""
        return any(task.status.active for task in self.tasks)


@dataclass(frozen=True, slots=True)
class Topology:
    """Where the pods of a job, or of a part of it, stay together: the labels of a topology's levels."""

    name: str
    required: str
    """Empty for none."""
    preferred: str


@dataclass(eq=False, slots=True)
class Queue:
    """A queue: its settings, and what its jobs have and want."""

    name: str
    parent: "Queue | None"
    children: list["Queue"]
    priority: int
    created: datetime
    quota: Triple
    limit: Triple
    weight: Triple
    reclaim_min_runtime: timedelta | None = None
    preempt_min_runtime: timedelta | None = None
    allocated: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    held: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    """Of `allocated`, what cannot be taken back."""
    requested: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    share: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    path: tuple["Queue", ...] = ()
    """From itself up to its root."""
    allocatable: Triple = NOTHING
    divisors: Triple = NOTHING
    """What its use is measured by: what it may have, or all there is."""
    standing: dict[Triple, Standing] = field(default_factory=dict)
    """Its place in the order of queues, by what it would bring next."""

    version: int = 0
    """Counts the changes of what it has."""

    def add(self, amount: Triple, sign: float, *, held: bool) -> None:
        """Counts what a pod takes, or gives back, here and in all queues above."""
        for queue in self.path:
            for i in (0, 1, 2):
                queue.allocated[i] += sign * amount[i]
                if held:
                    queue.held[i] += sign * amount[i]
            queue.standing.clear()
            queue.version += 1


@dataclass(frozen=True, slots=True)
class Settings:
    """How the scheduler is set up."""

    actions: tuple[str, ...]
    plugins: Mapping[str, Mapping[str, str]]
    """Their arguments, by name."""
    scheduler_name: str
    signatures: bool
    consolidation_victims: int
    stale_grace: timedelta
    consolidating_reclaim: bool
    depth: Mapping[str, int]
    """The most jobs that an action looks at in a queue, by action."""
    search: Limits

    def argument(self, plugin: str, name: str, default: str) -> str:
        """An argument of a plugin."""
        return self.plugins.get(plugin, {}).get(name, default)

    def number(self, plugin: str, name: str, default: float) -> float:
        """An argument that is a number; the default for what is none, or is beyond all numbers."""
        try:
            number = float(self.argument(plugin, name, "") or default)
        except ValueError:
            return default
        return number if math.isfinite(number) else default
