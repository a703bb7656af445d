"""The versions of a replay of many archives, side by side: quantiles, sums, and which archives are the worst.

Archives are added one by one; of each only small numbers are kept.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from kai_snapshot.api.backtestdocument import ActionQuantiles, BacktestDocument, BacktestedArchive, BacktestedVersion
from kai_snapshot.api.comparisondocument import ComparedVersion
from kai_snapshot.api.result import Outcome
from kai_snapshot.compare.archives import ArchivesBeside
from kai_snapshot.compare.document import compare
from kai_snapshot.compare.elements import Elements
from kai_snapshot.compare.findings import Findings
from kai_snapshot.compare.quantiles import quantiles
from kai_snapshot.errors import Reason

_NOTHING: Final = Elements(runs=1, placements={}, evictions={}, pipelined={}, job_outcomes={})


class Backtest:
    """Many archives, added one by one."""

    def __init__(self, versions: Sequence[str], baseline: str) -> None:
        """`versions`: their names in the order of the spec, the baseline's among them."""
        self._baseline = baseline
        self._versions = {name: _Version(name, baseline) for name in versions}
        self._archives: list[BacktestedArchive] = []

    def add(self, archive: str, baseline: Findings, versions: Iterable[Findings]) -> None:
        """What became of one archive: at the baseline, and at all versions in their order, taken one by one."""
        passed: list[Findings] = []
        document = compare(baseline, _noted(versions, passed))
        for version, found in zip(document.versions, passed, strict=True):
            self._versions[version.name].add(archive, version, found, baseline)
        self._archives.append(
            BacktestedArchive(
                id=archive,
                outcomes={version.name: version.outcome for version in document.versions},
                total_ms={each.name: each.total_ms for each in document.versions if each.total_ms is not None},
                differing={
                    version.name: version.baseline.differing
                    for version in document.versions
                    if version.baseline is not None and version.baseline.complete
                },
            )
        )

    def finish(self) -> BacktestDocument:
        """All that was added."""
        versions = tuple(version.finish() for version in self._versions.values())
        return BacktestDocument(
            baseline=self._baseline,
            first_different=next((version.name for version in versions if version.differs_from_previous), None),
            versions=versions,
            archives=tuple(self._archives),
        )


def _noted(versions: Iterable[Findings], passed: list[Findings]) -> Iterator[Findings]:
    """Each of them, and a note of it without what it decided, which is large."""
    for each in versions:
        passed.append(replace(each, elements=_NOTHING if each.elements is not None else None))
        yield each


class _Version:
    """What is kept of a version."""

    def __init__(self, name: str, baseline: str) -> None:
        self.name = name
        self.outcomes: Counter[str] = Counter()
        self.totals: list[int] = []
        self.actions: dict[str, list[int]] = defaultdict(list)
        self.differs_from_previous = 0
        self.beside = ArchivesBeside(baseline, name) if name != baseline else None

    def add(self, archive: str, version: ComparedVersion, findings: Findings, baseline: Findings) -> None:
        self.outcomes[version.outcome] += 1
        self.differs_from_previous += version.previous is not None and version.previous.differs
        if findings.succeeded:
            self.totals += [findings.durations.total] if findings.durations.total is not None else []
            for action, ms in findings.durations.actions.items():
                self.actions[action].append(ms)
        if self.beside is not None:
            self.beside.add(archive, version.baseline, findings, baseline)

    def finish(self) -> BacktestedVersion:
        archives, succeeded = self.outcomes.total(), self.outcomes[Outcome.SUCCEEDED]
        lost = self.outcomes[Reason.RESULT_LOST]
        return BacktestedVersion(
            name=self.name,
            archives=archives,
            succeeded=succeeded,
            failed=archives - succeeded - lost,
            lost=lost,
            total=quantiles(self.totals),
            actions=tuple(
                ActionQuantiles(name=action, **found.model_dump())
                for action, times in self.actions.items()
                if (found := quantiles(times)) is not None
            ),
            differs_from_previous=self.differs_from_previous,
            baseline=self.beside.finish() if self.beside is not None else None,
        )
