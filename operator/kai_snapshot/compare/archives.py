"""A version beside the baseline over many archives: sums, and which archives differ most."""

import math
from collections import defaultdict
from typing import Final

from kai_snapshot.api.backtestdocument import ArchivesBesideBaseline, WorstArchive
from kai_snapshot.api.comparison import ElementCounts
from kai_snapshot.api.comparisondocument import ActionTiming, BesideBaseline, Timing, TotalTiming
from kai_snapshot.compare.difference import KINDS
from kai_snapshot.compare.examples import examples
from kai_snapshot.compare.findings import Findings
from kai_snapshot.compare.times import slowdown

WORST: Final = 20


class ArchivesBeside:
    """What is kept of a version beside the baseline: archives are added one by one."""

    def __init__(self, baseline: str, name: str) -> None:
        self.names = baseline, name
        self.complete = self.comparable = 0
        self.total = _Sum()
        self.of_actions = False
        self.actions: dict[str, _Sum] = defaultdict(_Sum)
        self.counts = {kind: [0, 0] for kind in KINDS}
        self.by_chance: float | None = 0
        self.changed: list[str] = []
        self.worst: list[WorstArchive] = []

    def add(self, archive: str, beside: BesideBaseline | None, version: Findings, baseline: Findings) -> None:
        """One archive; `beside` is None where either has no result."""
        changed = version.ran and baseline.ran and version.outcome != baseline.outcome
        found = WorstArchive(
            id=archive,
            outcome_changed=changed,
            example=f"{baseline.outcome} -> {version.outcome}" if changed else "",
        )
        if beside is not None and beside.complete:
            self._count(beside)
            self._time(beside)
            found = WorstArchive(
                id=archive,
                differing=beside.differing,
                slowdown_percent=slowdown(beside.total),
                example=next(iter(examples(beside, *self.names)), ""),
            )
        if found.outcome_changed or found.differing:
            self.changed.append(archive)
        if found.outcome_changed or found.differing or (found.slowdown_percent or 0) > 0:
            self.worst = sorted([*self.worst, found], key=_badness)[:WORST]

    def _count(self, beside: BesideBaseline) -> None:
        self.complete += 1
        for kind, sums in self.counts.items():
            found = getattr(beside, kind)
            sums[0] += len(found.differing)
            sums[1] += len(found.varying)
        if self.by_chance is not None:
            told = beside.expected_by_chance
            self.by_chance = self.by_chance + told if told is not None else None

    def _time(self, beside: BesideBaseline) -> None:
        if not beside.comparable:
            return
        self.comparable += 1
        self.total.add(beside.total)
        self.of_actions |= beside.total.of == "Actions"
        for action in beside.actions:
            self.actions[action.name].add(action)

    def finish(self) -> ArchivesBesideBaseline:
        """All that was added."""
        return ArchivesBesideBaseline(
            complete=self.complete,
            comparable=self.comparable,
            total=TotalTiming(of="Actions" if self.of_actions else "Cycle", **self.total.timing().model_dump()),
            actions=tuple(
                ActionTiming(name=name, **summed.timing().model_dump()) for name, summed in self.actions.items()
            ),
            expected_by_chance=round(self.by_chance, 4) if self.by_chance is not None and self.complete else None,
            changed=tuple(self.changed),
            worst=tuple(self.worst),
            **{kind: ElementCounts(differing=sums[0], varying=sums[1]) for kind, sums in self.counts.items()},
        )


def _badness(archive: WorstArchive) -> tuple[bool, int, int, str]:
    return not archive.outcome_changed, -archive.differing, -(archive.slowdown_percent or 0), archive.id


class _Sum:
    """Times of the same thing, of many archives."""

    def __init__(self) -> None:
        self.before = self.after = self.squares = 0
        self.any = False

    def add(self, timing: Timing) -> None:
        if timing.baseline_ms is None or timing.ms is None:
            return
        self.before += timing.baseline_ms
        self.after += timing.ms
        self.squares += timing.noise_ms**2
        self.any = True

    def timing(self) -> Timing:
        noise = math.ceil(math.sqrt(self.squares))
        if not self.any:
            return Timing(baseline_ms=None, ms=None, noise_ms=noise)
        return Timing(
            baseline_ms=self.before,
            ms=self.after,
            ratio=round(max(self.after, 1) / max(self.before, 1), 3),
            noise_ms=noise,
            beyond_noise=abs(self.after - self.before) > noise,
        )
