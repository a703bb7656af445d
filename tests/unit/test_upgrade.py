"""What v0.1.0 left is taken over: definitions only grow, objects are understood, and archives read."""

import asyncio
import copy
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml
from typer.testing import CliRunner, Result

from kai_snapshot.api.snapshotcapture import SnapshotCapture
from kai_snapshot.api.snapshotreplay import SnapshotReplay
from kai_snapshot.api.transfer import Part
from kai_snapshot.cli.app import app
from kai_snapshot.cluster import CAPTURES, KINDS
from kai_snapshot.runs import drive_capture, drive_replay
from kai_snapshot.runs.look import Stored
from kai_snapshot.stores.directory import DirectoryStore
from kai_snapshot.transfer.tokens import Tokens
from support import crdchanges, upgrades
from support.cluster import FakeCluster, services
from support.page import page
from support.served import served
from support.upgrades import ENDED, STORAGE, Object, recorded

ROOT = Path(__file__).parents[2]
ISSUED = datetime(2026, 11, 22, tzinfo=UTC)
TOKEN = (
    ".eJwtyTEKgDAMAMC_ZG5B1Km_iW2wQRoDiaiIf7eD690DBxdIMCxzhgCCjUwxU6cNOZqgWt3d_ut81jsqSWFZO7IUuiBNAdCdmjqk8f0Aniobzw."
    "awIwgA.bLvqgcrGcdfc18kMo2HzXrNUMO7IxYVtX0bgezevJVU"
)
"""Issued by v0.1.0, with a key of 32 bytes: 0, 1, 2, ..."""
COMPARED = STORAGE / "kai-snapshots/once/20261130T235700Z/replays/compared-0ee40643"


def today(plural: str) -> Object:
    """The definition of a kind as it is now."""
    definition: Object = yaml.safe_load((ROOT / "crds" / f"kai-snapshot.io_{plural}.yaml").read_text())
    return definition


def schema(definition: Object) -> Object:
    """What objects of the kind may be."""
    found: Object = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


class TestDefinitions:
    @pytest.mark.parametrize("plural", KINDS)
    def test_whatever_could_be_written_can_be_written_and_is_kept(self, plural: str) -> None:
        assert crdchanges.lost(upgrades.definitions()[plural], today(plural)) == []

    @pytest.mark.parametrize("plural", KINDS)
    def test_no_status_lists_its_words_but_where_it_repeats_a_spec(self, plural: str) -> None:
        lists = crdchanges.closed(schema(today(plural))["properties"]["status"])
        assert [path for path in lists if not path.startswith(".resolvedSource.storage.")] == []

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda spec: spec.pop("a"), ".spec.a is gone"),
            (lambda spec: spec["a"].update(type="integer"), ".spec.a: type was 'string' and is 'integer'"),
            (lambda spec: spec["a"].update(maxLength=9), ".spec.a: maxLength was 10 and is 9"),
            (lambda spec: spec["a"].update(minLength=1), ".spec.a: minLength was None and is 1"),
            (lambda spec: spec["a"].update(pattern="^a$"), ".spec.a: pattern was None and is '^a$'"),
            (lambda spec: spec["b"].update(enum=["X"]), ".spec.b: enum was ['X', 'Y'] and is ['X']"),
            (lambda spec: spec["b"].update(default="Y"), ".spec.b: default was 'X' and is 'Y'"),
            (lambda spec: spec["c"]["items"].update(enum=["X"]), ".spec.c[]: enum was None and is ['X']"),
            (lambda spec: spec.update(d={"type": "string", "required": True}), ".spec.d is required"),
        ],
        ids=["gone", "type", "shorter", "no longer empty", "pattern", "enum", "default", "items", "required"],
    )
    def test_what_takes_something_away_is_found(self, change: Callable[[Object], object], said: str) -> None:
        old = definition()
        new = copy.deepcopy(old)
        spec = schema(new)["properties"]["spec"]
        change(spec["properties"])
        spec["required"] = [name for name, part in spec["properties"].items() if part.pop("required", False)]
        assert crdchanges.lost(old, new) == [said]

    def test_what_only_adds_is_not(self) -> None:
        old = definition()
        new = copy.deepcopy(old)
        spec = schema(new)["properties"]["spec"]
        spec["properties"]["a"].update(maxLength=11, description="another")
        spec["properties"]["b"]["enum"] = ["X", "Y", "Z"]
        spec["properties"]["d"] = {"type": "string", "default": "x"}
        spec["required"] = ["d"]
        assert crdchanges.lost(old, new) == []

    def test_a_version_that_is_stored_stays_so_and_no_name_or_column_goes(self) -> None:
        new = definition()
        new["spec"]["versions"][0].update(storage=False, additionalPrinterColumns=[])
        new["spec"]["names"]["shortNames"] = []
        assert crdchanges.lost(definition(), new) == [
            "v1 is not what is stored: objects of it need a migration",
            "the name t is gone",
            "the column A is gone",
        ]
        new["spec"]["versions"][0]["served"] = False
        assert crdchanges.lost(definition(), new) == ["v1 is not served"]


def definition() -> Object:
    """A small one."""
    fields = {
        "a": {"type": "string", "maxLength": 10},
        "b": {"type": "string", "enum": ["X", "Y"], "default": "X"},
        "c": {"type": "array", "items": {"type": "string"}},
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [{"name": "A"}],
        "schema": {"openAPIV3Schema": {"properties": {"spec": {"type": "object", "properties": fields}}}},
    }
    names = {"kind": "Thing", "plural": "things", "singular": "thing", "shortNames": ["t"], "categories": []}
    return {"spec": {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}}


