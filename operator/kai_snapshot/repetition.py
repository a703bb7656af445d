"""One result of repeated runs of the same request: snapshot-tool is not a function of its input."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from kai_snapshot.api.result import Durations, Frequencies, Outcome, ReplayResult, ResourceUse, Runs

_Element = tuple[str, ...]
"""Something that was decided: its kind, whom it is about, and where that leaves it."""


@dataclass(frozen=True)
class _Run:
    """What is kept of a run."""

    outcome: Outcome
    durations: Durations
    resources: ResourceUse | None
    elements: frozenset[_Element]


def combine(runs: Sequence[Callable[[], ReplayResult]], *, wanted: int) -> ReplayResult:
    """The result of the runs there were, one or more, of as many as were `wanted`; each is a function that reads it.

    It succeeded only if all of them did. The lists are those of one run, `runs.shown`, which is read a second time:
    results can be large, and only one is held at a time. A run that was to be the only one is given as it is.
    """
    if wanted == 1:
        return runs[0]()
    seen = [_kept(read()) for read in runs]
    succeeded = [run for run in seen if run.outcome is Outcome.SUCCEEDED]
    came = Counter(element for run in succeeded for element in run.elements)
    distinct = len({run.elements for run in succeeded})
    shown = _shown(seen, came)
    result = runs[shown]()
    return result.model_copy(
        update={
            "message": _message(result.message, shown, seen, wanted=wanted),
            "durations_ms": _medians([run.durations for run in succeeded]) if succeeded else result.durations_ms,
            "resources": _most([run.resources for run in seen if run.resources is not None]),
            "runs": Runs(
                count=len(seen),
                outcomes=dict(Counter(run.outcome for run in seen)),
                distinct=distinct,
                shown=shown + 1,
                durations_ms=tuple(run.durations for run in succeeded),
                frequencies=_frequencies(came) if distinct > 1 else None,
            ),
        }
    )


def _kept(result: ReplayResult) -> _Run:
    return _Run(
        outcome=result.outcome,
        durations=result.durations_ms,
        resources=result.resources,
        elements=frozenset(
            (
                *(("placement", placement.pod, placement.node) for placement in result.placements),
                *(("eviction", eviction.pod) for eviction in result.evictions),
                *(("pipelined", pipelined.pod) for pipelined in result.pipelined),
                *(("podGroup", group.name, group.outcome.value) for group in result.pod_groups),
            )
        ),
    )


def _shown(runs: Sequence[_Run], came: Mapping[_Element, int]) -> int:
    """The first that did not succeed, or else the first of those that differ from all others in the fewest elements.

    Over all n runs, a run differs in n - 2 * (how often it came) more elements for each element that it has.
    """
    troubled = next((index for index, run in enumerate(runs) if run.outcome is not Outcome.SUCCEEDED), None)
    if troubled is not None:
        return troubled
    likeness = [sum(2 * came[element] - len(runs) for element in run.elements) for run in runs]
    return likeness.index(max(likeness))


def _message(message: str, shown: int, runs: Sequence[_Run], *, wanted: int) -> str:
    troubled = sum(run.outcome is not Outcome.SUCCEEDED for run in runs)
    if troubled and len(runs) > 1:
        message = f"{troubled} of {len(runs)} runs did not succeed. Run {shown + 1}: {message}"
    if len(runs) < wanted:
        message = f"{message} It was not run again: {wanted} runs were wanted."
    return message


def _medians(durations: Sequence[Durations]) -> Durations:
    totals = [each.total for each in durations if each.total is not None]
    actions = dict.fromkeys(action for each in durations for action in each.actions)
    return Durations(
        total=round(median(totals)) if totals else None,
        actions={
            action: round(median(each.actions[action] for each in durations if action in each.actions))
            for action in actions
        },
    )


def _most(used: Sequence[ResourceUse]) -> ResourceUse | None:
    if not used:
        return None
    return ResourceUse(
        peak_memory_bytes=max(each.peak_memory_bytes for each in used),
        cpu_seconds=max(each.cpu_seconds for each in used),
    )


def _frequencies(came: Mapping[_Element, int]) -> Frequencies:
    def to_where(kind: str) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for element, count in sorted(came.items()):
            if element[0] == kind:
                found.setdefault(element[1], {})[element[2]] = count
        return found

    def who(kind: str) -> dict[str, int]:
        return {element[1]: count for element, count in sorted(came.items()) if element[0] == kind}

    return Frequencies(
        placements=to_where("placement"),
        evictions=who("eviction"),
        pipelined=who("pipelined"),
        pod_groups=to_where("podGroup"),
    )
