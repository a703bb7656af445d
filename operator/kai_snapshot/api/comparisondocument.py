"""How versions differ on one archive, everything by name: `comparison.json` in the storage; `compare` prints it."""

from typing import Any, Literal

from kai_snapshot.api.base import ApiModel


class Difference(ApiModel):
    """A pod or job that is not as in the baseline: what came of it in how many runs, at either version.

    The values are nodes for a placement, `Evicted`, `Pipelined`, and outcomes for a job. Runs that are missing from the
    sum are those in which nothing came of it: not bound, not evicted, not pipelined, not tried.
    """

    name: str
    """namespace/name of the pod or job."""
    baseline: dict[str, int]
    """Runs of the baseline by value."""
    version: dict[str, int]
    """Runs of the version by value."""


class Differences(ApiModel):
    """What is not the same in all runs of both versions."""

    differing: tuple[Difference, ...] = ()
    """True differences: one version always gives what the other never does. By name."""
    varying: tuple[str, ...] = ()
    """Names of what varies between the runs of one version, and so is no finding."""


class Timing(ApiModel):
    """How long the same thing took at both versions."""

    baseline_ms: int | None
    """At the baseline: the median of its runs. null if it did not run to its end."""
    ms: int | None
    """At the version."""
    ratio: float | None = None
    """1.41: took 1.41 times as long. Times below a millisecond count as one. null if they may not be compared."""
    noise_ms: int
    """What times differ by without a reason: 20 ms, or what the runs of one version differ by if that is more; 200 ms
    if either ran only once."""
    beyond_noise: bool = False
    """Whether they may be compared and differ by more than that."""


class TotalTiming(Timing):
    """How long the whole cycle took at both versions."""

    of: Literal["Cycle", "Actions"] = "Cycle"
    """Cycle: all that the tool measures. Actions: their sum, for between v0.14.0 and v0.14.1 the tool's total came to
    begin at loading the archive, so that totals from either side do not compare."""


class ActionTiming(Timing):
    """How long an action took at both versions."""

    name: str
    """allocate, consolidation, reclaim, preempt, stalegangeviction, ..."""


class BesideBaseline(ApiModel):
    """A version beside the baseline."""

    complete: bool
    """Whether both succeeded: else what is missing in one may only not have been reached."""
    comparable: bool
    """Whether the times may be compared: both succeeded, on the same node as far as that is known."""
    total: TotalTiming
    """The whole cycle."""
    actions: tuple[ActionTiming, ...] = ()
    """Every action that either ran, in the baseline's order."""
    placements: Differences = Differences()
    """Pods bound to another node, or only in one of the two. GPU groups have random names and are not compared."""
    evictions: Differences = Differences()
    """Pods evicted in one of the two only."""
    pipelined: Differences = Differences()
    """Pods that wait for a place in one of the two only."""
    job_outcomes: Differences = Differences()
    """Jobs with another outcome, or tried in one of the two only."""
    expected_by_chance: float | None = None
    """How many of the differing elements chance alone may give, an upper estimate from what varies and the numbers of
    runs. null: cannot be told, for one of the versions ran only once, or not to its end."""

    @property
    def kinds(self) -> dict[str, Differences]:
        """What does not have to do with time, by the field's name in JSON."""
        return {
            "placements": self.placements,
            "evictions": self.evictions,
            "pipelined": self.pipelined,
            "jobOutcomes": self.job_outcomes,
        }

    @property
    def differing(self) -> int:
        """Differing elements of all kinds."""
        return sum(len(each.differing) for each in self.kinds.values())


class BesidePrevious(ApiModel):
    """A version beside the one before it in the order given, of those that ran: what this version brought."""

    name: str
    """The version before it."""
    outcome_changed: bool = False
    """Whether one succeeded and the other did not, or failed in another way."""
    placements: int = 0
    """Differing placements, if both succeeded; so below."""
    evictions: int = 0
    """Differing evictions."""
    pipelined: int = 0
    """Differing pipelined pods."""
    job_outcomes: int = 0
    """Differing job outcomes."""

    @property
    def differs(self) -> bool:
        """Whether this version brought anything."""
        return self.outcome_changed or any((self.placements, self.evictions, self.pipelined, self.job_outcomes))


class ComparedVersion(ApiModel):
    """One version."""

    name: str
    """Its name in the replay."""
    engine_version: str = ""
    """The scheduler's version; empty if unknown."""
    image: str | None = None
    """The tool's image."""
    node_name: str = ""
    """The node it ran on; empty if unknown."""
    outcome: str
    """Succeeded, Panicked, ..., or ResultLost."""
    message: str = ""
    """Why it is not Succeeded."""
    runs: int = 0
    """Runs there were; 0: nothing ran, or there is no result. If not all succeeded, the one that the result shows is
    compared."""
    distinct: int | None = None
    """Different results among those that succeeded; null if it was not repeated."""
    total_ms: int | None = None
    """What the cycle took, as the tool measured it: the median."""
    baseline: BesideBaseline | None = None
    """Beside the baseline; null for the baseline itself, and where either has no result."""
    previous: BesidePrevious | None = None
    """Beside the version before it; null for the first."""


class ComparisonDocument(ApiModel):
    """The versions of a replay side by side."""

    schema_version: Literal["kai-snapshot.io/replay-comparison/v1"] = "kai-snapshot.io/replay-comparison/v1"
    """The version of this document."""
    archives: tuple[str, ...] = ()
    """SHA-256 of the archives that the results are of, as captured. More than one: they tell nothing of versions. Empty
    if unknown."""
    baseline: str
    """The version all others are compared with."""
    first_different: str | None = None
    """The first version, in the order given, that differs from the one before it."""
    versions: tuple[ComparedVersion, ...]
    """All of them, in the order given."""

    def dump(self) -> dict[str, Any]:
        """The JSON object, with every field: null says that something is unknown or does not apply."""
        return self.model_dump(mode="json", by_alias=True)
