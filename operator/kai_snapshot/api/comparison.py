"""What a status says of how versions differ. The documents with everything by name lie in the storage."""

from pydantic import Field

from kai_snapshot.api.base import ApiModel


class ElementCounts(ApiModel):
    """How many elements are not as in the baseline."""

    differing: int = 0
    """True differences: in all runs of one version and in none of the other."""
    varying: int = 0
    """What varies between runs of one version, and so is no finding."""


class ActionSlowdown(ApiModel):
    """The time of an action beside the baseline's."""

    name: str
    """allocate, consolidation, reclaim, preempt, stalegangeviction, ..."""
    slowdown_percent: int
    """41: 1.41 times the baseline's time; negative: faster. Only given beyond the noise."""


class VersionComparison(ApiModel):
    """A version beside the baseline."""

    name: str
    """The version's name in the spec."""
    complete: bool = True
    """Whether both came to their end, with every archive: else what is missing in one may not have been reached."""
    comparable: bool = True
    """Whether the times may be compared: both succeeded, on the same node. With many archives: for half of them."""
    total_slowdown_percent: int | None = None
    """Of the whole cycle, or of all archives' cycles together; only given beyond the noise. Between versions up to
    v0.14.0 and later ones it is that of all actions: the tool came to count the loading of the archive."""
    actions: tuple[ActionSlowdown, ...] = ()
    """Actions whose time differs beyond the noise."""
    placements: ElementCounts = ElementCounts()
    """Pods bound elsewhere, or only in one of the two."""
    evictions: ElementCounts = ElementCounts()
    """Pods evicted in one of the two only."""
    pipelined: ElementCounts = ElementCounts()
    """Pods that wait for a place in one of the two only."""
    job_outcomes: ElementCounts = ElementCounts()
    """Jobs with another outcome."""
    expected_by_chance: float | None = None
    """How many of all differing elements chance alone may give, an upper estimate; more repetitions make it small. Not
    given where it cannot be told: after single runs, or runs that did not come to their end."""
    examples: tuple[str, ...] = Field(default=(), max_length=3)
    """Some of the differences; all of them are in the document."""
    changed_archives: int | None = None
    """With many archives: in how many of them something differs. The counts above are sums over all archives."""
    worst_archives: tuple[str, ...] = Field(default=(), max_length=3)
    """With many archives: the ids of those that differ most, or are slowed down most."""


class ReplayComparison(ApiModel):
    """The versions of a replay side by side."""

    baseline: str
    """The version all others are compared with."""
    first_different: str | None = None
    """The first version, in the order of the spec, that differs from the one before it."""
    uri: str | None = None
    """The document with everything by name."""
    versions: tuple[VersionComparison, ...] = ()
    """All but the baseline, in the order of the spec."""
