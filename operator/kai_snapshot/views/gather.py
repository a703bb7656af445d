"""Reads an archive once and keeps what the views show of it: what a cycle needs, and a little more."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from kai_snapshot.archive.document import Path as Key
from kai_snapshot.archive.document import Span, Visitor
from kai_snapshot.archive.read import FORM_ERRORS, incomplete, read_document
from kai_snapshot.simulator.collect import Collected
from kai_snapshot.views.devices import Claim, Device, claim_of, claims_named, devices_of

Object = Mapping[str, Any]
UUID_OF_RESERVATION = "run.ai/reserve_for_gpu_index"
"""The annotation of a pod that holds a GPU for those who share it: despite its name, the GPU's UUID."""


@dataclass(frozen=True, slots=True)
class PodDetails:
    """What of a pod the scheduler does not look at."""

    started: str
    """When its node took it, else when it was created."""
    received: str
    """How it got its GPUs."""
    gpu_uuid: str
    """Of the GPU it holds for others."""
    claims: tuple[str, ...]
    """The names of its resource claims."""


@dataclass(frozen=True, slots=True)
class NodeDetails:
    """What of a node the scheduler does not tell apart."""

    ready: bool
    """Its condition `Ready`, whatever else holds."""
    unschedulable: bool


@dataclass(slots=True)
class Gathered(Visitor):
    """What an archive holds, before it is understood."""

    collected: Collected
    pods: list[PodDetails] = field(default_factory=list)
    """In the order of `collected.pods`."""
    nodes: list[NodeDetails] = field(default_factory=list)
    """In the order of `collected.nodes`."""
    claims: list[Claim] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)

    def key(self, path: Key) -> None:
        """A list may begin; one that comes twice counts as it comes last."""
        self.collected.key(path)
        match path:
            case ("rawObjects", "pods"):
                self.pods.clear()
            case ("rawObjects", "nodes"):
                self.nodes.clear()

    def value(self, path: Key, value: object, span: Span) -> None:
        """A member that is no list."""
        self.collected.value(path, value, span)

    def element(self, path: Key, value: Any, span: Span) -> None:
        """An object."""
        if path[0] != "rawObjects":
            return
        try:
            self.collected.element(path, value, span)
            self._take(path[1], value)
        except FORM_ERRORS as error:
            raise incomplete(f"`{'.'.join(path)}` holds an object that is not one of its kind") from error

    def _take(self, kind: str, value: Any) -> None:
        match kind:
            case "pods":
                self.pods.append(_pod(value))
            case "nodes":
                self.nodes.append(_node(value))
            case "resourceClaims":
                self.claims.extend(claim_of(value))
            case "resourceSlices":
                self.devices.extend(devices_of(value))


def gather(path: Path, *, not_after: datetime) -> Gathered:
    """What the archive at `path` holds; times after `not_after` are no capture times.

    Raises OSError, and TerminalError where an archive is not valid.
    """
    gathered = Gathered(Collected(not_after))
    read_document(path, gathered)
    return gathered


def _pod(pod: Object) -> PodDetails:
    metadata, status = pod["metadata"], pod.get("status") or {}
    annotations = metadata.get("annotations") or {}
    return PodDetails(
        started=str(status.get("startTime") or metadata.get("creationTimestamp") or ""),
        received=annotations.get("received-resource-type", ""),
        gpu_uuid=annotations.get(UUID_OF_RESERVATION, ""),
        claims=claims_named(pod),
    )


def _node(node: Object) -> NodeDetails:
    conditions = (node.get("status") or {}).get("conditions") or ()
    return NodeDetails(
        ready=any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions),
        unschedulable=bool((node.get("spec") or {}).get("unschedulable")),
    )
