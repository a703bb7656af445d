"""What an archive uses that the simulator does not know, with the objects concerned: never a silent guess."""

from collections.abc import Iterator, Mapping
from typing import Any

NAMED = 20
"""Objects named of each kind."""


class Unmodelled:
    """Collects what is not modelled."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, None]] = {}

    def look(self, kind: str, value: Mapping[str, Any]) -> None:
        """Looks at an object."""
        found = _IN.get(kind)
        if found is None:
            return
        metadata = value["metadata"]
        name = f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])
        for what in found(value):
            self.add(what, name)

    def add(self, what: str, name: str) -> None:
        """Something that is not modelled, and who uses it."""
        self._found.setdefault(what, {})[name] = None

    def texts(self) -> tuple[str, ...]:
        """One text for each, with the objects concerned."""
        return tuple(f"{what}: {named(list(names))}" for what, names in self._found.items())


def named(names: list[str]) -> str:
    """Names, the first of them if there are many."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _pod(pod: Mapping[str, Any]) -> Iterator[str]:
    spec = pod.get("spec") or {}
    if (pod.get("status") or {}).get("phase") not in ("Pending", "Running"):
        return
    if spec.get("resourceClaims"):
        yield "resource claims (DRA)"
    if spec.get("nodeName"):
        return
    if any("persistentVolumeClaim" in each or "ephemeral" in each for each in spec.get("volumes") or ()):
        yield "volume claims"
    affinity = spec.get("affinity") or {}
    if affinity.get("podAffinity") or affinity.get("podAntiAffinity"):
        yield "affinity between pods"
    if any(port.get("hostPort") for each in spec.get("containers") or () for port in each.get("ports") or ()):
        yield "host ports"
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    if any(name.startswith("nvidia.com/mig-") for name in annotations):
        yield "MIG devices asked for by annotation"
    yield from _gpu_names(spec, shared="gpu-fraction" in annotations or "gpu-memory" in annotations)


def _gpu_names(spec: Mapping[str, Any], *, shared: bool) -> Iterator[str]:
    asked = {
        name for each in spec.get("containers") or () for name in (each.get("resources") or {}).get("requests") or {}
    }
    if any(name.endswith("gpu") and name not in ("nvidia.com/gpu", "amd.com/gpu") for name in asked):
        yield "GPUs of other makers than NVIDIA and AMD"
    if shared and asked & {"nvidia.com/gpu", "amd.com/gpu"}:
        yield "pods that ask for parts of a GPU and for whole ones"


def _pod_group(group: Mapping[str, Any]) -> Iterator[str]:
    spec = group.get("spec") or {}
    holders = [spec, *(spec.get("subGroups") or ())]
    constraints = [each.get("topologyConstraint") or {} for each in holders]
    if any(each.get("preferredTopologyLevel") for each in constraints):
        yield "preferred topology levels"
    if any(each.get("requiredTopologyLevel") for each in constraints[1:]):
        yield "topology constraints of subgroups"


def _any(what: str) -> Any:
    def found(value: Mapping[str, Any]) -> Iterator[str]:
        del value
        yield what

    return found


_IN = {
    "pods": _pod,
    "podGroups": _pod_group,
    "resourceClaims": _any("resource claims (DRA)"),
    "nodeResourceTopologies": _any("NUMA topology of nodes"),
}
