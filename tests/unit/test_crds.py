"""The CustomResourceDefinitions in crds/ are those of the models."""

from pathlib import Path
from typing import Any

import pytest

from kai_snapshot.api import crd, reference

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", crd.definitions())
def test_the_committed_file_is_what_the_models_render(name: str) -> None:
    assert (ROOT / "crds" / name).read_text() == crd.render(crd.definitions()[name]), "run `make crds`"


def test_nothing_else_lies_in_crds() -> None:
    assert {path.name for path in (ROOT / "crds").glob("*.yaml")} == {*crd.definitions(), "kustomization.yaml"}


@pytest.mark.parametrize(
    ("schema", "structural"),
    [
        pytest.param(
            {"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "string"}, id="an optional is its type"
        ),
        pytest.param({"const": "a"}, {"enum": ["a"]}, id="a constant is an enum of one"),
        pytest.param(
            {"anyOf": [{"type": "integer"}, {"type": "string"}]},
            {"x-kubernetes-int-or-string": True},
            id="int or string",
        ),
        pytest.param({"$ref": "#/$defs/A", "description": "x"}, {"type": "object", "description": "x"}, id="inlined"),
    ],
)
def test_a_pydantic_schema_becomes_structural(schema: dict[str, Any], structural: dict[str, Any]) -> None:
    assert crd.structural(schema, {"A": {"type": "object", "title": "A", "description": "y"}}) == structural


def test_a_keyword_without_counterpart_is_refused() -> None:
    with pytest.raises(ValueError, match="exclusiveMinimum"):
        crd.structural({"type": "integer", "exclusiveMinimum": 3}, {})


def fields(schema: dict[str, Any], path: str = "") -> Any:
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from fields(part, f"{path}.{name}")
    for part in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(part, dict):
            yield from fields(part, f"{path}[]")


@pytest.mark.parametrize("name", crd.definitions())
def test_every_field_is_described_for_kubectl_explain(name: str) -> None:
    schema = crd.definitions()[name]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    described = {path for path, part in fields(schema["properties"]["spec"], "spec") if "description" in part}
    properties = {path for path, part in fields(schema["properties"]["spec"], "spec") if not path.endswith("[]")}
    assert properties == described & properties


@pytest.mark.parametrize("name", crd.definitions())
def test_every_string_and_list_of_a_spec_is_bounded_so_that_rules_are_cheap(name: str) -> None:
    schema = crd.definitions()[name]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    unbounded = [
        path
        for path, part in fields(schema["properties"]["spec"], "spec")
        if not path.endswith("[]")
        and (
            (part.get("type") == "string" and not {"maxLength", "enum", "format"} & set(part))
            or (part.get("type") == "array" and "maxItems" not in part)
        )
    ]
    assert unbounded == []


def test_the_api_reference_is_that_of_the_models() -> None:
    assert (ROOT / "docs" / "api.md").read_text() == reference.render(), "run `make crds`"


def test_rules_of_a_field_come_on_top_of_those_of_its_type() -> None:
    definitions = {"A": {"type": "object", "x-kubernetes-validations": [{"rule": "a"}]}}
    merged = crd.structural({"$ref": "#/$defs/A", "x-kubernetes-validations": [{"rule": "b"}]}, definitions)
    assert merged["x-kubernetes-validations"] == [{"rule": "a"}, {"rule": "b"}]
