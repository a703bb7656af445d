"""What the simulator reads of single objects: quantities, requests, states, conditions, durations."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from kai_snapshot.simulator.constraints import pod_constraints
from kai_snapshot.simulator.duration import duration
from kai_snapshot.simulator.integer import integer
from kai_snapshot.simulator.nodefacts import node_facts
from kai_snapshot.simulator.quantity import quantity, thousandths, units
from kai_snapshot.simulator.request import GpuKind, pod_request
from kai_snapshot.simulator.status import Status, pod_status

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", Fraction(1)),
        ("500m", Fraction(1, 2)),
        ("1.5", Fraction(3, 2)),
        ("2e3", Fraction(2000)),
        ("1E", Fraction(10) ** 18),
        ("1Gi", Fraction(1 << 30)),
        ("128974848k", Fraction(128974848000)),
        (".5", Fraction(1, 2)),
    ],
)
def test_a_quantity_is_an_exact_number(text: str, number: Fraction) -> None:
    assert quantity(text) == number


@pytest.mark.parametrize("text", ["", "much", "1e99999999"])
def test_what_is_no_quantity_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="a quantity"):
        quantity(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("8", 8), ("-3", -3), ("+3", 3), ("007", 7), (str(2**63 - 1), 2**63 - 1), (str(-(2**63)), -(2**63))],
)
def test_a_whole_number_is_read_as_go_reads_it(text: str, number: int) -> None:
    assert integer(text) == number


@pytest.mark.parametrize("text", [None, "", "--5", "1_000", " 1", "1.0", "0x1", "²", "٣", str(2**63), "9" * 5000])
def test_what_go_does_not_read_as_a_whole_number_is_none(text: str | None) -> None:
    assert integer(text) is None


def test_amounts_are_rounded_up() -> None:
    assert (units(Fraction(3, 2)), thousandths(Fraction(1, 3))) == (2.0, 334.0)


def container(**requests: str) -> dict[str, Any]:
    return {
        "resources": {"requests": {name.replace("gpu", "nvidia.com/gpu"): value for name, value in requests.items()}}
    }


def test_sidecars_count_beside_containers_and_init_containers_by_the_largest() -> None:
    spec = {
        "containers": [container(cpu="1"), container(cpu="500m")],
        "initContainers": [
            container(cpu="300m") | {"restartPolicy": "Always"},
            container(cpu="2500m"),
            container(cpu="1200m") | {"restartPolicy": "Always"},
        ],
        "overhead": {"cpu": "100m"},
    }
    assert pod_request(spec, {}).amounts["cpu"] == 3100.0


@pytest.mark.parametrize(
    ("annotations", "kind", "devices", "gpus"),
    [
        ({}, GpuKind.REGULAR, 2, 2.0),
        ({"gpu-fraction": "0.14"}, GpuKind.FRACTION, 1, 0.14),
        ({"gpu-fraction": "0.5", "gpu-fraction-num-devices": "2"}, GpuKind.FRACTION, 2, 1.0),
        ({"gpu-fraction": "0.5", "gpu-memory": "100"}, GpuKind.FRACTION, 1, 0.5),
        ({"gpu-memory": "20000"}, GpuKind.MEMORY, 1, 0.0),
        ({"gpu-fraction": "half"}, GpuKind.REGULAR, 2, 2.0),
        ({"gpu-fraction": "1.5"}, GpuKind.REGULAR, 2, 2.0),
    ],
)
def test_annotations_say_which_part_of_gpus_a_pod_asks_for(
    annotations: dict[str, str], kind: GpuKind, devices: int, gpus: float
) -> None:
    request = pod_request({"containers": [container(gpu="2")]}, annotations)
    assert (request.kind, request.devices, request.gpus) == (kind, devices, gpus)


@pytest.mark.parametrize(
    ("phase", "deleted", "node", "gated", "bound", "status"),
    [
        ("Running", None, "n", False, False, Status.RUNNING),
        ("Running", NOW - timedelta(seconds=60), "n", False, False, Status.RELEASING),
        ("Running", NOW - timedelta(minutes=3), "n", False, False, Status.STUCK),
        ("Pending", NOW, "", False, False, Status.RELEASING),
        ("Pending", None, "n", True, True, Status.BOUND),
        ("Pending", None, "", True, True, Status.BINDING),
        ("Pending", None, "", True, False, Status.GATED),
        ("Pending", None, "", False, False, Status.PENDING),
        ("Succeeded", None, "n", False, False, Status.SUCCEEDED),
        ("", None, "", False, False, Status.UNKNOWN),
    ],
)
def test_a_pod_is_in_the_state_that_fits_first(
    phase: str, deleted: datetime | None, node: str, gated: bool, bound: bool, status: Status
) -> None:
    found = pod_status(
        phase=phase, deleted=deleted, node=node, gated=gated, bound=bound, now=NOW, stuck_after=timedelta(minutes=2)
    )
    assert found is status


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h30m", 5400), ("-1s", -1), ("1.5s", 1.5), ("0", 0), (60_000_000_000, 60), ("87600h", 315_360_000)],
)
def test_a_duration_is_read_as_go_writes_it(text: object, seconds: float) -> None:
    assert duration(text) == timedelta(seconds=seconds)


def test_a_duration_keeps_its_sign() -> None:
    assert duration(-1) == duration("-1ns") == timedelta(microseconds=-1)


@pytest.mark.parametrize("text", [None, "", "soon", "1 h", "s", True, "99999999h", 1e19, float("nan")])
def test_what_is_no_duration_is_none(text: object) -> None:
    assert duration(text) is None


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (expression("zone", "In", "a", "b"), True),
        (expression("zone", "In", "b"), False),
        (expression("rack", "In", "1"), False),
        (expression("rack", "NotIn", "1"), True),
        (expression("zone", "Exists"), True),
        (expression("rack", "DoesNotExist"), True),
        (expression("size", "Gt", "7"), True),
        (expression("size", "Lt", "8"), False),
        (expression("zone", "Gt", "7"), False),
        (expression("zone", "Like", "a"), False),
    ],
)
def test_required_affinity_is_what_kubernetes_says(condition: dict[str, Any], holds: bool) -> None:
    required = {"nodeSelectorTerms": [{"matchExpressions": [condition]}]}
    spec = {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}}
    assert pod_constraints(spec).select("n1", {"zone": "a", "size": "8"}) is holds


def test_an_affinity_without_terms_fits_no_node() -> None:
    spec: dict[str, Any] = {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}}}
    assert not pod_constraints(spec).select("n1", {})


@pytest.mark.parametrize(
    ("toleration", "stands"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "gpu", "operator": "Exists"}, True),
        ({"key": "gpu", "value": "yes"}, True),
        ({"key": "gpu", "value": "no"}, False),
        ({"key": "gpu", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "cpu", "operator": "Exists"}, False),
        ({"value": "yes"}, False),
        ({"key": "gpu", "operator": "Gt", "value": "yes"}, False),
        ({"key": "gpu", "operator": "", "value": "yes"}, True),
    ],
)
def test_a_taint_is_tolerated_as_kubernetes_does(toleration: dict[str, str], stands: bool) -> None:
    taints = [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}, {"key": "x", "effect": "PreferNoSchedule"}]
    assert pod_constraints({"tolerations": [toleration]}).tolerate(taints) is stands


@pytest.mark.parametrize(
    ("label", "memory", "known"),
    [("81559", 81500, True), ("85520809984", 81500, True), ("much", 100, False), (None, 100, False)],
)
def test_the_memory_of_a_gpu_is_in_hundreds_of_mib(label: str | None, memory: int, known: bool) -> None:
    labels = {} if label is None else {"nvidia.com/gpu.memory": label}
    facts = node_facts({"metadata": {"name": "n", "labels": labels}})
    assert (facts.device_memory, facts.memory_known) == (memory, known)


@pytest.mark.parametrize(
    ("conditions", "unschedulable", "ready"),
    [
        ([], False, True),
        ([], True, False),
        ([("Ready", "True"), ("MemoryPressure", "False"), ("Whatever", "Unknown")], False, True),
        ([("Ready", "Unknown")], False, False),
        ([("DiskPressure", "Unknown")], False, False),
    ],
)
def test_a_node_takes_pods_unless_something_speaks_against_it(
    conditions: list[tuple[str, str]], unschedulable: bool, ready: bool
) -> None:
    listed = [{"type": kind, "status": status} for kind, status in conditions]
    node = {"metadata": {"name": "n"}, "spec": {"unschedulable": unschedulable}, "status": {"conditions": listed}}
    assert node_facts(node).ready is ready
