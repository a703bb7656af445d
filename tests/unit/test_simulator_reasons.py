"""Why a job waits: each reason with its sentence and what would help, on clusters made for it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kai_snapshot.api.result import JobOutcome
from kai_snapshot.api.waiting import Need, NeedKind, WaitingJob, WaitingReason
from kai_snapshot.cli.waiting_text import waiting_lines
from support.clusters import PLUGINS, Object
from support.counterfactual import again, document_of, met, of
from support.simulated import CASES, CORPUS, MINI, MINI_CASES, of_case, simulated

NOT_LOWER = "its own queue runs no preemptible job of lower priority."
SECOND_TOO_LARGE = (
    "1 of 2 pods that must start together finds a place, and then no node is large enough for the next beside them, "
    "even without other pods."
)
BEYOND_QUOTA = (
    "It is not preemptible, and so must stay within the quota of queue q: of 1.5 GPUs 0 are taken by others like it; "
    "2 pods of it ask for 2 GPUs."
)
NOTHING_CONFIGURED = " No room is made for it: reclaim is not configured; preempt is not configured."


@dataclass
class Made:
    """A cluster of one or two nodes of four GPUs, and a queue `q` below `top`."""

    nodes: list[Object] = field(default_factory=lambda: [node("n1")])
    queues: list[Object] = field(default_factory=lambda: [queue("top"), queue("q", "top")])
    pods: list[Object] = field(default_factory=list)
    groups: list[Object] = field(default_factory=list)
    others: Mapping[str, list[Object]] = field(default_factory=dict)
    actions: str = "allocate, consolidation, reclaim, preempt, stalegangeviction"
    config: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)

    def job(self, name: str, *, pods: int = 1, least: int | None = None, of: str = "q", **pod: Any) -> "Made":
        """A PodGroup with its pods; `pod` as in the function of that name, `group_` for the PodGroup's `spec`."""
        spec = {"queue": of, "minMember": pods if least is None else least, **pod.pop("group", {})}
        self.groups.append({"metadata": {"name": name, "namespace": "ns"}, "spec": spec})
        self.pods += [make_pod(f"{name}-{i}", name, **pod) for i in range(pods)]
        return self

    def document(self) -> Object:
        tiers = [{"plugins": [{"name": name} for name in PLUGINS]}]
        lists = {"pods": self.pods, "nodes": self.nodes, "queues": self.queues, "podGroups": self.groups}
        return {
            "config": {"actions": self.actions, "tiers": tiers, **self.config},
            "schedulerParams": {"schedulerName": "kai-scheduler", "fullHierarchyFairness": True, **self.params},
            "rawObjects": {**lists, "priorityClasses": PRIORITIES, **self.others},
        }


PRIORITIES = [{"metadata": {"name": name}, "value": value} for name, value in (("train", 50), ("build", 100))]


def node(name: str, *, gpus: int = 4, cpu: str = "64", labels: Object | None = None, **spec: Any) -> Object:
    offered = {"cpu": cpu, "memory": "512Gi", "pods": "110", "nvidia.com/gpu": str(gpus)}
    known = {"nvidia.com/gpu.memory": "80000", **(labels or {})}
    conditions = [{"type": "Ready", "status": "True"}]
    return {
        "metadata": {"name": name, "labels": known},
        "spec": spec,
        "status": {"allocatable": offered, "conditions": conditions},
    }


def queue(name: str, parent: str = "", *, quota: float = -1, limit: float = -1, **spec: Any) -> Object:
    rest = {"quota": -1, "limit": -1, "overQuotaWeight": 1}
    resources = {"gpu": {"quota": quota, "limit": limit, "overQuotaWeight": 1}, "cpu": rest, "memory": rest}
    return {"metadata": {"name": name}, "spec": {"resources": resources, "parentQueue": parent, **spec}}


def make_pod(
    name: str, job: str, *, gpus: int = 1, on: str = "", cpu: str = "1", notes: Object | None = None, **spec: Any
) -> Object:
    asked = {"cpu": cpu, "memory": "1Gi"} | ({"nvidia.com/gpu": str(gpus)} if gpus else {})
    group = {"runai-gpu-group": f"{on}-shared"} if on and notes else {}
    return {
        "metadata": {
            "name": name, "namespace": "ns", "uid": name, "labels": group,
            "annotations": {"pod-group-name": job, **(notes or {})},
        },
        "spec": {
            "schedulerName": "kai-scheduler", "containers": [{"name": "main", "resources": {"requests": asked}}],
            **({"nodeName": on} if on else {}), **spec,
        },
        "status": {"phase": "Running" if on else "Pending"},
    }  # fmt: skip


