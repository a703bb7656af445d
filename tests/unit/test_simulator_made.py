"""The simulator beside the real tool v0.17.0 on clusters that are not in the corpus."""

import json
import time
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from kai_snapshot.agreement import Agreement, Category, Ensemble, agreement, ensemble, overlap, overlap_within
from kai_snapshot.api.result import ReplayResult
from kai_snapshot.simulator.simulate import load, simulate
from support import varied
from support.clusters import drawn, snapshot
from support.simulated import CORPUS, RECORDED_AT, as_ensemble, made, write

SAMPLES = 2
LEAST = {
    Category.PLACEMENTS: 0.98,
    Category.EVICTIONS: 0.9,
    Category.PIPELINED: 0.9,
    Category.JOB_OUTCOMES: 0.95,
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


@cache
def varied_results() -> dict[str, Any]:
    """What the tool made of `varied.document`, of each that four runs of it made the same of."""
    found: dict[str, Any] = json.loads((CORPUS.parent / "varied-clusters.json").read_bytes())
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


@pytest.mark.parametrize("number", sorted(map(int, varied_results())))
def test_it_decides_the_very_same_on_small_clusters_with_everything_in_them(number: int, tmp_path: Path) -> None:
    path = write(varied.document(Random(number)), tmp_path / "snapshot.zip")
    result = simulate(load(path, not_after=RECORDED_AT), clock=time.perf_counter, now=RECORDED_AT)
    assert {
        "bound": {each.pod: each.node for each in result.placements},
        "evicted": sorted(each.pod for each in result.evictions),
        "pipelined": sorted(each.pod for each in result.pipelined),
        "jobs": {each.name: each.outcome.value for each in result.pod_groups},
    } == varied_results()[str(number)]


@pytest.mark.parametrize(
    "number",
    [
        pytest.param("116", id="victims of several pod sets count together"),
        pytest.param("117", id="of equal GPUs any is taken"),
        pytest.param("201", id="victims of several pod sets count together, on 74 nodes"),
    ],
)
def test_where_the_tool_hardly_varies_a_run_is_like_one_of_its(number: str, directory: Path) -> None:
    result, *_ = results(directory)[number]
    assert overlap_within(tool(number)) > 0.99
    assert overlap(ensemble([result]), tool(number)) > 0.97
