"""Preparing archives for a replay: what is changed, in which order, and that nothing else is."""

import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kai_snapshot.api.preparation import Patch, PatchTarget
from kai_snapshot.api.schedulerconfig import configured_actions
from kai_snapshot.archive.check import inspect
from kai_snapshot.archive.config import with_plugins
from kai_snapshot.archive.prepare import TIMES_MOVED, Preparation, prepare
from kai_snapshot.archive.read import queue_names, read_config
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.kaiversions import PLUGIN_ORDER
from support import documents
from support.zips import archive

CORPUS = Path(__file__).parent.parent / "data" / "corpus"
OLD = CORPUS / "23-pre-v0.16-config" / "snapshot.zip"
NULL = CORPUS / "21-config-null" / "snapshot.zip"
NOW = datetime(2026, 11, 30, 8, 30, tzinfo=UTC)
UNKNOWN = "when it was captured is not known"
SG = ["sg-nodelocalgreedy", "sg-multinodegang"]


def document(path: Path) -> bytes:
    """The JSON in an archive, as another reader has it."""
    with zipfile.ZipFile(path) as reader:
        return reader.read("snapshot.json")


def plugins(config: dict[str, Any]) -> list[str]:
    """All plugins of a configuration, in their order."""
    return [plugin["name"] for tier in config["tiers"] for plugin in tier["plugins"]]


def run(
    source: Path,
    target: Path,
    *,
    mode: Literal["TargetDefaults", "Verbatim"] = "TargetDefaults",
    healed: dict[str, Any] | None = None,
    captured: str | None = None,
    version: str | None = "v0.17.0",
) -> list[str]:
    """`prepare` of the configuration alone."""
    wanted = Preparation(
        config=mode, clock="Verbatim", healed_config=healed, captured_version=captured, target_version=version
    )
    return prepare(source, target, wanted, now=NOW)


@pytest.mark.parametrize("captured", ["v0.15.3", None], ids=["of v0.15.3", "of an unknown version"])
def test_a_configuration_from_before_v0_16_gets_the_scenario_generators(captured: str | None, tmp_path: Path) -> None:
    changes = run(OLD, tmp_path / "new.zip", captured=captured)
    before, after = document(OLD), document(tmp_path / "new.zip")
    config = json.loads(after)["config"]
    assert plugins(config) == [*plugins(json.loads(before)["config"]), *SG]
    assert json.loads(after)["config"]["actions"] == json.loads(before)["config"]["actions"]
    assert after.partition(b',"schedulerParams"')[2] == before.partition(b',"schedulerParams"')[2]
    assert [name for name in SG for change in changes if f"plugin {name} is added" in change] == SG
    assert inspect(tmp_path / "new.zip").valid


def test_what_is_prepared_has_the_plugins_of_the_archives_that_were_replayed_well(tmp_path: Path) -> None:
    good = read_config(CORPUS / "11-gang+running+overq" / "snapshot.zip")
    run(OLD, tmp_path / "new.zip", captured="v0.15.3")
    assert good is not None
    assert read_config(tmp_path / "new.zip") == good


@pytest.mark.parametrize(
    ("source", "mode", "captured", "version"),
    [
        (OLD, "Verbatim", "v0.15.3", "v0.17.0"),
        (OLD, "TargetDefaults", "v0.15.3", "v0.15.3"),
        (OLD, "TargetDefaults", None, "v0.9.0"),
        (OLD, "TargetDefaults", "v0.16.8", "v0.17.0"),
        (NULL, "Verbatim", None, "v0.17.0"),
        (CORPUS / "01-gang" / "snapshot.zip", "TargetDefaults", None, "v0.17.0"),
    ],
    ids=["verbatim", "same version", "older tool", "switched off", "null verbatim", "already there"],
)
def test_an_archive_that_needs_nothing_is_copied(
    source: Path, mode: Literal["TargetDefaults", "Verbatim"], captured: str | None, version: str, tmp_path: Path
) -> None:
    changes = run(source, tmp_path / "new.zip", mode=mode, captured=captured, version=version)
    assert changes == []
    assert (tmp_path / "new.zip").read_bytes() == source.read_bytes()


