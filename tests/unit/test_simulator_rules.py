"""What the simulator says it does not know: everything that can change what the scheduler decides, and nothing else."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kai_snapshot.api.result import ReplayResult
from kai_snapshot.simulator import beyond
from kai_snapshot.simulator.simulate import load, simulate
from support.clusters import PLUGINS, Object
from support.simulated import write
from support.varied import meta, plain

NOW = datetime(2026, 11, 22, 12, 39, tzinfo=UTC)


def cluster() -> Object:
    """A node with a job that runs, one that waits, a pod of nobody's, and one that has ended."""
    free = {"quota": -1, "limit": -1, "overQuotaWeight": 1}
    queue = {"metadata": meta("q"), "spec": {"resources": dict.fromkeys(("cpu", "memory", "gpu"), free)}}
    status = {"allocatable": {"cpu": "8", "memory": "64Gi", "pods": "10", "nvidia.com/gpu": "8"}}
    return plain(
        nodes=[{"metadata": meta("n", labels={}), "spec": {}, "status": status}],
        queues=[queue],
        podGroups=[
            {"metadata": meta(f"job-{name}", namespace="ns"), "spec": {"queue": "q", "priorityClassName": "train"}}
            for name in ("waits", "runs", "ended")
        ],
        pods=[
            pod("waits", phase="Pending"),
            pod("runs", phase="Running", node="n"),
            pod("ended", phase="Succeeded", node="n"),
            pod("other", phase="Running", node="n", job=False),
        ],
    )


def pod(name: str, *, phase: str, node: str = "", job: bool = True) -> Object:
    requests = {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "1"}
    spec: Object = {"schedulerName": "kai-scheduler", "containers": [{"resources": {"requests": requests}}]}
    metadata = meta(name, namespace="ns", annotations={"pod-group-name": f"job-{name}"} if job else {})
    return {"metadata": metadata, "spec": spec | ({"nodeName": node} if node else {}), "status": {"phase": phase}}


def simulated(document: Object, directory: Path) -> ReplayResult:
    collected = load(write(document, directory / "snapshot.zip"), not_after=NOW)
    return simulate(collected, clock=time.perf_counter, now=NOW)


def of(document: Object, name: str) -> Any:
    """An object."""
    listed = (each for objects in document["rawObjects"].values() for each in objects)
    return next(each for each in listed if each["metadata"]["name"] == name)


Change = Callable[[Object], object]


def spec(name: str, **fields: object) -> Change:
    return lambda document: of(document, name)["spec"].update(fields)


def annotated(name: str, annotation: str, value: str) -> Change:
    return lambda document: of(document, name)["metadata"]["annotations"].update({annotation: value})


def asks(name: str, resource: str) -> Change:
    return lambda document: of(document, name)["spec"]["containers"][0]["resources"]["requests"].update({resource: "1"})


def there_is(kind: str, name: str, **fields: object) -> Change:
    return lambda document: document["rawObjects"].setdefault(kind, []).append({"metadata": meta(name), "spec": fields})


def configured(**fields: object) -> Change:
    return lambda document: document["config"].update(fields)


def parameter(name: str, value: object) -> Change:
    return lambda document: document["schedulerParams"].update({name: value})


def plugins(*, add: str = "", drop: str = "") -> Change:
    listed = [{"name": name} for name in (*PLUGINS, add) if name and name != drop]
    return configured(tiers=[{"plugins": listed}])


