"""What a stored snapshot says of the cluster's environment, without any pod: it holds all nodes and pods."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kai_snapshot.api.environmentdocument import Measurement, Subtype
from kai_snapshot.archive.document import Path as Key
from kai_snapshot.archive.document import Span, Visitor
from kai_snapshot.archive.read import FORM_ERRORS, incomplete, read_document
from kai_snapshot.environment import kubernetes
from kai_snapshot.environment.topology import Topology


@dataclass
class ClusterFacts(Visitor):
    """Takes Kubernetes objects one by one, and keeps what the measurements K8s and NodeTopology need of them."""

    server_version: dict[str, Any] | None = None
    images: dict[str, str] = field(default_factory=dict)
    policies: list[dict[str, Any]] | None = None
    """No snapshot holds them."""
    lacks: dict[str, str] = field(default_factory=dict)
    """Why it is not, or not wholly, known what there is, by the subtype of K8s."""
    nodes: dict[str, Subtype] = field(default_factory=dict)
    """`K8s.node` of each node."""
    topology: Topology = field(default_factory=Topology)

    def add_pod(self, pod: Any) -> None:
        """Takes a pod's images in. Of one at several tags the greatest counts: aicr's is whichever pod comes last."""
        for name, tag in kubernetes.images_of(pod):
            self.images[name] = max(tag, self.images.get(name, ""))

    def add_node(self, node: Any) -> None:
        """Takes a node in."""
        self.topology.add(node)
        self.nodes[node["metadata"]["name"]] = kubernetes.of_node(node)

    def k8s(self, node_name: str = "") -> Measurement:
        """The measurement K8s of the document about that node; without `node` in it if there is none of that name."""
        found = kubernetes.measurement(
            server_version=self.server_version,
            images=self.images,
            policies=self.policies,
            node=self.nodes.get(node_name),
        )
        subtypes = (
            each.lacking(self.lacks[each.subtype]) if each.subtype in self.lacks else each for each in found.subtypes
        )
        return found.model_copy(update={"subtypes": tuple(subtypes)})

    def value(self, path: Key, value: Any, span: Span) -> None:
        """A small member of the snapshot."""
        del span
        if path == ("discovery", "serverVersion") and isinstance(value, dict):
            self.server_version = value

    def element(self, path: Key, value: Any, span: Span) -> None:
        """An object of the snapshot."""
        del span
        try:
            match path:
                case ("rawObjects", "pods"):
                    self.add_pod(value)
                case ("rawObjects", "nodes"):
                    self.add_node(value)
        except FORM_ERRORS as error:
            raise incomplete(f"`{'.'.join(path)}` holds an object that is not one of its kind") from error


def of_archive(path: Path) -> ClusterFacts:
    """The facts of the archive at `path`. Raises OSError, and TerminalError where an archive is not valid."""
    facts = ClusterFacts(lacks={"policy": "no snapshot holds ClusterPolicies"})
    read_document(path, facts)
    return facts
