"""How far the simulator agrees with the tool's recorded runs: writes the tables in `docs/simulator-agreement.md`.

`make agreement`. The simulator runs once, in the order of the archive, and with seeds, at the time of the recording.
"""

import math
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from kai_snapshot.agreement import (
    SAME_SHARE,
    Agreement,
    Category,
    Ensemble,
    agreement,
    ensemble,
    overlap,
    overlap_within,
)
from support.clusters import WIDER, drawn, snapshot
from support.simulated import (
    CASES,
    CORPUS,
    MINI,
    MINI_CASES,
    RANDOM,
    as_ensemble,
    expected,
    expected_mini,
    made,
    simulated,
    tool,
    write,
)

SAMPLES = 12
TITLES = {
    Category.PLACEMENTS: "binds",
    Category.EVICTIONS: "evictions",
    Category.PIPELINED: "pipelined pods",
    Category.JOB_OUTCOMES: "job outcomes",
}
REQUIRED = {
    (Category.PLACEMENTS, "certain"): 0.98,
    (Category.PLACEMENTS, "possible"): 0.98,
    (Category.JOB_OUTCOMES, "certain"): 0.95,
}
GOALS = {
    (Category.PLACEMENTS, "certain"): 1.0,
    (Category.PLACEMENTS, "possible"): 1.0,
}
NOT_REACHED = " **not reached**"
GOAL_NOT_REACHED = " *goal not reached*"
HEAD = f"""# Agreement of the simulator with the tool

Made by `make agreement` from recorded runs of snapshot-tool v0.17.0. The tool is not a function of its input, so it is
measured by many runs: what is in *all* of them the simulator should have ("certain"), what it has should be in *some*
of them ("possible"). For an archive of your own: [`kai-snapshot agreement`](command.md#agreement).

- **corpus**: {{corpus}} archives, 12 runs each. Most are made-up clusters of 4 to 23 nodes, two were captured.
- **made-up**: {{made_up}} clusters of 4 to 18 nodes that are not in the corpus, 8 runs each. Where the simulator did
  otherwise on some of them, the rule was looked for.
- **wider**: {{wider}} clusters of 4 to 81 nodes with more of everything - nodes of two sizes, GPU memory, parts of two
  GPUs, subgroups, pods on their way out, gates, quotas of CPU and memory, three levels of queues -, 8 runs each. Before
  anything was looked into, the simulator had 98.7% of the certain binds, 99.0% of its binds were possible, and it had
  98.2% of the certain job outcomes; overlap 0.85. Then three rules were found where the tool did otherwise.

"Overlap" is what two results have in common of all that either has: of the simulator and a run of the tool, and of two
runs of the tool. More than the latter cannot be asked. "Samples" are {SAMPLES} runs of the simulator with seeds. Parts
are rounded down.
"""


@dataclass(frozen=True)
class Measured:
    """One archive, or several together: then overlaps are means."""

    name: str
    equal: int
    """Queues whose fair share of GPUs is the same."""
    queues: int
    found: dict[Category, Agreement]
    one: float
    """Overlap of the simulator's run without a seed with runs of the tool; below that of its samples."""
    samples: float
    itself: float
    """Overlap of two runs of the tool."""


def main(target: Path) -> None:
    """Writes the page."""
    corpus = [
        _measured(case, CORPUS / case / "snapshot.zip", tool(case), _gpu_shares(expected(case)["queues"]))
        for case in CASES
    ]
    groups = {
        "corpus": corpus,
        "made-up": list(_made(number for number in made() if int(number) < WIDER)),
        "wider": list(_made(number for number in made() if int(number) >= WIDER)),
    }
    lines = [HEAD.format(**{title.replace("-", "_"): len(each) for title, each in groups.items()})]
    lines += [*_summary({title: _together(each) for title, each in groups.items()}), "", _mini()]
    for title, measured in groups.items():
        lines += ["", f"## {title.capitalize()}", "", *_table([*measured, _together(measured)])]
    target.write_text("\n".join(lines) + "\n")


def _made(numbers: Iterable[str]) -> Iterator[Measured]:
    with tempfile.TemporaryDirectory() as directory:
        for number in numbers:
            kind = drawn(int(number))
            path = write(snapshot(kind, int(number)), Path(directory) / f"{number}.zip")
            name = f"{number} ({kind.nodes} nodes)"
            yield _measured(name, path, as_ensemble(made()[number]), made()[number]["shares"])


def _gpu_shares(queues: dict[str, dict[str, float]]) -> dict[str, float]:
    return {name: queue["gpuFairShare"] for name, queue in queues.items()}


