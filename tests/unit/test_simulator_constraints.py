"""No placement breaks a hard constraint, whatever the cluster: held over made-up ones of many kinds."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kai_snapshot.api.result import ReplayResult
from kai_snapshot.simulator.simulate import load, simulate
from support.clusters import GPUS_OF_A_NODE, Kind, Object, snapshot
from support.simulated import write

NOW = datetime(2026, 11, 22, 12, 39, tzinfo=UTC)
RATES = st.sampled_from((0.0, 0.3, 0.7))
KINDS = st.builds(
    Kind,
    nodes=st.integers(2, 6),
    jobs_per_node=st.sampled_from((3.0, 6.0)),
    full=st.sampled_from((0.0, 0.5, 0.95)),
    shared=RATES,
    cpu_only=RATES,
    elastic=RATES,
    selecting=RATES,
    tainted=RATES,
    limited=RATES,
    priorities=st.booleans(),
    spread=st.booleans(),
)


class Outcome:
    """A cluster, and what it looks like after the cycle."""

    def __init__(self, document: Object, result: ReplayResult) -> None:
        raw = document["rawObjects"]
        self.pods = {f"{each['metadata']['namespace']}/{each['metadata']['name']}": each for each in raw["pods"]}
        self.nodes = {each["metadata"]["name"]: each for each in raw["nodes"]}
        self.groups = {each["metadata"]["name"]: each for each in raw["podGroups"]}
        self.queues = {each["metadata"]["name"]: each["spec"] for each in raw["queues"]}
        self.bound = {each.pod: each.node for each in result.placements}
        self.evicted = {each.pod for each in result.evictions}
        self.pipelined = {each.pod: each.node for each in result.pipelined}
        self.result = result

    def before(self) -> Iterator[tuple[str, str]]:
        return ((name, pod["spec"]["nodeName"]) for name, pod in self.pods.items() if "nodeName" in pod["spec"])

    def group(self, pod: str) -> str:
        return str(self.pods[pod]["metadata"]["annotations"]["pod-group-name"])

    def gpus(self, pod: str) -> float:
        fraction = self.pods[pod]["metadata"]["annotations"].get("gpu-fraction")
        whole = self.pods[pod]["spec"]["containers"][0]["resources"]["requests"].get("nvidia.com/gpu", 0)
        return float(fraction or whole)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clusters")


@given(kind=KINDS, seed=st.integers(0, 10_000), order=st.one_of(st.none(), st.integers(0, 3)))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_placement_breaks_a_hard_constraint(kind: Kind, seed: int, order: int | None, directory: Path) -> None:
    document = snapshot(kind, seed)
    collected = load(write(document, directory / "snapshot.zip"), not_after=NOW)
    outcome = Outcome(document, simulate(collected, clock=time.perf_counter, now=NOW, seed=order))
    pods_go_where_they_may(outcome)
    bound_pods_fit_beside_those_that_run(outcome)
    gangs_come_whole(outcome)
    queues_keep_their_limits(outcome)
    only_preemptible_pods_go(outcome)


def pods_go_where_they_may(outcome: Outcome) -> None:
    for pod, node in {**outcome.bound, **outcome.pipelined}.items():
        assert node is not None
        spec, target = outcome.pods[pod]["spec"], outcome.nodes[node]
        assert (spec.get("nodeSelector") or {}).items() <= target["metadata"]["labels"].items()
        assert not target["spec"]["taints"] or spec.get("tolerations")


def bound_pods_fit_beside_those_that_run(outcome: Outcome) -> None:
    """Not counting what is evicted: it still runs while the bound pods start."""
    whole: Counter[str] = Counter()
    parts: defaultdict[str, float] = defaultdict(float)
    on: dict[str, str] = {}
    cpu: Counter[str] = Counter()
    groups = {each.pod: each.gpu_groups for each in outcome.result.placements}
    for pod, node in [*outcome.before(), *outcome.bound.items()]:
        labels = outcome.pods[pod]["metadata"]["labels"]
        cpu[node] += int(outcome.pods[pod]["spec"]["containers"][0]["resources"]["requests"]["cpu"])
        mine = groups.get(pod) or ((labels["runai-gpu-group"],) if "runai-gpu-group" in labels else ())
        for group in mine:
            parts[group] += outcome.gpus(pod)
            on[group] = node
        if not mine:
            whole[node] += int(outcome.gpus(pod))
    assert all(part <= 1.0 for part in parts.values())
    shared = Counter(on.values())
    assert all(whole[node] + shared[node] <= GPUS_OF_A_NODE for node in outcome.nodes)
    assert all(used <= 126 for used in cpu.values())


def gangs_come_whole(outcome: Outcome) -> None:
    """A job with a new place has at least its minimum, bound or waiting, without what is evicted for good."""
    placed = {*outcome.bound, *outcome.pipelined}
    kept = {pod for pod, _ in outcome.before()} - outcome.evicted
    count = Counter(outcome.group(pod) for pod in placed | kept)
    for job in {outcome.group(pod) for pod in outcome.bound}:
        gone = any(outcome.group(pod) == job for pod in outcome.evicted)
        assert gone or count[job] >= outcome.groups[job]["spec"]["minMember"]


def queues_keep_their_limits(outcome: Outcome) -> None:
    """Nothing is bound beyond a limit; what was beyond before may stay."""
    used: defaultdict[str, float] = defaultdict(float)
    bound: set[str] = set()
    for pod in {pod for pod, _ in outcome.before()} | set(outcome.bound):
        queue = outcome.groups[outcome.group(pod)]["spec"]["queue"]
        for name in (queue, outcome.queues[queue]["parentQueue"]):
            used[name] += outcome.gpus(pod)
            if pod in outcome.bound and outcome.gpus(pod):
                bound.add(name)
    for name in bound:
        limit = outcome.queues[name]["resources"]["gpu"]["limit"]
        assert limit == -1 or used[name] <= limit


def only_preemptible_pods_go(outcome: Outcome) -> None:
    for pod in outcome.evicted:
        assert outcome.groups[outcome.group(pod)]["spec"]["priorityClassName"] in ("train", "interactive-preemptible")