def free(amount: float, on: str | None, *holders: str, resource: str = "gpu", unit: str = "GPUs") -> Need:
    return Need(what=NeedKind.FREE, resource=resource, amount=amount, unit=unit, node=on, holders=holders)


def need(what: NeedKind, **more: Any) -> Need:
    return Need(what=what, **more)


GPU = {"resource": "gpu", "unit": "GPUs"}
DEDICATED = {"key": "dedicated", "value": "x", "effect": "NoSchedule"}
HALF = {"gpu-fraction": "0.5"}
CASES_OF_REASONS: dict[str, tuple[Made, WaitingReason, str, tuple[Need, ...]]] = {
    "no node has so many GPUs free": (
        Made().job("r", gpus=3, on="n1").job("w", gpus=2),
        WaitingReason.NOT_ENOUGH_RESOURCES,
        "No node has 2 GPUs free; n1 comes closest with 1 GPU. No room is made for it: with it queue q would have "
        "5 GPUs, beyond its fair share of 4; " + NOT_LOWER,
        (free(1, "n1", "ns/r"),),
    ),
    "all GPUs are taken": (
        Made().job("r", gpus=4, on="n1").job("w"),
        WaitingReason.NOT_ENOUGH_RESOURCES,
        "No node has 1 GPU free; all are taken. No room is made for it: with it queue q would have 5 GPUs, beyond its "
        "fair share of 4; " + NOT_LOWER,
        (free(1, "n1", "ns/r"),),
    ),
    "what is free is on different nodes": (
        Made(nodes=[node("n1"), node("n2", cpu="2")], actions="allocate")
        .job("r", gpus=3, on="n1")
        .job("w", gpus=2, cpu="4"),
        WaitingReason.NOT_ENOUGH_RESOURCES,
        "The only node it may go to has no 2 GPUs free; n1 comes closest with 1 GPU." + NOTHING_CONFIGURED,
        (free(1, "n1", "ns/r"),),
    ),
    "GPUs here and CPU there": (
        Made(nodes=[node("n1"), node("n2")], actions="allocate")
        .job("r", gpus=3, on="n1")
        .job("c", gpus=0, cpu="62", on="n2")
        .job("w", gpus=2, cpu="3"),
        WaitingReason.NOT_ENOUGH_RESOURCES,
        "No node has 2 GPUs and 3 cores free at once; n2 comes closest with 4 GPUs and 2 cores." + NOTHING_CONFIGURED,
        (free(1, "n2", "ns/c", resource="cpu", unit="cores"),),
    ),
    "a gang finds only some places": (
        Made(nodes=[node("n1"), node("n2")], actions="allocate").job("r", gpus=3, on="n1").job("w", gpus=2, pods=3),
        WaitingReason.GANG_NOT_PLACED,
        "2 of 3 pods that must start together find a place, and then no node has 2 GPUs free; n1 comes closest with "
        "1 GPU." + NOTHING_CONFIGURED,
        (free(1, "n1", "ns/r"),),
    ),
    "a gang is too large even for empty nodes": (
        Made(actions="allocate").job("w", gpus=3, pods=2),
        WaitingReason.GANG_NOT_PLACED,
        SECOND_TOO_LARGE,
        (),
    ),
    "no shared GPU has so much left": (
        Made(nodes=[node("n1", gpus=1)], actions="allocate")
        .job("r", gpus=0, on="n1", notes={"gpu-fraction": "0.75"})
        .job("w", gpus=0, notes=HALF),
        WaitingReason.NOT_ENOUGH_RESOURCES,
        "No node has 0.5 of a GPU free; n1 comes closest with 0.25." + NOTHING_CONFIGURED,
        (free(0.25, "n1", "ns/r"),),
    ),
    "no GPU has so much memory left": (
        Made(nodes=[node("n1", gpus=1)], actions="allocate")
        .job("r", gpus=0, on="n1", notes=HALF)
        .job("w", gpus=0, notes={"gpu-memory": "60000"}),
        WaitingReason.NOT_ENOUGH_RESOURCES,
        "No node has 60,000 MiB of a GPU free; n1 comes closest with 40,000 MiB." + NOTHING_CONFIGURED,
        (free(0.25, "n1", "ns/r"),),
    ),
    "a queue is at its limit": (
        Made(queues=[queue("top", limit=3), queue("q", "top", limit=2)]).job("r", gpus=2, on="n1").job("w", gpus=2),
        WaitingReason.OVER_LIMIT,
        "Queue q has 2 GPUs of its limit of 2 GPUs; 1 pod of it asks for 2 GPUs.",
        (need(NeedKind.LIMIT, amount=2, queue="q", **GPU), need(NeedKind.LIMIT, amount=1, queue="top", **GPU)),
    ),
    "a job that cannot be evicted would be beyond its quota": (
        Made(queues=[queue("top"), queue("q", "top", quota=1.5)]).job(
            "w", gpus=1, pods=2, group={"priorityClassName": "build"}
        ),
        WaitingReason.NON_PREEMPTIBLE_OVER_QUOTA,
        BEYOND_QUOTA,
        (need(NeedKind.QUOTA, amount=0.5, queue="q", **GPU),),
    ),
    "a pod is larger than every node": (
        Made().job("w", gpus=8),
        WaitingReason.LARGER_THAN_NODES,
        "A pod asks for 8 GPUs, and the largest node has 4 GPUs.",
        (need(NeedKind.LARGER_NODE, amount=8, **GPU),),
    ),
    "a pod is larger than the nodes it selects": (
        Made(nodes=[node("n1", labels={"zone": "a"}), node("n2", gpus=8)]).job("w", gpus=8, nodeSelector={"zone": "a"}),
        WaitingReason.LARGER_THAN_NODES,
        "A pod asks for 8 GPUs, and the largest node that its selector and affinity allow has 4 GPUs.",
        (need(NeedKind.LARGER_NODE, amount=8, **GPU),),
    ),
    "a selector matches no node": (
        Made().job("w", nodeSelector={"zone": "z9"}),
        WaitingReason.NO_NODE_SELECTED,
        "No node matches the node selector zone=z9.",
        (need(NeedKind.LABEL, node="n1", name="zone=z9"),),
    ),
    "all nodes are tainted": (
        Made(nodes=[node("n1", taints=[DEDICATED]), node("n2", taints=[DEDICATED])]).job("w"),
        WaitingReason.UNTOLERATED_TAINT,
        "All 2 nodes have taints it does not tolerate: dedicated=x:NoSchedule on 2 nodes.",
        (need(NeedKind.TOLERATION, node="n1", name="dedicated=x:NoSchedule"),),
    ),
    "the node is cordoned": (
        Made(nodes=[node("n1", unschedulable=True), node("n2", gpus=0)]).job("w"),
        WaitingReason.NODES_NOT_READY,
        "The only node that it may go to otherwise is cordoned or not ready: n1.",
        (need(NeedKind.NODE, node="n1"),),
    ),
    "GPU memory is not known": (
        Made(nodes=[node("n1", labels={"nvidia.com/gpu.memory": "much"})]).job("w", notes={"gpu-memory": "50"}),
        WaitingReason.GPU_KIND,
        "The only node cannot give it GPU memory: without the label nvidia.com/gpu.memory, or with MIG devices only.",
        (),
    ),
    "a ConfigMap is missing": (
        Made().job("w", volumes=[{"name": "v", "configMap": {"name": "nope"}}]),
        WaitingReason.CONFIG_MAP_MISSING,
        "There is no ConfigMap nope in its namespace.",
        (need(NeedKind.CONFIG_MAP, name="nope"),),
    ),
    "the queue is missing": (
        Made().job("w", of="gone"),
        WaitingReason.QUEUE_DOES_NOT_EXIST,
        "The scheduler has no queue gone. It and all queues above it must exist, in the scheduler's node pool.",
        (need(NeedKind.QUEUE, queue="gone"),),
    ),
    "the queue has queues below it": (
        Made().job("w", of="top"),
        WaitingReason.QUEUE_NOT_LEAF,
        "Queue top has queues below it (q), and only queues without any run jobs.",
        (),
    ),
    "pods are missing": (
        Made().job("w", pods=2, least=3),
        WaitingReason.TOO_FEW_PODS,
        "3 pods must start together (minMember), and there are 2.",
        (need(NeedKind.PODS, amount=1, unit="pods"),),
    ),
    "pods have gates": (
        Made().job("w", pods=2, schedulingGates=[{"name": "wait"}]),
        WaitingReason.SCHEDULING_GATED,
        "2 pods must start together (minMember), and there are 2, 2 of them with scheduling gates.",
        (need(NeedKind.GATES, amount=2, unit="pods"),),
    ),
    "the scheduler leaves it alone": (
        Made(params={"partitionParams": {"NodePoolLabelKey": "pool"}}).job("w", group={"schedulingBackoff": 1}),
        WaitingReason.SCHEDULING_BACKOFF,
        "The scheduler found no place for it before and leaves it alone, as `spec.schedulingBackoff` says.",
        (),
    ),
    "it is of another node pool": (
        Made(
            nodes=[node("n1", labels={"pool": "a"})],
            queues=[],
            params={"partitionParams": {"NodePoolLabelKey": "pool", "NodePoolLabelValue": "a"}},
        ).job("w"),
        WaitingReason.OTHER_NODE_POOL,
        "It is not of the node pool that this scheduler looks after.",
        (),
    ),
    "the queue is deeper than the scheduler looks": (
        Made(actions="allocate", config={"queueDepthPerAction": {"allocate": 1}}).job("v").job("w"),
        WaitingReason.BEYOND_QUEUE_DEPTH,
        "The scheduler looks at 1 job of a queue only (queueDepthPerAction), and others of q come before it.",
        (),
    ),
    "nothing tries it": (
        Made(actions="reclaim").job("w"),
        WaitingReason.ACTION_NOT_CONFIGURED,
        "The configured actions are without allocate.",
        (),
    ),
    "an action does not exist": (
        Made(actions="allocate, defragment").job("w"),
        WaitingReason.ACTION_NOT_CONFIGURED,
        "The configuration names an action defragment, which there is not, and so the scheduler runs none.",
        (),
    ),
}
_BACK_OFF = [{"nodePool": "default", "transitionID": "1"}]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made")