def _measured(name: str, path: Path, theirs: Ensemble, shares: dict[str, float]) -> Measured:
    result = simulated(path)
    mine = {each.name: each.resources.gpu.fair_share or 0.0 for each in result.queues}
    ours = ensemble([result])
    return Measured(
        name=name,
        equal=sum(abs(mine[queue] - share) <= SAME_SHARE for queue, share in shares.items()),
        queues=len(shares),
        found=agreement(ours, theirs),
        one=overlap(ours, theirs),
        samples=overlap(ensemble(simulated(path, seed=seed) for seed in range(1, SAMPLES + 1)), theirs),
        itself=overlap_within(theirs),
    )


def _together(measured: Sequence[Measured]) -> Measured:
    nothing = Agreement(0, 0, 0, 0)
    return Measured(
        name="all",
        equal=sum(each.equal for each in measured),
        queues=sum(each.queues for each in measured),
        found={category: sum((each.found[category] for each in measured), nothing) for category in Category},
        one=fmean(each.one for each in measured),
        samples=fmean(each.samples for each in measured),
        itself=fmean(each.itself for each in measured),
    )


def _summary(groups: Mapping[str, Measured]) -> Iterator[str]:
    """What is required, what was aimed at beyond that, and what is reached."""
    yield f"| | required | goal | {' | '.join(groups)} |"
    yield "|---|---|---|" + "---|" * len(groups)
    every = groups.values()
    shares = [f"{each.equal}/{each.queues}{'' if each.equal == each.queues else NOT_REACHED}" for each in every]
    yield _line("fair shares equal", "all", "", shares)
    for category, title in TITLES.items():
        for what, part in (
            ("certain", [each.found[category].recall for each in every]),
            ("possible", [each.found[category].precision for each in every]),
        ):
            required, goal = REQUIRED.get((category, what), 0.0), GOALS.get((category, what), 0.0)
            cells = [_percent(each) + _missed(each, required=required, goal=goal) for each in part]
            yield _line(f"{what} {title}", f"{required:.0%}" if required else "", f"{goal:.0%}" if goal else "", cells)
    for title, overlaps in (
        ("one run", [each.one for each in every]),
        ("samples", [each.samples for each in every]),
    ):
        cells = [
            f"{part:.2f}{_missed(round(part, 2), goal=round(each.itself, 2))}"
            for part, each in zip(overlaps, every, strict=True)
        ]
        yield _line(f"overlap, {title}", "", "the tool's", cells)
    yield _line("overlap of the tool's runs", "", "", [f"{each.itself:.2f}" for each in every])


def _missed(reached: float, *, required: float = 0.0, goal: float = 0.0) -> str:
    if reached < required:
        return NOT_REACHED
    return GOAL_NOT_REACHED if reached < goal else ""


def _percent(part: float) -> str:
    """Never `100.0%` of what is not all."""
    return f"{math.floor(part * 1000 + 1e-9) / 10:.1f}%"


def _line(title: str, required: str, goal: str, cells: Sequence[str]) -> str:
    return f"| {' | '.join([title, required, goal, *cells])} |"


def _table(measured: Sequence[Measured]) -> Iterator[str]:
    """Of what is certain, how much the simulator has; of what it has, how much is possible."""
    columns = ["archive", "fair shares", *TITLES.values(), "one run", "samples", "tool"]
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---|" * len(columns)
    for each in measured:
        cells = [f"{part.found}/{part.certain}, {part.possible}/{part.own}" for part in each.found.values()]
        overlaps = [f"{part:.2f}" for part in (each.one, each.samples, each.itself)]
        yield f"| {' | '.join([each.name, f'{each.equal}/{each.queues}', *cells, *overlaps])} |"


def _mini() -> str:
    exact = {case for case in MINI_CASES if _exact(case)}
    stable = {case for case in MINI_CASES if case not in RANDOM}
    return (
        f"Of {len(stable)} small clusters that isolate a rule each and have one result in the tool, "
        f"{len(exact & stable)} give exactly that."
    )


def _exact(case: str) -> bool:
    result, found = simulated(MINI / f"{case}.zip"), expected_mini(case)
    return (
        {each.pod: each.node for each in result.placements} == found["bound"]
        and sorted(each.pod for each in result.evictions) == sorted(found["evicted"])
        and sorted(each.pod for each in result.pipelined) == sorted(found["pipelined"])
        and {each.name: each.outcome.value for each in result.pod_groups} == found["jobs"]
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
