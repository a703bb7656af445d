"""No cycle breaks a hard constraint, whatever the cluster; and the checker notices where one is broken."""

import copy
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kai_snapshot.api.result import Engine, Eviction, Outcome, Pipelined, Placement, ReplayResult
from kai_snapshot.simulator.simulate import load, simulate
from support.checker import RULES, broken
from support.clusters import Kind, Object, snapshot
from support.simulated import write
from support.varied import FUTURE, TAINT, document, meta, plain

SEEDS = (*range(40), 82, 135, 143, 154, 175, 193)
"""The last ones are of clusters where pods move."""
NOW = datetime(2026, 11, 22, 12, 39, tzinfo=UTC)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clusters")


def simulated(cluster: Object, directory: Path, *, order: int | None = None) -> ReplayResult:
    collected = load(write(cluster, directory / "snapshot.zip"), not_after=NOW)
    return simulate(collected, clock=time.perf_counter, now=NOW, seed=order)


@given(chance=st.randoms(use_true_random=False), order=st.one_of(st.none(), st.integers(0, 3)))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_no_cycle_breaks_a_hard_constraint(chance: Random, order: int | None, directory: Path) -> None:
    cluster = document(chance)
    assert broken(cluster, simulated(cluster, directory, order=order)) == set()


@pytest.mark.parametrize("seed", SEEDS)
def test_none_of_the_seeded_clusters_breaks_one(seed: int, directory: Path) -> None:
    cluster = document(Random(seed))
    assert broken(cluster, simulated(cluster, directory, order=seed)) == set()


@pytest.mark.parametrize("seed", range(6))
def test_no_larger_cluster_breaks_one(seed: int, directory: Path) -> None:
    kind = Kind(nodes=5, shared=0.3, cpu_only=0.2, elastic=0.3, selecting=0.3, tainted=0.3, limited=0.3)
    cluster = snapshot(kind, seed)
    cluster["rawObjects"]["bindRequests"] = []
    for node in cluster["rawObjects"]["nodes"]:
        node["metadata"]["labels"]["nvidia.com/gpu.memory"] = "80000"
    for queue in cluster["rawObjects"]["queues"]:
        queue["spec"].setdefault("parentQueue", "")
    assert broken(cluster, simulated(cluster, directory, order=seed)) == set()


def one_of_two_parts() -> Object:
    """A job that needs one of two parts, where the first by name has a pod too few, because that is on its way out."""
    cluster, _ = sound()
    parts = [{"name": "left", "minMember": 2, "parent": "any"}, {"name": "right", "minMember": 1, "parent": "any"}]
    spec = {"queue": "a", "priorityClassName": "train", "subGroups": [{"name": "any", "minSubGroup": 1}, *parts]}
    pods = [pod("job-0", "a", whole=1, node="n"), pod("job-1", "a", whole=1), pod("job-2", "a", whole=1)]
    for each, part in zip(pods, ("left", "left", "right"), strict=True):
        each["metadata"]["labels"] = {"kai.scheduler/subgroup-name": part}
    pods[0]["metadata"]["deletionTimestamp"] = FUTURE
    cluster["rawObjects"] |= {"podGroups": [{"metadata": meta("job", namespace="a"), "spec": spec}], "pods": pods}
    return cluster


def test_of_a_part_with_too_few_pods_those_that_there_are_get_a_place_where_others_make_up_for_it(
    directory: Path,
) -> None:
    cluster = one_of_two_parts()
    result = simulated(cluster, directory)
    assert [each.pod for each in result.placements] == ["a/job-1"]  # as in the tool
    assert broken(cluster, result) == set()
    cluster["rawObjects"]["podGroups"][0]["spec"]["subGroups"][0]["minSubGroup"] = 2
    assert broken(cluster, result) == {"gangs"}


def test_who_has_been_moved_and_is_evicted_again_in_vain_stays_as_in_the_tool(directory: Path) -> None:
    """`preempt` evicts j03-0 for j05, which `consolidation` has moved: both are there then, in all runs of the tool."""
    cluster = json.loads((Path(__file__).parents[1] / "data/constraints/evicted-in-vain.json").read_bytes())
    result = simulated(cluster, directory)
    assert [each.pod for each in result.placements] == ["d0-0-1/j07-0"]
    assert {each.pod for each in result.pipelined} == {
        "d0-0-0/j01-0", "d0-0-0/j01-1", "d0-0-0/j02-0", "d0-0-1/j03-0", "d0-0-1/j05-0",
    }  # fmt: skip
    assert broken(cluster, result) == set()
    without = result.model_copy(update={"evictions": ()})
    assert "limits" in broken(cluster, without), "whom nobody moved is counted"


