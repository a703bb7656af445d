"""ReplayResults as JSON objects: made up, and those of the corpus."""

import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from kai_snapshot import compare, toollog
from kai_snapshot.api.decodedresult import DecodedResult
from kai_snapshot.api.result import (
    Durations,
    Engine,
    Eviction,
    Frequencies,
    JobOutcome,
    Outcome,
    Pipelined,
    Placement,
    PodGroupResult,
    ReplayResult,
    Runs,
)

CORPUS = Path(__file__).parents[1] / "data" / "corpus"
VERSIONS = ("v0.9.0", "v0.12.23", "v0.14.7", "v0.17.0")
ACTIONS = ["allocate", "consolidation", "reclaim", "preempt", "stalegangeviction"]

Counts = Mapping[str, Mapping[str, int]]


def result(
    *,
    version: str = "v0.17.0",
    outcome: str = "Succeeded",
    placements: Mapping[str, str] | None = None,
    evictions: Iterable[str] = (),
    pipelined: Iterable[str] = (),
    jobs: Mapping[str, str] | None = None,
    total: int | None = 100,
    actions: Mapping[str, int] | None = None,
    runs: Runs | None = None,
) -> dict[str, Any]:
    """The result of one run, or of several: `runs`."""
    return ReplayResult(
        engine=Engine(version=version, image=f"snapshot-tool:{version}"),
        ran=outcome != Outcome.IMAGE_PULL_FAILED,
        outcome=Outcome(outcome),
        message="" if outcome == "Succeeded" else f"it {outcome}",
        durations_ms=Durations(total=total, actions=dict(actions or {"allocate": 60, "reclaim": 30})),
        placements=tuple(Placement(pod=pod, node=node) for pod, node in (placements or {}).items()),
        evictions=tuple(Eviction(pod=pod, action="reclaim") for pod in evictions),
        pipelined=tuple(Pipelined(pod=pod) for pod in pipelined),
        pod_groups=tuple(PodGroupResult(name=name, outcome=JobOutcome(what)) for name, what in (jobs or {}).items()),
        runs=runs,
    ).dump()


def repeated(
    count: int,
    *,
    placements: Counts | None = None,
    evictions: Mapping[str, int] | None = None,
    pipelined: Mapping[str, int] | None = None,
    jobs: Counts | None = None,
    totals: Iterable[int] = (),
    **given: Any,
) -> dict[str, Any]:
    """The result of `count` runs in which elements came so often."""
    frequencies = Frequencies(
        placements={pod: dict(nodes) for pod, nodes in (placements or {}).items()},
        evictions=dict(evictions or {}),
        pipelined=dict(pipelined or {}),
        pod_groups={job: dict(outcomes) for job, outcomes in (jobs or {}).items()},
    )
    runs = Runs(
        count=count,
        outcomes={Outcome.SUCCEEDED: count},
        distinct=2,
        shown=1,
        durations_ms=tuple(Durations(total=total, actions={"allocate": total}) for total in totals),
        frequencies=frequencies,
    )
    return result(runs=runs, **given)


def findings(document: Mapping[str, Any], name: str = "v0.17.0", *, node: str = "") -> compare.Findings:
    """What comparing needs of it."""
    content = json.dumps({**document, "nodeName": node}).encode()
    return compare.findings(DecodedResult.decode(content, where="result.json"), name=name)


@cache
def recorded(case: str, version: str) -> ReplayResult:
    """What the log of the corpus says."""
    log = CORPUS / case / f"{version}.stderr.gz"
    with log.open("rb") as file:
        return toollog.read(
            file,
            stdout=log.with_name(f"{version}.stdout").read_bytes(),
            exit_code=int(log.with_name(f"{version}.exit").read_text()),
            configured_actions=ACTIONS,
            tool_version=version,
        )


def expected(case: str, version: str) -> dict[str, Any]:
    """The same, as an independent reader took it from the log."""
    return json.loads((CORPUS / case / f"{version}.expected.json").read_bytes())  # type: ignore[no-any-return]


def ensemble(case: str) -> dict[str, Any]:
    """How often each element came in 12 runs of the real tool v0.17.0."""
    return json.loads((CORPUS / case / "v0.17.0.ensemble.json").read_bytes())  # type: ignore[no-any-return]


def sample(ensemble: Mapping[str, Any], runs: int, chance: random.Random) -> dict[str, Any]:
    """The result of so many runs of the tool that the ensemble is of, as far as it tells."""

    def where(counts: Counts) -> dict[str, dict[str, int]]:
        drawn = {}
        for name, values in counts.items():
            weights = [*values.values(), ensemble["runs"] - sum(values.values())]
            came = Counter(chance.choices([*values, ""], weights, k=runs))
            drawn[name] = {value: count for value, count in came.items() if value}
        return {name: values for name, values in drawn.items() if values}

    def who(counts: Mapping[str, int]) -> dict[str, int]:
        drawn = where({name: {"yes": count} for name, count in counts.items()})
        return {name: values["yes"] for name, values in drawn.items()}

    return repeated(
        runs,
        placements=where(ensemble["bound"]),
        evictions=who(ensemble["evicted"]),
        pipelined=who(ensemble["pipelined"]),
        jobs=where(ensemble["jobs"]),
    )
