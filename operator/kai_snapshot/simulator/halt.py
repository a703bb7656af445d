"""What keeps the scheduler from running any action."""

from collections.abc import Collection
from dataclasses import dataclass

from kai_snapshot.api.result import Outcome
from kai_snapshot.simulator.model import Settings


@dataclass(frozen=True, slots=True)
class Halt:
    """Why it runs none."""

    outcome: Outcome
    """Of snapshot-tool."""
    message: str
    of_jobs: str
    """The same, of a job that waits."""


def halt(settings: Settings, actions: Collection[str]) -> Halt | None:
    """None if all that is configured runs; `actions` are those that there are."""
    if key := settings.search.unknown:
        return Halt(
            Outcome.FAILED,
            f'The scheduler opens no session, and so runs no action: unknown scenario generator budget key "{key}".',
            f"The configuration limits a way to search that there is not (scenarioSearchBudgets, {key}), and so the "
            "scheduler runs no action.",
        )
    if unknown := next((name for name in settings.actions if name not in actions), ""):
        return Halt(
            Outcome.INCOMPLETE,
            f"There is no action `{unknown}`, and so the scheduler runs none.",
            f"The configuration names an action {unknown}, which there is not, and so the scheduler runs none.",
        )
    return None
