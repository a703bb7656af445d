"""What a replay will get wrong or lose: by version, for archives that hold what it depends on."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot import compatibility, kaiversions
from kai_snapshot.api.compatibility import SEVERITIES, Code, Finding, Severity
from kai_snapshot.api.manifest import Manifest
from kai_snapshot.archive.check import inspect
from kai_snapshot.compatibility import Mode, SnapshotFacts
from kai_snapshot.compatibility.facts import Configuration

TESTS = Path(__file__).parents[1]
CORPUS = TESTS / "data" / "corpus"
DOCS = TESTS.parent / "docs"
RELEASES = ("v0.6.0", "v0.7.8", "v0.9.0", "v0.9.13", "v0.10.0", "v0.12.23", "v0.13.0", "v0.14.7", "v0.16.5", "v0.17.0")
ACTIONS = ("allocate", "consolidation", "reclaim", "preempt", "stalegangeviction")
PLUGINS = ("predicates", "proportion", "priority", "elastic")
GENERATORS = kaiversions.SCENARIO_GENERATORS


def plain(**counts: int) -> SnapshotFacts:
    """A snapshot without generators, in today's form, of an unknown version, with so many objects."""
    return SnapshotFacts(
        counts={"pods": 3, "nodes": 1, "persistentVolumeClaims": 0, "persistentVolumes": 0} | counts,
        configuration=Configuration(actions=ACTIONS, plugins=PLUGINS, wants_usage_history=False),
        dra_form="v1",
        discovery=True,
        api_groups=("apps",),
    )


def old(version: str, **counts: int) -> SnapshotFacts:
    """The same before `discovery` and volumes were written."""
    listed = {"pods": 3, "nodes": 1, "persistentVolumeClaims": 0} | counts
    return replace(plain(), version=version, counts=listed, discovery=False, api_groups=())


def configured(about: SnapshotFacts, **changes: Any) -> SnapshotFacts:
    """The same with another configuration."""
    assert about.configuration is not None
    return replace(about, configuration=replace(about.configuration, **changes))


def found(about: SnapshotFacts, target: str, config: Mode = "TargetDefaults") -> list[str]:
    """The codes of all findings."""
    return [finding.code for finding in compatibility.report(about, target, config=config)]


def archive(name: str) -> SnapshotFacts:
    """All that can be known of an archive of the corpus without its manifest."""
    (path,) = CORPUS.glob(f"{name}-*/snapshot.zip")
    return SnapshotFacts.of_inspection(inspect(path))


def manifest(**changes: Any) -> Manifest:
    """Of an archive of v0.15.3."""
    return Manifest.model_validate(
        {
            "id": "20261122T101500Z",
            "archive": "20261122T101500Z-00000000.zip",
            "capture": {"namespace": "kai-snapshots", "name": "hourly"},
            "sha256": "0" * 64,
            "sizeBytes": 1,
            "uncompressedBytes": 2,
            "objectCounts": {"pods": 3, "persistentVolumeClaims": 0, "persistentVolumes": 0},
            "scheduler": {"version": "v0.15.3"},
            "scheduledFor": "2026-11-22T10:15:00Z",
            "capturedAt": "2026-11-22T10:15:00Z",
            "trigger": "Schedule",
        }
        | changes
    )


HEALED = {
    "actions": "allocate, reclaim",
    "tiers": [{"plugins": [{"name": "predicates"}]}, {"plugins": [{"name": "numa"}]}],
    "usageDBConfig": {"clientType": "prometheus"},
}


@pytest.mark.parametrize("version", RELEASES)
def test_a_snapshot_replayed_by_the_version_that_made_it_is_fine(version: str) -> None:
    about = replace(plain(), version=version)
    if kaiversions.has_plugin(version, GENERATORS[0]):
        about = configured(about, plugins=(*PLUGINS, *GENERATORS))
    assert found(about, version) == []
    assert found(about, version, "Verbatim") == []


