"""The CustomResourceDefinitions, rendered from the models. `python -m kai_snapshot.api.crd DIRECTORY` writes them.

pydantic's JSON schema is not a structural schema: references are inlined, `anyOf [X, null]` becomes X, integers lose
their exclusive bounds, and a keyword that is not known here is an error rather than passed on.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from kai_snapshot.api.base import GROUP, VERSION
from kai_snapshot.api.snapshotcapture import SnapshotCapture, SnapshotCaptureSpec, SnapshotCaptureStatus
from kai_snapshot.api.snapshotreplay import SnapshotReplay, SnapshotReplaySpec, SnapshotReplayStatus

Schema = dict[str, Any]

_KEPT = frozenset(
    (
        *("type", "format", "description", "enum", "pattern", "required", "minimum", "maximum"),
        *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
    )
)
_RULES = "x-kubernetes-validations"
_DROPPED = frozenset(("title", "$defs"))

NAME_RULE = {
    "rule": "size(self.metadata.name) <= 52",
    "message": "the name may have at most 52 characters: names of Jobs are made from it",
}


def structural(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    """A pydantic JSON schema as a structural schema of apiextensions/v1.

    Raises ValueError on what has no counterpart.
    """
    if "$ref" in node:
        target = definitions[node["$ref"].rpartition("/")[2]]
        rules = [*target.get(_RULES, ()), *node.get(_RULES, ())]
        merged = {**target, **_without(node, "$ref"), **({_RULES: rules} if rules else {})}
        return structural(merged, definitions)
    if "anyOf" in node:
        return structural({**_only_choice(node["anyOf"]), **_without(node, "anyOf")}, definitions)
    schema: Schema = {}
    for keyword, value in node.items():
        schema |= _keyword(keyword, value, definitions)
    return schema


def _keyword(keyword: str, value: Any, definitions: Mapping[str, Any]) -> Schema:
    match keyword:
        case "description":
            return {keyword: " ".join(value.split())}
        case "properties":
            return {keyword: {name: structural(part, definitions) for name, part in value.items()}}
        case "items":
            return {keyword: structural(value, definitions)}
        case "additionalProperties":
            return {keyword: structural(value, definitions)} if isinstance(value, Mapping) else {}
        case "default":
            return {} if value is None else {keyword: value}
        case "const":
            return {"enum": [value]}
    if keyword in _KEPT or keyword.startswith("x-kubernetes-"):
        return {keyword: value}
    if keyword in _DROPPED:
        return {}
    raise ValueError(f"{keyword!r} has no counterpart in a structural schema: {value!r}")


def _without(node: Mapping[str, Any], keyword: str) -> Schema:
    return {name: value for name, value in node.items() if name != keyword}


def _only_choice(choices: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    present = [choice for choice in choices if choice.get("type") != "null"]
    if sorted(choice.get("type", "") for choice in present) == ["integer", "string"]:
        return {"x-kubernetes-int-or-string": True}
    if len(present) != 1:
        raise ValueError(f"a field has one type: {choices}")
    return present[0]


def _schema(model: type[BaseModel]) -> Schema:
    raw = model.model_json_schema(by_alias=True)
    return structural(raw, raw.get("$defs", {}))


def _without_defaults(schema: Schema) -> Schema:
    """A status is the operator's to fill; only `observedGeneration: -1` is set for it, at the root."""
    cleaned = {key: value for key, value in schema.items() if key != "default"}
    if "properties" in cleaned:
        cleaned["properties"] = {name: _without_defaults(part) for name, part in cleaned["properties"].items()}
    if isinstance(cleaned.get("items"), dict):
        cleaned["items"] = _without_defaults(cleaned["items"])
    return cleaned


def _condition(type_: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{type_}")].{field}'


def _column(name: str, type_: str, path: str, *, wide: bool = False) -> Schema:
    return {"name": name, "type": type_, "jsonPath": path, **({"priority": 1} if wide else {})}


CAPTURE_COLUMNS = [
    _column("Ready", "string", _condition("Ready", "status")),
    _column("Status", "string", _condition("Ready", "reason")),
    _column("Schedule", "string", ".spec.schedule.cron"),
    _column("Last Success", "date", ".status.lastSuccessfulTime"),
    # `date` prints "<invalid>" for a moment to come
    _column("Next", "string", ".status.nextScheduleTime"),
    _column("Last Result", "string", _condition("LastCaptureSucceeded", "reason"), wide=True),
    _column("Environment", "string", _condition("EnvironmentCaptured", "reason"), wide=True),
    _column("Archives", "integer", ".status.archives.count", wide=True),
    _column("Suspend", "boolean", ".spec.suspend", wide=True),
    _column("Message", "string", _condition("Ready", "message"), wide=True),
    _column("Age", "date", ".metadata.creationTimestamp"),
]
REPLAY_COLUMNS = [
    _column("Ready", "string", _condition("Ready", "status")),
    _column("Status", "string", _condition("Ready", "reason")),
    _column("Outcome", "string", ".status.outcome"),
    _column("Snapshot", "string", ".status.resolvedSource.id"),
    _column("Summary", "string", ".status.summary"),
    _column("First Different", "string", ".status.comparison.firstDifferent", wide=True),
    _column("Message", "string", _condition("Ready", "message"), wide=True),
    _column("Started", "date", ".status.startTime", wide=True),
    _column("Completed", "date", ".status.completionTime", wide=True),
    _column("Age", "date", ".metadata.creationTimestamp"),
]


def _definition(
    kind: type[BaseModel],
    spec: type[BaseModel],
    status: type[BaseModel],
    *,
    short_name: str,
    columns: list[Schema],
    selectable: tuple[str, ...] = (),
) -> Schema:
    singular = kind.__name__.lower()
    plural = f"{singular}s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind.__name__,
                "listKind": f"{kind.__name__}List",
                "plural": plural,
                "singular": singular,
                "shortNames": [short_name],
                "categories": ["kai-snapshot"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": columns,
                    **({"selectableFields": [{"jsonPath": path} for path in selectable]} if selectable else {}),
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "description": " ".join((kind.__doc__ or "").split()),
                            "x-kubernetes-validations": [NAME_RULE],
                            "required": ["spec"],
                            "properties": {
                                "apiVersion": {"type": "string"},
                                "kind": {"type": "string"},
                                "metadata": {"type": "object"},
                                "spec": _schema(spec),
                                # GitOps tools take an object without status for ready: -1 makes them wait
                                "status": {**_without_defaults(_schema(status)), "default": {"observedGeneration": -1}},
                            },
                        }
                    },
                }
            ],
        },
    }


def definitions() -> dict[str, Schema]:
    """File name -> CustomResourceDefinition."""
    return {
        f"{GROUP}_snapshotcaptures.yaml": _definition(
            SnapshotCapture, SnapshotCaptureSpec, SnapshotCaptureStatus, short_name="snapcap", columns=CAPTURE_COLUMNS
        ),
        f"{GROUP}_snapshotreplays.yaml": _definition(
            SnapshotReplay,
            SnapshotReplaySpec,
            SnapshotReplayStatus,
            short_name="snaprep",
            columns=REPLAY_COLUMNS,
            selectable=(".status.outcome",),  # those without one are asked for whenever retention removes something
        ),
    }


def render(definition: Schema) -> str:
    """The YAML file."""
    header = "# Rendered from operator/kai_snapshot/api by `make crds`. Do not edit.\n"
    return header + yaml.safe_dump(definition, sort_keys=False, width=120, allow_unicode=True)


def main(directory: Path) -> None:
    """Writes the files."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, definition in definitions().items():
        (directory / name).write_text(render(definition), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
