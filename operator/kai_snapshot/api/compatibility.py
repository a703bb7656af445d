"""What a replay of an archive at a version will get wrong or lose, known before it runs."""

from enum import StrEnum
from typing import Self

from kai_snapshot.api.base import ApiModel


class Severity(StrEnum):
    """How bad it is, the worst first."""

    BLOCKING = "Blocking"
    """It cannot work: the tool panics, hangs or refuses the archive."""
    MISLEADING = "Misleading"
    """It runs, and its result is wrong."""
    NOTE = "Note"
    """It differs from what the scheduler did, as it must, or is mended by `prepare`."""


class Code(StrEnum):
    """All that can be found, the worst first. docs/replay.md has a line for each."""

    INVALID_ARCHIVE = "InvalidArchive"
    """The archive is no whole snapshot."""
    CONFIG_NULL = "ConfigNull"
    """The snapshot has no configuration, and nothing puts one in."""
    NO_TOOL = "NoTool"
    """There is no snapshot-tool of the version."""
    HANGS_ON_NODE_TOPOLOGIES = "HangsOnNodeTopologies"
    """The tool waits for ever where the cluster serves NodeResourceTopologies."""
    UNKNOWN_ACTION = "UnknownAction"
    """The version lacks a configured action, or its name is empty, and then runs none at all."""
    NO_CONFIGURATION = "NoConfiguration"
    """The version's tool ignores the configuration."""
    MISSING_GENERATORS = "MissingGenerators"
    """The plugins are not configured without which the version reclaims, preempts and consolidates nothing."""
    TOPOLOGIES_NOT_LOADED = "TopologiesNotLoaded"
    """The version decides by topologies, and its tool does not load them."""
    VOLUMES_MISSING = "VolumesMissing"
    """There are claims to volumes, and the tool does not see the volumes."""
    CLAIMS_IGNORED = "ClaimsIgnored"
    """The tool takes the cluster for one without dynamic resource allocation."""
    CLAIMS_UNREADABLE = "ClaimsUnreadable"
    """The resource claims are of a form that the tool cannot read: it panics, or loses what they ask for."""
    PLUGINS_ADDED = "PluginsAdded"
    """`prepare` adds plugins that are new defaults of the version."""
    PLUGINS_MISSING = "PluginsMissing"
    """Plugins that are new defaults of the version are not configured."""
    CONFIG_HEALED = "ConfigHealed"
    """`prepare` puts in the configuration of the scheduler's ConfigMap."""
    UNKNOWN_PLUGIN = "UnknownPlugin"
    """The version lacks a configured plugin, and does without."""
    LIST_IGNORED = "ListIgnored"
    """The version's tool does not load objects of the snapshot."""
    SLOW_RECLAIM = "SlowReclaim"
    """The version may not get out of reclaim."""
    NEWER_SNAPSHOT = "NewerSnapshot"
    """The snapshot is of a newer version than the tool."""
    NO_USAGE_HISTORY = "NoUsageHistory"
    """Fair shares depended on usage that no snapshot holds."""


SEVERITIES = {
    **dict.fromkeys(
        (Code.INVALID_ARCHIVE, Code.CONFIG_NULL, Code.NO_TOOL, Code.HANGS_ON_NODE_TOPOLOGIES), Severity.BLOCKING
    ),
    **dict.fromkeys(
        (
            Code.UNKNOWN_ACTION, Code.NO_CONFIGURATION, Code.MISSING_GENERATORS, Code.TOPOLOGIES_NOT_LOADED,
            Code.VOLUMES_MISSING, Code.CLAIMS_IGNORED, Code.CLAIMS_UNREADABLE,
        ),
        Severity.MISLEADING,
    ),
}  # fmt: skip
"""The others are notes."""


class Finding(ApiModel):
    """One thing that will be wrong or lost."""

    severity: Severity
    """How bad it is."""
    code: Code
    """In one word."""
    message: str
    """For a person: what it is, and what to do."""

    @classmethod
    def of(cls, code: Code, message: str) -> Self:
        """With the severity that goes with the code."""
        return cls(severity=SEVERITIES.get(code, Severity.NOTE), code=code, message=message)


class VersionCompatibility(ApiModel):
    """What is found about an archive and one version."""

    version: str
    """The version, as it was asked for."""
    findings: tuple[Finding, ...] = ()
    """The worst first; empty if there is nothing to say."""
