"""What each version of KAI Scheduler brings, v0.3 to v0.17, as far as this project acts on it. Facts, no decisions.

Read in upstream's repository at every tag: the default configuration of the operator, the chart and the binary,
snapshot-tool's `main.go`, what the scheduler registers, the workflow that pushes images. A build of the main branch
(`0.0.0-<sha>`) counts as newer than every release, and so does a version that is not known where a fact is asked for.
"""

import re
from typing import Literal, NamedTuple

RELEASE = re.compile(r"v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?![\d.])")
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


class Span(NamedTuple):
    """Some versions: a fix that was brought to older branches makes several of them."""

    since: Release
    before: Release | None = None


NEWEST = Release(10**6, 0, 0)
"""Stands for builds of the main branch."""

FIRST = Release(0, 0, 0)
"""Before every release."""

UNREAD = Release(0, 18, 0)
"""From here on these tables know nothing new: a name that they do not have may have come with it."""

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

PROFILE_FLAGS = {"--cpuprofile": Release(0, 12, 0), "--memprofile": Release(0, 14, 1)}
"""From when on the tool has a flag."""

HAS_TOOL = (Span(Release(0, 4, 7)),)
"""An image of snapshot-tool is published."""

SESSION_HAS_CONFIG = (Span(Release(0, 6, 0)),)
"""The tool opens its session with the snapshot's configuration; before, with an empty one."""

ACTIONS = frozenset(("allocate", "consolidation", "reclaim", "preempt", "stalegangeviction"))
"""All that a version up to v0.17 can run."""

PLUGIN_SINCE = {"reflectjoborder": Release(0, 8, 4), "numa": Release(0, 16, 0)}
"""From when on a version has a plugin that is not in its default configuration."""

LISTS = {
    **dict.fromkeys(
        (
            "pods", "nodes", "queues", "podGroups", "bindRequests", "priorityClasses", "configMaps",
            "persistentVolumeClaims", "csiStorageCapacities", "storageClasses", "csiDrivers",
            "resourceClaims", "resourceSlices", "deviceClasses",
        ),
        (Span(FIRST),),
    ),
    "podDisruptionBudgets": (Span(FIRST, Release(0, 7, 8)),),
    "topologies": (Span(Release(0, 9, 13), Release(0, 10, 0)), Span(Release(0, 10, 4))),
    "persistentVolumes": (Span(Release(0, 14, 1)),),
    "nodeResourceTopologies": (Span(Release(0, 16, 0)),),
}  # fmt: skip
"""When the tool loads a list of `rawObjects`."""

DRA_V1 = (
    Span(Release(0, 4, 16), Release(0, 5, 0)),
    Span(Release(0, 6, 15), Release(0, 7, 0)),
    Span(Release(0, 9, 4)),
)
"""Resource claims, slices and device classes have the form of resource.k8s.io/v1; before, that of v1beta1."""

CLAIMS_COUNT = (
    Span(Release(0, 6, 15), Release(0, 7, 0)),
    Span(Release(0, 9, 4), Release(0, 10, 0)),
    Span(Release(0, 13, 0)),
)
"""The tool can take the cluster for one with dynamic resource allocation; from v0.13 on if `discovery` says so."""

CLAIMS_NEED_DISCOVERY = (Span(Release(0, 13, 0), Release(0, 14, 0)),)
"""Only if `discovery` says so; v0.14 and later make it up from the objects if a snapshot has none."""

HAS_DISCOVERY = (Span(Release(0, 13, 0)),)
"""A snapshot has `discovery`: the API groups of the cluster."""

COMPACTS_PODS = (Span(Release(0, 16, 2)),)
"""The scheduler keeps of a pod what it decides on, and so does its snapshot: no images, no values of variables."""

LEAVES_OUT_SUCCEEDED = (Span(Release(0, 16, 2), UNREAD),)
"""It does not see pods that have succeeded; those that have failed it sees in none of the versions that compact."""

HAS_SEARCH_BUDGETS = (Span(Release(0, 16, 0)),)
"""The configuration limits how long the scheduler searches (`scenarioSearchBudgets`)."""

HANGS_ON_NODE_TOPOLOGIES = (Span(Release(0, 16, 0), Release(0, 17, 0)),)
"""The tool waits for ever if `discovery` lists topology.node.k8s.io: what it reads the objects with never starts."""

STALLS_IN_RECLAIM = (Span(Release(0, 14, 3), Release(0, 14, 5)),)
"""Reclaim may not end on a large cluster (upstream 1660)."""

NEW_HOME = {9: 16, 12: 18, 13: 1}
"""By minor version the first patch whose images go to the kai-scheduler organisation, not nvidia; from v0.14 on all."""


def release(tag: str | None) -> Release | None:
    """The version a tag names (`v0.17.0`, `0.17.0`, `v0.16.4-fips`, `0.0.0-<sha>`), or None if it names none."""
    if MAIN_BUILD.match(tag or ""):
        return NEWEST
    numbers = RELEASE.match(tag or "")
    return Release(*map(int, numbers.groups())) if numbers else None


def within(tag: str | None, spans: tuple[Span, ...]) -> bool:
    """Whether a version is one of those."""
    version = release(tag) or NEWEST
    return any(since <= version and (before is None or version < before) for since, before in spans)


def loads(tag: str | None, objects: str) -> bool:
    """Whether the tool loads this list of `rawObjects`."""
    return within(tag, LISTS.get(objects, (Span(UNREAD),)))


def has_plugin(tag: str | None, name: str) -> bool:
    """Whether the version has a plugin of that name."""
    always = FIRST if name in PLUGIN_ORDER else UNREAD
    return (release(tag) or NEWEST) >= (DEFAULT_SINCE | PLUGIN_SINCE).get(name, always)


def has_action(tag: str | None, name: str) -> bool:
    """Whether the version can run an action of that name; none has an empty one."""
    return name in ACTIONS or (name != "" and (release(tag) or NEWEST) >= UNREAD)


def dra_form(tag: str | None) -> Literal["v1", "v1beta1"]:
    """The version of resource.k8s.io whose form resource claims, slices and device classes have in its snapshots."""
    return "v1" if within(tag, DRA_V1) else "v1beta1"


def compacts_pods(tag: str | None) -> bool:
    """Whether the scheduler's snapshot has of each pod only what it decides on; assumed of a version not known."""
    return within(tag, COMPACTS_PODS)


def left_out_phases(tag: str | None) -> tuple[str, ...]:
    """The phases of pods that the scheduler does not see."""
    succeeded = ("Succeeded",) if within(tag, LEAVES_OUT_SUCCEEDED) else ()
    return (*succeeded, "Failed") if compacts_pods(tag) else ()


def has_search_budgets(tag: str | None) -> bool:
    """Whether the scheduler's configuration has `scenarioSearchBudgets`; assumed of a version not known."""
    return within(tag, HAS_SEARCH_BUDGETS)


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


def profile_flags(tag: str | None) -> tuple[str, ...]:
    """The tool's flags that take a file and write a profile to it; a version that is not known counts as the newest."""
    version = release(tag) or NEWEST
    return tuple(flag for flag, since in PROFILE_FLAGS.items() if version >= since)


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
    return tuple(name for name in PLUGIN_ORDER if old < DEFAULT_SINCE.get(name, FIRST) <= new)
