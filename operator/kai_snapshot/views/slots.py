"""Which pods are on which GPU of a node.

A snapshot does not tell the device of every pod: what is known is put where it is, the rest where there is room, in an
order that the same snapshot always gives.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from kai_snapshot.simulator.request import MIG_NAME
from kai_snapshot.views.facts import Node, Pod

SLICES = 7
"""Of a GPU, at most, whatever its model."""
MOST = 1024
"""Slots of a node: no node has so many GPUs, but a label may say so."""


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
    """One GPU in use, to be put somewhere."""

    order: tuple[object, ...]
    occupants: list[tuple[Pod, float]]
    group: str = ""
    uuid: str = ""
    index: int | None = None


def assign(node: Node) -> Slots:
    """The GPUs of a node, with what is on them."""
    found = Slots([Slot() for _ in range(min(slot_count(node), MOST))])
    uses = sorted(_uses(node), key=lambda each: each.order)
    rest = [use for use in uses if not _put_known(found.slots, use)]
    free = iter([slot for slot in found.slots if not slot.occupants])
    for use in rest:
        slot = next(free, None)
        if slot is None:
            found.missing += 1
        else:
            slot.occupants, slot.group, slot.uuid = use.occupants, use.group, use.uuid
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


def _uses(node: Node) -> Iterator[_Use]:
    """Shared GPUs first, then claimed ones, whole ones, and those that MIG divides; the oldest first."""
    pods = [pod for pod in node.pods if not pod.holder]
    yield from _shared(node, pods)
    yield from _claimed(node, pods)
    for pod in pods:
        for _ in range(min(pod.whole, MOST)):
            yield _Use((2, *_age(pod)), [(pod, 1.0)])
    yield from _divided(pods)


def _shared(node: Node, pods: list[Pod]) -> Iterator[_Use]:
    uuids = {group: pod.gpu_uuid for pod in node.pods if pod.gpu_uuid for group in pod.groups}
    numbers = {device.uuid: device.index for device in node.devices if device.uuid}
    groups: dict[str, list[tuple[Pod, float]]] = {}
    for pod in pods:
        if pod.portion:
            own = pod.groups or tuple(f"{pod.namespace}/{pod.name}/{n}" for n in range(_devices(pod)))
            for group in own:
                groups.setdefault(group, []).append((pod, pod.portion))
    for group, members in groups.items():
        members.sort(key=lambda each: (each[0].name, each[0].namespace))
        oldest = min(pod.started for pod, _ in members)
        uuid = uuids.get(group, "")
        yield _Use((0, oldest, group), members, group if members[0][0].groups else "", uuid, numbers.get(uuid))


def _devices(pod: Pod) -> int:
    return min(pod.shape.request.devices, MOST)


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
        for number in range(min(max(claim.count, len(got)), MOST)):
            device = got[number] if number < len(got) else None
            order = (1, name, number)
            if device is None:
                yield _Use(order, occupants)
            else:
                yield _Use(order, occupants, uuid=device.uuid, index=device.index)


def _divided(pods: list[Pod]) -> Iterator[_Use]:
    """MIG devices, packed into GPUs."""
    parts = sorted(
        (
            (_age(pod), int(mig[1]), pod)
            for pod in pods
            for name, count in pod.mig.items()
            if (mig := MIG_NAME.fullmatch(name))
            for _ in range(min(count, MOST))
        ),
        key=lambda part: (part[0], part[1]),
    )
    gpus: list[_Use] = []
    left: list[int] = []
    for age, slices, pod in parts:
        number = next((i for i, room in enumerate(left) if room >= slices), len(gpus))
        if number == len(gpus):
            gpus.append(_Use((3, *age), []))
            left.append(SLICES)
        gpus[number].occupants.append((pod, slices / SLICES))
        left[number] -= slices
    yield from gpus


def _age(pod: Pod) -> tuple[datetime, str, str]:
    return pod.started, pod.namespace, pod.name
