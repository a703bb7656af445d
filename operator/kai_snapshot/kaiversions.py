"""What each version of KAI Scheduler brings, v0.3 to v0.17, as far as this project acts on it. Facts, no decisions.

Read in upstream's repository at every tag: the default configuration of the operator, the chart and the binary,
snapshot-tool's `main.go`, the workflow that pushes images. A build of the main branch (`0.0.0-<sha>`) counts as newer
than every release.
"""

import re
from typing import NamedTuple

RELEASE = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?![\d.])")
MAIN_BUILD = re.compile(r"v?0\.0\.0-")

PLUGIN_ORDER = (
    "predicates",
    "proportion",
    "priority",
    "nodeavailability",
    "resourcetype",
    "podaffinity",
    "elastic",
    "kubeflow",
    "ray",
    "subgrouporder",
    "taskorder",
    "nominatednode",
    "dynamicresources",
    "minruntime",
    "topology",
    "snapshot",
    "sg-nodelocalgreedy",
    "sg-multinodegang",
    "gpupack",
    "gpuspread",
    "nodeplacement",
    "gpusharingorder",
)
"""The default plugins as KAI's operator lists them: they run in the order of the configuration."""


class Release(NamedTuple):
    """A released version; pre-releases and variants (`-rc.1`, `-fips`) count as the release they are named for."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}.{self.patch}"


NEWEST = Release(10**6, 0, 0)
"""Stands for builds of the main branch."""

DEFAULT_SINCE = {
    "minruntime": Release(0, 6, 0),
    "snapshot": Release(0, 6, 0),
    "topology": Release(0, 7, 8),
    "subgrouporder": Release(0, 7, 13),
    "sg-nodelocalgreedy": Release(0, 16, 0),
    "sg-multinodegang": Release(0, 16, 0),
}
"""From when on a plugin is in the default configuration; the other plugins always were. None was ever taken out."""

SCENARIO_GENERATORS = ("sg-nodelocalgreedy", "sg-multinodegang")
"""Without one of them v0.16 and later find nothing to reclaim, preempt or consolidate, and do not say so."""

NEW_HOME = {9: 16, 12: 18, 13: 1}
"""By minor version the first patch whose images go to the kai-scheduler organisation, not nvidia; from v0.14 on all."""


def release(tag: str | None) -> Release | None:
    """The version a tag names (`v0.17.0`, `0.17.0`, `v0.16.4-fips`, `0.0.0-<sha>`), or None if it names none."""
    if MAIN_BUILD.match(tag or ""):
        return NEWEST
    numbers = RELEASE.match(tag or "")
    return Release(*map(int, numbers.groups())) if numbers else None


def tool_image(tag: str) -> str:
    """Where upstream publishes the snapshot-tool of a version (v0.4.7 and later): `repository:tag`."""
    version = release(tag) or NEWEST
    first = NEW_HOME.get(version.minor)
    moved = version >= (0, 14) or (first is not None and version.patch >= first)
    organisation = "kai-scheduler" if moved else "nvidia"
    return f"ghcr.io/{organisation}/kai-scheduler/snapshot-tool:{tag}"


def prints_summary(tag: str | None) -> bool:
    """Whether the tool prints its JSON summary of durations on stdout; assumed of a version that is not known."""
    return (release(tag) or NEWEST) >= (0, 14, 1)


def buffers_document(tag: str | None) -> bool:
    """Whether the scheduler holds the document about three times in memory when asked; not assumed if unknown."""
    return (release(tag) or NEWEST) < (0, 15)


def new_default_plugins(captured: str | None, target: str | None) -> tuple[str, ...]:
    """Plugins that are default in the target version and were not yet in the capturing one, in their order.

    Of an unknown capturing version only the scenario generators: what else it lacks may have been switched off. An
    unknown target is taken for a new one.
    """
    new, old = release(target) or NEWEST, release(captured)
    if old is None:
        return tuple(name for name in SCENARIO_GENERATORS if DEFAULT_SINCE[name] <= new)
    return tuple(name for name in PLUGIN_ORDER if old < DEFAULT_SINCE.get(name, Release(0, 0, 0)) <= new)