PORT = [{"ports": [{"containerPort": 80, "hostPort": 80}], "resources": {"requests": {"cpu": "1"}}}]
CLAIM = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
AWAY = [{"topologyKey": "kubernetes.io/hostname", "labelSelector": {}}]
ANTI = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": AWAY}}
ANTI_ANYWHERE = {
    "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{**AWAY[0], "namespaceSelector": {}}]}
}
NEAR = {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": AWAY[0]}]}}
SHORT = "limits of the search for victims that are shorter than KAI's own: scenarioSearchBudgets"

USES: list[tuple[str, Change, str]] = [
    ("claims", spec("waits", resourceClaims=[{"name": "gpu"}]), "resource claims (DRA): ns/waits"),
    ("claims of a running job", spec("runs", resourceClaims=[{"name": "gpu"}]), "resource claims (DRA): ns/runs"),
    ("GPUs of slices", there_is("resourceSlices", "s", driver="gpu.nvidia.com"), "GPUs of resource slices (DRA): s"),
    (
        "device class for a resource",
        there_is("deviceClasses", "c", extendedResourceName="nvidia.com/gpu"),
        "extended resources of device classes (DRA): c",
    ),
    ("volume claim", spec("waits", volumes=CLAIM), "volume claims: ns/waits"),
    ("volume claim of a job that may move", spec("runs", volumes=CLAIM), "volume claims: ns/runs"),
    ("volume of its own", spec("waits", volumes=[{"name": "data", "ephemeral": {}}]), "volume claims: ns/waits"),
    ("anti-affinity", spec("waits", affinity=ANTI), "affinity between pods: ns/waits"),
    ("preferred affinity", spec("runs", affinity=NEAR), "affinity between pods: ns/runs"),
    ("anti-affinity of a neighbour", spec("other", affinity=ANTI), "affinity between pods: ns/other"),
    ("anti-affinity to all namespaces", spec("other", affinity=ANTI_ANYWHERE), "affinity between pods: ns/other"),
    ("host port", spec("waits", containers=PORT), "host ports: ns/waits"),
    ("host port of an init container", spec("runs", initContainers=PORT), "host ports: ns/runs"),
    (
        "MIG by annotation",
        annotated("waits", "nvidia.com/mig-1g.10gb", "1"),
        "MIG devices asked for by annotation: ns/waits",
    ),
    ("GPU of another maker", asks("waits", "intel.com/gpu"), "GPUs of other makers than NVIDIA and AMD: ns/waits"),
    (
        "GPUs of another maker on a node",
        lambda document: of(document, "n")["status"]["allocatable"].update({"intel.com/gpu": "1"}),
        "GPUs of other makers than NVIDIA and AMD: n",
    ),
    (
        "parts and whole GPUs",
        annotated("waits", "gpu-fraction", "0.5"),
        "pods that ask for parts of a GPU and for whole ones: ns/waits",
    ),
    ("past usage", configured(usageDBConfig={"clientType": "prometheus"}), "past usage of queues: usageDBConfig"),
    (
        "short budget of a job",
        configured(scenarioSearchBudgets={"maxJobSearchDuration": "10s"}),
        f"{SHORT}.maxJobSearchDuration",
    ),
    (
        "short budget of a generator",
        configured(scenarioSearchBudgets={"maxGeneratorSearchDuration": {"NodeLocalGreedy": "1s", "default": "2m0s"}}),
        f"{SHORT}.maxGeneratorSearchDuration.NodeLocalGreedy",
    ),
    ("NUMA", plugins(add="numa"), "NUMA topology of nodes: plugin numa"),
    ("plugin of somebody's own", plugins(add="mine"), "plugins that KAI does not have: mine"),
    *((f"without {name}", plugins(drop=name), f"plugins that are switched off: {name}") for name in beyond.ALWAYS_ON),
    ("new setting", configured(quickly=True), "settings of the scheduler that are not known: config.quickly"),
    (
        "new parameter",
        parameter("careful", True),
        "settings of the scheduler that are not known: schedulerParams.careful",
    ),
]

KNOWN: list[tuple[str, Change]] = [
    ("nothing", lambda document: document),
    ("claims of a pod that has ended", spec("ended", resourceClaims=[{"name": "gpu"}])),
    ("volume of a pod that has ended", spec("ended", volumes=CLAIM)),
    ("volume of a pod that nobody moves", spec("other", volumes=CLAIM)),
    ("host port of a pod that nobody moves", spec("other", containers=PORT)),
    ("preferred affinity of a pod that nobody moves", spec("other", affinity=NEAR)),
    ("claim that nobody uses", there_is("resourceClaims", "c")),
    ("slices of other devices", there_is("resourceSlices", "s", driver="nic.example.com")),
    ("device class without a resource", there_is("deviceClasses", "c")),
    ("NUMA topology without the plugin", there_is("nodeResourceTopologies", "n")),
    ("storage that nobody asks for", there_is("storageClasses", "s")),
    ("volumes of the node", spec("waits", volumes=[{"name": "tmp", "emptyDir": {}}])),
    ("spread constraints, which KAI has no filter for", spec("waits", topologySpreadConstraints=[{"maxSkew": 1}])),
    (
        "KAI's own budgets",
        configured(
            scenarioSearchBudgets={
                "maxActionSearchDuration": {"default": "5m0s"},
                "maxJobSearchDuration": "4m0s",
                "minJobSearchDuration": "0s",
                "maxGeneratorSearchDuration": {"MultiNodeGang": "2m0s", "NodeLocalGreedy": "30s", "default": "2m0s"},
            }
        ),
    ),
    *((f"without {name}", plugins(drop=name)) for name in (*beyond.AS_CONFIGURED, "snapshot", "dynamicresources")),
    (
        "topology constraint",
        spec("job-waits", topologyConstraint={"topology": "rows", "preferredTopologyLevel": "rack"}),
    ),
    (
        "topology constraint of a subgroup",
        spec("job-waits", subGroups=[{"name": "s", "topologyConstraint": {"topology": "rows"}}]),
    ),
    ("queue depth", configured(queueDepthPerAction={"allocate": 3})),
]


@pytest.mark.parametrize(("change", "text"), [use[1:] for use in USES], ids=[use[0] for use in USES])
def test_what_it_does_not_know_is_listed_with_who_uses_it(change: Change, text: str, tmp_path: Path) -> None:
    document = cluster()
    change(document)
    assert simulated(document, tmp_path).unmodelled == (text,)


@pytest.mark.parametrize("change", [known[1] for known in KNOWN], ids=[known[0] for known in KNOWN])
def test_what_changes_no_decision_is_not(change: Change, tmp_path: Path) -> None:
    document = cluster()
    change(document)
    assert simulated(document, tmp_path).unmodelled == ()


def test_anti_affinity_of_pods_that_keep_to_namespaces_without_jobs_is_not(tmp_path: Path) -> None:
    document = cluster()
    other = of(document, "other")
    other["metadata"]["namespace"], other["spec"]["affinity"] = "kube-system", ANTI
    assert simulated(document, tmp_path).unmodelled == ()
    from_jobs = [{**AWAY[0], "namespaces": ["ns"]}]
    other["spec"]["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": from_jobs}}
    assert simulated(document, tmp_path).unmodelled == ("affinity between pods: kube-system/other",)


def test_every_plugin_that_is_on_by_default_is_modelled_or_without_effect() -> None:
    assert {*PLUGINS} <= {*beyond.ALWAYS_ON, *beyond.AS_CONFIGURED, *beyond.WITHOUT_EFFECT}
