"""The smallest quota with which a job runs: the document that `sweep` prints."""

from typing import Any, Literal

from kai_snapshot.api.base import ApiModel, Time
from kai_snapshot.api.preparation import Patch
from kai_snapshot.api.result import SIMULATED, Engine, ReplayedArchive

QueueResource = Literal["gpu", "cpu", "memory"]


class QuotaTried(ApiModel):
    """A quota, and what became of the job with it."""

    quota: float | None
    """The quota; null: unlimited."""
    runs: bool
    """Whether as many of its pods as must run together have a place when the cycle is over."""
    outcome: str
    """What became of it: a job outcome as in a result, or `Running`: it ran before and still does, `Evicted`, or
    `NotTried`."""
    message: str = ""
    """Why pods of it wait; empty if none does."""
    evictions: int
    """How many pods the cycle evicts in all."""


class QuotaSweep(ApiModel):
    """What quota of a queue a job needs to run. Quotas are in `unit`."""

    schema_version: Literal["kai-snapshot.io/quota-sweep/v1"] = "kai-snapshot.io/quota-sweep/v1"
    """The version of this document."""
    engine: Engine = Engine(name="Simulator", version=SIMULATED)
    """What ran."""
    archive: ReplayedArchive | None = None
    """What it ran on; null if unknown."""
    now: Time
    """The time it was simulated at."""
    job: str
    """namespace/name."""
    queue: str
    """The queue whose quota is tried: the job's, or one above it."""
    resource: QueueResource
    """Of which resource."""
    unit: Literal["GPUs", "cores", "GB"]
    """What quotas are in, and their step: GPUs, cores, or 10^9 bytes."""
    raise_parents: bool
    """Whether the quotas of all queues above grew by as much."""
    present: float | None
    """The quota that the queue has; null: unlimited."""
    step: int
    """1: every quota was tried from `present` on, up to what the queue's jobs ask for, or what the cluster has if that
    is less. More: every so many, and all between the first that does and the one before it."""
    smallest: float | None = None
    """The smallest quota with which the job runs; if `step` is more than 1, a smaller one that was not tried may do as
    well. null: none does, or it is unlimited already. More than that may not do, for other jobs come first then."""
    found: bool
    """Whether the job runs with some quota."""
    tried: tuple[QuotaTried, ...]
    """All that was simulated, the smallest quota first."""
    parents_would_help: bool | None = None
    """If no quota does: whether the largest does when those of all queues above grow by as much; null: not tried."""
    patches: tuple[Patch, ...] = ()
    """What gives the queue the smallest quota, for `prepare.patches` and `--patch`; none if it has that already."""
    adaptations: tuple[str, ...] = ()
    """What else was changed in the archive."""
    unmodelled: tuple[str, ...] = ()
    """What the archive uses that the Simulator does not know, with the objects concerned."""

    def dump(self) -> dict[str, Any]:
        """The JSON object, with every field: null says that something is unlimited or unknown."""
        return self.model_dump(mode="json", by_alias=True)
