"""docs/api.md, rendered from the CustomResourceDefinitions. `python -m kai_snapshot.api.reference FILE` writes it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from kai_snapshot.api import crd

Schema = dict[str, Any]

HEADER = """# API reference

Rendered from the models in `operator/kai_snapshot/api` by `make crds`; `kubectl explain` shows the same texts.
"""


def render() -> str:
    """The page."""
    return "\n".join([HEADER, *(line for definition in crd.definitions().values() for line in _kind(definition))])


def _kind(definition: Schema) -> Iterator[str]:
    spec = definition["spec"]
    version = spec["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    names = spec["names"]
    yield f"## {names['kind']}\n"
    yield f"`{spec['group']}/{version['name']}`, short `{names['shortNames'][0]}`. {schema['description']}\n"
    for part in ("spec", "status"):
        yield f"### {names['kind']} {part}\n"
        yield "| field | type | default | |"
        yield "|---|---|---|---|"
        yield from _rows(schema["properties"][part], part)
        yield ""
        yield from _rules(schema["properties"][part], part)


def _rows(schema: Schema, path: str) -> Iterator[str]:
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        where = f"{path}.{name}"
        mark = " (required)" if name in required and path.startswith("spec") else ""
        default = (
            f"`{yaml.safe_dump(field['default'], default_flow_style=True).strip().removesuffix('...').strip()}`"
            if ("default" in field)
            else ""
        )
        description = field.get("description", "").replace("|", "\\|")
        yield f"| `{where}`{mark} | {_type(field)} | {default} | {description} |"
        yield from _rows(field, where)
        if isinstance(field.get("items"), dict):
            yield from _rows(field["items"], f"{where}[]")


def _type(field: Schema) -> str:
    if "enum" in field:
        return " \\| ".join(f"`{value}`" for value in field["enum"])
    if field.get("x-kubernetes-int-or-string"):
        return "integer or string"
    kind = str(field.get("type", "any"))
    if kind == "array":
        return f"list of {_type(field['items'])}"
    if kind == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"map to {_type(field['additionalProperties'])}"
    bounds = [f"{word} {field[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in field]
    return f"{kind} {' '.join(bounds)}".strip()


def _rules(schema: Schema, path: str) -> Iterator[str]:
    found = list(_messages(schema, path))
    if found:
        yield "Rules the API server checks:\n"
        yield from (f"- `{where}`: {message}" for where, message in found)
        yield ""


def _messages(schema: Schema, path: str) -> Iterator[tuple[str, str]]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield path, rule["message"]
    for name, field in schema.get("properties", {}).items():
        yield from _messages(field, f"{path}.{name}")
        if isinstance(field.get("items"), dict):
            yield from _messages(field["items"], f"{path}.{name}[]")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render(), encoding="utf-8")