@pytest.mark.parametrize(
    ("name", "target", "config", "expected"),
    [
        ("01", "v0.17.0", "TargetDefaults", []),
        ("01", "v0.17.0", "Verbatim", []),
        ("01", "main", "TargetDefaults", []),
        ("01", "v0.14.7", "TargetDefaults", ["UnknownPlugin"]),
        ("20", "v0.17.0", "TargetDefaults", []),
        ("20", "v0.16.5", "TargetDefaults", []),
        ("21", "v0.17.0", "TargetDefaults", ["ConfigNull"]),
        ("21", "v0.17.0", "Verbatim", ["ConfigNull"]),
        ("22", "v0.17.0", "TargetDefaults", ["UnknownAction"]),
        ("22", "v0.9.0", "TargetDefaults", ["UnknownAction", "UnknownPlugin"]),
        ("22", "0.0.0-6b5e9a1", "TargetDefaults", []),
        ("23", "v0.17.0", "Verbatim", ["MissingGenerators"]),
        ("23", "v0.17.0", "TargetDefaults", ["PluginsAdded"]),
        ("23", "v0.14.7", "Verbatim", []),
    ],
)
def test_archives_of_the_corpus(name: str, target: str, config: Mode, expected: list[str]) -> None:
    assert found(archive(name), target, config) == expected


OBJECTS: dict[str, tuple[SnapshotFacts, dict[str, list[str]]]] = {
    "topologies": (
        plain(topologies=2),
        {
            "v0.7.7": ["ListIgnored"],
            "v0.7.8": ["TopologiesNotLoaded"],
            "v0.9.12": ["TopologiesNotLoaded"],
            "v0.9.13": [],
            "v0.10.3": ["TopologiesNotLoaded"],
            "v0.10.4": [],
            "v0.12.0": [],
        },
    ),
    "volumes that are claimed": (
        plain(persistentVolumes=4, persistentVolumeClaims=4),
        {"v0.14.0": ["VolumesMissing"], "v0.14.1": [], "v0.15.3": [], "main": []},
    ),
    "claims, and no volumes in the cluster": (plain(persistentVolumeClaims=4), {"v0.14.0": [], "v0.15.3": []}),
    "volumes that nobody claims": (plain(persistentVolumes=4), {"v0.14.0": ["ListIgnored"], "v0.14.1": []}),
    "claims, of a version that writes no volumes": (
        old("v0.14.0", persistentVolumeClaims=4),
        {"v0.14.0": ["VolumesMissing"], "v0.15.3": ["VolumesMissing"]},
    ),
    "resource claims": (
        plain(resourceClaims=5),
        {
            "v0.6.14": ["ClaimsIgnored"],
            "v0.6.15": [],
            "v0.7.13": ["ClaimsIgnored"],
            "v0.9.3": ["ClaimsIgnored"],
            "v0.9.4": [],
            "v0.10.0": ["ClaimsIgnored"],
            "v0.12.23": ["ClaimsIgnored"],
            "v0.13.0": [],
            "v0.15.3": [],
        },
    ),
    "resource claims without discovery": (
        old("v0.12.23", resourceClaims=5),
        {"v0.12.23": ["ClaimsIgnored"], "v0.13.4": ["ClaimsIgnored"], "v0.14.0": []},
    ),
    "resource claims of v1beta1": (
        replace(plain(resourceClaims=5), dra_form="v1beta1"),
        {"v0.9.3": ["ClaimsIgnored"], "v0.9.4": ["ClaimsUnreadable"], "v0.12.0": ["ClaimsIgnored"],
         "v0.15.3": ["ClaimsUnreadable"], "main": ["ClaimsUnreadable"]},
    ),
    "devices of v1beta1 that nobody claims": (replace(plain(resourceSlices=2), dra_form="v1beta1"), {"v0.15.3": []}),
    "a cluster with node topologies": (
        replace(plain(), api_groups=("apps", "topology.node.k8s.io")),
        {"v0.15.3": [], "v0.16.0": ["HangsOnNodeTopologies"], "v0.16.8": ["HangsOnNodeTopologies"], "v0.17.0": []},
    ),
    "node topologies": (
        plain(nodeResourceTopologies=3),
        {"v0.15.3": ["ListIgnored"], "v0.16.8": ["HangsOnNodeTopologies"], "v0.17.0": [], "main": []},
    ),
    "what later versions do not know any more": (
        plain(podDisruptionBudgets=1), {"v0.7.7": [], "v0.7.8": ["ListIgnored"], "v0.17.0": ["ListIgnored"]}
    ),
    "what nobody knows yet": (plain(clusterGroups=1), {"v0.17.0": ["ListIgnored"], "main": []}),
}  # fmt: skip


