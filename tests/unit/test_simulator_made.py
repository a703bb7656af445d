"""The simulator beside the real tool v0.17.0 on clusters that are not in the corpus."""

import time
from functools import cache
from pathlib import Path

import pytest

from kai_snapshot.agreement import Agreement, Category, Ensemble, agreement, ensemble, overlap, overlap_within
from kai_snapshot.api.result import ReplayResult
from kai_snapshot.simulator.simulate import load, simulate
from support.clusters import drawn, snapshot
from support.simulated import RECORDED_AT, as_ensemble, made, write

SAMPLES = 2
LEAST = {
    Category.PLACEMENTS: 0.98,
    Category.EVICTIONS: 0.9,
    Category.PIPELINED: 0.9,
    Category.POD_GROUPS: 0.95,
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made")


@cache
def results(directory: Path) -> dict[str, list[ReplayResult]]:
    """Without a seed, and with some."""
    found = {}
    for number in made():
        path = write(snapshot(drawn(int(number)), int(number)), directory / f"{number}.zip")
        collected = load(path, not_after=RECORDED_AT)
        seeds = [None, *range(1, SAMPLES + 1)]
        found[number] = [simulate(collected, clock=time.perf_counter, now=RECORDED_AT, seed=seed) for seed in seeds]
    return found


def tool(number: str) -> Ensemble:
    return as_ensemble(made()[number])


def test_every_queue_has_the_share_that_the_tool_prints(directory: Path) -> None:
    for number, (result, *_) in results(directory).items():
        shares = {each.name: each.resources.gpu.fair_share for each in result.queues}
        assert shares == pytest.approx(made()[number]["shares"], abs=0.0011)  # printed to three decimals, cut off


@pytest.mark.parametrize("category", Category)
def test_it_decides_what_the_tool_decides(category: Category, directory: Path) -> None:
    total = Agreement(0, 0, 0, 0)
    for number, (result, *_) in results(directory).items():
        total += agreement(ensemble([result]), tool(number))[category]
    assert total.certain > 300
    assert total.recall >= LEAST[category]
    assert total.precision >= LEAST[category]


def test_its_runs_and_the_tools_have_as_much_in_common_as_runs_of_the_tool(directory: Path) -> None:
    found = results(directory)
    ours = [overlap(ensemble(samples), tool(number)) for number, (_, *samples) in found.items()]
    theirs = [overlap_within(tool(number)) for number in found]
    assert sum(ours) / len(ours) >= sum(theirs) / len(theirs) - 0.02
