"""What is known of a replay besides the object itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kai_snapshot import compatibility
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.snapshotreplay import ResolvedSource
from kai_snapshot.jobs.read import JobFacts
from kai_snapshot.reconcile import backtest, version
from kai_snapshot.reconcile.verdict import Compared


@dataclass(frozen=True)
class Waiting:
    """The source cannot be resolved yet."""

    problem: Problem


@dataclass(frozen=True)
class Refused:
    """The source cannot be resolved, and will not be."""

    problem: Problem


@dataclass(frozen=True)
class Found:
    """The source, and what is known of its content."""

    source: ResolvedSource
    facts: tuple[compatibility.SnapshotFacts, ...]
    """Of the archive; of many, of the newest one by each version of the scheduler."""


Resolution = Found | Waiting | Refused | None


@dataclass(frozen=True)
class Observed:
    """What is known besides the object."""

    resolution: Resolution = None
    """While nothing is pinned yet."""
    results: Mapping[int, version.StoredResult] = field(default_factory=dict)
    """By the version's index; only of versions whose outcome is not in the status yet."""
    collected: Mapping[int, backtest.Collected] = field(default_factory=dict)
    """The same with many archives."""
    jobs: Mapping[tuple[int, int], JobFacts] = field(default_factory=dict)
    """By the version's index and the attempt."""
    refused: Mapping[int, Problem] = field(default_factory=dict)
    """Versions that can have no Job, or whose result cannot be read, by index."""
    storage_problem: Problem | None = None
    """Why it is not known at present which results there are."""
    archive_gone: bool = False
    """The archive that was pinned is not there any more, and nothing has been started yet."""
    compared: Compared = None
    """Once all versions are over."""