def rows(table: dict[str, tuple[SnapshotFacts, dict[str, list[str]]]]) -> list[Any]:
    """A row for each archive and version."""
    return [
        pytest.param(about, target, expected, id=f"{what} at {target}")
        for what, (about, cases) in table.items()
        for target, expected in cases.items()
    ]


@pytest.mark.parametrize(("about", "target", "expected"), rows(OBJECTS))
def test_what_a_version_makes_of_the_objects(about: SnapshotFacts, target: str, expected: list[str]) -> None:
    """`plain` has no generators: what they are for is looked at elsewhere."""
    assert [code for code in found(about, target) if code != "PluginsAdded"] == expected


@pytest.mark.parametrize(
    ("about", "target", "expected"),
    [
        pytest.param(old("v0.15.3"), "v0.16.0", ["MissingGenerators"], id="generators are needed since v0.16"),
        pytest.param(old("v0.15.3"), "my-build", ["MissingGenerators"], id="an image by any name counts as new"),
        pytest.param(plain(), "v0.17.0", ["MissingGenerators"], id="nobody is known to have switched them off"),
        pytest.param(
            configured(old("v0.15.3"), actions=("allocate",)), "v0.16.0", ["PluginsMissing"], id="nothing needs victims"
        ),
        pytest.param(replace(plain(), version="v0.16.5"), "v0.17.0", [], id="an administrator switched them off"),
        pytest.param(
            configured(old("v0.15.3"), plugins=GENERATORS[:1]), "v0.17.0", ["PluginsMissing"], id="one of two will do"
        ),
        pytest.param(old("v0.7.8"), "v0.12.23", ["PluginsMissing"], id="another new default"),
        pytest.param(old("v0.7.8"), "v0.17.0", ["MissingGenerators", "PluginsMissing"], id="generators and another"),
    ],
)
def test_new_default_plugins_are_missed_or_added(about: SnapshotFacts, target: str, expected: list[str]) -> None:
    assert found(about, target, "Verbatim") == expected
    assert found(about, target, "TargetDefaults") == (["PluginsAdded"] if expected else [])


@pytest.mark.parametrize(
    ("changes", "target", "expected"),
    [
        ({"plugins": ("numa",)}, "v0.15.3", ["UnknownPlugin"]),
        ({"plugins": ("numa", *GENERATORS)}, "v0.17.0", []),
        ({"plugins": ("quantum", *GENERATORS)}, "v0.17.0", ["UnknownPlugin"]),
        ({"plugins": ("quantum", *GENERATORS)}, "main", []),
        ({"actions": ("allocate", "defragment")}, "v0.15.3", ["UnknownAction"]),
        ({"actions": ("allocate", "defragment"), "plugins": GENERATORS}, "main", []),
        ({"actions": ("allocate", "")}, "v0.15.3", ["UnknownAction"]),
        ({"actions": ("allocate", ""), "plugins": GENERATORS}, "main", ["UnknownAction"]),
        ({"actions": ()}, "v0.15.3", ["UnknownAction"]),
        ({}, "v0.14.2", []),
        ({}, "v0.14.3", ["SlowReclaim"]),
        ({"actions": ("allocate",)}, "v0.14.3", []),
        ({}, "v0.14.5", []),
        ({"wants_usage_history": True}, "v0.15.3", ["NoUsageHistory"]),
        ({}, "v0.5.5", ["NoConfiguration"]),
        ({}, "v0.4.6", ["NoTool", "NoConfiguration"]),
    ],
)
def test_what_a_version_makes_of_the_configuration(changes: dict[str, Any], target: str, expected: list[str]) -> None:
    assert found(configured(plain(), **changes), target) == expected


@pytest.mark.parametrize(
    ("captured", "target", "newer"),
    [
        ("v0.17.0", "v0.16.8", True),
        ("v0.17.0", "v0.17.0", False),
        ("v0.16.8", "v0.17.0", False),
        ("0.0.0-6b5e9a1", "v0.17.0", True),
        ("v0.17.0", "main", False),
        ("", "v0.6.0", False),
    ],
)
def test_a_snapshot_may_be_newer_than_the_tool(captured: str, target: str, newer: bool) -> None:
    assert ("NewerSnapshot" in found(SnapshotFacts(version=captured), target)) == newer


