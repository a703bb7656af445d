"""What the documentation says is so: reasons, metrics, settings, examples, links."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

from browser.screenshots import SHOTS
from kai_snapshot.api import crd
from kai_snapshot.api.base import API_VERSION
from kai_snapshot.api.result import Outcome
from kai_snapshot.api.snapshotcapture import SnapshotCapture
from kai_snapshot.api.snapshotreplay import SnapshotReplay
from kai_snapshot.cli.app import app
from kai_snapshot.errors import Reason
from kai_snapshot.metrics import Metrics
from kai_snapshot.settings import PREFIX, Settings
from support.examples import FENCE, PAGES, blocks, examples
from support.monitoring import alerts

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
KINDS = {kind.__name__: kind for kind in (SnapshotCapture, SnapshotReplay)}


def headings(page: str, *, level: int) -> list[str]:
    text = FENCE.sub("", (DOCS / page).read_text())
    return re.findall(rf"^{'#' * level} (.+)$", text, re.MULTILINE)


def section(page: str, heading: str) -> str:
    text = (DOCS / page).read_text()
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def first_cells(text: str) -> list[str]:
    """What stands in code style at the beginning of a table's rows."""
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def unknown(value: Any, schema: dict[str, Any], path: str) -> Iterator[str]:
    """Fields that the schema does not have: the API server would drop them without a word."""
    if isinstance(value, list):
        for item in value:
            yield from unknown(item, schema.get("items", {}), f"{path}[]")
    if not isinstance(value, dict) or "properties" not in schema:
        return
    for name, part in value.items():
        if name in schema["properties"]:
            yield from unknown(part, schema["properties"][name], f"{path}.{name}")
        else:
            yield f"{path}.{name}"


def schema_of(kind: str) -> dict[str, Any]:
    definition = next(each for each in crd.definitions().values() if each["spec"]["names"]["kind"] == kind)
    schema: dict[str, Any] = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def test_every_reason_has_its_section_in_their_order() -> None:
    assert headings("troubleshooting.md", level=3) == [reason.value for reason in Reason]


def test_every_outcome_of_a_version_is_explained() -> None:
    assert first_cells(section("replay.md", "Outcomes")) == [*Outcome, Reason.RESULT_LOST]


def test_every_metric_is_in_the_table_with_its_labels() -> None:
    registry: CollectorRegistry = Metrics().registry
    metrics = [each for each in registry.collect() if not each.name.startswith("process_")]
    names = {each.name + ("_total" if each.type == "counter" else "") for each in metrics}
    assert set(first_cells(section("operations.md", "Metrics and alerts"))) == names | {
        rule["alert"] for rule in alerts()
    }


def test_every_alert_is_in_the_table_with_its_severity() -> None:
    rows = re.findall(r"^\| `(Snapshot\w+)` \| (\w+) \|", section("operations.md", "Metrics and alerts"), re.MULTILINE)
    assert rows == [(rule["alert"], rule["labels"]["severity"]) for rule in alerts()]


def test_every_setting_is_in_the_table_with_its_default() -> None:
    table = dict(re.findall(rf"^\| `{PREFIX}(\w+)` \| (.*?) ?\|", section("operations.md", "Settings"), re.MULTILINE))
    assert set(table) == {field.name.upper() for field in fields(Settings)}
    for field in fields(Settings):
        if field.default is MISSING:
            assert table[field.name.upper()] == ""
        elif field.default not in (None, ()):
            assert table[field.name.upper()] == f"`{field.default}`"


@pytest.mark.parametrize(
    ("where", "example"),
    [pytest.param(*each, id=f"{each[0]} {each[1]['kind']} {n}") for n, each in enumerate(examples())],
)
def test_an_example_is_what_the_api_server_takes(where: str, example: dict[str, Any]) -> None:
    assert example["apiVersion"]
    if example["kind"] in KINDS:
        assert example["apiVersion"] == API_VERSION
        server_side = {"uid": "u", "creationTimestamp": "2026-11-22T10:00:00Z", "resourceVersion": "1", "generation": 1}
        KINDS[example["kind"]].model_validate(example | {"metadata": example["metadata"] | server_side})
        assert list(unknown(example, schema_of(example["kind"]), where)) == []


def commands() -> Iterator[str]:
    for page in PAGES:
        for text in blocks(page, "sh", "console"):
            for line in text.splitlines():
                found = re.match(r"(?:\$ )?kai-snapshot ([a-z].*?)(?:  +#.*)?$", line)
                if found is not None and page.name != "command-reference.md":
                    yield found[1]


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_an_example_of_the_command_has_options_that_there_are(line: str) -> None:
    words = shlex.split(line.replace("$code", "0"))
    done = CliRunner().invoke(app, [*words, "--help"])
    assert (done.exit_code, done.stderr) == (0, "")


def test_the_command_reference_is_that_of_the_command() -> None:
    docs = [sys.executable, "-m", "typer", "kai_snapshot.cli.app", "utils", "docs", "--name", "kai-snapshot"]
    done = subprocess.run([*docs, "--title", "Command reference"], capture_output=True, text=True, check=True)
    assert (DOCS / "command-reference.md").read_text().strip() == done.stdout.strip(), "run `make crds`"


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text()).replace("](\n", "](")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        if not place.exists() or (anchor and anchor not in anchors(place)):
            broken.append(target)
    assert broken == []


def test_every_screenshot_is_there_and_shown() -> None:
    names = [f"{shot.name}.webp" for shot in SHOTS]
    assert sorted(path.name for path in (DOCS / "screenshots").iterdir()) == sorted(names), "run `make screenshots`"
    shown = re.findall(r"!\[[^\]]+\]\(screenshots/([^)]+)\)", (DOCS / "visualizer.md").read_text())
    assert sorted(shown) == sorted(names)


def test_what_takes_the_place_of_aicrs_snapshotter_is_there_and_tested() -> None:
    page = (DOCS / "environment.md").read_text()
    rows = re.findall(r"^\| `([\w.]+)` \| `([\w.]+)` \| `([\w/.:]+)` \|$", page, re.MULTILINE)
    assert {row[0] for row in rows} == {
        "FullAPIVersion", "Snapshot", "NewSnapshot", "NodeSnapshotter", "NodeSnapshotter.Version",
        "NodeSnapshotter.Factory", "NodeSnapshotter.Serializer", "NodeSnapshotter.AgentConfig",
        "NodeSnapshotter.RequireGPU", "NodeSnapshotter.Measure", "DeployAndGetSnapshot", "DefaultTolerations",
        "ParseNodeSelectors", "ParseTolerations", "ParseTaint", "AgentConfig",
    }  # fmt: skip
    for _, ours, test in rows:
        module, _, name = ours.rpartition(".")
        assert hasattr(import_module(f"kai_snapshot.{module}"), name), ours
        file, *inside = test.split("::")
        text = (ROOT / "tests/unit" / file).read_text()
        assert all(re.search(rf"^ *(def|class) {each}\b", text, re.MULTILINE) for each in inside), test


def test_every_option_of_aicrs_agent_is_an_option_or_said_to_be_none() -> None:
    section_ = (DOCS / "environment.md").read_text().partition("The fields of `AgentConfig`")[2]
    options = set(re.findall(r"`(--[a-z-]+)`", section_))
    shown = CliRunner().invoke(app, ["environment", "nodes", "--help"], env={"COLUMNS": "200"}).stdout
    assert options - set(re.findall(r"--[a-z-]+", shown)) == set()
