"""The Job that records what a node is: what it may do, and what is read from what became of it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot.api.snapshotcapture import SnapshotCapture
from kai_snapshot.errors import Reason
from kai_snapshot.jobs import names
from kai_snapshot.jobs.nodefacts import NodeJob, node_job_facts
from kai_snapshot.jobs.nodejob import node_job
from support.environments import pod_of
from support.resources import capture

RUN = "20261122T100000Z-0a1b2c3d"
NOW = datetime(2026, 11, 22, 10, 0, 10, tzinfo=UTC)


def built(node: str = "gpu-1", **environment: Any) -> dict[str, Any]:
    resource = SnapshotCapture.model_validate(capture(environment={"mode": "PerNode", **environment}))
    assert resource.spec.environment is not None
    return node_job(
        resource,
        resource.spec.environment,
        run=RUN,
        node=node,
        operator_image="operator:1",
        transfer_url="https://t:8082",
    )


def pod_spec(**environment: Any) -> dict[str, Any]:
    return dict(built(**environment)["spec"]["template"]["spec"])


class TestTheJob:
    def test_is_recognisable_and_goes_with_its_capture(self) -> None:
        made = built()
        meta = made["metadata"]
        assert meta["labels"] == made["spec"]["template"]["metadata"]["labels"]
        assert meta["labels"] == {
            "app.kubernetes.io/managed-by": "kai-snapshot-operator",
            "app.kubernetes.io/component": "environment",
            "kai-snapshot.io/capture": "hourly",
            "kai-snapshot.io/capture-uid": capture()["metadata"]["uid"],
            "kai-snapshot.io/run": RUN,
        }
        assert meta["annotations"] == {"kai-snapshot.io/node": "gpu-1"}
        assert [owner["kind"] for owner in meta["ownerReferences"]] == ["SnapshotCapture"]

    def test_goes_to_that_node_and_no_other_by_the_default_scheduler(self) -> None:
        spec = pod_spec()
        (term,) = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
            "nodeSelectorTerms"
        ]
        assert term == {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["gpu-1"]}]}
        assert spec["schedulerName"] == "default-scheduler"
        assert spec["tolerations"] == [{"operator": "Exists"}]

    def test_ends_whatever_happens_and_is_not_tried_again(self) -> None:
        spec = built(timeoutSeconds=100)["spec"]
        assert (spec["backoffLimit"], spec["template"]["spec"]["restartPolicy"]) == (0, "Never")
        assert spec["template"]["spec"]["activeDeadlineSeconds"] == 100
        assert spec["activeDeadlineSeconds"] > 100, "the operator, which can say why, is first"
        assert spec["ttlSecondsAfterFinished"] == 3600

    def test_holds_no_credentials_but_its_token(self) -> None:
        spec = pod_spec()
        assert spec["automountServiceAccountToken"] is False
        (container,) = spec["containers"]
        assert [volume for volume in spec["volumes"] if "secret" in volume] == [
            {"name": "token", "secret": {"secretName": f"{built()['metadata']['name']}-token", "defaultMode": 0o440}}
        ]
        assert {"name": "token", "mountPath": "/var/run/secrets/kai-snapshot", "readOnly": True} in container[
            "volumeMounts"
        ]
        assert {"name": "KAI_SNAPSHOT_TRANSFER_URL", "value": "https://t:8082"} in container["env"]

    def test_is_restricted_unless_more_is_asked_for(self) -> None:
        spec = pod_spec()
        security = spec["containers"][0]["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not [volume for volume in spec["volumes"] if "hostPath" in volume]
        for forbidden in ("hostPID", "hostNetwork", "hostIPC"):
            assert forbidden not in spec

    def test_sees_the_host_read_only_if_that_is_asked_for(self) -> None:
        spec = pod_spec(privileged=True)
        host = [volume["name"] for volume in spec["volumes"] if "hostPath" in volume]
        mounts = {mount["name"]: mount for mount in spec["containers"][0]["volumeMounts"]}
        assert host
        assert all(mounts[name]["readOnly"] for name in host)

    def test_needs_no_privileges_where_a_runtime_class_brings_the_driver(self) -> None:
        security = pod_spec(privileged=True, runtimeClassName="nvidia")["containers"][0]["securityContext"]
        assert "privileged" not in security
        assert pod_spec(runtimeClassName="nvidia")["runtimeClassName"] == "nvidia"

    def test_is_as_the_capture_wants_it(self) -> None:
        spec = pod_spec(
            image="mine:1",
            imagePullSecrets=[{"name": "registry"}],
            resources={"limits": {"nvidia.com/gpu": 1}},
            tolerations=[{"key": "gpu"}],
            requireGPU=True,
        )
        (container,) = spec["containers"]
        assert container["image"] == "mine:1"
        assert container["resources"]["limits"] == {"nvidia.com/gpu": 1}
        assert "--require-gpu" in container["command"]
        assert spec["imagePullSecrets"] == [{"name": "registry"}]
        assert spec["tolerations"] == [{"key": "gpu"}]

    def test_leaves_its_collectors_no_more_than_half_of_its_time(self) -> None:
        def seconds(timeout: int) -> str:
            command = pod_spec(timeoutSeconds=timeout)["containers"][0]["command"]
            return str(command[command.index("--collector-timeout") + 1])

        assert (seconds(300), seconds(10)) == ("10", "5")


NAMES = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,50}[a-z0-9])?", fullmatch=True)
NODES = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,80}[a-z0-9])?", fullmatch=True)


@given(name=NAMES, nodes=st.lists(NODES, min_size=2, max_size=5, unique=True), runs=st.tuples(st.text(), st.text()))
def test_a_name_is_one_and_fits_into_a_label(name: str, nodes: list[str], runs: tuple[str, str]) -> None:
    made = [names.node_job_name(name, uid="u", run=run, node=node) for run in set(runs) for node in nodes]
    assert len(set(made)) == len(made)
    for each in made:
        assert len(each) <= 63
        assert re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", each)


class TestWhatBecameOfIt:
    def facts(self, *, condition: dict[str, str] | None = None, pod: dict[str, Any] | None = None) -> NodeJob:
        job = built()
        job["metadata"] |= {"uid": "j1", "creationTimestamp": "2026-11-22T10:00:00Z"}
        job["status"] = {"conditions": [{"status": "True", **condition}]} if condition else {}
        return node_job_facts(job, [pod_of(job, **pod)] if pod is not None else [], now=NOW)

    def ended(self, **terminated: Any) -> dict[str, Any]:
        state = {"terminated": {"exitCode": 1, **terminated}}
        return {"phase": "Failed", "containerStatuses": [{"name": "environment", "state": state}]}

    @pytest.mark.parametrize(
        ("condition", "terminated", "reason", "says"),
        [
            (
                "BackoffLimitExceeded",
                {"exitCode": 65, "message": '{"reason":"GPUNotFound","message":"none"}'},
                "GPUNotFound",
                "none",
            ),
            ("DeadlineExceeded", None, "DeadlineExceeded", "environment.timeoutSeconds"),
            ("BackoffLimitExceeded", {"exitCode": 137, "reason": "OOMKilled"}, "OutOfMemory", "environment.resources"),
            ("BackoffLimitExceeded", {"exitCode": 2}, "CollectionFailed", "ended with status 2"),
            ("BackoffLimitExceeded", None, "CollectionFailed", "without handing in"),
        ],
    )
    def test_is_the_most_that_can_be_said(
        self, condition: str, terminated: dict[str, Any] | None, reason: str, says: str
    ) -> None:
        pod = self.ended(**terminated) if terminated is not None else None
        problem = self.facts(condition={"type": "Failed", "reason": condition}, pod=pod).problem
        assert problem is not None
        assert (problem.reason, says in problem.message) == (Reason(reason), True), problem

    def test_is_not_known_while_it_may_still_come(self) -> None:
        assert self.facts().problem is None
        assert self.facts().has_pod is False
        assert "kubectl describe job" in self.facts().waiting
        running = {"phase": "Running", "containerStatuses": [{"name": "environment", "state": {"running": {}}}]}
        assert (self.facts(pod=running).problem, self.facts(pod=running).waiting) == (None, "its pod runs")
        assert self.facts(pod=self.ended()).problem is None, "the Job may make another pod"

    def test_is_certain_once_its_image_cannot_be_had(self) -> None:
        waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}
        pod = {
            "phase": "Pending",
            "startTime": (NOW - timedelta(minutes=3)).isoformat(),
            "containerStatuses": [{"name": "environment", "state": waiting}],
        }
        problem = self.facts(pod=pod).problem
        assert problem is not None
        assert (problem.reason, "ImagePullBackOff" in problem.message) == (Reason.COLLECTION_FAILED, True)
