"""What a decision hands back: the status as it should be, what to do, and when to look again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, TypeVar

from kai_snapshot.api.problem import Problem
from kai_snapshot.api.snapshotcapture import ActiveRun
from kai_snapshot.errors import Reason

S = TypeVar("S")


@dataclass(frozen=True)
class StartRun:
    """Start the capturing process of this try, once the status that names it is written."""

    active: ActiveRun


@dataclass(frozen=True)
class CreateJob:
    """Create the Job of a version, and its token, unless they are there."""

    index: int
    attempt: int


@dataclass(frozen=True)
class DeleteJob:
    """Delete a Job that can come to nothing, with its pods."""

    name: str


@dataclass(frozen=True)
class SuspendJob:
    """Hold a Job's pods back, or go on with it."""

    name: str
    suspend: bool


@dataclass(frozen=True)
class ExpireJob:
    """Let the Job controller remove a Job some time after its end."""

    name: str
    ttl_seconds: int


@dataclass(frozen=True)
class StartStep:
    """Start the child process that does a step of an environment: Plan or Close."""

    step: Literal["Plan", "Close"]


@dataclass(frozen=True)
class CreateNodeJob:
    """Create the Job that records a node, and its token, unless they are there."""

    node: str


@dataclass(frozen=True)
class RecordNode:
    """Write down why a node has no document."""

    node: str
    problem: Problem


@dataclass(frozen=True)
class Announce:
    """Post an event about the object."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


Action = StartRun | StartStep | CreateJob | CreateNodeJob | DeleteJob | SuspendJob | ExpireJob | RecordNode | Announce


@dataclass(frozen=True)
class Plan(Generic[S]):
    """For an environment the actions come first; else the status, and the actions follow only if that succeeded."""

    status: S
    actions: tuple[Action, ...] = ()
    again_at: datetime | None = None


def warning(reason: Reason | str, message: str) -> Announce:
    """An event of type Warning."""
    return Announce("Warning", str(reason), message)


def normal(reason: Reason | str, message: str) -> Announce:
    """An event of type Normal."""
    return Announce("Normal", str(reason), message)


def earliest(*moments: datetime | None) -> datetime | None:
    """The first of the moments that are known."""
    return min((moment for moment in moments if moment is not None), default=None)
