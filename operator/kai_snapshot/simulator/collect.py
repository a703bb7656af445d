"""Reads an archive once, object by object, and keeps what a cycle needs."""

from collections.abc import Collection, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from kai_snapshot.archive.clock import Newest
from kai_snapshot.archive.content import CONFIG, PARAMS, RAW
from kai_snapshot.archive.document import Path as Key
from kai_snapshot.archive.document import Span, Visitor
from kai_snapshot.archive.patches import ObjectName
from kai_snapshot.archive.patching import node_of
from kai_snapshot.archive.read import incomplete, read_document
from kai_snapshot.simulator.beyond import of_object, of_settings
from kai_snapshot.simulator.constraints import pod_constraints
from kai_snapshot.simulator.forms import Malformed, check, check_template
from kai_snapshot.simulator.model import Shape
from kai_snapshot.simulator.nodefacts import NodeFacts, node_facts
from kai_snapshot.simulator.request import pod_request
from kai_snapshot.simulator.signatures import pod_signature
from kai_snapshot.simulator.unmodelled import Unmodelled, Use

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


class Original(NamedTuple):
    """An object as the archive has it, so that it can be changed."""

    fact: object
    """What a cycle needs of it."""
    uses: tuple[Use, ...]
    """What of it is not modelled."""
    name: ObjectName | None
    node: str
    """The node with which it changes, if that is removed."""
    text: bytes


@dataclass(slots=True)
class Collected(Visitor):
    """What an archive holds, before it is put together."""

    not_after: datetime
    changeable: Collection[str] = ()
    """The lists of which `originals` are kept."""
    config: Object | None = None
    params: Object = field(default_factory=dict)
    pods: list[PodFacts] = field(default_factory=list)
    nodes: list[NodeFacts] = field(default_factory=list)
    queues: list[Object] = field(default_factory=list)
    pod_groups: list[Object] = field(default_factory=list)
    bind_requests: list[Object] = field(default_factory=list)
    priority_classes: list[Object] = field(default_factory=list)
    topologies: list[Object] = field(default_factory=list)
    config_maps: list[tuple[str, str]] = field(default_factory=list)
    unmodelled: Unmodelled = field(default_factory=Unmodelled)
    shapes: dict[bytes, tuple[Shape, tuple[object, ...], frozenset[str]]] = field(default_factory=dict)
    originals: dict[str, list[Original]] = field(default_factory=dict)
    """By list, all that there are, in their order."""
    adaptations: tuple[str, ...] = ()
    """What was changed since it was read."""
    newest: Newest = field(init=False)

    def __post_init__(self) -> None:
        self.newest = Newest(not_after=self.not_after)

    @property
    def captured_at(self) -> datetime:
        """When the archive was captured, as far as its newest time tells."""
        return self.newest.found or self.not_after

    def key(self, path: Key) -> None:
        """A list may begin."""
        if len(path) == 2 and path[0] == RAW:
            self._begin(path[1])

    def value(self, path: Key, value: object, span: Span) -> None:
        """The configuration and the parameters."""
        del span
        if path not in ((CONFIG,), (PARAMS,)) or value is None:
            return
        try:
            self.configure(value) if path == (CONFIG,) else self.set_params(value)
        except Malformed as error:
            raise incomplete(str(error)) from error

    def configure(self, value: Any) -> None:
        """The configuration; None if there is none. Raises Malformed."""
        self.config = value
        self._look(CONFIG, {} if value is None else value)

    def set_params(self, value: Any) -> None:
        """The parameters of the scheduler. Raises Malformed."""
        self.params = value
        self._look(PARAMS, value)

    def _look(self, member: str, value: Object) -> None:
        check(member, value)
        self.unmodelled.begin(member)
        for use, where in of_settings(member, value):
            self.unmodelled.add(member, use, where)

    def element(self, path: Key, value: Any, span: Span) -> None:
        """An object."""
        if path[0] != RAW:
            return
        try:
            self.take(path[1], value)
        except Malformed as error:
            raise incomplete(str(error)) from error
        self.newest.element(path, value, span)

    def take(self, kind: str, value: Any) -> None:
        """An object at the end of a list. Raises Malformed."""
        check(kind, value)
        fact, unmodelled, name = self._fact(kind, value), of_object(kind, value), ObjectName.of(value)
        self._add(kind, fact, unmodelled, name)
        if kind in self.changeable:
            original = Original(fact, unmodelled, name, node_of(kind, value), orjson.dumps(value))
            self.originals[kind].append(original)

    def again(self, kind: str, original: Original) -> None:
        """An object that has been looked at, at the end of a list."""
        self._add(kind, original.fact, original.uses, original.name)
        self.originals[kind].append(original)

    def emptied(self, kinds: Iterable[str]) -> "Collected":
        """A copy in which these lists are empty. It shares the others."""
        emptied = copy(self)
        emptied.unmodelled, emptied.shapes = self.unmodelled.copy(), dict(self.shapes)
        emptied.originals = dict(self.originals)
        for kind in kinds:
            emptied._begin(kind)
        return emptied

    def _begin(self, kind: str) -> None:
        self.unmodelled.begin(kind)
        self.originals[kind] = []
        if kind in _FIELDS:
            setattr(self, _FIELDS[kind], [])

    def _add(self, kind: str, fact: object, unmodelled: Iterable[Use], name: ObjectName | None) -> None:
        if kind in _FIELDS:
            getattr(self, _FIELDS[kind]).append(fact)
        for use in unmodelled:
            self.unmodelled.add(kind, use, "/".join(part for part in name or () if part))

    def _fact(self, kind: str, value: Any) -> object:
        """What is kept of an object."""
        match kind:
            case "pods":
                return self._pod(value)
            case "nodes":
                return node_facts(value)
            case "configMaps":
                return value["metadata"].get("namespace", ""), value["metadata"]["name"]
            case _:
                return value if kind in _FIELDS else None

    def _pod(self, pod: Object) -> PodFacts:
        metadata, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
        annotations = metadata.get("annotations") or {}
        shape, signature, config_maps = self._shape(pod)
        return PodFacts(
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

    def _shape(self, pod: Object) -> tuple[Shape, tuple[object, ...], frozenset[str]]:
        spec, annotations = pod.get("spec") or {}, pod["metadata"].get("annotations") or {}
        of_gpus = [annotations.get(f"gpu-{name}") for name in ("fraction", "memory", "fraction-num-devices")]
        form = {name: value for name, value in spec.items() if name not in _OF_ONE_POD}
        key = orjson.dumps([form, of_gpus], option=orjson.OPT_SORT_KEYS)
        if (known := self.shapes.get(key)) is None:
            check_template(pod)
            shape = Shape(pod_request(spec, annotations), pod_constraints(spec))
            known = self.shapes[key] = shape, pod_signature(spec), _config_maps(spec)
        return known


_FIELDS = {
    "pods": "pods",
    "nodes": "nodes",
    "queues": "queues",
    "podGroups": "pod_groups",
    "bindRequests": "bind_requests",
    "priorityClasses": "priority_classes",
    "topologies": "topologies",
    "configMaps": "config_maps",
}
"""Lists of which a cycle needs something, and where that is."""
_OF_ONE_POD = frozenset({"nodeName", "hostname", "subdomain", "schedulingGates"})


def collect(path: Path, *, not_after: datetime, changeable: Collection[str] = ()) -> Collected:
    """What the archive at `path` holds; times after `not_after` are no capture times.

    Raises OSError, and TerminalError where an archive is not valid.
    """
    collected = Collected(not_after, changeable)
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
