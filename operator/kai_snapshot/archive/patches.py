"""Patches to a snapshot: which object each is for, and what it makes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import jsonpatch
import jsonpointer
import orjson

from kai_snapshot.api.preparation import Patch, PatchTarget
from kai_snapshot.api.problem import Problem
from kai_snapshot.archive.document import VALUE_BYTES
from kai_snapshot.archive.patchtext import Operation, read_operations
from kai_snapshot.errors import Reason, TerminalError

Object = dict[str, Any]


class Kind(NamedTuple):
    """Where a snapshot keeps the objects of a kind."""

    list: str
    namespaced: bool


KINDS: Final[Mapping[str, Kind]] = {
    "Pod": Kind("pods", namespaced=True),
    "Node": Kind("nodes", namespaced=False),
    "Queue": Kind("queues", namespaced=False),
    "PodGroup": Kind("podGroups", namespaced=True),
    "BindRequest": Kind("bindRequests", namespaced=True),
    "PriorityClass": Kind("priorityClasses", namespaced=False),
    "ConfigMap": Kind("configMaps", namespaced=True),
    "PersistentVolume": Kind("persistentVolumes", namespaced=False),
    "PersistentVolumeClaim": Kind("persistentVolumeClaims", namespaced=True),
    "CSIStorageCapacity": Kind("csiStorageCapacities", namespaced=True),
    "StorageClass": Kind("storageClasses", namespaced=False),
    "CSIDriver": Kind("csiDrivers", namespaced=False),
    "ResourceClaim": Kind("resourceClaims", namespaced=True),
    "ResourceSlice": Kind("resourceSlices", namespaced=False),
    "DeviceClass": Kind("deviceClasses", namespaced=False),
    "Topology": Kind("topologies", namespaced=False),
    "NodeResourceTopology": Kind("nodeResourceTopologies", namespaced=False),
}
PARTS: Final[Mapping[str, str]] = {"Config": "config", "SchedulerParams": "schedulerParams"}
"""What is no object of the cluster: members of the document."""
PATCH_BYTES: Final = 256 << 10
"""Of all patches together: the operator reads them too."""
_MOST_NAMED, _LONGEST = 5, 100


class ObjectName(NamedTuple):
    """An object in its list. The namespace is empty for kinds that have none."""

    namespace: str
    name: str

    @classmethod
    def of(cls, value: object) -> "ObjectName | None":
        """From its metadata; None if there is no name."""
        metadata = value.get("metadata") if isinstance(value, dict) else None
        if not isinstance(metadata, dict):
            return None
        namespace, name = metadata.get("namespace") or "", metadata.get("name")
        return cls(namespace, name) if isinstance(namespace, str) and isinstance(name, str) else None


@dataclass(frozen=True)
class ParsedPatch:
    """A patch that can be applied."""

    number: int
    """Its place among the patches, from 1 on."""
    target: PatchTarget
    operations: tuple[Operation, ...]
    """Without a removal of the whole object, which can only be the last."""
    removes: bool = False
    """Whether it takes the object out of the snapshot in the end."""

    def apply(self, value: object) -> Object | None:
        """What it makes of its target; None stands for an object that is not there. May change `value` in place.

        Raises TerminalError(PatchFailed).
        """
        if value is None and not (self.operations and _of_whole(self.operations[0], "add")):
            raise self.failure("the snapshot has no such object; see kind, namespace and name")
        for number, operation in enumerate(self.operations, 1):
            value = self._step(number, operation, value)
        if not isinstance(value, dict):
            raise self.failure("what comes out is not an object")
        self._check_size(value)
        if self.target.kind in KINDS and ObjectName.of(value) != (self.target.namespace, self.target.name):
            raise self.failure("what comes out has another name or namespace, or none; patches cannot rename")
        return None if self.removes else value

    def said(self, *, was_there: bool, is_there: bool) -> str:
        """What became of the target, for people."""
        if not is_there:
            return f"{self} is removed"
        if not was_there:
            return f"{self} is added"
        changes = [f"{operation['op']} {_short(operation['path'])}" for operation in self.operations]
        more = f", and {len(changes) - _MOST_NAMED} more" if len(changes) > _MOST_NAMED else ""
        return f"{self} is changed: {', '.join(changes[:_MOST_NAMED])}{more}"

    def failure(self, what: str) -> TerminalError:
        """The error about this patch."""
        return TerminalError(Reason.PATCH_FAILED, f"patch {self.number} ({self._target}): {what}.")

    def __str__(self) -> str:
        return f"patch {self.number}: {self._target}"

    @property
    def _target(self) -> str:
        name = "/".join(_short(part) for part in (self.target.namespace, self.target.name) if part)
        return f"{self.target.kind} {name}".rstrip()

    def _step(self, number: int, operation: Operation, value: object) -> object:
        # one by one, to say which; what the library says would quote the object
        where = f"operation {number}, `{operation['op']} {_short(operation['path'])}`,"
        try:
            changed: object = jsonpatch.JsonPatch([operation]).apply(value, in_place=True)
        except jsonpatch.JsonPatchTestFailed as error:
            raise self.failure(f"{where} does not hold: something else stands there, or nothing") from error
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
            raise self.failure(f"{where} does not fit: see whether all that leads to that path exists") from error
        if operation["op"] == "copy":  # each can double what there is
            self._check_size(changed)
        return changed

    def _check_size(self, value: object) -> None:
        try:
            size = len(orjson.dumps(value))
        except orjson.JSONEncodeError as error:
            raise self.failure("what comes out is nested too deeply") from error
        if size > VALUE_BYTES:
            raise self.failure(f"what comes out has more than {VALUE_BYTES} bytes; nothing in Kubernetes is that large")


def parse_patches(patches: Sequence[Patch]) -> tuple[ParsedPatch, ...]:
    """The patches in their order. Raises TerminalError(PatchFailed), as far as that can be known without an archive."""
    size = sum(len(patch.patch.encode()) for patch in patches)
    if size > PATCH_BYTES:
        message = f"the patches have {size} bytes together, and may have {PATCH_BYTES}: make several replays of them."
        raise TerminalError(Reason.PATCH_FAILED, message)
    return tuple(_parsed(number, patch) for number, patch in enumerate(patches, 1))


def check_patches(patches: Sequence[Patch]) -> Problem | None:
    """What `parse_patches` finds wrong."""
    try:
        parse_patches(patches)
    except TerminalError as error:
        return Problem.of(error)
    return None


def _parsed(number: int, patch: Patch) -> ParsedPatch:
    unread = ParsedPatch(number, patch.target, ())
    try:
        _check_target(patch.target)
        operations = read_operations(patch.patch)
    except ValueError as error:
        raise unread.failure(str(error)) from error
    removal = next((place for place, each in enumerate(operations) if _of_whole(each, "remove")), None)
    if removal is None:
        return ParsedPatch(number, patch.target, tuple(operations))
    if patch.target.kind in PARTS:
        raise unread.failure("no snapshot is without it")
    if removal + 1 < len(operations):
        raise unread.failure(f"operation {removal + 1} removes the whole object, and nothing can follow that")
    return ParsedPatch(number, patch.target, tuple(operations[:removal]), removes=True)


def _check_target(target: PatchTarget) -> None:
    kind = KINDS.get(target.kind)
    if target.kind in PARTS:
        if target.name or target.namespace:
            raise ValueError("it has neither name nor namespace; leave them out")
    elif kind is None:
        raise ValueError(f"no such kind in a snapshot; there are {', '.join([*PARTS, *KINDS])}")
    elif not target.name:
        raise ValueError("target.name is missing")
    elif kind.namespaced and not target.namespace:
        raise ValueError("target.namespace is missing")
    elif target.namespace and not kind.namespaced:
        raise ValueError("the kind has no namespaces; leave target.namespace out")


def _of_whole(operation: Operation, name: str) -> bool:
    return bool(operation["op"] == name and operation["path"] == "")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
