"""What a snapshot must hold, and what is kept of it while it is checked."""

from typing import Any

from kai_snapshot.api.inspection import DRAForm
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.schedulerconfig import configured_actions, configured_plugins, wants_usage_history
from kai_snapshot.archive.document import Path, Span, Visitor
from kai_snapshot.errors import Reason

CONFIG, PARAMS, RAW, DISCOVERY = "config", "schedulerParams", "rawObjects", "discovery"
LISTS_WITH_DISCOVERY = ("persistentVolumes", "nodeResourceTopologies")
"""Lists that came after `discovery` (v0.13): where one of them is, that must be too."""
KEPT = frozenset({(CONFIG,), (PARAMS,), (DISCOVERY, "serverVersion")})
API_GROUPS = (DISCOVERY, "resources")
DRA_FORMS: dict[str, DRAForm] = {
    "exactly": "v1", "attributes": "v1", "capacity": "v1", "deviceClassName": "v1beta1", "basic": "v1beta1",
}  # fmt: skip
"""Members that a request of a claim, or a device of a slice, has in one form only."""


class Content(Visitor):
    """Visits a document and keeps its keys, its counts and the few values that say what it is a snapshot of."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.counts: dict[str, int] = {}
        self.api_groups: dict[str, None] = {}
        self.dra_form: DRAForm | None = None
        self._values: dict[Path, Any] = {}
        self._not_objects: str | None = None

    def key(self, path: Path) -> None:
        """A member of the document, or a list of `rawObjects`."""
        if len(path) == 1:
            self.keys.append(path[0])
        elif path[0] == RAW:
            self.counts[path[1]] = 0

    def value(self, path: Path, value: object, span: Span) -> None:
        """Small members; `rawObjects` itself and its lists come here only if they are none."""
        del span
        if path in KEPT:
            self._values[path] = value
        elif path[0] == RAW and (value is not None or len(path) == 1):
            self._not_objects = self._not_objects or f"`{'.'.join(path)}` does not hold objects"

    def element(self, path: Path, value: object, span: Span) -> None:
        """One object."""
        del span
        if path[0] == RAW:
            self.counts[path[1]] += 1
            if type(value) is not dict:
                self._not_objects = self._not_objects or f"`{'.'.join(path)}` holds something that is no object"
            elif self.dra_form is None and path[1] in ("resourceClaims", "resourceSlices"):
                self.dra_form = _dra_form(value)
        elif path == API_GROUPS and (version := _text(value, "groupVersion")) and "/" in version:
            self.api_groups[version.partition("/")[0]] = None

    @property
    def config(self) -> dict[str, Any] | None:
        """The scheduler's configuration."""
        return self._object(CONFIG)

    @property
    def actions(self) -> tuple[str, ...]:
        """The names of the configured actions, in their order."""
        return tuple(configured_actions(self.config or {}))

    @property
    def plugins(self) -> tuple[str, ...]:
        """The names of the configured plugins, in their order."""
        return tuple(configured_plugins(self.config or {}))

    @property
    def wants_usage_history(self) -> bool:
        """Whether the configuration wants the history of usage."""
        return wants_usage_history(self.config or {})

    @property
    def scheduler_name(self) -> str | None:
        """Which pods it schedules, by `spec.schedulerName`."""
        return _text(self._object(PARAMS), "schedulerName")

    @property
    def node_pool(self) -> str | None:
        """The value of the partition label; empty for the shard of the nodes without one."""
        params = self._object(PARAMS) or {}
        partition = params.get("partitionParams")
        return _text(partition, "NodePoolLabelValue")

    @property
    def kubernetes_version(self) -> str | None:
        """Of the API server."""
        return _text(self._object(DISCOVERY, "serverVersion"), "gitVersion")

    def problems(self) -> list[Problem]:
        """What a document that could be read to its end lacks."""
        lacking = [f"`{key}` is missing" for key in (CONFIG, PARAMS, RAW) if key not in self.keys]
        if PARAMS in self.keys and self._object(PARAMS) is None:
            lacking.append(f"`{PARAMS}` is not an object")
        if self._not_objects:
            lacking.append(self._not_objects)
        if DISCOVERY in self.keys[:-1]:
            lacking.append(f"`{DISCOVERY}` is not the last key, as the scheduler writes it")
        if DISCOVERY not in self.keys and any(name in self.counts for name in LISTS_WITH_DISCOVERY):
            lacking.append(f"`{DISCOVERY}` is missing, which the version that made this snapshot writes at the end")
        return self._config_problems() + [_incomplete(what) for what in lacking]

    def _config_problems(self) -> list[Problem]:
        if CONFIG not in self.keys or self.config is not None:
            return []
        if self._values[(CONFIG,)] is not None:
            return [_incomplete("`config` is not an object")]
        message = (
            'The snapshot says `"config": null`, as KAI v0.16.0 to v0.16.4 do between two cycles: snapshot-tool would '
            "panic. Capture it again, or upgrade KAI to v0.16.5 or later."
        )
        return [Problem(reason=Reason.CONFIG_NULL, message=message)]

    def _object(self, *path: str) -> dict[str, Any] | None:
        value = self._values.get(path)
        return value if isinstance(value, dict) else None


def _incomplete(what: str) -> Problem:
    return Problem(reason=Reason.INCOMPLETE_SNAPSHOT, message=f"snapshot.json is not whole: {what}.")


def _dra_form(value: dict[str, Any]) -> DRAForm | None:
    """The form of a resource claim or slice, if its first request or device tells."""
    parts = _member(_member(value, "spec"), "devices")  # of a slice
    parts = parts if isinstance(parts, list) else _member(parts, "requests")  # of a claim
    first = parts[0] if isinstance(parts, list) and parts else None
    return next((form for key, form in DRA_FORMS.items() if _member(first, key) is not None), None)


def _member(holder: object, key: str) -> object:
    return holder.get(key) if isinstance(holder, dict) else None


def _text(holder: object, key: str) -> str | None:
    value = _member(holder, key)
    return value if isinstance(value, str) else None
