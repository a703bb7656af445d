"""The pod that looks at a node: its rights, and what becomes of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kai_snapshot.collectors import systemd
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.jobs.environment import NodeLook, job, pod_spec
from kai_snapshot.jobs.nodepod import PodPhase, state
from kai_snapshot.jobs.scheduling import node_selector, taint, tolerations

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def container(look: NodeLook) -> dict[str, Any]:
    (only,) = pod_spec(look, "n")["containers"]
    assert isinstance(only, dict)
    return only


def test_without_privileges_it_meets_the_restricted_standard() -> None:
    spec = pod_spec(NodeLook(image="i"), "n")
    assert spec["volumes"] == []
    assert spec["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    security = container(NodeLook(image="i"))["securityContext"]
    assert security == {
        "runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert "--no-host" in container(NodeLook(image="i"))["command"]


def test_with_privileges_it_sees_the_host_and_can_change_none_of_its_files() -> None:
    look = NodeLook(image="i", privileged=True)
    assert container(look)["securityContext"]["privileged"] is True
    assert container(look)["volumeMounts"] == [
        {"name": "host", "mountPath": "/host", "readOnly": True, "recursiveReadOnly": "IfPossible"}
    ]
    assert pod_spec(look, "n")["volumes"] == [{"name": "host", "hostPath": {"path": "/", "type": "Directory"}}]


def test_with_a_runtime_class_it_needs_no_devices_and_only_parts_of_the_host() -> None:
    look = NodeLook(image="i", privileged=True, runtime_class_name="nvidia")
    assert pod_spec(look, "n")["runtimeClassName"] == "nvidia"
    assert "privileged" not in container(look)["securityContext"]
    assert container(look)["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    mounts = container(look)["volumeMounts"]
    assert [each["mountPath"] for each in mounts] == ["/host/etc/os-release", "/host/run/systemd", "/host/run/dbus"]
    assert {(each["readOnly"], each["recursiveReadOnly"]) for each in mounts} == {(True, "IfPossible")}
    assert {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"} in container(look)["env"]


def test_of_the_host_it_has_what_the_collectors_read_and_no_other_socket() -> None:
    look = NodeLook(image="i", privileged=True, runtime_class_name="nvidia")
    paths = {each["hostPath"]["path"] for each in pod_spec(look, "n")["volumes"]}
    assert {str(Path(socket).parent) for socket in (systemd.PRIVATE, systemd.SYSTEM_BUS)} < paths
    assert not any(Path("/run/containerd/containerd.sock").is_relative_to(path) for path in paths)


@pytest.mark.parametrize("privileged", [True, False])
def test_it_holds_no_credentials_and_is_not_kais(privileged: bool) -> None:
    spec = pod_spec(NodeLook(image="i", privileged=privileged), "n")
    assert spec["automountServiceAccountToken"] is False
    assert spec["schedulerName"] == "default-scheduler"
    assert not any(spec.get(each) for each in ("hostNetwork", "hostPID", "hostIPC", "serviceAccountName"))


def test_it_goes_to_its_node_whatever_the_taints() -> None:
    spec = pod_spec(NodeLook(image="i"), "gpu-1")
    (term,) = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term == {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["gpu-1"]}]}
    assert spec["tolerations"] == [{"operator": "Exists"}]
    assert "nodeName" not in spec


def test_its_job_runs_once_and_goes_by_itself() -> None:
    made = job(
        NodeLook(image="i"), "n", metadata={"name": "j", "labels": {"a": "b"}}, timeout_seconds=30, keep_seconds=60
    )
    assert {key: value for key, value in made["spec"].items() if key != "template"} == {
        "backoffLimit": 0, "activeDeadlineSeconds": 30, "ttlSecondsAfterFinished": 60,
    }  # fmt: skip
    assert made["spec"]["template"]["metadata"]["labels"] == {"a": "b"}


def test_what_is_asked_for_is_in_its_command() -> None:
    look = NodeLook(image="i", units=("a.service", "b.service"), collector_seconds=2.5, debug=True, privileged=True)
    assert container(look)["command"] == [
        "kai-snapshot", "job", "environment", "--host-root", "/host", "--unit", "a.service", "--unit", "b.service",
        "--collector-timeout", "2.5", "--debug",
    ]  # fmt: skip


def pod(phase: str = "Pending", *, container: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    statuses = [{"name": "environment", "state": container}] if container is not None else []
    return {"status": {"phase": phase, "startTime": "2026-11-22T10:00:00Z", "containerStatuses": statuses, **status}}


PULLING = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}


@pytest.mark.parametrize(
    ("found", "phase", "says"),
    [
        (pod(), PodPhase.WAITING, ""),
        ({}, PodPhase.WAITING, ""),
        (pod("Running", container={"running": {}}), PodPhase.WAITING, ""),
        (pod("Succeeded"), PodPhase.SUCCEEDED, ""),
        (pod(container=PULLING), PodPhase.WAITING, "no such image"),
        (pod(container={"waiting": {"reason": "InvalidImageName"}}), PodPhase.FAILED, "InvalidImageName"),
        (
            pod("Failed", container={"terminated": {"exitCode": 3, "reason": "Error", "message": "a fault\n"}}),
            PodPhase.FAILED,
            "status 3 (Error); a fault",
        ),
        (pod("Failed", reason="DeadlineExceeded", message="too long"), PodPhase.FAILED, "DeadlineExceeded: too long"),
        (pod("Failed"), PodPhase.FAILED, "nobody says why"),
        (
            pod(
                conditions=[
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no room"}
                ]
            ),
            PodPhase.WAITING,
            "Unschedulable: no room",
        ),
    ],
)
def test_what_has_become_of_it(found: dict[str, Any], phase: PodPhase, says: str) -> None:
    now = state(found, now=NOW)
    assert now.phase is phase
    assert says in now.message


def test_an_image_that_cannot_be_pulled_is_given_two_minutes() -> None:
    assert state(pod(container=PULLING), now=NOW + timedelta(seconds=119)).phase is PodPhase.WAITING
    assert state(pod(container=PULLING), now=NOW + timedelta(seconds=120)).phase is PodPhase.FAILED


def test_node_selectors() -> None:
    assert node_selector(["a=b", "c=d=e", "f="]) == {"a": "b", "c": "d=e", "f": ""}
    for wrong in ("a", "=b"):
        with pytest.raises(TerminalError, match="key=value") as caught:
            node_selector([wrong])
        assert caught.value.reason is Reason.INVALID_SPEC


def test_tolerations() -> None:
    assert tolerations([]) == [{"operator": "Exists"}]
    assert tolerations(["a=b:NoSchedule", "c:NoExecute"]) == [
        {"key": "a", "operator": "Equal", "value": "b", "effect": "NoSchedule"},
        {"key": "c", "operator": "Exists", "effect": "NoExecute"},
    ]


@pytest.mark.parametrize("wrong", ["", "a", "a:b:NoSchedule", "a=b", ":NoSchedule", "=b:NoSchedule", "a:Never"])
def test_what_is_no_taint_is_told(wrong: str) -> None:
    for parse in (taint, lambda text: tolerations([text])):
        with pytest.raises(TerminalError) as caught:
            parse(wrong)
        assert caught.value.reason is Reason.INVALID_SPEC


def test_taints() -> None:
    assert taint("a=b:PreferNoSchedule") == {"key": "a", "value": "b", "effect": "PreferNoSchedule"}
    assert taint("a:NoSchedule") == taint("a=:NoSchedule") == {"key": "a", "effect": "NoSchedule"}
