"""docs/conformance.md names tests that there are, and what it says of GitOps tools is so."""

import ast
import json
import re
from pathlib import Path

import pytest

from support import kstatus, statuses

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "conformance.md"
ROWS = [line for line in PAGE.read_text().splitlines() if line.startswith("| **")]
NAMED = re.compile(r"`((?:unit|e2e)/\w+\.py)(?:::(\w+))?`")


def functions(file: Path) -> set[str]:
    """All functions in a file, also those of classes."""
    return {each.name for each in ast.walk(ast.parse(file.read_text())) if isinstance(each, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("**")[1])
def test_every_promise_names_tests_that_there_are(row: str) -> None:
    named = NAMED.findall(row)
    assert named
    missing = [f"{file}::{name}" for file, name in named if name and name not in functions(TESTS / file)]
    assert missing == []
    assert all((TESTS / file).exists() for file, _ in named)


@pytest.mark.parametrize(
    ("status", "verdict", "health"),
    [
        ("SnapshotCapture_Unseen", "InProgress", "Progressing"),
        ("SnapshotReplay_Unseen", "InProgress", "Progressing"),
        ("SnapshotCapture_Ready-True-Scheduled", "Current", "Healthy"),
        ("SnapshotCapture_Ready-False-CaptureFailing_Reconciling", "InProgress", "Degraded"),
        ("SnapshotCapture_Ready-True-Suspended", "Current", "Healthy"),
        ("SnapshotCapture_Ready-False-CredentialsNotFound_Stalled", "Failed", "Degraded"),
        ("SnapshotCapture_Ready-False-UnknownTimeZone_Stalled", "Failed", "Degraded"),
        ("SnapshotCapture_Ready-Unknown-Progressing_Reconciling", "InProgress", "Progressing"),
        ("SnapshotCapture_Ready-True-Succeeded_Finished", "Current", "Healthy"),
        ("SnapshotCapture_Ready-False-PluginDisabled_Stalled_Finished", "Failed", "Degraded"),
        ("SnapshotReplay_Ready-Unknown-WaitingForCapture_Reconciling", "InProgress", "Progressing"),
        ("SnapshotReplay_Ready-Unknown-Progressing_Reconciling", "InProgress", "Progressing"),
        ("SnapshotReplay_Ready-True-Succeeded_Finished", "Current", "Healthy"),
        ("SnapshotReplay_Ready-False-ReplayFailed_Stalled_Finished", "Failed", "Degraded"),
        ("SnapshotReplay_Ready-False-ExpectationsNotMet_Stalled_Finished", "Failed", "Degraded"),
    ],
)
def test_what_gitops_tools_make_of_each_state(status: str, verdict: str, health: str) -> None:
    obj = json.loads((statuses.RECORDED / f"{status}.json").read_text())["object"]
    assert (kstatus.verdict(obj), kstatus.health(obj)) == (verdict, health)
