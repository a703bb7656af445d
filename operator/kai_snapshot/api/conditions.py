"""Conditions as kstatus reads them: `Ready`, `Reconciling`, `Stalled`, and what a kind adds.

`Reconciling` and `Stalled` are there only while true; `lastTransitionTime` moves only when `status` does
(the semantics of apimachinery's `meta.SetStatusCondition`).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from pydantic import Field

from kai_snapshot.api.base import ApiModel, Time

ConditionStatus = Literal["True", "False", "Unknown"]
READY = "Ready"
RECONCILING = "Reconciling"
STALLED = "Stalled"
FINISHED = "Finished"
LAST_CAPTURE_SUCCEEDED = "LastCaptureSucceeded"
ENVIRONMENT_CAPTURED = "EnvironmentCaptured"
SOURCE_RESOLVED = "SourceResolved"

MESSAGE_LIMIT = 1024


class Condition(ApiModel):
    """One aspect of the object's state, as metav1.Condition."""

    type: str = Field(max_length=316)
    """Ready, Reconciling, Stalled, Finished, LastCaptureSucceeded, EnvironmentCaptured or SourceResolved."""
    status: str = Field(max_length=16)
    """True, False or Unknown."""
    observed_generation: int | None = None
    """The metadata.generation this was said of."""
    last_transition_time: Time
    """When `status` last changed."""
    reason: str = Field(max_length=1024)
    """Why, in one word; docs/troubleshooting.md has a section for each."""
    message: str = Field(default="", max_length=32768)
    """Why, in a sentence, and what to do."""


def claim(type_: str, status: ConditionStatus, reason: str, message: str = "") -> Condition:
    """A condition as a decision states it, the reason one of `errors.Reason`; `update` fills in time and generation."""
    return Condition(
        type=type_,
        status=status,
        reason=str(reason),
        message=shorten(message),
        last_transition_time=datetime.fromtimestamp(0).astimezone(),
    )


def shorten(message: str) -> str:
    """At most MESSAGE_LIMIT characters, so that no status grows without bound."""
    return message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 1] + "…"


def update(
    old: Iterable[Condition], claims: Iterable[Condition], *, now: datetime, generation: int
) -> tuple[Condition, ...]:
    """The conditions claimed, each with the time it has had its status since; what is not claimed is gone."""
    before = {condition.type: condition for condition in old}
    return tuple(
        condition.model_copy(
            update={
                "observed_generation": generation,
                "last_transition_time": before[condition.type].last_transition_time
                if condition.type in before and before[condition.type].status == condition.status
                else now,
            }
        )
        for condition in claims
    )


def find(conditions: Iterable[Condition], type_: str) -> Condition | None:
    """The condition of that type."""
    return next((condition for condition in conditions if condition.type == type_), None)


def is_true(conditions: Iterable[Condition], type_: str) -> bool:
    """Whether the condition is there and True."""
    condition = find(conditions, type_)
    return condition is not None and condition.status == "True"
