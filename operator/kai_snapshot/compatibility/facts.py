"""What is known of an archive: all that its inspection finds, or the little that its manifest tells."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

from kai_snapshot import kaiversions
from kai_snapshot.api.inspection import DRAForm, Inspection
from kai_snapshot.api.manifest import Manifest
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.schedulerconfig import configured_actions, configured_plugins, wants_usage_history
from kai_snapshot.errors import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The scheduler's configuration."""

    actions: tuple[str, ...]
    plugins: tuple[str, ...]
    wants_usage_history: bool
    """Fair shares depend on past usage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFacts:
    """None, or an empty version: not known."""

    problem: Problem | None = None
    """Why it is no whole snapshot; that its configuration is null does not count."""
    version: str = ""
    """The version that made it."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Objects in each list that the snapshot has."""
    config: Literal["Present", "Null", "Healed"] = "Present"
    """Healed: null in the snapshot, and the manifest has what the ConfigMap said."""
    configuration: Configuration | None = None
    """The snapshot's, or the healed one."""
    dra_form: DRAForm | None = None
    """The form of its resource claims."""
    discovery: bool | None = None
    """Whether it has `discovery`."""
    api_groups: tuple[str, ...] = ()
    """API groups that the cluster is known to serve."""

    @classmethod
    def of_manifest(cls, manifest: Manifest) -> Self:
        """What is known without a look at the archive; much follows from the version that made it."""
        version = manifest.scheduler.version or ""
        healed = _healed(manifest)
        return cls(
            version=version,
            counts=manifest.object_counts,
            config="Present" if healed is None else "Healed",
            configuration=healed,
            dra_form=_usual_dra_form(version),
            discovery=kaiversions.within(version, kaiversions.HAS_DISCOVERY) if _is_known(version) else None,
        )

    @classmethod
    def of_inspection(cls, found: Inspection, manifest: Manifest | None = None) -> Self:
        """What a look at the archive tells, and its manifest, if there is one."""
        version = (manifest.scheduler.version or "") if manifest is not None else ""
        healed = None if manifest is None or found.config_present else _healed(manifest)
        served = Configuration(
            actions=found.actions, plugins=found.plugins, wants_usage_history=found.wants_usage_history
        )
        problems = (problem for problem in found.problems if problem.reason is not Reason.CONFIG_NULL)
        return cls(
            problem=next(problems, None),
            version=version,
            counts=found.object_counts,
            config="Present" if found.config_present else "Null" if healed is None else "Healed",
            configuration=served if found.config_present else healed,
            dra_form=found.dra_form or _usual_dra_form(version),
            discovery="discovery" in found.top_level_keys,
            api_groups=found.api_groups,
        )


def _is_known(version: str) -> bool:
    return kaiversions.release(version) is not None


def _usual_dra_form(version: str) -> DRAForm | None:
    return kaiversions.dra_form(version) if _is_known(version) else None


def _healed(manifest: Manifest) -> Configuration | None:
    config = manifest.config
    if not manifest.healed or not isinstance(config, dict):
        return None
    return Configuration(
        actions=tuple(configured_actions(config)),
        plugins=tuple(configured_plugins(config)),
        wants_usage_history=wants_usage_history(config),
    )
