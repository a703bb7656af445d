"""What archives are compared by and documents do not show: labels, taints, classes, and the configuration's keys."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kai_snapshot.simulator.collect import Collected
from kai_snapshot.views.gather import Gathered

READ_BY_NAME = (
    "nvidia.com/",
    "amd.com/",
    "kai.scheduler/",
    "run.ai/",
    "node-role.kubernetes.io/",
    "topology.kubernetes.io/",
)
"""What the labels that the scheduler, or people, choose nodes by begin with."""


@dataclass(frozen=True, slots=True)
class NodeStock:
    """Of a node."""

    labels: Mapping[str, str]
    taints: tuple[str, ...]
    """As kubectl writes them: key=value:Effect."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """All of it."""

    nodes: Mapping[str, NodeStock]
    chosen_by: frozenset[str]
    """Keys of labels that pods choose nodes by, or that are levels of a topology."""
    priority_classes: Mapping[str, int]
    config_maps: frozenset[str]
    """namespace/name."""
    config: Mapping[str, Any]
    """Values by their path."""
    params: Mapping[str, Any]
    """Values by their path."""


def take_stock(gathered: Gathered) -> Inventory:
    """Of an archive. Raises whatever objects give rise to that are none of their kind."""
    collected = gathered.collected
    return Inventory(
        nodes={node.name: NodeStock(node.labels, tuple(sorted(map(_taint, node.taints)))) for node in collected.nodes},
        chosen_by=frozenset(_chosen_by(collected)),
        priority_classes={
            str(each["metadata"]["name"]): int(each.get("value") or 0) for each in collected.priority_classes
        },
        config_maps=frozenset(f"{namespace}/{name}" for namespace, name in collected.config_maps),
        config=dict(_leaves("", collected.config or {})),
        params=dict(_leaves("", collected.params)),
    )


def _chosen_by(collected: Collected) -> Iterator[str]:
    for constraints in {id(pod.shape): pod.shape.constraints for pod in collected.pods}.values():
        yield from constraints.selector
        for term in constraints.terms or ():
            yield from (str(each.get("key")) for each in term.get("matchExpressions") or ())
    for topology in collected.topologies:
        levels = (topology.get("spec") or {}).get("levels") or ()
        yield from (str(each.get("nodeLabel")) for each in levels)


def _taint(taint: Mapping[str, Any]) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key') or ''}{value}:{taint.get('effect') or ''}"


def _leaves(path: str, value: object) -> Iterator[tuple[str, Any]]:
    """Every value that is not made of others, with its path. Members of lists that have a name go by it."""
    if isinstance(value, Mapping) and value:
        for key, member in value.items():
            yield from _leaves(f"{path}.{key}" if path else str(key), member)
    elif isinstance(value, list) and value:
        for number, member in enumerate(value):
            name = member.get("name") if isinstance(member, Mapping) else None
            yield from _leaves(f"{path}[{name if isinstance(name, str) else number}]", member)
    elif path:
        yield path, value