class TestInstalled:
    def test_nothing_is_left_behind_that_another_apply_would_not_replace(self) -> None:
        files = [ROOT / "manifests" / name for name in ("", "rbac")] + [ROOT / "crds"]
        documents = [each for folder in files for file in folder.glob("*.yaml") for each in every(file)]
        now = {(each["kind"], each["metadata"]["name"]) for each in documents if "metadata" in each}
        then = {(each["kind"], each["metadata"]["name"]) for each in upgrades.installed()}
        assert then - now == set()

    def test_what_cannot_be_changed_is_the_same(self) -> None:
        def fixed(documents: list[Object]) -> Object:
            kept: Object = {}
            for each in documents:
                name = f"{each['kind']} {each.get('metadata', {}).get('name')}"
                if "roleRef" in each:
                    kept[name] = each["roleRef"]
                elif each["kind"] == "Deployment":
                    kept[name] = each["spec"]["selector"]
            return kept

        applied = (each for file in (ROOT / "manifests").rglob("*.yaml") for each in every(file))
        now = fixed([each for each in applied if "kind" in each])  # a plain list of rules has none
        then = fixed(upgrades.installed())
        assert {name: now[name] for name in then} == then


def every(file: Path) -> Iterator[Any]:
    """The documents of a file."""
    yield from yaml.safe_load_all(file.read_text())


def described(obj: Object) -> str:
    return f"{obj['kind']} {obj['metadata']['name']}"


class TestObjects:
    @pytest.mark.parametrize("obj", upgrades.objects(), ids=described)
    def test_each_is_understood_with_all_that_its_status_says(self, obj: Object) -> None:
        kind = SnapshotCapture if obj["kind"] == "SnapshotCapture" else SnapshotReplay
        understood = kind.model_validate(obj).dump()
        for part in ("spec", "status"):
            assert within(obj[part], understood[part])

    @pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in ENDED.items() for name in names])
    def test_what_had_ended_is_neither_run_again_nor_written_to(self, kind: str, name: str, tmp_path: Path) -> None:
        plural = next(plural for plural, each in KINDS.items() if each == kind)
        cluster = FakeCluster()
        cluster.put(plural, recorded(kind, name))
        before = cluster.get(plural, "kai-snapshots", name)
        world = services(cluster, claims=tmp_path, children=Unused())
        if plural == CAPTURES:
            assert asyncio.run(drive_capture.drive(world, "kai-snapshots", name, lambda: None)) is None
        else:
            asyncio.run(drive_replay.drive(world, "kai-snapshots", name))
        assert cluster.get(plural, "kai-snapshots", name) == before
        assert (cluster.status_writes, cluster.made_jobs) == (0, {})


class Unused:
    """A table of runs that none is put into."""

    def forget(self, key: str) -> None: ...


def within(part: Any, whole: Any) -> bool:
    """Whether all of the part is in the whole: more fields may be there, no other values."""
    if isinstance(part, dict):
        return all(key in whole and within(value, whole[key]) for key, value in part.items())
    if isinstance(part, list):
        return len(part) == len(whole) and all(map(within, part, whole))
    return bool(part == whole)


class TestStored:
    def test_archives_are_listed(self) -> None:
        listed = json.loads(run("list", "--dir", STORAGE, "-o", "json").stdout)
        manifests = [each["manifest"] for each in listed["archives"]]
        assert sorted((each["capture"]["name"], each["id"]) for each in manifests) == [
            ("deleting", "20261130T235701Z"),
            ("hourly", "20261130T235700Z"),
            ("once", "20261130T235700Z"),
        ]

    def test_an_archive_is_got_and_checked(self, tmp_path: Path) -> None:
        got = tmp_path / "snapshot.zip"
        run("get", "latest", "--dir", STORAGE, "--capture", "kai-snapshots/once", "--file", got)
        assert "175" in run("inspect", got).stdout, "pods"

    def test_results_are_compared(self) -> None:
        two = sorted(COMPARED.glob("*.result.json"))
        compared = CliRunner().invoke(app, ["compare", *map(str, two), "-o", "json"])
        assert compared.exit_code == 1, "and they differ"
        document = json.loads(compared.stdout)
        assert [each["outcome"] for each in document["versions"]] == ["Succeeded", "Succeeded"]

    def test_pages_show_an_archive_and_its_replays(self) -> None:
        snapshot = urlencode({"snapshot": "kai-snapshots/once/20261130T235700Z-f9f1e952.zip"})
        with served(Stored(DirectoryStore(STORAGE))) as site:
            found = page(site, f"/replays?{snapshot}")
            (link,) = {each for each in found.links() if "replay=compared-0ee40643" in each}
            assert "v0.14.7" in page(site, link).text
            assert "h100-0014" in page(site, f"/?{snapshot}").text, "a node"


def run(*arguments: object) -> Result:
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    return done


def test_the_token_of_a_job_that_runs_on_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", (ISSUED + timedelta(days=1)).timestamp)
    part = Part(uid="0b4c", namespace="kai-snapshots", name="why-pending", index=3, attempt=2)
    assert Tokens(bytes(range(32))).read(TOKEN) == part
