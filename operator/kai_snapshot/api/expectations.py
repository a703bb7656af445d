"""What a replay must show for its object to be Ready: a gate before an upgrade."""

from typing import Literal

from pydantic import Field

from kai_snapshot.api.base import ApiModel

Unchanged = Literal["Placements", "Evictions", "JobOutcomes"]


class Expectations(ApiModel):
    """A gate. What is not met makes the replay `Ready=False/ExpectationsNotMet` and `Stalled=True`."""

    require_success: Literal["All", "Baseline", "None"] = "All"
    """The versions that must succeed."""
    max_total_slowdown_percent: int | None = Field(default=None, ge=1, le=10000)
    """How much slower than the baseline a whole cycle may be, beyond the noise. 25 allows 1.25 times the time."""
    max_action_slowdown_percent: int | None = Field(default=None, ge=1, le=10000)
    """How much slower than the baseline any one action may be, beyond the noise."""
    unchanged: tuple[Unchanged, ...] = Field(
        default=(), max_length=3, json_schema_extra={"x-kubernetes-list-type": "set"}
    )
    """What must be as in the baseline, but for what varies between runs of one version."""
