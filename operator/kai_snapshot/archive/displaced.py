"""Pods whose node a patch takes out of the snapshot: they wait for a place again, those that were being bound too.

Left as they are, the tool could not find the node they run on, and would give up to reclaim and consolidate at the
first of them: what came out would say nothing about the cluster without the node.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

Object = dict[str, Any]

RECEIVED: Final = "received-resource-type"
GPU_GROUP: Final = "runai-gpu-group"
"""What the binder leaves on a pod: an annotation, and labels of that name or with it before a slash."""
ENDED: Final = frozenset({"Succeeded", "Failed"})


class Displaced:
    """Looks at each pod and BindRequest that comes by; `nodes` are those removed, with the number of the patch."""

    def __init__(self, nodes: Mapping[str, int]) -> None:
        self._nodes = nodes
        self._waiting: Counter[int] = Counter()
        self._gone: Counter[int] = Counter()
        self._unbound: Counter[int] = Counter()

    def pod(self, pod: object) -> object:
        """What becomes of a pod: the same if its node stays, None if it is gone with it."""
        number = self._nodes.get(node_of_pod(pod))
        if number is None or not isinstance(pod, dict):
            return pod
        changed = waiting_again(pod)
        (self._gone if changed is None else self._waiting)[number] += 1
        return changed

    def bind_request(self, request: object) -> object:
        """What becomes of a BindRequest: the same if its node stays, None if it is gone with it."""
        number = self._nodes.get(node_of_request(request))
        if number is None:
            return request
        self._unbound[number] += 1
        return None

    def said(self, number: int) -> str:
        """What to add to what is said of a patch."""
        counted = {
            "pods that ran on it and wait for a place again": self._waiting[number],
            "pods that were being deleted and are gone": self._gone[number],
            "BindRequests to it that are gone": self._unbound[number],
        }
        return "".join(f"; {what}: {count}" for what, count in counted.items() if count)


def waiting_again(pod: Object) -> Object | None:
    """A pod as its controller would make it again; None for one that was being deleted, which nobody makes again."""
    metadata = dict(pod["metadata"])
    if metadata.get("deletionTimestamp"):
        return None
    for key, left in (("labels", GPU_GROUP), ("annotations", RECEIVED)):
        if isinstance(metadata.get(key), dict):
            metadata[key] = {name: value for name, value in metadata[key].items() if name.partition("/")[0] != left}
    spec = {name: value for name, value in pod["spec"].items() if name != "nodeName"}
    return pod | {"metadata": metadata, "spec": spec, "status": {"phase": "Pending"}}


def node_of_pod(pod: object) -> str:
    """The node that a pod runs on; empty if it waits for one, or has ended."""
    metadata, spec, status = map(pod.get, ("metadata", "spec", "status")) if isinstance(pod, dict) else (None,) * 3
    if not (isinstance(metadata, dict) and isinstance(spec, dict)):
        return ""
    ended = isinstance(status, dict) and status.get("phase") in ENDED
    return "" if ended else str(spec.get("nodeName") or "")


def node_of_request(request: object) -> str:
    """The node that a BindRequest is to; empty if it does not say."""
    spec = request.get("spec") if isinstance(request, dict) else None
    return str(spec.get("selectedNode") or "") if isinstance(spec, dict) else ""