def test_a_healed_config_is_put_in_where_the_snapshot_says_null(tmp_path: Path) -> None:
    healed = read_config(OLD)
    changes = run(NULL, tmp_path / "new.zip", healed=healed, captured="v0.16.2")
    assert len(changes) == 1
    assert document(tmp_path / "new.zip") == document(NULL).replace(b"null", json_bytes(healed), 1)
    assert inspect(tmp_path / "new.zip").valid


def json_bytes(value: object) -> bytes:
    """In the fewest bytes."""
    return json.dumps(value, separators=(",", ":")).encode()


def test_a_healed_config_is_not_put_in_where_there_is_one(tmp_path: Path) -> None:
    assert run(OLD, tmp_path / "new.zip", healed={"actions": "none"}, captured="v0.17.0") == []


def test_a_null_config_that_nothing_heals_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TerminalError) as caught:
        run(NULL, tmp_path / "new.zip")
    assert caught.value.reason is Reason.CONFIG_NULL
    assert not (tmp_path / "new.zip").exists()


def test_preparing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    run(OLD, tmp_path / "a.zip")
    run(OLD, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert run(tmp_path / "a.zip", tmp_path / "c.zip") == []


def test_a_bad_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(OLD.read_bytes()[:-1])
    with pytest.raises(TerminalError) as caught:
        run(tmp_path / "bad.zip", tmp_path / "new.zip")
    assert caught.value.reason is Reason.INVALID_ARCHIVE


def shifted(source: Path, target: Path, **known: Any) -> list[str]:
    """`prepare` of the clock, and of what else is asked for."""
    return prepare(source, target, Preparation(**{"config": "Verbatim"} | known), now=NOW)


def created(path: Path) -> list[Any]:
    """When the pods of an archive were made."""
    return [pod["metadata"].get("creationTimestamp") for pod in json.loads(document(path))["rawObjects"]["pods"]]


def pods_made(*times: object, deleted: str | None = None) -> bytes:
    """An archive of pods made then."""
    pods = [{"metadata": {"name": f"p{n}", "creationTimestamp": at}} for n, at in enumerate(times)]
    if deleted is not None:
        pods[-1]["metadata"]["deletionTimestamp"] = deleted
    return archive(json_bytes({"config": {"tiers": []}, "rawObjects": {"pods": pods, "nodes": None}}))


@pytest.mark.parametrize(
    ("captured_at", "times", "says"),
    [
        (NOW - timedelta(days=8, seconds=1.9), ["2026-11-01T00:00:00Z", "2026-11-09T00:00:01Z"],
         ["clock: all times are moved on by 8 days, 0:00:01, from the capture (2026-11-22T08:29:58Z) to now"]),
        (NOW + timedelta(seconds=30), ["2026-11-01T00:00:00Z", "2026-10-31T23:59:30Z"],
         ["clock: all times are moved back by 0:00:30, from the capture (2026-11-30T08:30:30Z) to now"]),
        (NOW, ["2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z"], []),
        (NOW - timedelta(days=1), [None, None], []),
        (None, ["2026-11-29T08:30:00Z", "2026-11-30T08:30:00Z"],
         [f"{TIMES_MOVED} on by 1 day, 0:00:00, from the newest time in it (2026-11-29T08:30:00Z) to now: {UNKNOWN}"]),
        (None, ["2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z"],
         [f"clock: no time is moved: {UNKNOWN}, and no time in it tells"]),
    ],
    ids=["captured before", "captured after", "captured now", "without times", "unknown", "unknown, and no time tells"],
)  # fmt: skip
def test_all_times_are_moved_by_what_has_passed_since_the_capture(
    captured_at: datetime | None, times: list[str | None], says: list[str], tmp_path: Path
) -> None:
    before, after = times
    (tmp_path / "old.zip").write_bytes(pods_made(before, None, "0001-01-01T00:00:00Z"))
    assert shifted(tmp_path / "old.zip", tmp_path / "new.zip", captured_at=captured_at) == says
    assert created(tmp_path / "new.zip") == [after, None, "0001-01-01T00:00:00Z"]
    unchanged = (tmp_path / "new.zip").read_bytes() == (tmp_path / "old.zip").read_bytes()
    assert unchanged == (before == after)


def test_a_pod_that_is_about_to_go_does_not_tell_when_the_capture_was(tmp_path: Path) -> None:
    (tmp_path / "old.zip").write_bytes(pods_made("2026-11-29T08:30:00Z", deleted="2026-11-29T08:30:30Z"))
    shifted(tmp_path / "old.zip", tmp_path / "new.zip")
    metadata = json.loads(document(tmp_path / "new.zip"))["rawObjects"]["pods"][0]["metadata"]
    assert metadata["creationTimestamp"] == "2026-11-30T08:30:00Z"
    assert metadata["deletionTimestamp"] == "2026-11-30T08:30:30Z"


def test_times_that_would_leave_the_calendar_stay_and_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "old.zip").write_bytes(pods_made("2026-11-29T08:30:00Z", "9999-12-31T23:59:59Z"))
    said = shifted(tmp_path / "old.zip", tmp_path / "new.zip", captured_at=NOW - timedelta(days=1))
    assert created(tmp_path / "new.zip") == ["2026-11-30T08:30:00Z", "9999-12-31T23:59:59Z"]
    assert said[1] == "clock: times like 9999-12-31T23:59:59Z stay: there is no year before 1, and none after 9999"


