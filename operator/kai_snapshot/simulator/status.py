"""What state a pod is in, as KAI sees it."""

from datetime import datetime, timedelta
from enum import Enum


class Status(Enum):
    """A pod's state; the flags say in which sums it counts."""

    PENDING = ("Pending", False, False, False, True)
    GATED = ("Gated", False, False, False, True)
    ALLOCATED = ("Allocated", True, True, True, True)
    PIPELINED = ("Pipelined", True, True, False, True)
    BINDING = ("Binding", True, True, True, True)
    BOUND = ("Bound", True, True, True, True)
    RUNNING = ("Running", True, True, True, True)
    RELEASING = ("Releasing", True, False, False, False)
    STUCK = ("StuckInReleasing", True, False, False, False)
    SUCCEEDED = ("Succeeded", False, False, False, False)
    FAILED = ("Failed", False, False, False, False)
    UNKNOWN = ("Unknown", False, False, False, False)

    def __init__(self, text: str, used: bool, active: bool, allocated: bool, alive: bool) -> None:
        self.text = text
        self.used = used
        """Holds resources of a node."""
        self.active = active
        """Holds them and is not on its way out."""
        self.allocated = allocated
        """Counts in its queue."""
        self.alive = alive
        """Counts for its gang, placed or waiting."""


_ENDED = {"Succeeded": Status.SUCCEEDED, "Failed": Status.FAILED}


def pod_status(
    *, phase: str, deleted: datetime | None, node: str, gated: bool, bound: bool, now: datetime, stuck_after: timedelta
) -> Status:
    """The state of a pod as the API has it; `bound` if a bind request for it is on its way."""
    if phase == "Running":
        if deleted is None:
            return Status.RUNNING
        return Status.STUCK if now - deleted > stuck_after else Status.RELEASING
    if phase == "Pending":
        if deleted is not None:
            return Status.RELEASING
        if node:
            return Status.BOUND
        if bound:
            return Status.BINDING
        return Status.GATED if gated else Status.PENDING
    return _ENDED.get(phase, Status.UNKNOWN)


def parse_time(text: object) -> datetime | None:
    """A time as Kubernetes writes it; None for none, or for what is no time."""
    if not isinstance(text, str) or not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
