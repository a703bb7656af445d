"""How far two engines agree about an archive, element by element: whom each decision is about, and what it is.

The tool is not a function of its input, so it is measured by many runs: what is in all of them is *certain*, what is in
some of them is *possible*. A simulation should have everything that is certain, and nothing that is not possible.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from kai_snapshot.api.result import QueueResult, ReplayResult

Element = tuple[str, ...]
"""Whom it is about, and what."""


class Category(StrEnum):
    """What is decided."""

    PLACEMENTS = "placements"
    EVICTIONS = "evictions"
    PIPELINED = "pipelined"
    POD_GROUPS = "podGroups"


@dataclass(frozen=True, slots=True)
class Ensemble:
    """What came in how many of some runs."""

    runs: int
    counts: Mapping[Category, Mapping[Element, int]]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far one ensemble agrees with another, in one category."""

    certain: int
    """Elements in all runs of the other."""
    found: int
    """Of these, those that it has in its run, or in most of its runs."""
    own: int
    """What it has itself in its run, or in most of its runs."""
    possible: int
    """Of these, those that are in some run of the other."""

    def __add__(self, more: "Agreement") -> "Agreement":
        return Agreement(
            self.certain + more.certain, self.found + more.found, self.own + more.own, self.possible + more.possible
        )

    @property
    def recall(self) -> float:
        """The part of what is certain that it has; 1 if nothing is."""
        return self.found / self.certain if self.certain else 1.0

    @property
    def precision(self) -> float:
        """The part of what it has that is possible; 1 if it has nothing."""
        return self.possible / self.own if self.own else 1.0


def ensemble(results: Iterable[ReplayResult]) -> Ensemble:
    """What some results have; a result of repeated runs counts as so many."""
    counts: dict[Category, Counter[Element]] = {category: Counter() for category in Category}
    runs = 0
    for result in results:
        frequencies = result.runs.frequencies if result.runs is not None else None
        times = result.runs.count if result.runs is not None else 1
        runs += times
        if frequencies is None:
            for category, elements in _elements(result).items():
                for element in elements:
                    counts[category][element] += times
            continue
        for category, two in (
            (Category.PLACEMENTS, frequencies.placements),
            (Category.POD_GROUPS, frequencies.pod_groups),
        ):
            counts[category].update({(who, what): n for who, each in two.items() for what, n in each.items()})
        for category, one in ((Category.EVICTIONS, frequencies.evictions), (Category.PIPELINED, frequencies.pipelined)):
            counts[category].update({(who,): n for who, n in one.items()})
    return Ensemble(runs, counts)


def agreement(ours: Ensemble, theirs: Ensemble) -> dict[Category, Agreement]:
    """How far our ensemble, or run, agrees with theirs, by category."""
    return {category: _agreement(ours, theirs, category) for category in Category}


def overlap(ours: Ensemble, theirs: Ensemble) -> float:
    """What part of all that a run of ours and one of theirs have both have; the mean over all pairs, closely."""
    same = either = 0.0
    for category in Category:
        mine, other = ours.counts[category], theirs.counts[category]
        both = sum(count * other.get(element, 0) for element, count in mine.items()) / (ours.runs * theirs.runs)
        same += both
        either += sum(mine.values()) / ours.runs + sum(other.values()) / theirs.runs - both
    return same / either if either else 1.0


def overlap_within(runs: Ensemble) -> float:
    """The same for two different runs of one ensemble; 1 for a single run."""
    if runs.runs < 2:
        return 1.0
    same = total = 0.0
    for counts in runs.counts.values():
        same += sum(count * (count - 1) for count in counts.values()) / (runs.runs * (runs.runs - 1))
        total += sum(counts.values()) / runs.runs
    either = 2 * total - same
    return same / either if either else 1.0


def share_difference(ours: Sequence[QueueResult], theirs: Sequence[QueueResult]) -> float:
    """The largest difference of a queue's fair share, in GPUs; infinite if a queue is missing."""
    mine = {queue.name: queue.resources.gpu.fair_share for queue in ours}
    return max((_difference(mine.get(queue.name), queue.resources.gpu.fair_share) for queue in theirs), default=0.0)


def _difference(mine: float | None, other: float | None) -> float:
    return abs(mine - other) if mine is not None and other is not None else float("inf")


def _agreement(ours: Ensemble, theirs: Ensemble, category: Category) -> Agreement:
    own = {element for element, count in ours.counts[category].items() if 2 * count > ours.runs}
    certain = {element for element, count in theirs.counts[category].items() if count == theirs.runs}
    return Agreement(len(certain), len(certain & own), len(own), len(own & theirs.counts[category].keys()))


def _elements(result: ReplayResult) -> dict[Category, set[Element]]:
    return {
        Category.PLACEMENTS: {(each.pod, each.node) for each in result.placements},
        Category.EVICTIONS: {(each.pod,) for each in result.evictions},
        Category.PIPELINED: {(each.pod,) for each in result.pipelined},
        Category.POD_GROUPS: {(each.name, each.outcome.value) for each in result.pod_groups},
    }