def patch(kind: str, text: str, **target: str) -> Patch:
    """A patch of an object, or of a part of the document."""
    return Patch(target=PatchTarget.model_validate({"kind": kind, **target}), patch=text)


def test_patches_see_the_snapshot_as_captured_and_their_times_move_with_the_others(tmp_path: Path) -> None:
    (tmp_path / "old.zip").write_bytes(pods_made("2026-11-29T08:30:00Z"))
    captured = NOW - timedelta(days=1)
    made = {"metadata": {"name": "n", "creationTimestamp": "2026-11-28T00:00:00Z"}}
    patches = (
        patch("Pod", "[{op: test, path: /metadata/creationTimestamp, value: 2026-11-29T08:30:00Z},"
              " {op: add, path: /status, value: {startTime: 2026-11-29T08:30:01Z}}]", name="p0", namespace="a"),
        patch("Node", json.dumps([{"op": "add", "path": "", "value": made}]), name="n"),
    )  # fmt: skip
    data = document(tmp_path / "old.zip").replace(b'"name":"p0"', b'"name":"p0","namespace":"a"')
    (tmp_path / "old.zip").write_bytes(archive(data))
    said = shifted(tmp_path / "old.zip", tmp_path / "new.zip", captured_at=captured, patches=patches)
    raw = json.loads(document(tmp_path / "new.zip"))["rawObjects"]
    assert raw["pods"][0]["metadata"]["creationTimestamp"] == "2026-11-30T08:30:00Z"
    assert raw["pods"][0]["status"]["startTime"] == "2026-11-30T08:30:01Z"
    assert raw["nodes"] == [{"metadata": {"name": "n", "creationTimestamp": "2026-11-29T00:00:00Z"}}]
    assert [line.partition(" ")[0] for line in said] == ["patch", "patch", "clock:"]


