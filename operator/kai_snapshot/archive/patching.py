"""Applying patches to a document whose values come by one after the other."""

from collections import defaultdict
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, cast

from kai_snapshot.api.preparation import Patch
from kai_snapshot.archive.displaced import Displaced, node_of_pod, node_of_request
from kai_snapshot.archive.patches import KINDS, PARTS, Object, ObjectName, ParsedPatch, parse_patches

PODS, NODES, BIND_REQUESTS = KINDS["Pod"].list, KINDS["Node"].list, KINDS["BindRequest"].list


class Patching:
    """Patches that wait for their targets. Each method raises TerminalError(PatchFailed) if one does not fit."""

    def __init__(self, patches: Sequence[Patch]) -> None:
        self._parts: dict[str, list[ParsedPatch]] = defaultdict(list)
        self._objects: dict[str, dict[ObjectName | None, list[ParsedPatch]]] = defaultdict(lambda: defaultdict(list))
        self._said: dict[int, str] = {}
        for patch in parse_patches(patches):
            target = patch.target
            if target.kind in PARTS:
                self._parts[PARTS[target.kind]].append(patch)
            else:
                self._objects[KINDS[target.kind].list][ObjectName(target.namespace, target.name)].append(patch)
        last = [patches[-1] for patches in self._objects.get(NODES, {}).values()]
        removed = {patch.target.name: patch.number for patch in last if patch.removes}
        self._removed = frozenset(removed)
        self._displaced = Displaced(removed)
        if removed:
            for name in (PODS, BIND_REQUESTS):
                self._objects[name]  # wait for them as well

    @property
    def done(self) -> bool:
        """Whether all lists with a target, and all other targets, have come by."""
        return not self._parts and not self._objects

    @property
    def lists(self) -> frozenset[str]:
        """The lists in which something may change: who keeps a snapshot in memory shows these, in their order."""
        return frozenset(self._objects)

    def concerns(self, name: str, key: ObjectName | None, node: str) -> bool:
        """Whether it has to see the object of that name in a list; `node` is what `node_of` says."""
        return key in self._objects.get(name, ()) or (node in self._removed and name in (PODS, BIND_REQUESTS))

    @property
    def said(self) -> list[str]:
        """What was done, in the order of the patches."""
        return [self._said[number] + self._displaced.said(number) for number in sorted(self._said)]

    def part(self, key: str, value: object) -> object:
        """What to put in place of a member of the document; the same value if no patch is for it."""
        patches = self._parts.pop(key, None)
        return self._patched(patches, value) if patches else value

    def element(self, name: str, value: object) -> object:
        """What to put in place of an object of a list: None takes it out; the same value if no patch is for it."""
        waiting = self._objects.get(name)
        patches = waiting.pop(ObjectName.of(value), None) if waiting else None
        patched = self._patched(patches, value) if patches else value
        if name == PODS:
            return self._displaced.pod(patched)
        return self._displaced.bind_request(patched) if name == BIND_REQUESTS else patched

    def added(self, name: str) -> list[Object]:
        """That list ends: the objects that patches add to it."""
        waiting = self._objects.pop(name, None)
        added = [self._patched(patches, None) for patches in waiting.values()] if waiting else []
        return [value for value in added if value is not None]

    def finish(self) -> None:
        """The document ends: nothing may wait."""
        for patches in self._parts.values():
            raise patches[0].failure("the snapshot has no such part")
        for name, waiting in self._objects.items():
            for patches in waiting.values():
                what = f"the snapshot has no list `{name}`; the version that made it does not know the kind"
                raise patches[0].failure(what)

    def _patched(self, patches: list[ParsedPatch], value: object) -> Object | None:
        patched: Any = deepcopy(value)
        for patch in patches:
            was_there = patched is not None
            patched = patch.apply(patched)
            self._said[patch.number] = patch.said(was_there=was_there, is_there=patched is not None)
        return cast("Object | None", patched)


def node_of(name: str, value: object) -> str:
    """The node with which an object of a list may change, if that is removed; empty if there is none."""
    if name == PODS:
        return node_of_pod(value)
    return node_of_request(value) if name == BIND_REQUESTS else ""
