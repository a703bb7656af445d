"""Facts about KAI's versions, held against what upstream's repository says at the tags."""

import pytest

from kai_snapshot import kaiversions
from kai_snapshot.kaiversions import NEWEST, PLUGIN_ORDER, Release, new_default_plugins, release, tool_image

SG = ("sg-nodelocalgreedy", "sg-multinodegang")


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("v0.17.0", Release(0, 17, 0)),
        ("0.17.0", Release(0, 17, 0)),
        ("v0.16.4-fips", Release(0, 16, 4)),
        ("v0.6.5-rc.0", Release(0, 6, 5)),
        ("0.0.0-6b5e9a1", NEWEST),
        ("latest", None),
        ("v0.17", None),
        ("v1.2.3.4", None),
        ("", None),
        (None, None),
    ],
)
def test_a_tag_names_a_release(tag: str | None, expected: Release | None) -> None:
    assert release(tag) == expected


def test_releases_are_ordered_by_number() -> None:
    assert Release(0, 9, 20) < Release(0, 10, 0) < Release(0, 17, 0) < NEWEST
    assert str(Release(0, 12, 23)) == "v0.12.23"


@pytest.mark.parametrize(
    ("tag", "organisation"),
    [
        ("v0.4.7", "nvidia"),
        ("v0.9.0", "nvidia"),
        ("v0.9.15", "nvidia"),
        ("v0.9.16", "kai-scheduler"),
        ("v0.10.5", "nvidia"),
        ("v0.12.17", "nvidia"),
        ("v0.12.23", "kai-scheduler"),
        ("v0.13.0", "nvidia"),
        ("v0.13.1", "kai-scheduler"),
        ("v0.14.7", "kai-scheduler"),
        ("v0.17.0", "kai-scheduler"),
        ("v0.16.4-fips", "kai-scheduler"),
        ("v1.9.0", "kai-scheduler"),
        ("0.0.0-6b5e9a1", "kai-scheduler"),
    ],
)
def test_the_tools_image_moved_with_the_project(tag: str, organisation: str) -> None:
    assert tool_image(tag) == f"ghcr.io/{organisation}/kai-scheduler/snapshot-tool:{tag}"


@pytest.mark.parametrize(
    ("captured", "target", "added"),
    [
        ("v0.15.3", "v0.17.0", SG),
        ("v0.15.3", "v0.16.0", SG),
        ("v0.16.0", "v0.17.0", ()),
        ("v0.17.0", "v0.9.0", ()),
        ("v0.9.0", "v0.14.7", ()),
        ("v0.7.8", "v0.12.23", ("subgrouporder",)),
        ("v0.5.5", "v0.17.0", ("subgrouporder", "minruntime", "topology", "snapshot", *SG)),
        ("v0.14.7", "0.0.0-6b5e9a1", SG),
        ("v0.14.7", None, SG),
        ("v0.14.7", "my-build", SG),
        (None, "v0.17.0", SG),
        ("", "v0.16.8", SG),
        (None, "v0.15.3", ()),
        (None, None, SG),
    ],
)
def test_plugins_that_became_default_in_between_are_named(
    captured: str | None, target: str | None, added: tuple[str, ...]
) -> None:
    assert new_default_plugins(captured, target) == added


def test_every_plugin_that_came_later_has_its_place_in_the_order() -> None:
    assert set(kaiversions.DEFAULT_SINCE) <= set(PLUGIN_ORDER)
    assert len(set(PLUGIN_ORDER)) == len(PLUGIN_ORDER)


@pytest.mark.parametrize(
    ("tag", "summary", "buffers"),
    [
        ("v0.9.0", False, True),
        ("v0.14.0", False, True),
        ("v0.14.1", True, True),
        ("v0.15.0", True, False),
        ("v0.17.0", True, False),
        ("0.0.0-6b5e9a1", True, False),
        (None, True, False),
    ],
)
def test_the_summary_came_with_v0_14_1_and_streaming_with_v0_15(tag: str | None, summary: bool, buffers: bool) -> None:
    assert kaiversions.prints_summary(tag) == summary
    assert kaiversions.buffers_document(tag) == buffers


