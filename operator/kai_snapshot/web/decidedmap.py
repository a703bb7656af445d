"""What a cycle decided, as a picture: of a GPU where something changes, the left half is before, the right after."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from kai_snapshot.api.visualizer import NodeView, Occupant
from kai_snapshot.web.clustermap import Frame, frame, outline, part_of_cell, stacked

Layer = Literal["stays", "bound", "pipelined", "evicted", "left"]
_COMES: Final[Mapping[str | None, Layer]] = {"Bound": "bound", "Pipelined": "pipelined", "Moved": "pipelined"}


@dataclass(frozen=True)
class DecidedMap:
    """The picture. Paths are in SVG's language."""

    frame: Frame
    layers: Mapping[Layer, str]
    """What pods have of cells, by what becomes of them."""
    changed: str
    """The outlines of cells on which something changes."""
    nodes: int
    """Nodes on which something changes."""


def decided_map(nodes: Sequence[NodeView]) -> DecidedMap:
    """The picture of nodes whose slots say what is on them `after`."""
    found = frame(nodes)
    layers: dict[Layer, list[str]] = defaultdict(list)
    changed = []
    for x, y, slot in found.places:
        if slot.after is None:
            layers["stays"].extend(part_of_cell(x, y, base, part) for _, base, part in stacked(slot.occupants))
            continue
        changed.append(outline(x, y))
        for pod, base, part in stacked(slot.occupants):
            layers[_leaves(pod, slot.after)].append(part_of_cell(x, y, base, part, half="left"))
        for pod, base, part in stacked(slot.after):
            layers[_COMES.get(pod.decision, "stays")].append(part_of_cell(x, y, base, part, half="right"))
    return DecidedMap(
        frame=found,
        layers={layer: "".join(layers[layer]) for layer in get_args(Layer)},
        changed="".join(changed),
        nodes=sum(map(changes, nodes)),
    )


def changes(node: NodeView) -> bool:
    """Whether something changes on a node's GPUs."""
    return any(slot.after is not None for slot in node.gpu_slots)


def _leaves(pod: Occupant, after: Sequence[Occupant]) -> Layer:
    if pod.decision in ("Evicted", "Moved"):
        return "evicted"
    return "stays" if pod in after else "left"
