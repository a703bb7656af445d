"""How versions differ over many archives: `comparison.json` in the storage."""

from typing import Any, Literal

from kai_snapshot.api.base import ApiModel
from kai_snapshot.api.comparison import ElementCounts
from kai_snapshot.api.comparisondocument import ActionTiming, TotalTiming


class Quantiles(ApiModel):
    """How long something took with the archives that succeeded, in milliseconds: the median of each one's runs."""

    p50_ms: int
    """Half of them took no longer."""
    p90_ms: int
    """Nine of ten."""
    p99_ms: int
    """99 of a hundred."""
    max_ms: int
    """The longest."""


class ActionQuantiles(Quantiles):
    """How long an action took."""

    name: str
    """allocate, consolidation, reclaim, preempt, stalegangeviction, ..."""


class WorstArchive(ApiModel):
    """An archive with which a version differs much from the baseline."""

    id: str
    """The archive's id."""
    outcome_changed: bool = False
    """Whether one succeeded and the other did not, or failed in another way."""
    differing: int = 0
    """Differing elements of all kinds, if both succeeded."""
    slowdown_percent: int | None = None
    """Of the whole cycle; null within the noise, or if it cannot be told."""
    example: str = ""
    """Its outcomes, or one of the differences."""


class ArchivesBesideBaseline(ApiModel):
    """A version beside the baseline, over all archives."""

    complete: int = 0
    """Archives with which both succeeded: what differs is counted in these."""
    comparable: int = 0
    """Archives whose times may be compared."""
    total: TotalTiming
    """All cycles together, of the archives whose times may be compared. The noise of a sum is the root of the sum of
    squares: what slows one archive down by chance does not slow down all."""
    actions: tuple[ActionTiming, ...] = ()
    """The same for each action."""
    placements: ElementCounts = ElementCounts()
    """Sums over all archives; so below."""
    evictions: ElementCounts = ElementCounts()
    pipelined: ElementCounts = ElementCounts()
    job_outcomes: ElementCounts = ElementCounts()
    expected_by_chance: float | None = None
    """How many of the differing elements chance alone may give, an upper estimate. null: cannot be told, for there is
    an archive that was run only once."""
    changed: tuple[str, ...] = ()
    """Ids of the archives in which an element or the outcome differs."""
    worst: tuple[WorstArchive, ...] = ()
    """Those that differ most: another outcome, then the most elements, then the largest slow-down. At most 20."""


class BacktestedVersion(ApiModel):
    """One version, over all archives."""

    name: str
    """Its name in the replay."""
    archives: int
    """All of them."""
    succeeded: int
    """Those with the outcome Succeeded."""
    failed: int
    """Those with another outcome."""
    lost: int
    """Those without a result."""
    total: Quantiles | None = None
    """The whole cycle, as the tool measured it; null if none succeeded."""
    actions: tuple[ActionQuantiles, ...] = ()
    """Every action."""
    differs_from_previous: int = 0
    """Archives with which it differs from the version before it."""
    baseline: ArchivesBesideBaseline | None = None
    """Beside the baseline; null for the baseline itself."""


class BacktestedArchive(ApiModel):
    """One archive, at all versions."""

    id: str
    """The capture run's id, or the key's file name."""
    outcomes: dict[str, str]
    """By version; ResultLost where there is no result."""
    total_ms: dict[str, int]
    """By version, as far as known."""
    differing: dict[str, int]
    """Elements of all kinds that differ from the baseline, by version; only where both succeeded."""


class BacktestDocument(ApiModel):
    """The versions of a replay of many archives side by side."""

    schema_version: Literal["kai-snapshot.io/backtest-comparison/v1"] = "kai-snapshot.io/backtest-comparison/v1"
    """The version of this document."""
    baseline: str
    """The version all others are compared with."""
    first_different: str | None = None
    """The first version, in the order given, that differs from the one before it with any archive."""
    versions: tuple[BacktestedVersion, ...]
    """All of them, in the order given."""
    archives: tuple[BacktestedArchive, ...]
    """All of them, in the order given. `comparison.json` of one archive is what `compare` prints for its results."""

    def dump(self) -> dict[str, Any]:
        """The JSON object, with every field: null says that something is unknown or does not apply."""
        return self.model_dump(mode="json", by_alias=True)