def test_a_configuration_that_is_null_is_mended_by_prepare_only() -> None:
    healed = manifest(healed=True, config=HEALED, scheduler={"version": "v0.16.4"})
    null = inspect(CORPUS / "21-config-null" / "snapshot.zip")
    for about in (SnapshotFacts.of_manifest(healed), SnapshotFacts.of_inspection(null, healed)):
        assert found(about, "v0.16.4", "Verbatim") == ["ConfigNull"]
        assert found(about, "v0.16.4") == ["ConfigHealed", "NoUsageHistory"]
        assert found(about, "v0.15.3") == ["ConfigHealed", "UnknownPlugin", "NewerSnapshot", "NoUsageHistory"]
    nothing_to_put_in = SnapshotFacts.of_inspection(null, manifest(scheduler={"version": "v0.16.4"}))
    assert found(nothing_to_put_in, "v0.16.4") == ["ConfigNull"]


def test_an_archive_that_is_not_whole_is_blocked_and_no_more_is_said(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<html>404 page not found</html>")
    about = SnapshotFacts.of_inspection(inspect(tmp_path / "page.html"))
    (finding,) = compatibility.report(about, "v0.17.0", config="TargetDefaults")
    assert (finding.severity, finding.code) == (Severity.BLOCKING, Code.INVALID_ARCHIVE)
    assert "NotAZip" in finding.message


@pytest.mark.parametrize(
    ("version", "counts", "target", "expected"),
    [
        ("v0.15.3", {}, "v0.15.3", []),
        ("v0.15.3", {}, "v0.17.0", ["MissingGenerators"]),
        ("v0.9.3", {"resourceClaims": 1}, "v0.14.7", ["ClaimsUnreadable"]),
        ("v0.9.4", {"resourceClaims": 1}, "v0.13.4", ["ClaimsIgnored"]),
        ("v0.9.4", {"resourceClaims": 1}, "v0.14.7", []),
        ("v0.14.0", {"persistentVolumeClaims": 2}, "v0.14.7", ["VolumesMissing"]),
        ("", {}, "v0.17.0", []),
        ("", {"resourceClaims": 1}, "v0.13.4", []),
        ("", {"resourceClaims": 1}, "v0.12.23", ["ClaimsIgnored"]),
    ],
)
def test_a_manifest_tells_enough_for_the_worst(
    version: str, counts: dict[str, int], target: str, expected: list[str]
) -> None:
    """Nothing is said of what only the archive can tell: plugins, actions, API groups."""
    about = SnapshotFacts.of_manifest(
        manifest(scheduler={"version": version or None}, objectCounts={"pods": 3, **counts})
    )
    assert found(about, target, "Verbatim") == expected


@given(st.sampled_from(RELEASES), st.sampled_from(["TargetDefaults", "Verbatim"]))
def test_of_what_is_not_known_nothing_is_said(target: str, config: Mode) -> None:
    assert found(SnapshotFacts(), target, config) == []
    assert found(archive("21"), "", config) == []


def test_a_status_gets_the_three_worst_and_no_notes() -> None:
    worst = replace(
        configured(plain(topologies=1, resourceClaims=1, persistentVolumeClaims=1, persistentVolumes=1), actions=()),
        config="Healed",
    )
    told = compatibility.told(compatibility.report(worst, "v0.9.3", config="Verbatim"))
    assert [text.partition(": ")[0] for text in told] == ["ConfigNull", "TopologiesNotLoaded", "VolumesMissing"]
    assert all(len(text) < 400 for text in told)
    notes = compatibility.report(plain(podDisruptionBudgets=1), "v0.17.0", config="TargetDefaults")
    assert {finding.severity for finding in notes} == {Severity.NOTE}
    assert compatibility.told(notes) == ()


def test_codes_are_listed_the_worst_first() -> None:
    severities = [SEVERITIES.get(code, Severity.NOTE) for code in Code]
    assert severities == sorted(severities, key=list(Severity).index)


def test_every_code_is_explained_with_its_severity() -> None:
    explained = re.findall(r"^\| `(\w+)` \| (\w+) \|", (DOCS / "replay.md").read_text(), re.MULTILINE)
    assert explained == [(code, SEVERITIES.get(code, Severity.NOTE)) for code in Code]


def test_a_finding_is_a_document() -> None:
    finding = Finding.of(Code.NO_TOOL, "There is none.")
    assert finding.dump() == {"severity": "Blocking", "code": "NoTool", "message": "There is none."}
