"""What a stored snapshot says of many nodes: which have the labels that are wanted, and what each of them is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kai_snapshot.api.environmentdocument import Subtype
from kai_snapshot.environment import kubernetes
from kai_snapshot.environment.derive import ClusterFacts


@dataclass
class Survey(ClusterFacts):
    """The facts of the cluster, and `K8s.node` of the nodes with these labels."""

    selector: Mapping[str, str] = field(default_factory=dict)
    nodes: dict[str, Subtype] = field(default_factory=dict)
    """By name."""

    def add_node(self, node: Any) -> None:
        """Takes a node in."""
        super().add_node(node)
        if self.selector.items() <= (node["metadata"].get("labels") or {}).items():
            self.nodes[node["metadata"]["name"]] = kubernetes.of_node(node)
