"""NodeTopology: which nodes have which labels and taints, folded into one reading for each."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kai_snapshot.api.environmentdocument import Item, Measurement, MeasurementType, Reading, Subtype


class Label(NamedTuple):
    """What many nodes have in common."""

    key: str
    value: str


class Taint(NamedTuple):
    """What keeps pods away from many nodes."""

    key: str
    effect: str
    value: str


@dataclass
class Topology:
    """Takes nodes one by one: of a cluster of any size, only names by label and taint stay in memory."""

    count: int = 0
    labels: dict[Label, list[str]] = field(default_factory=dict)
    taints: dict[Taint, list[str]] = field(default_factory=dict)

    def add(self, node: Mapping[str, Any]) -> None:
        """Takes a node object in."""
        name = node["metadata"]["name"]
        self.count += 1
        for key, value in (node["metadata"].get("labels") or {}).items():
            self.labels.setdefault(Label(key, value), []).append(name)
        for taint in (node.get("spec") or {}).get("taints") or ():
            identity = Taint(taint.get("key", ""), taint.get("effect", ""), taint.get("value") or "")
            self.taints.setdefault(identity, []).append(name)

    def measurement(self, max_nodes_per_entry: int = 0) -> Measurement:
        """The measurement; each reading names that many nodes at most, all with 0.

        A reading's key may stand for several labels (`zone.a` with the value `b`, and `zone` with `a.b`): the last
        counts, as in aicr. The items have every one of them.
        """
        labels = _fold_labels(self.labels, max_nodes_per_entry)
        taints = _fold_taints(self.taints, max_nodes_per_entry)
        summary: dict[str, Reading] = {
            "node-count": self.count,
            "taint-count": len(self.taints),
            "label-count": len(self.labels),
        }
        return Measurement(
            type=MeasurementType.NODE_TOPOLOGY, subtypes=(Subtype(subtype="summary", data=summary), taints, labels)
        )


def node_list(names: Iterable[str], limit: int) -> str:
    """`a,b,c`, or `a,b (+1 more)` with a limit of 2."""
    ordered = sorted(names)
    if 0 < limit < len(ordered):
        return f"{','.join(ordered[:limit])} (+{len(ordered) - limit} more)"
    return ",".join(ordered)


def _fold_labels(labels: Mapping[Label, Sequence[str]], limit: int) -> Subtype:
    values = Counter(label.key for label in labels)
    data: dict[str, Reading] = {}
    items = []
    for label, names in sorted(labels.items()):
        key = f"{label.key}.{label.value}" if values[label.key] > 1 else label.key
        data[key] = f"{label.value}|{node_list(names, limit)}"
        items.append(_item(label._asdict(), names, limit))
    return Subtype(subtype="label", data=data, items=tuple(items))


def _fold_taints(taints: Mapping[Taint, Sequence[str]], limit: int) -> Subtype:
    same = Counter(taint.key for taint in taints)
    data: dict[str, Reading] = {}
    items = []
    for taint, names in sorted(taints.items()):
        listed = node_list(names, limit)
        if same[taint.key] > 1:
            data[f"{taint.key}.{taint.effect}"] = f"{taint.value}|{listed}"
        else:
            data[taint.key] = f"{taint.effect}|{taint.value}|{listed}"
        items.append(_item(taint._asdict(), names, limit))
    return Subtype(subtype="taint", data=data, items=tuple(items))


def _item(context: dict[str, str], names: Sequence[str], limit: int) -> Item:
    return Item(
        context=context,
        data={
            "node-count": len(names),
            "node-list": node_list(names, limit),
            "truncated": 0 < limit < len(names),
        },
    )