def waiting(made: Made, directory: Path, job: str = "w") -> WaitingJob:
    for group in made.groups:
        if "schedulingBackoff" in group["spec"]:
            group["status"] = {"schedulingConditions": _BACK_OFF}
    for pod in made.pods:
        for volume in pod["spec"].get("volumes", ()):
            pod["spec"]["containers"][0]["volumeMounts"] = [{"name": volume["name"]}]
    return next(each for each in again(made.document(), directory).waiting if each.name == f"ns/{job}")


@pytest.mark.parametrize("case", CASES_OF_REASONS)
def test_a_job_waits_because(case: str, directory: Path) -> None:
    made, reason, message, needs = CASES_OF_REASONS[case]
    found = waiting(made, directory)
    assert (found.reason, found.message, found.needs) == (reason, message, needs)


@pytest.mark.parametrize("case", [case for case, (*_, needs) in CASES_OF_REASONS.items() if needs])
def test_what_would_help_does(case: str, directory: Path) -> None:
    """The job gets its place, or waits for something else."""
    made, reason, _, needs = CASES_OF_REASONS[case]
    waiting(made, directory)
    after = of(again(met(made.document(), needs, "ns/w", by_holders=True), directory), "ns/w")
    assert after is None or after.reason is not reason


def test_every_reason_has_its_case() -> None:
    shown = {reason for _, reason, _, _ in CASES_OF_REASONS.values()}
    elsewhere = {WaitingReason.PIPELINED, WaitingReason.ROOM_NEXT_CYCLE, WaitingReason.TOPOLOGY_DOMAIN}
    assert shown | elsewhere == set(WaitingReason)
    assert not shown & elsewhere


