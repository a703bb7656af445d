"""The plan of a replay of many archives: which they are, in the order of their captures. It lies in the storage."""

from typing import Literal

from kai_snapshot.api.base import ApiModel, Time


class PlannedArchive(ApiModel):
    """One archive to replay."""

    id: str
    """The capture run's id, or the key's file name."""
    key: str
    """Its key in the storage."""
    sha256: str
    """SHA-256 it must have: when it was pinned, and in each Job."""
    size_bytes: int
    """Its size."""
    captured_at: Time | None = None
    """When the scheduler answered."""
    scheduler_version: str = ""
    """The version that made it; empty if unknown."""
    healed: bool = False
    """Whether the configuration comes from the manifest."""


class ReplayPlan(ApiModel):
    """All archives, oldest first: the position of one is the completion index of its pod."""

    schema_version: Literal["kai-snapshot.io/replay-plan/v1"] = "kai-snapshot.io/replay-plan/v1"
    """The version of this document."""
    archives: tuple[PlannedArchive, ...]
    """At least one."""
