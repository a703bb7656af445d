"""What a cycle decided, laid over what the scheduler saw: which pods come, go and move, and on which GPUs.

GPUs keep their places: a pod that goes leaves a gap, and one that comes takes the first gap that it fits into. If there
is none and it can wait, those that were on their way out before the cycle leave theirs too.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from kai_snapshot.api.decodedresult import DecodedResult
from kai_snapshot.api.result import Outcome, ReplayResult
from kai_snapshot.api.visualizer import Decision, GPUSlot, NodeView, Occupant
from kai_snapshot.compare.elements import EVICTED, PIPELINED, Elements, elements
from kai_snapshot.views import Views
from kai_snapshot.views.asked import Asked

Result = DecodedResult | ReplayResult
_ENOUGH = 1e-6
"""Sums of parts are not exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedPod:
    """A pod that the cycle decided something of."""

    name: str
    """namespace/name."""
    decision: Decision
    job: str
    """namespace/name of its job; empty if the archive does not have it."""
    queue: str
    gpus: float
    """That it asks for."""
    before: str
    """The node it was on, or was bound to before it was evicted in the same cycle; empty if none."""
    after: str
    """The node it goes to; empty if none, or if that is not known."""
    action: str
    """What evicted it, if it was."""
    preemptor: str
    """The job it had to go for."""
    runs: int
    """In how many of the runs that came."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """What a cycle decided, on the nodes."""

    nodes: tuple[NodeView, ...]
    """As the scheduler saw them, each GPU on which something changes with what is on it `after`."""
    pods: tuple[DecidedPod, ...]
    """By decision and name."""
    runs: int
    """How often it ran; the decisions are those of one run."""
    unknown: int
    """Pods that get GPUs, of which the result does not say on which node: a log names it from verbosity 6 on."""
    displaced: int
    """Pods that get GPUs on a node that has none left for them: a later action of the cycle gave them away again."""

    @property
    def counts(self) -> dict[Decision, int]:
        """How many pods of each decision."""
        return {each: sum(pod.decision == each for pod in self.pods) for each in _ORDER}


_ORDER: tuple[Decision, ...] = ("Bound", "Pipelined", "Moved", "Evicted")


def overlay(views: Views | None, result: Result) -> Overlay:
    """The decisions of a result of the archive that the views are of; without it, there are no nodes."""
    came = elements(result, repeated=result.outcome is Outcome.SUCCEEDED)
    pods = sorted(_pods(views, result, came), key=lambda each: (_ORDER.index(each.decision), each.name))
    if views is None:
        return Overlay((), tuple(pods), came.runs, unknown=0, displaced=0)
    going = {pod.name: pod.decision for pod in pods if pod.decision in ("Evicted", "Moved")}
    groups = {each.pod: tuple(each.gpu_groups) for each in result.placements if each.pod not in going}
    coming: dict[str, list[DecidedPod]] = {}
    for pod in pods:
        if pod.decision != "Evicted" and pod.name in views.asked:
            coming.setdefault(pod.after, []).append(pod)
    known = {node.name for node in views.nodes}
    unknown = sum(len(arriving) for node, arriving in coming.items() if node not in known)
    displaced = 0
    nodes = []
    for node in views.nodes:
        places = _Places(node, going)
        for pod in coming.get(node.name, ()):
            asks = views.asked[pod.name]
            displaced += not places.give(pod, asks, groups.get(pod.name, ()))
        nodes.append(places.view())
    return Overlay(tuple(nodes), tuple(pods), came.runs, unknown, displaced)


def carried_out(nodes: Iterable[NodeView]) -> tuple[NodeView, ...]:
    """The nodes as they are when what was decided is carried out; what would then be of no use is not known."""
    return tuple(
        node.model_copy(update={"gpu_slots": tuple(_afterwards(slot) for slot in node.gpu_slots)}) for node in nodes
    )


def _afterwards(slot: GPUSlot) -> GPUSlot:
    occupants = slot.occupants if slot.after is None else slot.after
    return slot.model_copy(
        update={
            "occupants": occupants or None,
            "fragmented": False,
            "fragmented_reason": None,
            "used_fraction": min(sum(each.portion for each in occupants or ()), 1.0),
        }
    )


def _pods(views: Views | None, result: Result, came: Elements) -> Iterator[DecidedPod]:
    jobs = views.jobs if views is not None else ()
    known = {f"{job.namespace}/{task.name}": (job, task) for job in jobs for task in job.tasks}
    bound = {each.pod: each.node for each in result.placements}
    evicted = {each.pod: each for each in result.evictions}
    pipelined = {each.pod: each.node or "" for each in result.pipelined}
    for name in dict.fromkeys((*bound, *pipelined, *evicted)):
        job, task = known.get(name, (None, None))
        eviction = evicted.get(name)
        decision = _decision(bound=name in bound, goes=name in evicted, comes=name in pipelined)
        at = task.node_name if task is not None else ""
        yield DecidedPod(
            name=name,
            decision=decision,
            job=f"{job.namespace}/{job.name}" if job is not None else "",
            queue=job.queue if job is not None else "",
            gpus=(task.requested.gpu_fraction or 0.0) if task is not None and task.requested is not None else 0.0,
            before=at or (bound.get(name, "") if eviction is not None else ""),
            after=bound[name] if decision == "Bound" else pipelined.get(name, ""),
            action=eviction.action if eviction is not None else "",
            preemptor=(eviction.preemptor or "") if eviction is not None else "",
            runs=min(_runs(came, name, decision, bound.get(name, ""))),
        )


def _decision(*, bound: bool, goes: bool, comes: bool) -> Decision:
    """What a pod comes to in the end. One that is bound can be evicted later in the same cycle, but not the reverse."""
    if goes:
        return "Moved" if comes else "Evicted"
    return "Bound" if bound else "Pipelined"


def _runs(came: Elements, name: str, decision: Decision, node: str) -> Iterator[int]:
    """In how many runs each part of it came; in none, if the result contradicts itself."""
    if decision in ("Evicted", "Moved"):
        yield came.evictions.get(name, {}).get(EVICTED, 0)
    if decision in ("Pipelined", "Moved"):
        yield came.pipelined.get(name, {}).get(PIPELINED, 0)
    if decision == "Bound":
        yield came.placements.get(name, {}).get(node, 0)


@dataclass(slots=True, eq=False)
class _Place:
    """A GPU."""

    slot: GPUSlot
    stay: list[Occupant]
    group: str
    came: bool = False

    @property
    def free(self) -> float:
        return 1 - sum(each.portion for each in self.stay)


class _Places:
    """The GPUs of a node, from which pods go, and to which others come."""

    def __init__(self, node: NodeView, going: Mapping[str, Decision]) -> None:
        self._node = node
        self._going = going
        self._places = [
            _Place(
                slot,
                [each for each in slot.occupants or () if f"{each.namespace}/{each.pod}" not in going],
                slot.gpu_group or "",
            )
            for slot in node.gpu_slots
        ]

    def give(self, pod: DecidedPod, asks: Asked, groups: tuple[str, ...]) -> bool:
        """Puts a pod on GPUs, if need be on those that others are leaving already; False if there are not enough."""
        if self._take(pod, asks, groups):
            return True
        if pod.decision == "Bound":  # it does not wait for others to leave
            return False
        for place in self._places:
            place.stay = [each for each in place.stay if not each.leaving]
        return self._take(pod, asks, groups)

    def _take(self, pod: DecidedPod, asks: Asked, groups: tuple[str, ...]) -> bool:
        namespace, _, name = pod.name.partition("/")
        if any((each.namespace, each.pod) == (namespace, name) for place in self._places for each in place.stay):
            return True  # it is there already, as far as the scheduler saw
        parts = asks.parts(self._node.gpu_memory_mib)
        wanted = [*groups, *("",) * (len(parts) - len(groups))]
        found: list[tuple[_Place, float]] = []
        for part, group in zip(parts, wanted, strict=False):
            place = self._place(part, group, [each for each, _ in found])
            if place is None:
                return False
            place.group = group or place.group
            found.append((place, part))
        for place, part in found:
            place.stay.append(Occupant(namespace=namespace, pod=name, portion=round(part, 6), decision=pod.decision))
            place.came = True
        return True

    def _place(self, part: float, group: str, taken: list[_Place]) -> _Place | None:
        """The GPU of that group; else one that has room for a part and something on it already; else a free one."""
        left = [each for each in self._places if each not in taken]
        if group and (same := next((each for each in left if each.group == group), None)) is not None:
            return same
        if part < 1 - _ENOUGH and not group:
            shared = (each for each in left if each.stay and each.free >= part - _ENOUGH)
            if (place := next(shared, None)) is not None:
                return place
        return next((each for each in left if not each.stay), None)

    def view(self) -> NodeView:
        """The node with what is on its GPUs afterwards."""
        slots = tuple(self._slot(place) for place in self._places)
        return self._node.model_copy(update={"gpu_slots": slots})

    def _slot(self, place: _Place) -> GPUSlot:
        before = place.slot.occupants or ()
        if not place.came and len(place.stay) == len(before):
            return place.slot
        marked = tuple(map(self._marked, before))
        return place.slot.model_copy(update={"occupants": marked or None, "after": tuple(place.stay)})

    def _marked(self, pod: Occupant) -> Occupant:
        decision = self._going.get(f"{pod.namespace}/{pod.pod}")
        return pod.model_copy(update={"decision": decision}) if decision is not None else pod
