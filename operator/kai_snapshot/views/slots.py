"""Which pods are on which GPU of a node.

A snapshot does not tell the device of every pod: what is known is put where it is, the rest where there is room, in an
order that the same snapshot always gives.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from itertools import islice

from kai_snapshot.simulator.request import MIG_NAME
from kai_snapshot.views.facts import Node, Pod

SLICES = 7
"""Of a GPU, at most, whatever its model."""
MOST = 1024
"""Slots of a node: no node has so many GPUs, but a label may say so."""
MOST_OF_ALL = 100_000
"""Slots of all nodes: a cluster of 5,000 nodes has half as many."""


@dataclass(slots=True)
class Slot:
    """A GPU."""

    occupants: list[tuple[Pod, float]] = field(default_factory=list)
    """Pods, and the part of it that each has."""
    group: str = ""
    uuid: str = ""
    known: bool = False
    """Whether its number is the device's own."""

    @property
    def used(self) -> float:
        """The part of it that is taken. Parts asked for in MiB are rounded up, and may be more than 1 together."""
        return min(round(sum(portion for _, portion in self.occupants), 6), 1.0)


@dataclass(slots=True)
class Slots:
    """The GPUs of a node."""

    slots: list[Slot]
    missing: int = 0
    """GPUs that pods have beyond those there are."""


@dataclass(slots=True)
class _Use:
    """GPUs in use, to be put somewhere."""

    order: tuple[object, ...]
    occupants: list[tuple[Pod, float]]
    group: str = ""
    uuid: str = ""
    index: int | None = None
    count: int = 1
    """So many alike."""


def most_slots(nodes: Iterable[Node]) -> int:
    """How many GPUs of a node are shown at most, so that labels cannot fill the memory, however many nodes have them.

    Nodes with fewer are shown whole.
    """
    counts = [slot_count(node) for node in nodes]
    most = MOST
    while most > 1 and sum(min(count, most) for count in counts) > MOST_OF_ALL:
        most //= 2
    return most


def assign(node: Node, *, most: int = MOST) -> Slots:
    """The GPUs of a node, so many at most, with what is on them."""
    found = Slots([Slot() for _ in range(min(slot_count(node), most))])
    uses = sorted(_uses(node, len(found.slots)), key=lambda each: each.order)
    rest = [use for use in uses if not _put_known(found.slots, use)]
    free = iter([slot for slot in found.slots if not slot.occupants])
    for use in rest:
        taken = list(islice(free, use.count))
        for slot in taken:
            slot.occupants, slot.group, slot.uuid = use.occupants, use.group, use.uuid
        found.missing += use.count - len(taken)
    return found


def slot_count(node: Node) -> int:
    """How many GPUs a node has: as its label says, else those it offers."""
    said = max(int(node.facts.gpu_count), len(node.devices))
    return said if said > 0 else math.ceil(node.slices / SLICES)


def _put_known(slots: list[Slot], use: _Use) -> bool:
    if use.index is None or use.index >= len(slots) or slots[use.index].occupants:
        return False
    slot = slots[use.index]
    slot.occupants, slot.group, slot.uuid, slot.known = use.occupants, use.group, use.uuid, True
    return True


def _uses(node: Node, slots: int) -> Iterator[_Use]:
    """Shared GPUs first, then claimed ones, whole ones, and those that MIG divides; the oldest first."""
    pods = [pod for pod in node.pods if not pod.holder]
    yield from _shared(node, pods)
    yield from _claimed(node, pods)
    for pod in pods:
        if pod.whole:
            yield _Use((2, *_age(pod)), [(pod, 1.0)], count=pod.whole)
    yield from _divided(pods, slots)


def _shared(node: Node, pods: list[Pod]) -> Iterator[_Use]:
    uuids = {group: pod.gpu_uuid for pod in node.pods if pod.gpu_uuid for group in pod.groups}
    numbers = {device.uuid: device.index for device in node.devices if device.uuid}
    groups: dict[str, list[tuple[Pod, float]]] = {}
    for pod in pods:
        if pod.portion:
            for group in pod.groups:
                groups.setdefault(group, []).append((pod, pod.portion))
            if not pod.groups:
                own = f"{pod.namespace}/{pod.name}"
                yield _Use((0, pod.started, own), [(pod, pod.portion)], count=pod.shape.request.devices)
    for group, members in groups.items():
        members.sort(key=lambda each: (each[0].name, each[0].namespace))
        oldest = min(pod.started for pod, _ in members)
        uuid = uuids.get(group, "")
        yield _Use((0, oldest, group), members, group, uuid, numbers.get(uuid))


def _claimed(node: Node, pods: list[Pod]) -> Iterator[_Use]:
    devices = {device.key: device for device in node.devices}
    users: dict[str, list[Pod]] = {}
    claims = {claim.name: claim for pod in pods for claim in pod.claims}
    for pod in pods:
        for claim in pod.claims:
            users.setdefault(claim.name, []).append(pod)
    for name, claim in claims.items():
        sharing = sorted(users[name], key=lambda pod: pod.name)
        occupants = [(pod, 1.0 / len(sharing)) for pod in sharing]
        got = [devices[key] for key in claim.allocated if key in devices]
        for number, device in enumerate(got):
            yield _Use((1, name, number), occupants, uuid=device.uuid, index=device.index)
        if claim.count > len(got):
            yield _Use((1, name, len(got)), occupants, count=claim.count - len(got))


def _divided(pods: list[Pod], slots: int) -> Iterator[_Use]:
    """MIG devices, packed into GPUs: each into the first that has room. For what is beyond the slots, none are made."""
    parts = sorted(
        (
            (_age(pod), min(max(int(mig[1]), 1), SLICES), count, pod)
            for pod in pods
            for name, count in pod.mig.items()
            if (mig := MIG_NAME.fullmatch(name))
        ),
        key=lambda part: (part[0], part[1]),
    )
    gpus: list[_Use] = []
    with_room: list[list[int]] = [[] for _ in range(SLICES + 1)]
    """Numbers of GPUs, by the slices that are left of them; the smallest first."""
    beyond = 0
    for age, slices, count, pod in parts:
        for done in range(count):
            fits = min((each for each in with_room[slices:] if each), default=None)
            if fits is not None:
                number, room = fits[0], with_room.index(fits)
                heappop(fits)
            elif len(gpus) < slots:
                number, room = len(gpus), SLICES
                gpus.append(_Use((3, *age), []))
            else:
                beyond += (count - done) * slices
                break
            gpus[number].occupants.append((pod, slices / SLICES))
            heappush(with_room[room - slices], number)
    yield from gpus
    if beyond:  # after as many GPUs as there are slots: only to be counted
        yield _Use((4,), [], count=-(-beyond // SLICES))


def _age(pod: Pod) -> tuple[datetime, str, str]:
    return pod.started, pod.namespace, pod.name
