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
