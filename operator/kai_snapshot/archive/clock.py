"""Times in a snapshot: where they stand, and moving all of them by what has passed since the capture.

The tool compares them with the clock of the machine it runs on, so in an archive of yesterday every gang is stale and
every minimum runtime over. A time is what the types of Kubernetes and KAI say is one, known by its list and its path;
text that only looks like one - data of ConfigMaps, environment variables, annotations of others - is never touched.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from kai_snapshot.archive.content import RAW
from kai_snapshot.archive.document import Path, Span, Visitor

METADATA: Final = ("metadata.creationTimestamp", "metadata.deletionTimestamp", "metadata.managedFields.time")
"""Of every object. Lists on the way to a time are not marked: what holds for one element holds for all."""
CONDITIONS: Final = ("status.conditions.lastTransitionTime", "status.conditions.lastProbeTime")
CONTAINERS: Final = tuple(
    f"status.{kind}.{state}.{time}"
    for kind in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
    for state in ("state", "lastState")
    for time in ("running.startedAt", "terminated.startedAt", "terminated.finishedAt")
)
CLAIM_TEMPLATES: Final = tuple(f"spec.volumes.ephemeral.volumeClaimTemplate.{path}" for path in METADATA)
TIMES: Final[Mapping[str, tuple[str, ...]]] = {
    "pods": ("status.startTime", *CONDITIONS, *CONTAINERS, *CLAIM_TEMPLATES),
    "nodes": ("spec.taints.timeAdded", "status.conditions.lastHeartbeatTime", *CONDITIONS),
    "queues": CONDITIONS,
    "podGroups": ("status.schedulingConditions.lastTransitionTime", *CONDITIONS),
    "podDisruptionBudgets": CONDITIONS,
    "bindRequests": (
        "spec.resourceClaimAllocations.allocation.allocationTimestamp",
        "spec.extendedResourceClaimAllocation.allocation.allocationTimestamp",
    ),
    "persistentVolumes": ("status.lastPhaseTransitionTime",),
    "persistentVolumeClaims": CONDITIONS,
    "resourceClaims": ("status.allocation.allocationTimestamp", "status.devices.conditions.lastTransitionTime"),
    "resourceSlices": ("spec.devices.taints.timeAdded", "spec.devices.basic.taints.timeAdded"),
}
"""By list of `rawObjects`, besides those of the metadata: fields of the types metav1.Time and MicroTime."""
ANNOTATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "podGroups": (
        "kai.scheduler/stale-podgroup-timestamp",
        "kai.scheduler/last-start-timestamp",
        "kai.scheduler/last-eviction-timestamp",
        "run.ai/stale-podgroup-timestamp",  # up to v0.5.0
    )
}
"""Annotations in which KAI keeps a time of its own."""
AHEAD: Final = "metadata.deletionTimestamp"
"""May lie in the future: the end of the grace period. All others say when something happened."""

TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})((?:\.[0-9]+)?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9]))"
)
"""RFC 3339, as Go reads and writes it: up to whole seconds, and the rest."""
ZERO = "0001-01-01T00:00:00"
"""Go's zero time: none is set."""

Fields = Mapping[str, "Fields | None"]
"""Members of an object on the way to its times, which are None."""


def _fields(paths: tuple[str, ...], annotations: tuple[str, ...]) -> Fields:
    root: dict[str, Any] = {}
    for steps in [path.split(".") for path in paths] + [["metadata", "annotations", name] for name in annotations]:
        holder = root
        for step in steps[:-1]:
            holder = holder.setdefault(step, {})
        holder[steps[-1]] = None
    return root


def _of_lists(metadata: tuple[str, ...]) -> tuple[Mapping[str, Fields], Fields]:
    lists = {name: _fields(metadata + TIMES.get(name, ()), ANNOTATIONS.get(name, ())) for name in TIMES}
    return lists, _fields(metadata, ())


_ALL, _ALL_OTHERS = _of_lists(METADATA)
_PAST, _PAST_OTHERS = _of_lists(tuple(path for path in METADATA if path != AHEAD))


class Mover:
    """Moves times by a constant."""

    def __init__(self, by: timedelta) -> None:
        self.by = by
        """Whole seconds; what is finer stays as it is in every time."""
        self.moved = False
        """Whether there was a time to move."""
        self.beyond: str | None = None
        """A time that stays, because moved it would leave the calendar: the years 1 to 9999."""
        self._new = lru_cache(maxsize=1 << 14)(self._move)

    def move(self, name: str, value: dict[str, Any]) -> bool:
        """Moves all times of an object of that list, in place; whether there was one to move."""
        moved = _visit(value, _ALL.get(name, _ALL_OTHERS), self._new)
        self.moved |= moved
        return moved

    def _move(self, text: str) -> str:
        parts = TIME.fullmatch(text)
        if parts is None or parts[1] == ZERO:
            return text
        try:
            return (datetime.fromisoformat(parts[1]) + self.by).isoformat() + parts[2]
        except ValueError:  # there is no such day
            return text
        except OverflowError:
            self.beyond = text
            return text


class Newest(Visitor):
    """Finds the newest time of things that have happened, as a stand-in for a capture time that nobody wrote down."""

    def __init__(self, *, not_after: datetime) -> None:
        self.found: datetime | None = None
        self._not_after = not_after
        self._seen = lru_cache(maxsize=1 << 14)(self._see)

    def element(self, path: Path, value: object, span: Span) -> None:
        """An object."""
        del span
        if path[0] == RAW and isinstance(value, dict):
            _visit(value, _PAST.get(path[1], _PAST_OTHERS), self._seen)

    def _see(self, text: str) -> str:
        if TIME.fullmatch(text) and not text.startswith(ZERO):
            try:
                moment = datetime.fromisoformat(text).astimezone(UTC)
            except (ValueError, OverflowError):
                return text
            if moment <= self._not_after and (self.found is None or moment > self.found):
                self.found = moment
        return text


def _visit(value: dict[str, Any], fields: Fields, change: Callable[[str], str]) -> bool:
    """Puts in place of each time what `change` makes of it; whether that is another one somewhere."""
    changed = False
    for name, below in fields.items():
        found = value.get(name)
        if not found:
            continue
        kind = type(found)
        if below is None:
            if kind is str and (new := change(found)) != found:
                value[name] = new
                changed = True
        elif kind is dict:
            changed |= _visit(found, below, change)
        elif kind is list:
            for each in found:
                if type(each) is dict:
                    changed |= _visit(each, below, change)
    return changed
