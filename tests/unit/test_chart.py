"""The Helm chart is what manifests/ renders to; tests/e2e/test_chart.py has Helm say the same."""

import json
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart import render
from chart.render import CHART
from chart.sources import components
from kai_snapshot import __version__
from kai_snapshot.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
BY_HAND = {
    ".helmignore", "Chart.yaml", "values.yaml", "values.schema.json", "templates/_helpers.tpl", "templates/NOTES.txt",
}  # fmt: skip
# Where things listen and lie the chart says itself, in several places that must agree.
THE_CHARTS_OWN = {"TRANSFER_PORT", "METRICS_PORT", "CLAIMS_DIR", "SPOOL_DIR"}


@pytest.fixture(scope="module")
def rendered() -> dict[str, str]:
    return render.files()


def test_the_committed_files_are_what_manifests_render_to_and_nothing_else_lies_there(rendered: dict[str, str]) -> None:
    committed = {str(path.relative_to(CHART)): path.read_text() for path in CHART.rglob("*") if path.is_file()}
    assert committed.keys() == rendered.keys() | BY_HAND
    assert {name: text for name, text in committed.items() if name not in BY_HAND} == rendered, "run `make chart`"


def test_every_component_is_in_the_chart(rendered: dict[str, str]) -> None:
    components = {path.parent.name for path in (ROOT / "manifests" / "components").glob("*/kustomization.yaml")}
    sources = " ".join(text.partition("\n")[0] for text in rendered.values())
    # a claim has no objects of its own: it is a part of the Deployment
    assert {name for name in components if f"components/{name}/" not in sources} == {"claim"}


def test_every_component_has_its_switch_and_none_is_on() -> None:
    switches = {name: switch for name, switch in chart("values.yaml").items() if "enabled" in (switch or ())}
    assert switches.keys() == set(components()) - {"claim", "namespace"}
    assert not [name for name, switch in switches.items() if switch["enabled"]]
    assert chart("values.yaml")["claims"] == chart("values.yaml")["namespaces"] == []


def chart(file: str) -> Any:
    return yaml.safe_load((CHART / file).read_text())


def test_its_version_is_the_operators() -> None:
    assert chart("Chart.yaml")["version"] == chart("Chart.yaml")["appVersion"] == __version__


def test_every_value_has_a_schema_and_none_is_missing() -> None:
    def compare(values: dict[str, Any], schema: dict[str, Any], path: str) -> None:
        if not schema.get("additionalProperties", True) and "properties" in schema and path != ".settings":
            assert set(values) == set(schema["properties"]) - {"global"}, path
            for name, value in values.items():
                if isinstance(value, dict):
                    compare(value, schema["properties"][name], f"{path}.{name}")

    compare(chart("values.yaml"), json.loads((CHART / "values.schema.json").read_text()), "")


def test_every_setting_may_be_set_but_those_that_the_chart_makes() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    ours = {field.name.upper() for field in fields(Settings) if field.default is not MISSING} - THE_CHARTS_OWN
    assert set(schema["properties"]["settings"]["properties"]) == {f"{PREFIX}{name}" for name in ours}
