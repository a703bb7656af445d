"""What changed between two environment documents, in the shape of aicr's `pkg/diff`."""

from enum import StrEnum

from pydantic import Field

from kai_snapshot.api.base import ApiModel


class ChangeKind(StrEnum):
    """What became of a reading."""

    ADDED = "added"
    REMOVED = "removed"
    MODIFIED = "modified"


class Severity(StrEnum):
    """How much a change may matter."""

    INFO = "info"
    WARNING = "warning"
    """The driver, the GPUs, the kernel or a version changed: what a scheduler, or a job, may notice."""


class Change(ApiModel):
    """A reading that is not what it was."""

    kind: ChangeKind
    severity: Severity
    path: str
    """`Type.subtype.key`, such as `OS.release.VERSION_ID`."""
    baseline: str | None = None
    """What it was; absent for one that is new."""
    target: str | None = None
    """What it is; absent for one that is gone."""


class DriftSummary(ApiModel):
    """How many changes."""

    added: int = Field(default=0, ge=0)
    removed: int = Field(default=0, ge=0)
    modified: int = Field(default=0, ge=0)
    total: int = Field(default=0, ge=0)


class EnvironmentDrift(ApiModel):
    """All changes, by path. What changes by itself is not looked at."""

    baseline_source: str = ""
    """Where the baseline is from."""
    target_source: str = ""
    """Where the target is from."""
    changes: tuple[Change, ...] = ()
    """The changes."""
    summary: DriftSummary = Field(default_factory=DriftSummary)
    """How many there are."""
    not_compared: tuple[str, ...] = ()
    """Types that a collector could not find out, in one document or the other."""
