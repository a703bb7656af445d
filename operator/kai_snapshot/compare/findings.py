"""What one version made of one archive, in the form that comparing needs: small facts, times, and elements."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from kai_snapshot.api.result import Durations, Engine, Outcome, Runs
from kai_snapshot.compare.elements import Elements, elements
from kai_snapshot.errors import Reason, TerminalError


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """One version's."""

    name: str
    """The version's name in the replay."""
    outcome: str
    """An `Outcome`, or ResultLost."""
    message: str = ""
    engine: Engine = field(default_factory=Engine)
    node_name: str = ""
    """Empty if unknown."""
    distinct: int | None = None
    durations: Durations = field(default_factory=Durations)
    """Medians."""
    each_run: tuple[Durations, ...] = ()
    """Of the runs that succeeded, if there were several."""
    elements: Elements | None = None
    """None if there is no result."""

    @property
    def succeeded(self) -> bool:
        """Whether every run came to its end: else elements and times are those of one run, up to where it ended."""
        return self.outcome == Outcome.SUCCEEDED and self.elements is not None

    @property
    def ran(self) -> bool:
        """Whether the outcome says something about the version, and not about images, Jobs, or the storage."""
        return self.elements is not None or self.outcome in (Outcome.DEADLINE_EXCEEDED, Outcome.OOM_KILLED)


def findings(document: Mapping[str, Any], *, name: str, where: str) -> Findings:
    """Of a ReplayResult as its JSON object, which can be large and is not kept.

    `name`: the version's in the replay; `where`: the document's place, for messages.
    Raises TerminalError(InvalidResult).
    """
    try:
        outcome = Outcome(document["outcome"])
        runs = _runs(document)
        succeeded = outcome is Outcome.SUCCEEDED
        return Findings(
            name=name,
            outcome=outcome,
            message=document.get("message", ""),
            engine=Engine.model_validate(document["engine"]),
            node_name=document.get("nodeName") or "",
            distinct=runs.distinct if runs is not None else None,
            durations=Durations.model_validate(document["durationsMs"]),
            each_run=runs.durations_ms if runs is not None and succeeded else (),
            elements=None
            if outcome is Outcome.IMAGE_PULL_FAILED
            else elements(document, runs=runs.count if runs is not None and succeeded else 1, repeated=succeeded),
        )
    except (ValidationError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise TerminalError(
            Reason.INVALID_RESULT,
            f"{where} is not a replay result of this release: it was damaged, or written by another release. "
            "Replay again.",
        ) from error


def _runs(document: Mapping[str, Any]) -> Runs | None:
    """Without the frequencies, which can be large."""
    runs = document.get("runs")
    return None if runs is None else Runs.model_validate({**runs, "frequencies": None})
