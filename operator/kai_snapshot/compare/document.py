"""The versions of a replay of one archive, side by side."""

from collections.abc import Iterable, Mapping
from typing import Final

from kai_snapshot.api.comparisondocument import (
    BesideBaseline,
    BesidePrevious,
    ComparedVersion,
    ComparisonDocument,
    Differences,
)
from kai_snapshot.compare import chance
from kai_snapshot.compare.difference import KINDS, Kind, differences
from kai_snapshot.compare.elements import Elements
from kai_snapshot.compare.findings import Findings
from kai_snapshot.compare.times import action_timings, comparable, total_timing

_YES_OR_NO: Final = ("evictions", "pipelined")
"""Kinds with two values: it came, or not."""


def compare(baseline: Findings, versions: Iterable[Findings]) -> ComparisonDocument:
    """All `versions` beside the baseline, in their order; the baseline is among them, and known by its name.

    They are taken one by one: besides the baseline, two are held at a time.
    """
    compared = []
    archives: dict[str, None] = {}
    previous: Findings | None = None
    for each in versions:
        archives |= {each.archive.sha256: None} if each.archive is not None else {}
        compared.append(
            ComparedVersion(
                name=each.name,
                engine_version=each.engine.version,
                image=each.engine.image,
                node_name=each.node_name,
                outcome=each.outcome,
                message=each.message,
                runs=each.runs,
                distinct=each.distinct,
                total_ms=each.durations.total,
                baseline=_beside_baseline(baseline, each) if each.name != baseline.name else None,
                previous=_beside_previous(previous, each) if previous is not None and each.ran else None,
            )
        )
        previous = each if each.ran else previous
    return ComparisonDocument(
        archives=tuple(archives),
        baseline=baseline.name,
        first_different=next(
            (each.name for each in compared if each.previous is not None and each.previous.differs), None
        ),
        versions=tuple(compared),
    )


def _beside_baseline(baseline: Findings, version: Findings) -> BesideBaseline | None:
    if baseline.elements is None or version.elements is None:
        return None
    found = differences(baseline.elements, version.elements)
    complete = baseline.succeeded and version.succeeded
    return BesideBaseline(
        complete=complete,
        comparable=comparable(baseline, version),
        total=total_timing(baseline, version),
        actions=action_timings(baseline, version),
        expected_by_chance=_by_chance(found, baseline.elements, version.elements) if complete else None,
        **found,
    )


def _by_chance(found: Mapping[Kind, Differences], baseline: Elements, version: Elements) -> float | None:
    expected = chance.expected(
        sum(len(found[kind].varying) for kind in KINDS if kind not in _YES_OR_NO),
        yes_or_no=sum(len(found[kind].varying) for kind in _YES_OR_NO),
        runs=(baseline.runs, version.runs),
    )
    return round(expected, 4) if expected is not None else None


def _beside_previous(previous: Findings, version: Findings) -> BesidePrevious:
    """What two runs that were cut short do not have in common may only not have been reached: that is no difference."""
    changed = previous.outcome != version.outcome
    if not (previous.succeeded and version.succeeded):
        return BesidePrevious(name=previous.name, outcome_changed=changed)
    assert previous.elements is not None
    assert version.elements is not None
    found = differences(previous.elements, version.elements)
    return BesidePrevious(
        name=previous.name, outcome_changed=changed, **{kind: len(found[kind].differing) for kind in KINDS}
    )