def test_a_healed_configuration_is_patched_before_plugins_are_added(tmp_path: Path) -> None:
    healed = {"actions": "allocate", "tiers": [{"plugins": [{"name": "predicates"}, {"name": "mine"}]}]}
    removal = patch("Config", "[{op: remove, path: /tiers/0/plugins/1}]")
    wanted = Preparation(
        clock="Verbatim", patches=(removal,), healed_config=healed, captured_version="v0.15.0", target_version="v0.17.0"
    )
    said = prepare(NULL, tmp_path / "new.zip", wanted, now=NOW)
    assert plugins(json.loads(document(tmp_path / "new.zip"))["config"]) == ["predicates", *SG]
    assert [line.partition(":")[0] for line in said] == ["patch 1", "config", "config", "config"]


def test_a_patch_of_the_configuration_works_where_nothing_else_is_done_to_it(tmp_path: Path) -> None:
    replaced = patch("Config", "[{op: replace, path: /actions, value: allocate}]")
    wanted = Preparation(config="Verbatim", clock="Verbatim", patches=(replaced,))
    assert prepare(OLD, tmp_path / "new.zip", wanted, now=NOW) == ["patch 1: Config is changed: replace /actions"]
    assert document(tmp_path / "new.zip") == document(OLD).replace(
        json.dumps(json.loads(document(OLD))["config"]["actions"]).encode(), b'"allocate"', 1
    )


def test_a_document_without_a_configuration_gets_none(tmp_path: Path) -> None:
    (tmp_path / "old.zip").write_bytes(archive(b'{"rawObjects":{"pods":[]}}'))
    with pytest.raises(TerminalError, match="`config` is missing"):
        prepare(tmp_path / "old.zip", tmp_path / "new.zip", Preparation(), now=NOW)
    assert shifted(tmp_path / "old.zip", tmp_path / "new.zip", captured_at=NOW) == []


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    before=st.text('ab{}\\"\n', max_size=40),
    position=st.integers(0, 3),
    indent=st.sampled_from([None, 1, 4]),
)
def test_all_but_the_configuration_stays_byte_for_byte(
    before: str, position: int, indent: int | None, tmp_path: Path
) -> None:
    config = {"actions": "allocate", "tiers": [{"plugins": [{"name": "predicates"}]}]}
    members: list[tuple[str, Any]] = [
        ("schedulerParams", {"a": before}),
        ("rawObjects", {"pods": [{"b": before}]}),
        ("z", 1),
    ]
    members.insert(position, ("config", config))
    data = json.dumps(dict(members), indent=indent).encode()
    (tmp_path / "old.zip").write_bytes(archive(data))
    run(tmp_path / "old.zip", tmp_path / "new.zip")
    changed = document(tmp_path / "new.zip")
    written = json.dumps({"config": config}, indent=indent).encode()
    old_text = written[written.index(b":") + 1 :].strip().removesuffix(b"}").strip()
    start = data.index(old_text)
    assert changed.startswith(data[:start])
    assert changed.endswith(data[start + len(old_text) :])
    assert plugins(json.loads(changed)["config"]) == ["predicates", *SG]


