"""How far the search for victims may go.

KAI ends it by the clock. Here steps are counted instead, so that a result is the same on every machine.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from kai_snapshot.simulator.duration import duration

STEPS_PER_SECOND = 1000
"""A step is a job that joins the victims, a set of them that is tried, or a pod of such a set.

snapshot-tool takes some hundred in a second on a few hundred nodes, and fewer on more: KAI ends no search later.
"""
OWN = {
    "maxActionSearchDuration": timedelta(minutes=5),
    "maxJobSearchDuration": timedelta(minutes=4),
    "maxGeneratorSearchDuration": timedelta(minutes=2),
    "NodeLocalGreedy": timedelta(seconds=30),
}
"""KAI's own limits, by what its configuration calls them."""
_DEFAULT = "default"
_JOB, _LEAST = "maxJobSearchDuration", "minJobSearchDuration"
_GENERATORS = {"sg-nodelocalgreedy": "NodeLocalGreedy", "sg-multinodegang": "MultiNodeGang"}
"""By plugin, what the configuration calls it."""
_NONE = timedelta(0)


class Budget:
    """Steps that are left; of another budget, whose steps they are too."""

    __slots__ = ("_of", "left", "spent")

    def __init__(self, steps: float, of: "Budget | None" = None) -> None:
        self.left = steps
        self.spent = 0
        self._of = of

    def spend(self, steps: int) -> None:
        """So many are taken."""
        self.left -= steps
        self.spent += steps
        if self._of is not None:
            self._of.spend(steps)

    @property
    def over(self) -> bool:
        """Whether none is left."""
        return self.left <= 0 or (self._of is not None and self._of.over)


@dataclass(frozen=True, slots=True)
class Limits:
    """`scenarioSearchBudgets` of the scheduler's configuration, in steps."""

    actions: Mapping[str, float]
    job: float
    least: float
    """For a job, whatever is left of the action's."""
    generators: Mapping[str, float]
    """By plugin."""
    fault: str = ""
    """Why the scheduler takes none of them, in its words: then the three actions that search do nothing."""
    unknown: str = ""
    """A way to search that is limited, and that there is not: then the scheduler opens no session."""

    def of_action(self, name: str) -> Budget:
        """For all jobs that an action tries."""
        return Budget(self.actions.get(name, self.actions[_DEFAULT]))

    def of_job(self, action: Budget) -> Budget:
        """For one of them. What it spends is to be taken off the action's."""
        return Budget(max(min(action.left, self.job), self.least))

    def of_generator(self, plugin: str, job: Budget) -> Budget:
        """For one way to search, of the job's."""
        return Budget(self.generators[plugin], job)


def limits(budgets: Mapping[str, Any]) -> Limits:
    """Those of the configuration; KAI's own where it says nothing, or no duration. Zero is no limit."""
    actions = _by_name(budgets.get("maxActionSearchDuration"))
    generators = _by_name(budgets.get("maxGeneratorSearchDuration"))
    action, generator = OWN["maxActionSearchDuration"], OWN["maxGeneratorSearchDuration"]
    return Limits(
        actions={name: _steps(limit) for name, limit in ({_DEFAULT: action} | actions).items()},
        job=_steps(_own(budgets.get(_JOB), OWN[_JOB])),
        least=_own(budgets.get(_LEAST), _NONE).total_seconds() * STEPS_PER_SECOND,
        generators={
            plugin: _steps(generators.get(name, generators.get(_DEFAULT, OWN.get(name, generator))))
            for plugin, name in _GENERATORS.items()
        },
        fault=next(_faults(budgets), ""),
        unknown=next((name for name in generators if name not in (_DEFAULT, *_GENERATORS.values())), ""),
    )


def _faults(budgets: Mapping[str, Any]) -> Iterator[str]:
    """In the order in which KAI's NewActionSearchBudget looks, which stops at the first."""
    job, least = _own(budgets.get(_JOB), OWN[_JOB]), _own(budgets.get(_LEAST), _NONE)
    first = {**_named("maxActionSearchDuration", budgets), _JOB: job, _LEAST: least}
    yield from (f"{name} must be non-negative" for name, limit in first.items() if limit < _NONE)
    if job and least >= job:
        yield f"{_LEAST} must be less than {_JOB}"
    generators = _named("maxGeneratorSearchDuration", budgets)
    yield from (f"{name} must be non-negative" for name, limit in generators.items() if limit < _NONE)


def _named(of: str, budgets: Mapping[str, Any]) -> dict[str, timedelta]:
    return {f'{of}["{name}"]': limit for name, limit in _by_name(budgets.get(of)).items()}


def _by_name(said: object) -> dict[str, timedelta]:
    if not isinstance(said, Mapping):
        return {}
    return {name: found for name, text in said.items() if (found := duration(text)) is not None}


def _own(said: object, own: timedelta) -> timedelta:
    found = duration(said)
    return own if found is None else found


def _steps(limit: timedelta) -> float:
    return limit.total_seconds() * STEPS_PER_SECOND or float("inf")
