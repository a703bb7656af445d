"""Comparing what the real tool decided: the recorded logs of four versions, and samples of 12 runs of one."""

import random
from itertools import combinations, pairwise, permutations
from statistics import mean
from typing import Any

import pytest

from kai_snapshot import compare
from kai_snapshot.api.comparisondocument import BesideBaseline, Differences
from support.results import CORPUS, VERSIONS, ensemble, expected, findings, recorded, sample

CASES = [path.name for path in sorted(CORPUS.iterdir()) if "01" <= path.name[:2] <= "18"]
ENSEMBLES = [path.parent.name for path in sorted(CORPUS.glob("*/v0.17.0.ensemble.json"))]
VARYING = [case for case in ENSEMBLES if ensemble(case)["distinct"] > 1]


def beside(baseline: dict[str, Any], version: dict[str, Any]) -> BesideBaseline:
    first, second = findings(baseline, "a"), findings(version, "b")
    found = compare.compare(first, [first, second]).versions[1].baseline
    assert found is not None
    return found


def all_of(found: BesideBaseline) -> tuple[Differences, ...]:
    return found.placements, found.evictions, found.pipelined, found.job_outcomes


def ended(case: str, version: str) -> int:
    return int((CORPUS / case / f"{version}.exit").read_text())


def names(found: Differences) -> list[str]:
    return [each.name for each in found.differing]


def test_the_corpus_is_there() -> None:
    assert (len(CASES), len(ENSEMBLES), len(VARYING)) == (18, 20, 10)


@pytest.mark.parametrize(
    ("case", "before", "after"), [(case, *pair) for case in CASES for pair in permutations(VERSIONS, 2)]
)
def test_versions_differ_in_exactly_what_an_independent_reader_found(case: str, before: str, after: str) -> None:
    found = beside(recorded(case, before).dump(), recorded(case, after).dump())
    a, b = expected(case, before), expected(case, after)
    assert names(found.placements) == sorted(
        p for p in {**a["bound"], **b["bound"]} if a["bound"].get(p) != b["bound"].get(p)
    )
    assert names(found.evictions) == sorted(set(a["evicted"]) ^ set(b["evicted"]))
    assert names(found.pipelined) == sorted(set(a["pipelined"]) ^ set(b["pipelined"]))
    assert names(found.job_outcomes) == sorted(
        j for j in {**a["jobs"], **b["jobs"]} if a["jobs"].get(j) != b["jobs"].get(j)
    )
    assert not any(kind.varying for kind in all_of(found))
    assert found.complete == (ended(case, before) == ended(case, after) == 0)


def test_there_are_crashes_among_them() -> None:
    crashed = [(case, version) for case in CASES for version in VERSIONS if ended(case, version) == 2]
    assert crashed
    assert all(recorded(case, version).outcome == "Panicked" for case, version in crashed)


@pytest.mark.parametrize("case", CASES)
def test_the_first_different_version_differs_from_its_predecessor_not_from_the_baseline(case: str) -> None:
    def changed(before: str, after: str) -> bool:
        a, b = expected(case, before), expected(case, after)
        decided = [(x["bound"], set(x["evicted"]), set(x["pipelined"]), x["jobs"]) for x in (a, b)]
        codes = ended(case, before), ended(case, after)
        return codes[0] != codes[1] or (codes[0] == 0 and decided[0] != decided[1])

    everything = [findings(recorded(case, version).dump(), version) for version in VERSIONS]
    steps = [after for before, after in pairwise(VERSIONS) if changed(before, after)]
    for baseline in everything:
        assert compare.compare(baseline, everything).first_different == next(iter(steps), None)


@pytest.mark.parametrize("case", ENSEMBLES)
def test_two_samples_of_twelve_runs_of_one_version_do_not_count_as_different(case: str) -> None:
    chance = random.Random(case)
    runs = ensemble(case)["runs"]
    for first, second in combinations([sample(ensemble(case), runs, chance) for _ in range(8)], 2):
        found = beside(first, second)
        assert [names(kind) for kind in all_of(found)] == [[], [], [], []]


@pytest.mark.parametrize("runs", [1, 2, 3, 5, 12, 20])
@pytest.mark.parametrize("case", [case for case in ENSEMBLES if ensemble(case)["evicted"]])
def test_a_version_that_always_evicts_where_the_other_never_does_always_counts(case: str, runs: int) -> None:
    one = ensemble(case)
    victims = sorted(one["evicted"])
    always = {**one, "evicted": dict.fromkeys(victims, one["runs"])}
    chance = random.Random(f"{case} {runs}")
    for _ in range(3):
        evicts, spares = sample(always, runs, chance), sample({**one, "evicted": {}}, runs, chance)
        assert names(beside(spares, evicts).evictions) == names(beside(evicts, spares).evictions) == victims
        assert beside(spares, evicts).evictions.differing[0].version == {"Evicted": runs}


@pytest.mark.parametrize("runs", [(2, 2), (3, 3), (3, 5)], ids=str)
def test_chance_gives_no_more_differences_than_are_said_to_be_expected(runs: tuple[int, int]) -> None:
    chance = random.Random(str(runs))
    came, said = [], []
    for case in VARYING:
        for _ in range(12):
            found = beside(*(sample(ensemble(case), count, chance) for count in runs))
            came.append(sum(len(kind.differing) for kind in all_of(found)))
            said.append(found.expected_by_chance or 0)
    assert 0 < mean(came) <= mean(said) <= 10 * mean(came)