OF_HALLS = "level rack of topology halls"


TWO_THINGS = "free 1 GPU on n1 (held by ns/a, ns/b); and to create 2 pods more of subgroup workers"


def test_the_page_shows_why_jobs_wait_and_what_would_help() -> None:
    held = need(NeedKind.FREE, amount=1, node="n1", holders=("ns/a", "ns/b"), **GPU)
    memory = need(NeedKind.LIMIT, amount=1.5, queue="q", resource="memory", unit="GB")
    pods = need(NeedKind.PODS, amount=2, unit="pods", name="workers")
    common: dict[str, Any] = {"queue": "q", "pods": 2, "message": "It is so."}
    jobs = [
        WaitingJob(name="ns/x", reason=WaitingReason.OVER_LIMIT, needs=(memory,), **common),
        WaitingJob(name="ns/y", reason=WaitingReason.NOT_ENOUGH_RESOURCES, needs=(held, pods), **common),
        WaitingJob(name="ns/z", reason=WaitingReason.NOT_ENOUGH_RESOURCES, **common),
    ]
    assert list(waiting_lines(jobs)) == [
        "waiting, NotEnoughResources: 2 jobs",
        f"  ns/y (q, 2 pods): It is so. It would help to {TWO_THINGS}.",
        "  ns/z (q, 2 pods): It is so.",
        "waiting, OverLimit: 1 job",
        "  ns/x (q, 2 pods): It is so. It would help to raise the limit of q by 1.5 GB of memory.",
    ]


