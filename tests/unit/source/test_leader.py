from datetime import datetime
from typing import Any

import pytest

from kai_snapshot.api.source import SchedulerSource
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.source.leader import Target, election, find_deployment, target
from kai_snapshot.source.objects import Deployment, Lease, Pod
from support import kai

NOW = datetime.fromisoformat(kai.NOW)
A, B = "kai-scheduler-default-7d9f-aaaaa", "kai-scheduler-default-7d9f-bbbbb"


def choose(
    pods: list[dict[str, Any]],
    *,
    lease: dict[str, Any] | None = None,
    replicas: int = 1,
    port: int | None = None,
) -> Target:
    return target(
        SchedulerSource(port=port),
        Deployment.model_validate(kai.deployment(replicas=replicas)),
        [Pod.model_validate(pod) for pod in pods],
        lease=Lease.model_validate(lease) if lease is not None else None,
        now=NOW,
    )


@pytest.mark.parametrize(
    ("there", "shard", "expected"),
    [
        pytest.param(
            ["kai-scheduler-default", "kai-operator"], "default", "kai-scheduler-default", id="v0.10 and later"
        ),
        pytest.param(
            ["kai-scheduler-default", "kai-scheduler-pool-a"], "pool-a", "kai-scheduler-pool-a", id="other shard"
        ),
        pytest.param(["scheduler", "binder"], "default", "scheduler", id="before v0.10"),
        pytest.param(["scheduler", "kai-scheduler-default"], "default", "kai-scheduler-default", id="both: the newer"),
    ],
)
def test_the_deployment_of_a_shard_is_found_in_every_era(there: list[str], shard: str, expected: str) -> None:
    deployments = [Deployment.model_validate(kai.deployment(name)) for name in there]

    assert find_deployment(SchedulerSource(shard=shard), deployments).metadata.name == expected


