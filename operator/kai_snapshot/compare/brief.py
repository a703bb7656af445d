"""The short form of a comparison, for the status."""

import math
from typing import Final

from kai_snapshot.api.backtestdocument import ArchivesBesideBaseline, BacktestDocument, BacktestedVersion
from kai_snapshot.api.comparison import ActionSlowdown, ElementCounts, ReplayComparison, VersionComparison
from kai_snapshot.api.comparisondocument import BesideBaseline, ComparedVersion, ComparisonDocument, Differences
from kai_snapshot.compare.difference import KINDS
from kai_snapshot.compare.examples import examples
from kai_snapshot.compare.times import slowdown

_WORST: Final = 3


def brief(document: ComparisonDocument | BacktestDocument) -> ReplayComparison:
    """The short form: counts, what is beyond the noise, a few examples. The caller adds the document's URI."""
    if isinstance(document, BacktestDocument):
        versions = [_of_many(each) for each in document.versions if each.baseline is not None]
    else:
        versions = [_of_one(each, document.baseline) for each in document.versions if each.name != document.baseline]
    return ReplayComparison(
        baseline=document.baseline, first_different=document.first_different, versions=tuple(versions)
    )


def _of_one(version: ComparedVersion, baseline: str) -> VersionComparison:
    beside = version.baseline
    if beside is None:
        return VersionComparison(name=version.name, complete=False, comparable=False)
    return VersionComparison(
        name=version.name,
        complete=beside.complete,
        comparable=beside.comparable,
        total_slowdown_percent=slowdown(beside.total),
        actions=_actions(beside),
        expected_by_chance=_rounded_up(beside.expected_by_chance),
        examples=examples(beside, baseline, version.name),
        **{kind: _counts(getattr(beside, kind)) for kind in KINDS},
    )


def _of_many(version: BacktestedVersion) -> VersionComparison:
    beside = version.baseline
    assert beside is not None
    return VersionComparison(
        name=version.name,
        complete=beside.complete == version.archives,
        comparable=2 * beside.comparable >= version.archives,
        total_slowdown_percent=slowdown(beside.total),
        actions=_actions(beside),
        expected_by_chance=_rounded_up(beside.expected_by_chance),
        examples=tuple(f"{worst.id}: {worst.example}" for worst in beside.worst if worst.example)[:_WORST],
        changed_archives=len(beside.changed),
        worst_archives=tuple(worst.id for worst in beside.worst[:_WORST]),
        **{kind: getattr(beside, kind) for kind in KINDS},
    )


def _actions(beside: BesideBaseline | ArchivesBesideBaseline) -> tuple[ActionSlowdown, ...]:
    return tuple(
        ActionSlowdown(name=action.name, slowdown_percent=percent)
        for action in beside.actions
        if (percent := slowdown(action)) is not None
    )


def _counts(found: Differences) -> ElementCounts:
    return ElementCounts(differing=len(found.differing), varying=len(found.varying))


def _rounded_up(expected: float | None) -> float | None:
    """Two decimals: what is said to be expected is never less than it is."""
    return None if expected is None else math.ceil(expected * 100) / 100
