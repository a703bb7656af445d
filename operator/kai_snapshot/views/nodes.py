"""The nodes, with the pods on their GPUs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kai_snapshot.api.visualizer import GPUSlot, NodeView, Occupant
from kai_snapshot.simulator.request import MIG_NAME
from kai_snapshot.simulator.status import Status
from kai_snapshot.views.amounts import NOTHING, counted, plus, stats
from kai_snapshot.views.facts import Facts, Node
from kai_snapshot.views.fragments import Fragments
from kai_snapshot.views.slots import Slot, assign, most_slots, slot_count


@dataclass(frozen=True, slots=True)
class NodesFound:
    """The nodes, and what about them does not go together."""

    views: tuple[NodeView, ...]
    warnings: tuple[str, ...]


def nodes(facts: Facts) -> NodesFound:
    """All nodes, by name."""
    fragments = Fragments(facts)
    views: list[NodeView] = []
    warnings: list[str] = []
    most = most_slots(facts.nodes)
    for node in facts.nodes:
        assigned = assign(node, most=most)
        views.append(_node(node, assigned.slots, fragments.of(node, assigned.slots)))
        warnings.extend(_warnings(node, assigned.missing, most))
    return NodesFound(tuple(views), tuple(warnings))


def _warnings(node: Node, missing: int, most: int) -> Iterator[str]:
    name, count, offered = node.facts.name, slot_count(node), int(node.offered[2])
    if count > most:
        yield f"node {name} says that it has {count} GPUs: {most} are shown"
    elif count != offered and not node.slices:
        yield f"node {name} has {count} GPUs, as its label says, and offers {offered}"
    if missing:
        yield f"pods on node {name} have {missing} GPUs more than it has"


def _node(node: Node, slots: Sequence[Slot], reasons: Sequence[str]) -> NodeView:
    labels, used, mig = node.facts.labels, NOTHING, Counter[str]()
    for pod in node.pods:
        used = plus(used, pod.amount._replace(gpu=0) if pod.holder else pod.amount)
        mig.update(pod.mig)
    offered = {name: int(amount // 1000) for name, amount in node.facts.allocatable.items() if MIG_NAME.fullmatch(name)}
    return NodeView(
        name=node.facts.name,
        status="Ready" if node.ready else "NotReady",
        allocatable=stats(counted(node.offered), mig=offered),
        used=stats(used, devices=sum(bool(slot.occupants) for slot in slots), mig=mig),
        gpu_slots=tuple(_slots(slots, reasons)),
        unschedulable=node.unschedulable or None,
        gpu_product=labels.get("nvidia.com/gpu.product") or None,
        gpu_memory_mib=node.facts.device_memory if node.facts.memory_known else None,
        mig_strategy=node.facts.mig_strategy or None,
    )


def _slots(slots: Sequence[Slot], reasons: Sequence[str]) -> Iterator[GPUSlot]:
    for number, (slot, reason) in enumerate(zip(slots, reasons, strict=True)):
        if not slot.occupants:
            yield GPUSlot(id=number, occupied_by="", fragmented=bool(reason), fragmented_reason=reason or None)
            continue
        yield GPUSlot(
            id=number,
            occupied_by=",".join(sorted({pod.name for pod, _ in slot.occupants})),
            fragmented=bool(reason),
            occupants=tuple(
                Occupant(
                    namespace=pod.namespace,
                    pod=pod.name,
                    portion=round(portion, 6),
                    leaving=pod.status is Status.RELEASING or None,
                )
                for pod, portion in slot.occupants
            ),
            used_fraction=slot.used,
            gpu_group=slot.group or None,
            gpu_uuid=slot.uuid or None,
            synthetic=not slot.known,
            fragmented_reason=reason or None,
        )