@pytest.mark.parametrize("block", [1, 7, 64])
def test_the_replacement_is_right_however_the_document_is_cut(
    block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kai_snapshot.archive.zipstream.BLOCK", block)
    data = json_bytes({"a": 1, "config": None, "rawObjects": {"pods": []}})
    (tmp_path / "old.zip").write_bytes(archive(data))
    run(tmp_path / "old.zip", tmp_path / "new.zip", healed={"actions": "x"}, captured="v0.17.0")
    assert document(tmp_path / "new.zip") == data.replace(b"null", b'{"actions":"x"}')


@pytest.mark.parametrize(
    ("tiers", "expected"),
    [
        ([["predicates", "snapshot", "gpupack"]], [["predicates", "snapshot", *SG, "gpupack"]]),
        ([["predicates"], ["snapshot", "mine"], ["gpupack"]], [["predicates"], ["snapshot", *SG, "mine"], ["gpupack"]]),
        ([["gpupack"]], [SG, ["gpupack"]]),
        ([["mine", SG[1]]], [[SG[0]], ["mine", SG[1]]]),
        ([], [SG]),
        ([list(PLUGIN_ORDER)], [list(PLUGIN_ORDER)]),
    ],
    ids=["behind what runs before", "in its tier", "in front", "one is there", "no tiers", "all are there"],
)
def test_a_plugin_is_put_behind_what_runs_before_it(tiers: list[list[str]], expected: list[list[str]]) -> None:
    config: dict[str, Any] = {
        "tiers": [{"plugins": [{"name": name, "arguments": {"k": "v"}} for name in tier]} for tier in tiers]
    }
    original = json.dumps(config)
    changed, added = with_plugins(config, SG)
    assert [[plugin["name"] for plugin in tier["plugins"]] for tier in changed["tiers"]] == expected
    assert all(plugin.get("arguments") == {"k": "v"} or plugin["name"] in added for plugin in sum_plugins(changed))
    assert json.dumps(config) == original


def sum_plugins(config: dict[str, Any]) -> list[dict[str, Any]]:
    """All plugins, whatever their tier."""
    return [plugin for tier in config["tiers"] for plugin in tier["plugins"]]


def test_settings_of_a_configuration_that_are_not_known_here_are_kept() -> None:
    config = {
        "actions": "allocate",
        "tiers": [{"plugins": [{"name": "snapshot", "disableJobOrder": True}], "later": 1}, {"plugins": None}],
        "queueDepthPerAction": {"reclaim": 10},
    }
    changed, _ = with_plugins(config, SG)
    assert changed["queueDepthPerAction"] == {"reclaim": 10}
    assert changed["tiers"][0]["later"] == 1
    assert changed["tiers"][0]["plugins"][0] == {"name": "snapshot", "disableJobOrder": True}


def test_a_configuration_that_cannot_be_read_is_named() -> None:
    with pytest.raises(TerminalError, match=r"tiers.0.plugins"):
        with_plugins({"tiers": [{"plugins": 7}]}, SG)


@pytest.mark.parametrize(
    ("config", "actions"),
    [
        ({"actions": "allocate, consolidation,reclaim "}, ["allocate", "consolidation", "reclaim"]),
        ({"actions": "allocate,, reclaim,"}, ["allocate", "", "reclaim", ""]),
        ({"actions": " "}, []),
        ({"actions": None}, []),
        ({}, []),
    ],
)
def test_actions_are_read_in_their_order(config: dict[str, Any], actions: list[str]) -> None:
    assert configured_actions(config) == actions


def test_the_configuration_is_read_without_reading_on(tmp_path: Path) -> None:
    documents.write_archive(tmp_path / "big.zip", pods=2000)
    data = (tmp_path / "big.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(data[: len(data) // 2])
    assert read_config(tmp_path / "cut.zip") == documents.CONFIG
    assert read_config(NULL) is None


def test_a_document_without_a_configuration_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none.zip").write_bytes(archive(b'{"rawObjects":{}}'))
    with pytest.raises(TerminalError, match="`config` is missing"):
        read_config(tmp_path / "none.zip")


def test_names_of_queues_are_read_for_the_log(tmp_path: Path) -> None:
    names = queue_names(CORPUS / "19-live" / "snapshot.zip")
    raw = json.loads(document(CORPUS / "19-live" / "snapshot.zip"))["rawObjects"]
    assert names.queue_of == {
        f"{group['metadata']['namespace']}/{group['metadata']['name']}": group["spec"]["queue"]
        for group in raw["podGroups"]
    }
    assert names.queues == {}
    objects = {"queues": [{"metadata": {"name": "q-1"}, "spec": {"displayName": "Team one"}}], "podGroups": None}
    (tmp_path / "named.zip").write_bytes(archive(json_bytes({"rawObjects": objects})))
    assert queue_names(tmp_path / "named.zip").queues == {"Team one": "q-1"}


def test_an_object_without_a_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(archive(b'{"rawObjects":{"podGroups":[7]}}'))
    with pytest.raises(TerminalError, match="podGroups"):
        queue_names(tmp_path / "bad.zip")