@pytest.mark.parametrize(
    ("there", "says"),
    [
        pytest.param([kai.deployment("kai-scheduler-pool-a")], "kai-scheduler-pool-a", id="other shards"),
        pytest.param([kai.deployment("scheduler")], "scheduler: correct", id="only the old one"),
        pytest.param([kai.deployment("binder", args=["--v=3"])], "No KAI scheduler is there", id="other programs"),
        pytest.param([], "No KAI scheduler is there", id="nothing"),
    ],
)
def test_a_shard_that_does_not_exist_is_told_with_those_that_do(there: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(TerminalError) as caught:
        find_deployment(SchedulerSource(shard="gone"), [Deployment.model_validate(each) for each in there])

    assert caught.value.reason is Reason.SCHEDULER_NOT_FOUND
    assert says in caught.value.message
    assert "kai-scheduler-gone" in caught.value.message


@pytest.mark.parametrize(
    ("deployment", "lease"),
    [
        pytest.param(kai.deployment(), None, id="one replica, no election"),
        pytest.param(kai.deployment(args=kai.arguments("--leader-elect=false")), None, id="switched off"),
        pytest.param(kai.deployment(args=kai.arguments("--leader-elect=true")), "kai-scheduler", id="switched on"),
        pytest.param(kai.deployment(replicas=2), "kai-scheduler", id="two replicas"),
        pytest.param(
            kai.deployment(replicas=2, args=kai.arguments("--partition-label-value=a")),
            "kai-scheduler-a",
            id="partition",
        ),
    ],
)
def test_replicas_that_elect_a_leader_have_a_lease(deployment: dict[str, Any], lease: str | None) -> None:
    flags = election(Deployment.model_validate(deployment))

    assert (flags.lease if flags is not None else None) == lease


@pytest.mark.parametrize(
    ("pods", "lease", "expected"),
    [
        pytest.param([kai.pod(A)], None, A, id="the only pod"),
        pytest.param([kai.pod(A, ready=False), kai.pod(B)], None, B, id="the only Ready pod"),
        pytest.param([kai.pod(A, deleted=True), kai.pod(B)], None, B, id="not the one being deleted"),
        pytest.param([kai.pod(A), kai.pod(B)], kai.lease(f"{B}_0b3c-uuid"), B, id="the holder"),
        pytest.param([kai.pod(A), kai.pod(B)], kai.lease(f"{A}_x_y"), A, id="up to the first underscore"),
        pytest.param(
            [kai.pod(A), kai.pod(B, ready=False)], kai.lease(f"{B}_u"), B, id="a holder that runs but is not Ready"
        ),
        pytest.param([kai.pod(A)], kai.lease(f"{A}_u", renewed="2026-11-22T10:14:20Z"), A, id="clocks 30 s apart"),
    ],
)
def test_the_pod_that_leads_is_asked(pods: list[dict[str, Any]], lease: dict[str, Any] | None, expected: str) -> None:
    assert choose(pods, lease=lease).pod == expected


@pytest.mark.parametrize(
    ("pods", "lease", "replicas", "reason", "says"),
    [
        pytest.param([], None, 0, Reason.NO_SCHEDULER_POD, "scaled to 0", id="scaled to zero"),
        pytest.param([], None, 1, Reason.NO_SCHEDULER_POD, "it has no pods", id="no pods"),
        pytest.param(
            [kai.pod(A, ready=False, waiting="CrashLoopBackOff")],
            None,
            1,
            Reason.NO_SCHEDULER_POD,
            f"{A} is CrashLoopBackOff",
            id="crashing",
        ),
        pytest.param(
            [kai.pod(A, phase="Pending", ready=False)],
            None,
            1,
            Reason.NO_SCHEDULER_POD,
            f"{A} is Pending",
            id="pending",
        ),
        pytest.param(
            [kai.pod(A, ready=False, waiting="CrashLoopBackOff")],
            kai.lease(f"{B}_u", renewed="2026-11-22T10:14:10Z"),
            2,
            Reason.NO_SCHEDULER_POD,
            f"{A} is CrashLoopBackOff",
            id="crashing, the Lease left over",
        ),
        pytest.param(
            [],
            kai.lease(f"{B}_u", renewed="2026-11-22T10:14:10Z"),
            0,
            Reason.NO_SCHEDULER_POD,
            "scaled to 0",
            id="scaled to zero, the Lease left over",
        ),
        pytest.param([kai.pod(A), kai.pod(B)], None, 2, Reason.NO_LEADER, "2 pods", id="two pods and no Lease"),
        pytest.param([kai.pod(A)], kai.lease(""), 2, Reason.NO_LEADER, "Nobody holds", id="Lease released"),
        pytest.param([kai.pod(A)], kai.lease(None), 2, Reason.NO_LEADER, "Nobody holds", id="Lease without holder"),
        pytest.param(
            [kai.pod(A)],
            kai.lease(f"{A}_u", renewed="2026-11-22T10:14:10Z"),
            2,
            Reason.NO_LEADER,
            "has expired",
            id="Lease expired",
        ),
        pytest.param([kai.pod(A)], kai.lease(f"{B}_u"), 2, Reason.NO_LEADER, "is no pod of", id="holder is gone"),
        pytest.param(
            [kai.pod(A, phase="Failed", ready=False), kai.pod(B)],
            kai.lease(f"{A}_u"),
            2,
            Reason.NO_LEADER,
            "is not running: Failed",
            id="holder has failed",
        ),
        pytest.param(
            [kai.pod(A, deleted=True)],
            kai.lease(f"{A}_u"),
            2,
            Reason.NO_LEADER,
            "is not running: Terminating",
            id="holder is being deleted",
        ),
    ],
)
def test_without_a_leader_the_reason_is_told(
    pods: list[dict[str, Any]], lease: dict[str, Any] | None, replicas: int, reason: Reason, says: str
) -> None:
    with pytest.raises(TransientError) as caught:
        choose(pods, lease=lease, replicas=replicas)

    assert caught.value.reason is reason
    assert says in caught.value.message


def test_the_target_says_what_is_known_of_the_scheduler() -> None:
    pod = kai.pod(A, args=kai.arguments("--plugin-server-port=9081", "--partition-label-value=pool-a"))

    assert choose([pod]) == Target(
        namespace="kai-scheduler",
        deployment="kai-scheduler-default",
        shard="default",
        pod=A,
        container="kai-scheduler-default",
        port=9081,
        image="ghcr.io/kai-scheduler/kai-scheduler/scheduler:v0.17.0",
        image_id="ghcr.io/kai-scheduler/kai-scheduler/scheduler@sha256:0123",
        version="v0.17.0",
        partition="pool-a",
        config_map="kai-scheduler-default",
    )


def test_a_port_in_the_spec_overrides_the_arguments() -> None:
    assert choose([kai.pod(A, args=kai.arguments("--plugin-server-port=9081"))], port=8099).port == 8099


def test_every_message_fits_a_condition() -> None:
    with pytest.raises(SnapshotError) as caught:
        choose([kai.pod(f"{'x' * 240}-{n}", ready=False, waiting="CrashLoopBackOff") for n in range(9)])

    assert len(caught.value.message) <= 1024
