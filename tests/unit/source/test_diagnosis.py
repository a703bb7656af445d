from dataclasses import replace
from typing import Any

import pytest

from kai_snapshot.errors import Reason, TerminalError, TransientError
from kai_snapshot.source.diagnosis import REGISTERED, plugin_missing, plugins
from kai_snapshot.source.leader import Target

TARGET = Target(
    namespace="kai-scheduler",
    deployment="kai-scheduler-default",
    shard="default",
    pod="kai-scheduler-default-7d9f-aaaaa",
    container="kai-scheduler-default",
    port=8081,
    image="scheduler:v0.17.0",
    image_id="",
    version="v0.17.0",
    partition="",
    config_map="kai-scheduler-default",
)
WITH: dict[str, Any] = {"tiers": [{"plugins": [{"name": "predicates"}, {"name": "snapshot"}]}]}
WITHOUT: dict[str, Any] = {"tiers": [{"plugins": [{"name": "predicates"}]}]}
LOG = f"2026-11-22T10:15:00.000Z\tINFO\t{REGISTERED}\n"


@pytest.mark.parametrize(
    ("config", "log", "error", "says"),
    [
        pytest.param(WITHOUT, "", TerminalError, "lacks `- name: snapshot`", id="not configured"),
        pytest.param(WITHOUT, LOG, TerminalError, "lacks `- name: snapshot`", id="not configured any more"),
        pytest.param(
            WITH, "", TerminalError, "rollout restart deployment kai-scheduler-default", id="not restarted since"
        ),
        pytest.param(WITH, None, TerminalError, "rollout restart", id="log not to be had"),
        pytest.param(WITH, LOG, TransientError, "Try again", id="only just there"),
        pytest.param(None, None, TerminalError, "Switch it on", id="nothing to be had"),
    ],
)
def test_why_the_plugin_is_missing(
    config: dict[str, Any] | None, log: str | None, error: type[TerminalError | TransientError], says: str
) -> None:
    found = plugin_missing(TARGET, config=config, log=log)

    assert type(found) is error
    assert found.reason is Reason.PLUGIN_DISABLED
    assert says in found.message
    assert len(found.message) <= 1024


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("v0.5.2", "Add `- name: snapshot` to the plugins in ConfigMap kai-scheduler/kai-scheduler-default"),
        ("v0.9.20", "Add `- name: snapshot` to the plugins"),
        ("v0.10.0", "upgrade to v0.12.13"),
        ("v0.12.12", "upgrade to v0.12.13"),
        ("v0.12.13", "kubectl patch schedulingshard default"),
        ("v0.13.0-rc1", "kubectl patch schedulingshard default"),
        ("v0.17.0-fips", "kubectl patch schedulingshard default"),
        ("0.0.0-5f3f7a39", "kubectl patch schedulingshard default"),
        ("latest", "kubectl patch schedulingshard default"),
        (None, "kubectl patch schedulingshard default"),
    ],
)
def test_how_the_plugin_is_switched_on_in_each_version(version: str | None, says: str) -> None:
    assert says in plugin_missing(replace(TARGET, version=version), config=WITHOUT, log="").message


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"tiers": None},
        {"tiers": [{}]},
        {"tiers": [{"plugins": None}]},
        {"tiers": [{"plugins": ["x", {"name": 1}]}]},
    ],
)
def test_a_configuration_without_plugins_has_none(config: dict[str, Any]) -> None:
    assert plugins(config) == set()