@pytest.mark.parametrize(
    ("tag", "flags"),
    [
        ("v0.10.5", ()),
        ("v0.12.0", ("--cpuprofile",)),
        ("v0.14.0", ("--cpuprofile",)),
        ("v0.14.1", ("--cpuprofile", "--memprofile")),
        ("v0.17.0", ("--cpuprofile", "--memprofile")),
        ("0.0.0-6b5e9a1", ("--cpuprofile", "--memprofile")),
        ("my-build", ("--cpuprofile", "--memprofile")),
    ],
)
def test_the_tools_flags_for_profiles_came_one_after_the_other(tag: str, flags: tuple[str, ...]) -> None:
    assert kaiversions.profile_flags(tag) == flags


ALWAYS_LOADED = frozenset(
    (
        "pods", "nodes", "queues", "podGroups", "bindRequests", "priorityClasses", "configMaps",
        "persistentVolumeClaims", "csiStorageCapacities", "storageClasses", "csiDrivers",
        "resourceClaims", "resourceSlices", "deviceClasses",
    )
)  # fmt: skip


@pytest.mark.parametrize(
    ("tag", "loaded"),
    [
        ("v0.6.0", {"podDisruptionBudgets"}),
        ("v0.7.7", {"podDisruptionBudgets"}),
        ("v0.7.8", set()),
        ("v0.9.12", set()),
        ("v0.9.13", {"topologies"}),
        ("v0.9.20", {"topologies"}),
        ("v0.10.0", set()),
        ("v0.10.4", {"topologies"}),
        ("v0.14.0", {"topologies"}),
        ("v0.14.1", {"topologies", "persistentVolumes"}),
        ("v0.16.0", {"topologies", "persistentVolumes", "nodeResourceTopologies"}),
        ("v0.17.0", {"topologies", "persistentVolumes", "nodeResourceTopologies"}),
        ("main", {"topologies", "persistentVolumes", "nodeResourceTopologies", "a list of tomorrow"}),
    ],
)
def test_the_tool_learned_to_load_lists(tag: str, loaded: set[str]) -> None:
    names = {*kaiversions.LISTS, "a list of tomorrow"}
    assert {name for name in names if kaiversions.loads(tag, name)} == ALWAYS_LOADED | loaded


@pytest.mark.parametrize(
    ("tag", "lacks"),
    [
        ("v0.6.0", {"topology", "subgrouporder", "reflectjoborder", "numa", *SG}),
        ("v0.7.8", {"subgrouporder", "reflectjoborder", "numa", *SG}),
        ("v0.8.3", {"reflectjoborder", "numa", *SG}),
        ("v0.9.0", {"numa", *SG}),
        ("v0.15.3", {"numa", *SG}),
        ("v0.16.0", set()),
        ("v0.17.0", set()),
    ],
)
def test_plugins_were_added_and_none_was_taken_out(tag: str, lacks: set[str]) -> None:
    known = {*PLUGIN_ORDER, *kaiversions.PLUGIN_SINCE}
    assert {name for name in known if not kaiversions.has_plugin(tag, name)} == lacks
    assert not kaiversions.has_plugin(tag, "a plugin of tomorrow")
    assert kaiversions.has_plugin("main", "a plugin of tomorrow")


@pytest.mark.parametrize("tag", ["v0.6.0", "v0.17.0"])
def test_actions_have_always_been_the_same(tag: str) -> None:
    for action in ("allocate", "consolidation", "reclaim", "preempt", "stalegangeviction"):
        assert kaiversions.has_action(tag, action)
    assert not kaiversions.has_action(tag, "defragment")
    assert kaiversions.has_action("main", "defragment")


@pytest.mark.parametrize(
    ("tag", "form"),
    [
        ("v0.4.15", "v1beta1"),
        ("v0.4.16", "v1"),
        ("v0.5.5", "v1beta1"),
        ("v0.6.14", "v1beta1"),
        ("v0.6.15", "v1"),
        ("v0.7.13", "v1beta1"),
        ("v0.8.5", "v1beta1"),
        ("v0.9.3", "v1beta1"),
        ("v0.9.4", "v1"),
        ("v0.10.0", "v1"),
        ("v0.17.0", "v1"),
    ],
)
def test_resource_claims_changed_their_form_on_several_branches(tag: str, form: str) -> None:
    assert kaiversions.dra_form(tag) == form
