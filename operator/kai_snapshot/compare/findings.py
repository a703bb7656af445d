"""What one version made of one archive, in the form that comparing needs: small facts, times, and elements."""

from dataclasses import dataclass, field

from kai_snapshot.api.decodedresult import DecodedResult
from kai_snapshot.api.result import Durations, Engine, Outcome, ReplayedArchive, ReplayResult
from kai_snapshot.compare.elements import Elements, elements


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """One version's."""

    name: str
    """The version's name in the replay."""
    outcome: str
    """An `Outcome`, or ResultLost."""
    message: str = ""
    engine: Engine = field(default_factory=Engine)
    archive: ReplayedArchive | None = None
    """None if unknown."""
    node_name: str = ""
    """Empty if unknown."""
    runs: int = 0
    """Runs there were."""
    distinct: int | None = None
    durations: Durations = field(default_factory=Durations)
    """Medians."""
    each_run: tuple[Durations, ...] = ()
    """Of the runs that succeeded, if there were several."""
    elements: Elements | None = None
    """None if there is no result, or nothing ran."""

    @property
    def succeeded(self) -> bool:
        """Whether every run came to its end: else elements and times are those of one run, up to where it ended."""
        return self.outcome == Outcome.SUCCEEDED and self.elements is not None

    @property
    def ran(self) -> bool:
        """Whether the outcome says something about the version, and not about images, Jobs, or the storage."""
        return self.elements is not None or self.outcome in (Outcome.DEADLINE_EXCEEDED, Outcome.OOM_KILLED)


def findings(result: DecodedResult | ReplayResult, *, name: str) -> Findings:
    """Of a result, which can be large and is not kept; `name` is the version's in the replay."""
    succeeded, runs = result.outcome is Outcome.SUCCEEDED, result.runs
    return Findings(
        name=name,
        outcome=result.outcome,
        message=result.message,
        engine=result.engine,
        archive=result.archive,
        node_name=result.node_name,
        runs=0 if not result.ran else runs.count if runs is not None else 1,
        distinct=runs.distinct if runs is not None else None,
        durations=result.durations_ms,
        each_run=runs.durations_ms if runs is not None and succeeded else (),
        elements=elements(result, repeated=succeeded) if result.ran else None,
    )
