"""How far two engines agree about an archive, element by element: whom each decision is about, and what it is.

The tool is not a function of its input, so it is measured by many runs: what is in all of them is *certain*, what is in
some of them is *possible*. A simulation should have everything that is certain, and nothing that is not possible.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from kai_snapshot.api.agreementdocument import (
    AgreementDocument,
    CategoryAgreement,
    Disagreement,
    FairShares,
    ShareDifference,
)
from kai_snapshot.api.decodedresult import DecodedResult
from kai_snapshot.api.result import QueueResult, ReplayedArchive, ReplayResult

Element = tuple[str, ...]
"""Whom it is about, and what."""
SAME_SHARE: Final = 0.001 + 1e-6
"""Shares that differ by no more are equal: the log has three decimals, cut off."""
_RESOURCES: Final[tuple[Literal["gpu", "cpu", "memory"], ...]] = ("gpu", "cpu", "memory")


class Category(StrEnum):
    """What is decided."""

    PLACEMENTS = "placements"
    EVICTIONS = "evictions"
    PIPELINED = "pipelined"
    JOB_OUTCOMES = "jobOutcomes"


_SAID: Final = {Category.EVICTIONS: "Evicted", Category.PIPELINED: "Pipelined"}
"""What is said of a pod where there is nothing else to say."""


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


def ensemble(results: Iterable[ReplayResult | DecodedResult]) -> Ensemble:
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
            (Category.JOB_OUTCOMES, frequencies.pod_groups),
        ):
            counts[category].update({(who, what): n for who, each in two.items() for what, n in each.items()})
        for category, one in ((Category.EVICTIONS, frequencies.evictions), (Category.PIPELINED, frequencies.pipelined)):
            counts[category].update({(who,): n for who, n in one.items()})
    return Ensemble(runs, counts)


def agreement(ours: Ensemble, theirs: Ensemble) -> dict[Category, Agreement]:
    """How far our ensemble, or run, agrees with theirs, by category."""
    return {category: _agreement(ours, theirs, category) for category in Category}


def overlap(ours: Ensemble, theirs: Ensemble, *, of: Collection[Category] = tuple(Category)) -> float:
    """What part of all that a run of ours and one of theirs have both have; the mean over all pairs, closely."""
    same = either = 0.0
    for category in of:
        mine, other = ours.counts[category], theirs.counts[category]
        both = sum(count * other.get(element, 0) for element, count in mine.items()) / (ours.runs * theirs.runs)
        same += both
        either += sum(mine.values()) / ours.runs + sum(other.values()) / theirs.runs - both
    return same / either if either else 1.0


def overlap_within(runs: Ensemble, *, of: Collection[Category] = tuple(Category)) -> float:
    """The same for two different runs of one ensemble; 1 for a single run."""
    if runs.runs < 2:
        return 1.0
    same = total = 0.0
    for category in of:
        counts = runs.counts[category].values()
        same += sum(count * (count - 1) for count in counts) / (runs.runs * (runs.runs - 1))
        total += sum(counts) / runs.runs
    either = 2 * total - same
    return same / either if either else 1.0


def document(
    ours: ReplayResult,
    theirs: Sequence[ReplayResult | DecodedResult],
    *,
    archive: ReplayedArchive,
    now: datetime,
    doubts: Iterable[str] = (),
) -> AgreementDocument:
    """A simulation beside the tool's results, for people and scripts. All succeeded, and are of one version."""
    mine, other = ensemble([ours]), ensemble(theirs)
    return AgreementDocument(
        archive=archive,
        now=now,
        simulator_version=ours.engine.version,
        simulator_runs=mine.runs,
        tool_version=next((each.engine.version for each in theirs if each.engine.version), ""),
        tool_runs=other.runs,
        fair_shares=_fair_shares(ours.queues, [each.queues for each in theirs]),
        placements=_beside(mine, other, Category.PLACEMENTS),
        evictions=_beside(mine, other, Category.EVICTIONS),
        pipelined=_beside(mine, other, Category.PIPELINED),
        job_outcomes=_beside(mine, other, Category.JOB_OUTCOMES),
        overlap=overlap(mine, other),
        tool_overlap=overlap_within(other) if other.runs > 1 else None,
        doubts=tuple(doubts),
        adaptations=ours.adaptations,
        unmodelled=ours.unmodelled,
        approximate=ours.approximate,
    )


def _beside(ours: Ensemble, theirs: Ensemble, category: Category) -> CategoryAgreement:
    found = _agreement(ours, theirs, category)
    return CategoryAgreement(
        certain=found.certain,
        found=found.found,
        own=found.own,
        possible=found.possible,
        overlap=overlap(ours, theirs, of=[category]),
        tool_overlap=overlap_within(theirs, of=[category]) if theirs.runs > 1 else None,
        disagreeing=tuple(_disagreeing(ours, theirs, category)),
    )


def _fair_shares(ours: Sequence[QueueResult], theirs: Iterable[Sequence[QueueResult]]) -> FairShares:
    """The shares in a result of ours, and in several of theirs, of which each should say the same."""
    mine = {queue.name: queue.resources for queue in ours}
    compared: dict[tuple[str, str], ShareDifference | None] = {}
    for queue in (queue for queues in theirs for queue in queues):
        for resource in _RESOURCES:
            share = getattr(queue.resources, resource).fair_share
            if share is None or compared.get((queue.name, resource)) is not None:
                continue
            own = getattr(mine[queue.name], resource).fair_share if queue.name in mine else None
            difference = ShareDifference(queue=queue.name, resource=resource, tool=share, simulator=own)
            equal = own is not None and abs(own - share) <= SAME_SHARE
            compared[queue.name, resource] = None if equal else difference
    return FairShares(compared=len(compared), differing=tuple(each for each in compared.values() if each is not None))


def _disagreeing(ours: Ensemble, theirs: Ensemble, category: Category) -> Iterator[Disagreement]:
    """First those about whom something is missing."""
    own, certain = _usual(ours, category), _certain(theirs, category)
    missing = {element[0] for element in certain - own}
    impossible = {element[0] for element in own - theirs.counts[category].keys()}
    mine, other = (_by_name(each.counts[category], _SAID.get(category, "")) for each in (ours, theirs))
    for name in (*sorted(missing), *sorted(impossible - missing)):
        yield Disagreement(name=name, tool=other.get(name, {}), simulator=mine.get(name, {}))


def _by_name(counts: Mapping[Element, int], said: str) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (name, *what), count in sorted(counts.items()):
        found.setdefault(name, {})[what[0] if what else said] = count
    return found


def _agreement(ours: Ensemble, theirs: Ensemble, category: Category) -> Agreement:
    own, certain = _usual(ours, category), _certain(theirs, category)
    return Agreement(len(certain), len(certain & own), len(own), len(own & theirs.counts[category].keys()))


def _usual(runs: Ensemble, category: Category) -> set[Element]:
    """What its run, or most of its runs, have."""
    return {element for element, count in runs.counts[category].items() if 2 * count > runs.runs}


def _certain(runs: Ensemble, category: Category) -> set[Element]:
    return {element for element, count in runs.counts[category].items() if count == runs.runs}


def _elements(result: ReplayResult | DecodedResult) -> dict[Category, set[Element]]:
    return {
        Category.PLACEMENTS: {(each.pod, each.node) for each in result.placements},
        Category.EVICTIONS: {(each.pod,) for each in result.evictions},
        Category.PIPELINED: {(each.pod,) for each in result.pipelined},
        Category.JOB_OUTCOMES: {(each.name, str(each.outcome)) for each in result.pod_groups},
    }
