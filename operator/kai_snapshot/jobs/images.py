"""Which version of the scheduler, and which image of its snapshot-tool, a replay's version stands for."""

from kai_snapshot import kaiversions
from kai_snapshot.api.snapshotreplay import AS_CAPTURED, ReplayVersion
from kai_snapshot.errors import Reason, TerminalError


def target_version(version: ReplayVersion, *, captured_version: str) -> str:
    """The scheduler's version, such as v0.17.0; AsCaptured is the archive's, empty if that is not known."""
    return captured_version if version.name == AS_CAPTURED else version.name


def image_for(version: ReplayVersion, *, captured_version: str, template: str | None) -> str:
    """The snapshot-tool image: the version's own, or `template` with the version for `{version}`, or the published one.

    Raises TerminalError(IncompatibleSnapshot) for AsCaptured without one known version.
    """
    if version.image is not None:
        return version.image
    tag = target_version(version, captured_version=captured_version)
    if not tag:
        raise TerminalError(
            Reason.INCOMPATIBLE_SNAPSHOT,
            "It is not known which version of the scheduler made the archive, or there are archives of different "
            "versions, so AsCaptured has no image: name a version in its place, or give it an image.",
        )
    return kaiversions.tool_image(tag) if template is None else template.replace("{version}", tag)