def test_every_reason_is_in_the_docs() -> None:
    page = (CORPUS.parents[2] / "docs" / "simulator.md").read_text()
    section = page.partition("## Why is my job pending")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == sorted(WaitingReason)
    assert {*re.findall(r"`(\w+)`", section)} >= set(NeedKind)


RACKS = {"topologies": [{"metadata": {"name": "halls"}, "spec": {"levels": [{"nodeLabel": "rack"}]}}]}


@pytest.mark.parametrize(
    ("racks", "gpus", "level", "says"),
    [
        (
            "ab",
            3,
            "rack",
            f"Its 2 pods ask for 6 GPUs in one domain of {OF_HALLS}; the one with the most free has 4 ",
        ),
        ("aa", 3, "row", "There is no node with the labels of level row of topology halls, which it requires."),
    ],
    ids=["a domain is too small", "there is no domain"],
)
def test_a_job_finds_no_domain(racks: str, gpus: int, level: str, says: str, directory: Path) -> None:
    nodes = [node(f"n{i}", labels={"rack": rack}) for i, rack in enumerate(racks)]
    constraint = {"topologyConstraint": {"topology": "halls", "requiredTopologyLevel": level}}
    found = waiting(Made(nodes=nodes, others=RACKS).job("w", pods=2, gpus=gpus, group=constraint), directory)
    assert found.reason is WaitingReason.TOPOLOGY_DOMAIN
    assert found.message.startswith(says)
    assert not found.needs


def mini(case: str, job: str) -> WaitingJob:
    found = simulated(MINI / f"{next(each for each in MINI_CASES if each.startswith(case))}.zip").waiting
    return next(each for each in found if each.name == job)


@pytest.mark.parametrize(
    ("case", "job", "says"),
    [
        ("18", "a/a1", "1 pod of it waits on n1 for pods on their way out, of b/b1 and b/b2."),
        ("56", "a/g", "4 pods of it wait on n1 and n2 for pods on their way out, of b/el."),
        ("14", "a/g2", "2 pods of it wait on n1 for pods on their way out, of a/dying."),
    ],
)
def test_a_job_waits_for_pods_on_their_way_out(case: str, job: str, says: str) -> None:
    found = mini(case, job)
    assert (found.reason, found.message) == (WaitingReason.PIPELINED, says)


@pytest.mark.parametrize(
    ("case", "job", "says"),
    [
        ("18", "a/a3", "with it queue a would have 3 GPUs, beyond its fair share of 2;"),
        ("18", "a/a3", NOT_LOWER),
        ("20", "a/a2", "reclaim found no victims in other queues that would do;"),
        ("22", "a/big", "no other queue runs a preemptible job;"),
        ("37", "a/a2", "what it could reclaim from other queues is protected by their minimum runtime;"),
        ("38", "a/a1", "No pods are evicted for it before 2036-11-17T08:00:10Z (preemptionDelay)."),
    ],
)
def test_the_scheduler_makes_no_room_because(case: str, job: str, says: str) -> None:
    assert says in mini(case, job).message


@pytest.mark.parametrize("case", CASES)
def test_every_job_of_the_corpus_that_has_no_place_has_its_reason(case: str) -> None:
    result = of_case(case)
    explained = {each.name: each for each in result.waiting}
    decided = {each.pod for each in result.placements} | {each.pod for each in result.evictions}
    for job in result.pod_groups:
        if job.outcome is JobOutcome.UNSCHEDULABLE:
            assert job.reason == explained[job.name].message
        else:
            assert job.reason is None
    assert {each.name for each in result.waiting} == _with_waiting_pods(case, decided)


def _with_waiting_pods(case: str, decided: set[str]) -> set[str]:
    raw = document_of(CORPUS / case / "snapshot.zip")["rawObjects"]
    binding = {f"{each['metadata']['namespace']}/{each['spec']['podName']}" for each in raw["bindRequests"]}
    namespaces = {each["metadata"]["name"]: each["metadata"]["namespace"] for each in raw["podGroups"]}
    found = set()
    for pod in raw["pods"]:
        name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        group = (pod["metadata"].get("annotations") or {}).get("pod-group-name")
        here = pod["status"]["phase"] == "Pending" and not pod["spec"].get("nodeName") and name not in binding
        if here and group in namespaces and name not in decided and not pod["metadata"].get("deletionTimestamp"):
            found.add(f"{namespaces[group]}/{group}")
    return found