def test_the_clusters_have_something_of_everything(directory: Path) -> None:
    found: set[str] = set()
    for seed in SEEDS:
        cluster = document(Random(seed))
        result, raw = simulated(cluster, directory, order=seed), cluster["rawObjects"]
        found |= {outcome.outcome.value for outcome in result.pod_groups}
        evictions = {each.pod for each in result.evictions}
        found |= {"moved" for each in result.pipelined if each.pod in evictions}
        found |= {"binding"} if raw["bindRequests"] else set()
        found |= {"leaving" for pod in raw["pods"] if "deletionTimestamp" in pod["metadata"]}
        found |= {name for pod in raw["pods"] for name in pod["metadata"]["annotations"]}
        found |= {"subGroups" for group in raw["podGroups"] if "subGroups" in group["spec"]}
    assert found >= {
        "Allocated", "Pipelined", "Reclaimed", "Preempted", "Consolidated", "Unschedulable", "moved", "binding",
        "leaving", "gpu-fraction", "gpu-memory", "gpu-fraction-num-devices", "subGroups",
    }  # fmt: skip


def sound() -> tuple[Object, ReplayResult]:
    """A cluster of one node and a result of it that break nothing."""
    node = {
        "metadata": meta("n", labels={"zone": "z0", "size": "16", "nvidia.com/gpu.memory": "80000"}),
        "spec": {},
        "status": {
            "allocatable": {"cpu": "8", "memory": "64Gi", "pods": "5", "nvidia.com/gpu": "5"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }
    open_ended = {"quota": -1, "limit": -1, "overQuotaWeight": 1}
    queues = [
        {"metadata": meta(name), "spec": {"resources": {each: dict(open_ended) for each in ("gpu", "cpu", "memory")}}}
        for name in ("top", "a", "b")
    ]
    for queue in queues[1:]:
        queue["spec"]["parentQueue"] = "top"
    cluster = plain(
        nodes=[node],
        queues=queues,
        podGroups=[group("gang", "a", "build", 2), group("runs", "a", "train", 1), group("shares", "b", "train", 1)],
        pods=[
            pod("gang-0", "a", whole=1),
            pod("gang-1", "a", whole=1),
            pod("runs-0", "a", whole=2, node="n"),
            pod("shares-0", "b", fraction="0.5"),
            pod("shares-1", "b", fraction="0.5"),
        ],
    )
    return cluster, ReplayResult(
        engine=Engine(name="Simulator"),
        outcome=Outcome.SUCCEEDED,
        placements=(
            Placement(pod="a/gang-0", node="n"),
            Placement(pod="b/shares-0", node="n", gpu_groups=("g",)),
            Placement(pod="b/shares-1", node="n", gpu_groups=("g",)),
            Placement(pod="a/gang-1", node="n"),
        ),
    )


def group(name: str, queue: str, priority: str, minimum: int) -> Object:
    spec = {"queue": queue, "priorityClassName": priority, "minMember": minimum}
    return {"metadata": meta(name, namespace=queue), "spec": spec}


def pod(name: str, namespace: str, *, whole: int = 0, fraction: str = "", node: str = "") -> Object:
    annotations = {"pod-group-name": name.partition("-")[0]} | ({"gpu-fraction": fraction} if fraction else {})
    requests = {"cpu": "1", "memory": "1Gi"} | ({"nvidia.com/gpu": str(whole)} if whole else {})
    spec: Object = {"containers": [{"name": "main", "resources": {"requests": requests}}]}
    if node:
        spec["nodeName"] = node
    metadata = meta(name, namespace=namespace, annotations=annotations, labels={})
    return {"metadata": metadata, "spec": spec, "status": {"phase": "Running" if node else "Pending"}}


Breaks = Callable[[Object, ReplayResult], ReplayResult]


def object_at(path: str, value: object) -> Breaks:
    """Another value at `list/name/field/...` of the cluster, with the same result."""

    def breaks(cluster: Object, result: ReplayResult) -> ReplayResult:
        kind, name, *fields = (part.replace("~", "/") for part in path.split("/"))
        at = next(each for each in cluster["rawObjects"][kind] if each["metadata"]["name"] == name)
        for each in fields[:-1]:
            at = at[each][0] if each == "containers" else at.setdefault(each, {})
        at[fields[-1]] = value
        return result

    return breaks


def result_with(**changes: object) -> Breaks:
    """Another result of the same cluster."""
    return lambda _, result: result.model_copy(update=changes)


def both(first: Breaks, second: Breaks) -> Breaks:
    return lambda cluster, result: second(cluster, first(cluster, result))


def without(*pods: str) -> Breaks:
    return lambda _, result: result.model_copy(
        update={"placements": tuple(each for each in result.placements if each.pod not in pods)}
    )


def waiting(*pods: str) -> Breaks:
    return both(without(*pods), result_with(pipelined=tuple(Pipelined(pod=each, node="n") for each in pods)))


def evicted(pod: str, action: str, preemptor: str) -> Breaks:
    return result_with(evictions=(Eviction(pod=pod, action=action, preemptor=preemptor),))


def affinity(operator: str, key: str, value: str) -> Object:
    terms = [{"matchExpressions": [{"key": key, "operator": operator, "values": [value]}]}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


AFFINITY = "pods/gang-0/spec/affinity"
REQUESTS = "spec/containers/resources/requests"
OFFERED = "nodes/n/status/allocatable"
MUTATIONS: list[tuple[str, str, Breaks]] = [
    ("ready", "cordoned", object_at("nodes/n/spec/unschedulable", True)),
    ("ready", "not ready", object_at("nodes/n/status/conditions", [{"type": "Ready", "status": "False"}])),
    ("selected", "selector", object_at("pods/gang-0/spec/nodeSelector", {"zone": "z1"})),
    ("selected", "In", object_at(AFFINITY, affinity("In", "zone", "z1"))),
    ("selected", "NotIn", object_at(AFFINITY, affinity("NotIn", "zone", "z0"))),
    ("selected", "Gt", object_at(AFFINITY, affinity("Gt", "size", "16"))),
    ("selected", "Lt", object_at(AFFINITY, affinity("Lt", "size", "16"))),
    ("tolerated", "taint", object_at("nodes/n/spec/taints", [TAINT])),
    ("capacity", "cpu", object_at(f"{OFFERED}/cpu", "4900m")),
    ("capacity", "memory", object_at(f"{OFFERED}/memory", "4Gi")),
    ("capacity", "pods", object_at(f"{OFFERED}/pods", "4")),
    ("capacity", "gpus", object_at(f"{OFFERED}/nvidia.com~gpu", "4")),
    ("capacity", "extended resource", object_at(f"pods/gang-0/{REQUESTS}/example.com~nic", "1")),
    ("capacity", "shared gpu", object_at("pods/shares-1/metadata/annotations/gpu-fraction", "0.75")),
    ("capacity", "gpu memory", object_at("pods/shares-1/metadata/annotations/gpu-memory", "60000")),
    (
        "room_in_the_end",
        "pipelined beyond",
        both(waiting("a/gang-0", "a/gang-1"), object_at(f"{OFFERED}/nvidia.com~gpu", "3")),
    ),
    (
        "shared_gpus",
        "too many",
        both(
            without("b/shares-0", "b/shares-1", "a/gang-0", "a/gang-1"),
            result_with(placements=(Placement(pod="b/shares-0", node="n", gpu_groups=("g", "h")),)),
        ),
    ),
    ("shared_gpus", "none", result_with(placements=(Placement(pod="b/shares-0", node="n"),))),
    ("gangs", "minimum", object_at("podGroups/gang/spec/minMember", 3)),
    ("gangs", "a part of it", without("a/gang-1")),
    ("gangs", "subgroups", object_at("podGroups/gang/spec/subGroups", [{"name": "left", "minMember": 1}])),
    (
        "gangs",
        "groups of subgroups",
        object_at(
            "podGroups/gang/spec/subGroups",
            [{"name": "both", "minSubGroup": 1}, {"name": "left", "minMember": 1, "parent": "both"}],
        ),
    ),
    ("starts_together", "one waits", waiting("a/gang-1")),
    ("limits", "gpu", object_at("queues/a/spec/resources/gpu/limit", 3)),
    ("limits", "gpu of a parent", object_at("queues/top/spec/resources/gpu/limit", 4)),
    ("limits", "cpu", object_at("queues/b/spec/resources/cpu/limit", 1999)),
    ("limits", "memory", object_at("queues/b/spec/resources/memory/limit", 2000)),
    ("limits", "pipelined", both(waiting("a/gang-0", "a/gang-1"), object_at("queues/a/spec/resources/gpu/limit", 3))),
    ("quotas", "gpu", object_at("queues/a/spec/resources/gpu/quota", 1)),
    ("quotas", "of a parent", object_at("queues/top/spec/resources/cpu/quota", 1000)),
    (
        "quotas",
        "by preemptibility",
        both(
            object_at("podGroups/shares/spec/preemptibility", "non-preemptible"),
            object_at("queues/b/spec/resources/gpu/quota", 0.5),
        ),
    ),
    (
        "preemptible",
        "by class",
        both(object_at("podGroups/runs/spec/priorityClassName", "build"), evicted("a/runs-0", "reclaim", "b/shares")),
    ),
    ("who_takes", "preempt in another queue", evicted("a/runs-0", "preempt", "b/shares")),
    (
        "who_takes",
        "preempt of equals",
        both(object_at("podGroups/gang/spec/priorityClassName", "train"), evicted("a/runs-0", "preempt", "a/gang")),
    ),
    ("who_takes", "reclaim in the queue itself", evicted("a/runs-0", "reclaim", "a/gang")),
    ("once", "twice", result_with(placements=sound()[1].placements * 2)),
    ("once", "what runs", result_with(placements=(Placement(pod="a/runs-0", node="n"),))),
    ("once", "evicting what waits", both(without("b/shares-0"), evicted("b/shares-0", "reclaim", "a/gang"))),
    (
        "once",
        "evicting what leaves",
        both(object_at("pods/runs-0/metadata/deletionTimestamp", FUTURE), evicted("a/runs-0", "preempt", "a/gang")),
    ),
]


@pytest.mark.parametrize(("rule", "how", "breaks"), MUTATIONS, ids=[f"{rule}: {how}" for rule, how, _ in MUTATIONS])
def test_the_checker_notices_what_is_broken(rule: str, how: str, breaks: Breaks) -> None:
    del how
    cluster, result = copy.deepcopy(sound())
    assert broken(cluster, result) == set()
    assert rule in broken(cluster, breaks(cluster, result))


def test_who_is_bound_and_evicted_in_one_cycle_leaves_room() -> None:
    cluster, result = sound()
    object_at(f"{OFFERED}/nvidia.com~gpu", "4")(cluster, result)
    shares, gang = ("b/shares-0", "b/shares-1"), ("a/gang-0", "a/gang-1")
    after = waiting(*gang)(cluster, result)
    assert broken(cluster, after) == {"room_in_the_end"}
    evictions = tuple(Eviction(pod=each, action="reclaim", preemptor="a/gang") for each in shares)
    assert broken(cluster, after.model_copy(update={"evictions": evictions})) == set()


def test_of_elastic_victims_it_is_known_that_the_scheduler_may_count_them_twice() -> None:
    cluster, result = sound()
    for each in cluster["rawObjects"]["pods"][-2:]:
        each["spec"]["nodeName"], each["status"]["phase"] = "n", "Running"
        each["metadata"]["labels"]["runai-gpu-group"] = "g"
    object_at("queues/top/spec/resources/gpu/limit", 4)(cluster, result)
    after = evicted("b/shares-1", "reclaim", "a/gang")(cluster, without("b/shares-0", "b/shares-1")(cluster, result))
    assert broken(cluster, after) == set()
    object_at("podGroups/shares/spec/minMember", 2)(cluster, after)
    assert broken(cluster, after) == {"limits"}


def test_every_rule_of_the_checker_can_fail() -> None:
    assert {rule for rule, _, _ in MUTATIONS} == RULES.keys()
