"""The health script for Argo CD, on statuses that tests recorded.

Every other status that a test sees is judged by `support.kstatus.check`: it must mean to Argo CD what it means to Flux.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from lupa.lua51 import LuaError

from support import argocd, kstatus, statuses
from support.resources import capture, replay

FILES = sorted(statuses.RECORDED.glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_argo_cd_and_flux_read_a_recorded_status_as_it_is_meant(path: Path) -> None:
    recorded = json.loads(path.read_text())
    obj = kstatus.check(recorded["object"])
    assert statuses.name(obj) == path.stem
    assert kstatus.verdict(obj) == recorded["kstatus"]
    health = argocd.health(obj)
    assert health.status == recorded["health"]
    assert health.message


def test_all_that_can_be_is_recorded_of_both_kinds() -> None:
    seen = Counter((recorded["object"]["kind"], recorded["health"]) for path in FILES if (recorded := load(path)))
    verdicts = ("Healthy", "Degraded", "Progressing")
    assert set(seen) == {(kind, each) for kind in ("SnapshotCapture", "SnapshotReplay") for each in verdicts}


def load(path: Path) -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads(path.read_text())
    return recorded


def test_the_health_differs_from_kstatus_for_a_capture_that_keeps_failing_only() -> None:
    different = {path.stem for path in FILES if (each := load(path))["health"] != kstatus.HEALTH[each["kstatus"]]}
    assert different == {"SnapshotCapture_Ready-False-CaptureFailing_Reconciling"}


@pytest.mark.parametrize(
    "obj",
    [
        capture(),
        replay(),
        capture(status={"observedGeneration": -1}),
        capture(status={"observedGeneration": 1}),
        capture(status={"observedGeneration": 1, "conditions": []}),
        capture(status={"conditions": []}),
    ],
    ids=["no status", "no status of a replay", "as created", "no conditions", "an empty list", "never looked at"],
)
def test_what_the_operator_has_not_looked_at_is_waited_for(obj: dict[str, Any]) -> None:
    assert argocd.health(obj) == ("Progressing", "Waiting for the operator")


def test_a_condition_without_a_message_shows_its_reason() -> None:
    ready = {"type": "Ready", "status": "True", "reason": "Succeeded"}
    for condition in (ready, ready | {"message": ""}):
        status = {"observedGeneration": 1, "conditions": [condition]}
        assert argocd.health(replay(status=status)) == ("Healthy", "Succeeded")


@pytest.mark.parametrize(
    "script",
    ["return string.len('a')", "return ('a'):upper()", "return os.time()", "return require('os')", "return math.pi"],
)
def test_scripts_get_no_more_than_argo_cd_gives_them(script: str) -> None:
    with pytest.raises(LuaError):
        argocd.Interpreter().health({}, script)


def test_a_status_is_recorded_once_without_what_a_run_gives_it(tmp_path: Path) -> None:
    condition = {"type": "Ready", "status": "True", "reason": "Succeeded", "observedGeneration": 1}
    message = "stored s3://archives/hourly/20261122T101500Z.zip at 2026-11-23T00:00:01Z for hourly, not hourly-2"
    status = {"observedGeneration": 1, "conditions": [condition | {"message": message}], "history": [{"id": "x"}]}
    record = statuses.Recorder(tmp_path)
    record(capture(status=status))
    record(capture(status=status | {"observedGeneration": 1}))
    record(capture(status={"observedGeneration": -1}))
    assert {path.name for path in tmp_path.iterdir()} == {
        "SnapshotCapture_Ready-True-Succeeded.json",
        "SnapshotCapture_Unseen.json",
    }
    recorded = json.loads((tmp_path / "SnapshotCapture_Ready-True-Succeeded.json").read_text())
    assert (recorded["health"], recorded["kstatus"]) == ("Healthy", "Current")
    assert set(recorded["object"]["status"]) == {"observedGeneration", "conditions"}
    assert recorded["object"]["status"]["conditions"][0]["message"] == (
        "stored s3://archives/recorded/20261122T101500Z.zip at 2026-11-22T10:00:00Z for recorded, not hourly-2"
    )
