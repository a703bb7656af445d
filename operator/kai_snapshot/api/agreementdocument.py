"""How far the simulator and the tool agree about an archive: the document that `agreement` prints."""

from typing import Any, Literal

from kai_snapshot.api.base import ApiModel, Time
from kai_snapshot.api.result import ReplayedArchive


class ShareDifference(ApiModel):
    """A queue whose fair share of a resource is not the same."""

    queue: str
    """The Queue's name."""
    resource: Literal["gpu", "cpu", "memory"]
    """In GPUs, cores, GB (10^9 bytes)."""
    tool: float
    """What the tool prints: three decimals, cut off."""
    simulator: float | None
    """What the simulator computes; null if it has no such queue."""


class FairShares(ApiModel):
    """What queues are granted. Equal: to 0.001."""

    compared: int
    """Shares that the tool printed: a queue's GPUs, CPU and memory each count."""
    differing: tuple[ShareDifference, ...] = ()
    """Those that are not equal."""


class Disagreement(ApiModel):
    """A pod or job of which the simulator does not say what the tool always does, or says what the tool never does.

    The values are nodes for a placement, `Evicted`, `Pipelined`, and outcomes for a job. Runs that are missing from the
    sum are those in which nothing came of it: not bound, not evicted, not pipelined, not tried.
    """

    name: str
    """namespace/name of the pod or job."""
    tool: dict[str, int]
    """Runs of the tool by value."""
    simulator: dict[str, int]
    """Runs of the simulator by value."""


class CategoryAgreement(ApiModel):
    """How far they agree in one kind of decision."""

    certain: int
    """What all runs of the tool have."""
    found: int
    """Of these, what the simulator has too, in its run or in most of its samples."""
    own: int
    """What the simulator has, in its run or in most of its samples."""
    possible: int
    """Of these, what some run of the tool has."""
    overlap: float
    """What a run of either both have, of all that they have: the mean over all pairs."""
    tool_overlap: float | None = None
    """The same of two runs of the tool: more cannot be asked of the simulator. null if the tool ran only once."""
    disagreeing: tuple[Disagreement, ...] = ()
    """Where something is certain and not found, then where something is not possible; by name."""


class AgreementDocument(ApiModel):
    """The simulator beside the tool, on one archive."""

    schema_version: Literal["kai-snapshot.io/agreement/v1"] = "kai-snapshot.io/agreement/v1"
    """The version of this document."""
    archive: ReplayedArchive
    """What was simulated."""
    now: Time
    """The time it was simulated at."""
    simulator_version: str
    """The scheduler's version whose rules the simulator has."""
    simulator_runs: int
    """1, or the number of samples."""
    tool_version: str = ""
    """The scheduler's version that the results are of; empty if unknown."""
    tool_runs: int
    """Runs of the tool, of all results together."""
    fair_shares: FairShares
    """What queues are granted."""
    placements: CategoryAgreement
    """Pods and the nodes they are bound to."""
    evictions: CategoryAgreement
    """Pods that are evicted."""
    pipelined: CategoryAgreement
    """Pods that wait for a place."""
    job_outcomes: CategoryAgreement
    """Jobs and what comes of them."""
    overlap: float
    """Of all that is decided together, as `overlap` of a category."""
    tool_overlap: float | None = None
    """The same of two runs of the tool; null if it ran only once."""
    doubts: tuple[str, ...] = ()
    """Why they may differ for another reason than the simulator's rules."""
    adaptations: tuple[str, ...] = ()
    """What was changed in the archive before it was simulated."""
    unmodelled: tuple[str, ...] = ()
    """What the archive uses that the simulator does not know, with the objects concerned."""
    approximate: tuple[str, ...] = ()
    """What of the simulator's result rests on a choice that the scheduler may make otherwise."""

    @property
    def categories(self) -> dict[str, CategoryAgreement]:
        """All kinds of decisions, by the field's name in JSON."""
        return {
            "placements": self.placements,
            "evictions": self.evictions,
            "pipelined": self.pipelined,
            "jobOutcomes": self.job_outcomes,
        }

    @property
    def holds(self) -> bool:
        """Whether all fair shares are equal and the simulator has all that is certain."""
        return not self.fair_shares.differing and all(each.found == each.certain for each in self.categories.values())

    def dump(self) -> dict[str, Any]:
        """The JSON object, with every field: null says that something is unknown or does not apply."""
        return self.model_dump(mode="json", by_alias=True)
