"""The alerts and the dashboard: promtool holds them for good, and they ask of metrics that there are."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from chart.alerts import PROMETHEUS_RULE, RULES, prometheus_rule
from kai_snapshot.api.snapshotcapture import SnapshotCapture, SnapshotCaptureStatus
from kai_snapshot.api.snapshotreplay import SnapshotReplayStatus
from kai_snapshot.errors import Reason
from kai_snapshot.metrics import Metrics
from support import resources
from support.monitoring import alerts, expressions, families, metrics, panels, promtool

CASES = Path(__file__).parents[1] / "data" / "alerts" / "rules.test.yaml"
KUBELETS = {"kubelet_volume_stats_available_bytes", "kubelet_volume_stats_capacity_bytes"}
NOON = "2026-11-22T12:00:00Z"


def test_promtool_takes_the_rules() -> None:
    assert f"{len(alerts())} rules found" in promtool("check", "rules", str(RULES))


def test_each_alert_fires_when_it_is_to_and_not_before() -> None:
    promtool("test", "rules", CASES.name, cwd=CASES.parent)


def test_each_alert_is_seen_to_fire_and_not_to_fire() -> None:
    cases = [case for test in yaml.safe_load(CASES.read_text())["tests"] for case in test["alert_rule_test"]]
    fired = {case["alertname"] for case in cases if case["exp_alerts"]}
    assert fired == {rule["alert"] for rule in alerts()}
    beside = {case["alertname"] for case in cases if not case["exp_alerts"]}
    # these two are told apart from each other, and from a capture that is well, by the reason alone
    assert fired - beside == {"SnapshotSourceUnreachable", "SnapshotStorageRefused"}


def test_the_object_for_the_prometheus_operator_has_the_same_rules() -> None:
    assert PROMETHEUS_RULE.read_text() == prometheus_rule(RULES.read_text()), "run `make chart`"
    assert yaml.safe_load(PROMETHEUS_RULE.read_text())["spec"] == yaml.safe_load(RULES.read_text())


def exposition(of: Metrics) -> str:
    """What Prometheus reads."""
    return generate_latest(of.registry).decode()


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_what_is_asked_of_is_there(expression: str) -> None:
    asked = metrics(expression)
    assert asked
    assert asked - families(exposition(Metrics())) - KUBELETS == set()


def test_reasons_that_alerts_look_for_are_reasons() -> None:
    found = [re.findall(r'reason=~"([^"]+)"', rule["expr"]) for rule in alerts()]
    named = [reason for each in found for text in each for reason in text.split("|")]
    assert len(named) == len(set(named)) > 10
    assert set(named) <= set(Reason)


def test_the_metrics_are_named_as_prometheus_wants_it() -> None:
    counted = Metrics()
    counted.look_failed("SnapshotCapture", Reason.FORBIDDEN)
    seen(counted, status={"conditions": [condition("Stalled", "True", "ClaimNotMounted")]})
    promtool("check", "metrics", input=exposition(counted))


def test_panels_do_not_overlap_and_have_titles_of_their_own() -> None:
    taken = [
        (x, y)
        for panel in panels()
        for at in [panel["gridPos"]]
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
    for key in ("id", "title"):
        assert len({panel[key] for panel in panels()}) == len(panels())


def condition(type_: str, status: str, reason: str) -> dict[str, Any]:
    """A condition of a status."""
    return {"type": type_, "status": status, "reason": reason, "lastTransitionTime": NOON, "message": ""}


def seen(counted: Metrics, *, status: dict[str, Any], **spec: Any) -> dict[str, float | None]:
    """The gauges of a capture with that status; problems by their reason."""
    capture = SnapshotCapture.model_validate(resources.capture(**spec))
    counted.capture_seen(capture, SnapshotCaptureStatus.model_validate(status))
    labels = {"namespace": "kai-snapshots", "name": "hourly"}
    samples = [sample for family in counted.registry.collect() for sample in family.samples]
    own = (sample for sample in samples if labels.items() <= sample.labels.items())
    return {
        sample.labels.get("reason", sample.name.removeprefix("kai_snapshot_capture_")): sample.value for sample in own
    }


@pytest.mark.parametrize(
    ("conditions", "problems"),
    [
        pytest.param([("LastCaptureSucceeded", "False", "AccessDenied")], {"AccessDenied"}, id="its last run failed"),
        pytest.param([("Stalled", "True", "ClaimNotMounted")], {"ClaimNotMounted"}, id="none can start"),
        pytest.param(
            [("LastCaptureSucceeded", "False", "AccessDenied"), ("Stalled", "True", "ClaimNotMounted")],
            {"ClaimNotMounted"},
            id="one reason at a time",
        ),
        pytest.param([("LastCaptureSucceeded", "True", "Succeeded")], set(), id="its last run succeeded"),
        pytest.param([], set(), id="nothing is known yet"),
    ],
)
def test_a_problem_is_there_as_long_as_the_status_has_it(
    conditions: list[tuple[str, str, str]], problems: set[str]
) -> None:
    counted = Metrics()
    seen(counted, status={"conditions": [condition("LastCaptureSucceeded", "False", "SourceTimeout")]})
    found = seen(counted, status={"conditions": [condition(*each) for each in conditions]})
    assert {name for name in found if name in set(Reason)} == problems
    counted.capture_gone("kai-snapshots", "hourly")
    assert 'name="hourly"' not in exposition(counted)


@pytest.mark.parametrize(
    ("schedule", "following", "seconds"),
    [
        ({"cron": "0 * * * *"}, "2026-11-22T12:00:00Z", 3600),
        ({"cron": "*/5 9 * * *"}, "2026-11-23T09:00:00Z", 23 * 3600 + 300),
        ({"cron": "*/5 9 * * *"}, "2026-11-23T09:05:00Z", 300),
        ({"cron": "0 9 * * 1-5"}, "2026-11-23T09:00:00Z", 3 * 86400),
        ({"cron": "0 0 29 2 *"}, "2028-02-29T00:00:00Z", 4 * 365 * 86400 + 86400),
        ({"cron": "0 3 * * *", "timeZone": "Europe/Berlin"}, "2026-10-25T02:00:00Z", 25 * 3600),
        ({"cron": "nonsense"}, "2026-11-22T12:00:00Z", None),
        (None, "2026-11-22T12:00:00Z", None),
    ],
)
def test_the_interval_is_that_before_the_next_run(
    schedule: dict[str, Any] | None, following: str, seconds: float | None
) -> None:
    found = seen(Metrics(), status={"nextScheduleTime": following}, schedule=schedule)
    assert found.get("schedule_interval_seconds") == seconds


def test_replays_and_their_gates_are_counted_from_zero_once_when_they_are_over() -> None:
    counted = Metrics()
    value = counted.registry.get_sample_value
    shut = ("kai_snapshot_replay_gates_total", {"verdict": "ExpectationsNotMet"})
    failed = ("kai_snapshot_replays_finished_total", {"outcome": "Failed"})
    assert (value(*shut), value(*failed)) == (0, 0)
    over = SnapshotReplayStatus.model_validate(
        {"outcome": "Failed", "conditions": [condition("Ready", "False", "ExpectationsNotMet")]}
    )
    counted.replay_seen(SnapshotReplayStatus(), over)
    counted.replay_seen(over, over)
    assert (value(*shut), value(*failed)) == (1, 1)


def test_a_replica_that_stands_by_says_so() -> None:
    counted, acts = Metrics(), False
    counted.leads("lease", lambda: acts)
    assert counted.registry.get_sample_value("leader_election_master_status", {"name": "lease"}) == 0
    acts = True
    assert counted.registry.get_sample_value("leader_election_master_status", {"name": "lease"}) == 1
