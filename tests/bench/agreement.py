"""How far the simulator agrees with the tool's recorded runs: writes the table in `docs/simulator-agreement.md`.

`make agreement`. The simulator runs once, in the order of the archive, at the time of the recording.
"""

import sys
from pathlib import Path

from kai_snapshot.agreement import Agreement, Category, agreement, ensemble, overlap, overlap_within
from kai_snapshot.api.result import ReplayResult
from support.simulated import CASES, MINI, MINI_CASES, RANDOM, expected, expected_mini, of_case, simulated, tool

SAMPLES = 12
TITLES = {
    Category.PLACEMENTS: "binds",
    Category.EVICTIONS: "evictions",
    Category.PIPELINED: "pipelined pods",
    Category.POD_GROUPS: "job outcomes",
}
HEAD = """# Agreement of the simulator with the tool

Made by `make agreement` from the recorded runs of snapshot-tool v0.17.0 on made-up and captured clusters, 12 of each.
The tool is not a function of its input, so each cell says: of what is in *all* of its runs, how much the simulator has;
of what the simulator has, how much is in *some* run. The last columns are what two results have in common: the
simulator's one and a run of the tool, 12 samples of the simulator and a run, and two runs of the tool.
"""


def main(target: Path) -> None:
    """Writes the page."""
    columns = ["archive", "fair shares", *TITLES.values(), "simulator", "samples", "tool"]
    lines = [HEAD, f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    total: dict[Category, Agreement] = {}
    overlaps = [0.0, 0.0, 0.0]
    for case in CASES:
        result, theirs = of_case(case), tool(case)
        found = agreement(ensemble([result]), theirs)
        total = {category: found[category] + total.get(category, Agreement(0, 0, 0, 0)) for category in found}
        samples = ensemble(of_case(case, seed=seed) for seed in range(1, SAMPLES + 1))
        common = [overlap(ensemble([result]), theirs), overlap(samples, theirs), overlap_within(theirs)]
        overlaps = [sum_ + each for sum_, each in zip(overlaps, common, strict=True)]
        lines.append(_row(case, _shares(result, expected(case)["queues"]), found, common))
    lines.append(_row("all", "", total, [each / len(CASES) for each in overlaps]))
    exact = [case for case in MINI_CASES if _exact(case)]
    stable = [case for case in MINI_CASES if case not in RANDOM]
    lines.append(
        f"\nOf {len(stable)} small clusters that isolate a rule each and have one result in the tool, "
        f"{len(set(exact) & set(stable))} give exactly that."
    )
    target.write_text("\n".join(lines) + "\n")


def _row(name: str, shares: str, found: dict[Category, Agreement], common: list[float]) -> str:
    cells = [f"{each.found}/{each.certain}, {each.possible}/{each.own}" for each in found.values()]
    return f"| {' | '.join([name, shares, *cells, *(f'{each:.2f}' for each in common)])} |"


def _shares(result: ReplayResult, queues: dict[str, dict[str, float]]) -> str:
    mine = {each.name: each.resources.gpu.fair_share for each in result.queues}
    equal = sum(abs((mine.get(name) or 0.0) - queue["gpuFairShare"]) <= 0.001 for name, queue in queues.items())
    return f"{equal}/{len(queues)}"


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
