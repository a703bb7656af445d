"""Reads an archive once, object by object, and keeps what a cycle needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from kai_snapshot.api.schedulerconfig import wants_usage_history
from kai_snapshot.archive.clock import Newest
from kai_snapshot.archive.document import Path as Key
from kai_snapshot.archive.document import Span, Visitor
from kai_snapshot.archive.read import config_object, incomplete, read_document
from kai_snapshot.simulator.constraints import pod_constraints
from kai_snapshot.simulator.model import Shape
from kai_snapshot.simulator.nodefacts import NodeFacts, node_facts
from kai_snapshot.simulator.request import pod_request
from kai_snapshot.simulator.signatures import pod_signature
from kai_snapshot.simulator.unmodelled import Unmodelled

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PodFacts:
    """A pod, with what only its object says."""

    name: str
    namespace: str
    uid: str
    created: str
    deleted: str | None
    group: str
    phase: str
    node: str
    nominated: str
    gated: bool
    scheduler: str
    labels: Mapping[str, str]
    shape: Shape
    signature: tuple[object, ...]
    config_maps: frozenset[str]


@dataclass(slots=True)
class Collected(Visitor):
    """What an archive holds, before it is put together."""

    not_after: datetime
    config: Object | None = None
    params: Object = field(default_factory=dict)
    pods: list[PodFacts] = field(default_factory=list)
    nodes: list[NodeFacts] = field(default_factory=list)
    queues: list[Object] = field(default_factory=list)
    pod_groups: list[Object] = field(default_factory=list)
    bind_requests: list[Object] = field(default_factory=list)
    priority_classes: list[Object] = field(default_factory=list)
    topologies: list[Object] = field(default_factory=list)
    config_maps: set[tuple[str, str]] = field(default_factory=set)
    unmodelled: Unmodelled = field(default_factory=Unmodelled)
    shapes: dict[bytes, tuple[Shape, tuple[object, ...], frozenset[str]]] = field(default_factory=dict)
    newest: Newest = field(init=False)

    def __post_init__(self) -> None:
        self.newest = Newest(not_after=self.not_after)

    @property
    def captured_at(self) -> datetime:
        """When the archive was captured, as far as its newest time tells."""
        return self.newest.found or self.not_after

    def value(self, path: Key, value: object, span: Span) -> None:
        """The configuration and the parameters."""
        del span
        if path == ("config",):
            self.config = config_object(value)
            if self.config is not None and wants_usage_history(self.config):
                self.unmodelled.add("past usage of queues", "usageDBConfig")
        elif path == ("schedulerParams",) and isinstance(value, dict):
            self.params = value

    def element(self, path: Key, value: Any, span: Span) -> None:
        """An object."""
        if path[0] != "rawObjects":
            return
        try:
            self._take(path[1], value)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise incomplete(f"`{'.'.join(path)}` holds an object that is not one of its kind") from error
        self.newest.element(path, value, span)

    def _take(self, kind: str, value: Any) -> None:
        match kind:
            case "pods":
                self._pod(value)
            case "nodes":
                self.nodes.append(node_facts(value))
            case "queues":
                self.queues.append(value)
            case "podGroups":
                self.pod_groups.append(value)
            case "bindRequests":
                self.bind_requests.append(value)
            case "priorityClasses":
                self.priority_classes.append(value)
            case "topologies":
                self.topologies.append(value)
            case "configMaps":
                self.config_maps.add((value["metadata"].get("namespace", ""), value["metadata"]["name"]))
        self.unmodelled.look(kind, value)

    def _pod(self, pod: Object) -> None:
        metadata, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
        annotations = metadata.get("annotations") or {}
        shape, signature, config_maps = self._shape(spec, annotations)
        self.pods.append(
            PodFacts(
                name=f"{metadata.get('namespace', '')}/{metadata['name']}",
                namespace=metadata.get("namespace", ""),
                uid=metadata.get("uid") or metadata["name"],
                created=metadata.get("creationTimestamp") or "",
                deleted=metadata.get("deletionTimestamp"),
                group=annotations.get("pod-group-name", ""),
                phase=status.get("phase") or "",
                node=spec.get("nodeName") or "",
                nominated=status.get("nominatedNodeName") or "",
                gated=bool(spec.get("schedulingGates")),
                scheduler=spec.get("schedulerName") or "",
                labels=metadata.get("labels") or {},
                shape=shape,
                signature=signature,
                config_maps=config_maps,
            )
        )

    def _shape(self, spec: Object, annotations: Object) -> tuple[Shape, tuple[object, ...], frozenset[str]]:
        of_gpus = [annotations.get(f"gpu-{name}") for name in ("fraction", "memory", "fraction-num-devices")]
        form = {name: value for name, value in spec.items() if name not in _OF_ONE_POD}
        key = orjson.dumps([form, of_gpus], option=orjson.OPT_SORT_KEYS)
        if (known := self.shapes.get(key)) is None:
            shape = Shape(pod_request(spec, annotations), pod_constraints(spec))
            known = self.shapes[key] = shape, pod_signature(spec), _config_maps(spec)
        return known


_OF_ONE_POD = frozenset({"nodeName", "hostname", "subdomain", "schedulingGates"})


def collect(path: Path, *, not_after: datetime) -> Collected:
    """What the archive at `path` holds; times after `not_after` are no capture times.

    Raises OSError, and TerminalError where an archive is not valid.
    """
    collected = Collected(not_after)
    read_document(path, collected)
    return collected


def _config_maps(spec: Object) -> frozenset[str]:
    """The ConfigMaps a pod cannot do without."""
    needed: set[str] = set()
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    mounted = {mount.get("name") for each in containers for mount in each.get("volumeMounts") or ()}
    for volume in spec.get("volumes") or ():
        if volume.get("name") in mounted:
            sources = (volume.get("projected") or {}).get("sources") or ()
            needed |= {_needed(each.get("configMap")) for each in (volume, *sources)}
    for container in containers:
        needed |= {_needed((each.get("valueFrom") or {}).get("configMapKeyRef")) for each in container.get("env") or ()}
        needed |= {_needed(each.get("configMapRef")) for each in container.get("envFrom") or ()}
    return frozenset(needed - {""})


def _needed(reference: Object | None) -> str:
    return str(reference.get("name") or "") if reference and not reference.get("optional") else ""
