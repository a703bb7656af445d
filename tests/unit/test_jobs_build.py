"""The Job of a replay: who may do what in it, how it fails, what it is called."""

from datetime import timedelta
from typing import Any, ClassVar

import orjson
import pytest

from kai_snapshot.api.replaysource import MAX_ARCHIVES
from kai_snapshot.api.snapshotreplay import (
    AS_CAPTURED,
    ReplayVersion,
    SnapshotReplay,
    SnapshotReplayStatus,
    VersionResult,
)
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.jobs import names
from kai_snapshot.jobs.build import LONGEST_SECONDS, TRANSFER_ALLOWANCE_SECONDS, job, transfer_secret
from kai_snapshot.jobs.images import image_for, target_version
from kai_snapshot.transfer.tokens import MAX_AGE


def replay(of_many: int = 0, **spec: Any) -> SnapshotReplay:
    return SnapshotReplay.model_validate(
        {
            "status": resolved(of_many) if of_many else {},
            "metadata": {
                "name": "why-pending",
                "namespace": "kai-snapshots",
                "uid": "b7c0",
                "labels": {"argocd.argoproj.io/instance": "prod"},
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
                "creationTimestamp": "2026-11-22T10:00:00Z",
            },
            "spec": {"source": {"captureRef": {"name": "hourly"}}, "versions": [{"name": "v0.17.0"}], **spec},
        }
    )


def build(index: int = 0, attempt: int = 1, *, of_many: int = 0, **spec: Any) -> dict[str, Any]:
    versions = [{"name": f"v0.17.{patch}"} for patch in range(index + 1)]
    return job(
        replay(of_many, **({"versions": versions} | spec)),
        index=index,
        attempt=attempt,
        image="ghcr.io/kai-scheduler/kai-scheduler/snapshot-tool:v0.17.0",
        operator_image="kai-snapshot-operator:1.0.0",
        transfer_url="https://kai-snapshot-transfer.kai-snapshots.svc:8082",
    )


def pod(**spec: Any) -> dict[str, Any]:
    found: dict[str, Any] = build(**spec)["spec"]["template"]["spec"]
    return found


def containers(**spec: Any) -> dict[str, dict[str, Any]]:
    return {container["name"]: container for container in pod(**spec)["initContainers"] + pod(**spec)["containers"]}


class TestRestrictedPodSecurityStandard:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, item by item."""

    @pytest.mark.parametrize("field", ["hostNetwork", "hostPID", "hostIPC", "hostUsers", "windowsOptions"])
    def test_nothing_of_the_host_is_shared(self, field: str) -> None:
        assert field not in pod()

    def test_volumes_are_of_allowed_types(self) -> None:
        kinds = {kind for volume in pod()["volumes"] for kind in volume if kind != "name"}
        assert kinds <= {
            "configMap",
            "csi",
            "downwardAPI",
            "emptyDir",
            "ephemeral",
            "persistentVolumeClaim",
            "projected",
            "secret",
        }

    @pytest.mark.parametrize("name", [names.FETCH, names.TOOL, names.REPORT])
    def test_every_container_is_confined(self, name: str) -> None:
        assert containers()[name]["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }

    def test_the_pod_is_confined(self) -> None:
        assert pod()["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        }

    def test_no_container_has_host_ports(self) -> None:
        assert all("ports" not in container for container in containers().values())

    def test_there_are_no_containers_but_those_three(self) -> None:
        assert list(containers()) == [names.FETCH, names.TOOL, names.REPORT]
        assert "ephemeralContainers" not in pod()


class TestTheSimulator:
    SPEC: ClassVar[dict[str, Any]] = {"engine": "Simulator", "versions": None}

    def test_it_takes_the_place_of_the_tool(self) -> None:
        found = containers(**self.SPEC)
        assert list(found) == [names.FETCH, names.SIMULATOR, names.REPORT]
        assert found[names.SIMULATOR]["command"][-4:] == ["kai-snapshot", "job", "simulate", "."]
        assert "env" not in found[names.SIMULATOR]
        assert {mount["name"] for mount in found[names.SIMULATOR]["volumeMounts"]} == {"work"}

    def test_what_is_killed_for_its_memory_would_be_again(self) -> None:
        rules = build(**self.SPEC)["spec"]["podFailurePolicy"]["rules"]
        killed = {"containerName": names.SIMULATOR, "operator": "In", "values": [137]}
        assert {"action": "FailJob", "onExitCodes": killed} in rules

    def test_resources_of_the_pod_template_are_its(self) -> None:
        limits = {"memory": "2Gi"}
        found = containers(**self.SPEC, podTemplate={"spec": {"resources": {"limits": limits}}})
        assert found[names.SIMULATOR]["resources"]["limits"]["memory"] == "2Gi"


class TestWhatThePodHolds:
    def test_no_service_account_token_and_no_service_variables(self) -> None:
        assert (pod()["automountServiceAccountToken"], pod()["enableServiceLinks"]) == (False, False)

    def test_the_tool_does_not_see_the_token(self) -> None:
        mounts = {name: {m["name"] for m in container["volumeMounts"]} for name, container in containers().items()}
        assert mounts == {names.FETCH: {"work", "token"}, names.TOOL: {"work"}, names.REPORT: {"work", "token"}}
        assert "env" not in containers()[names.TOOL]

    def test_the_token_is_a_file_that_only_the_pods_group_reads(self) -> None:
        volume = next(v for v in pod()["volumes"] if v["name"] == "token")
        assert volume["secret"] == {"secretName": "why-pending-0-token", "defaultMode": 0o440}

    def test_the_tools_image_is_run_as_it_is_under_a_busybox_of_ours(self) -> None:
        tool = containers()[names.TOOL]
        assert tool["image"] == "ghcr.io/kai-scheduler/kai-scheduler/snapshot-tool:v0.17.0"
        assert tool["command"][:2] == ["/replay/busybox", "sh"]
        assert tool["command"][-9:-5] == ["/replay", "1800", "3", ""]
        assert tool["command"][-5:] == ["/workspace/app", "--filename", "snapshot.zip", "--verbosity", "4"]

    @pytest.mark.parametrize(
        ("version", "profiles"),
        [
            ({"name": "v0.9.0"}, ""),
            ({"name": "v0.12.23"}, "--cpuprofile cpu.pprof"),
            ({"name": "v0.17.0"}, "--cpuprofile cpu.pprof --memprofile memory.pprof"),
            ({"name": "main", "image": "tool:main"}, "--cpuprofile cpu.pprof --memprofile memory.pprof"),
        ],
        ids=["no flag yet", "one flag", "both", "taken for the newest"],
    )
    def test_a_version_is_asked_for_the_profiles_it_can_write(self, version: dict[str, str], profiles: str) -> None:
        found = containers(versions=[version], profile=True, repetitions=5)[names.TOOL]
        assert found["command"][-7:-5] == ["5", profiles]

    def test_the_replays_own_labels_and_annotations_are_not_copied(self) -> None:
        built = build()
        assert "argocd.argoproj.io/instance" not in str(built)
        assert "last-applied-configuration" not in str(built)

    def test_everything_made_is_found_by_one_selector(self) -> None:
        wanted = dict(pair.split("=") for pair in names.JOB_SELECTOR.split(","))
        for labels in (build()["metadata"]["labels"], build()["spec"]["template"]["metadata"]["labels"]):
            assert wanted.items() <= labels.items()


class TestHowItEnds:
    def test_a_pod_that_is_in_the_way_is_replaced_without_counting(self) -> None:
        rule = build()["spec"]["podFailurePolicy"]["rules"][0]
        assert rule == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}

    def test_out_of_memory_and_hopeless_failures_are_not_tried_again(self) -> None:
        rules = build()["spec"]["podFailurePolicy"]["rules"][1:]
        assert [
            (rule["action"], rule["onExitCodes"]["containerName"], rule["onExitCodes"]["values"]) for rule in rules
        ] == [
            ("FailJob", "snapshot-tool", [137]),
            ("FailJob", "fetch", [65]),
            ("FailJob", "report", [65]),
        ]

    def test_pods_are_never_restarted_in_place(self) -> None:
        assert pod()["restartPolicy"] == "Never"

    def test_the_deadline_holds_waiting_the_tool_and_both_transfers(self) -> None:
        spec = build(activeDeadlineSeconds=600, startingDeadlineSeconds=120, repetitions=5)["spec"]
        assert spec["activeDeadlineSeconds"] == 120 + 5 * 600 + 2100

    def test_backoff_is_the_replays(self) -> None:
        assert build(backoffLimit=3)["spec"]["backoffLimit"] == 3

    def test_it_stays_until_its_result_is_harvested(self) -> None:
        assert "ttlSecondsAfterFinished" not in build()["spec"]

    def test_it_goes_with_its_replay_and_needs_no_right_to_finalizers(self) -> None:
        assert build()["metadata"]["ownerReferences"] == [
            {
                "apiVersion": "kai-snapshot.io/v1alpha1",
                "kind": "SnapshotReplay",
                "name": "why-pending",
                "uid": "b7c0",
                "controller": True,
            }
        ]


def resolved(count: int) -> dict[str, Any]:
    """The status of a replay of so many archives."""
    archives = {"count": count, "first": "a", "last": "z", "digest": "0" * 64, "planURI": "pvc://archives/plan.json"}
    return {
        "resolvedSource": {
            "id": "z",
            "storage": {"pvc": {"claimName": "archives"}},
            "key": "z.zip",
            "uri": "pvc://archives/z.zip",
            "sha256": "0" * 64,
            "sizeBytes": 1,
            "archives": archives,
        }
    }


class TestManyArchives:
    def test_each_archive_is_an_index_of_one_job(self) -> None:
        spec = build(of_many=500, parallelism=4)["spec"]
        assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 500, 4)

    def test_there_are_never_more_pods_than_archives(self) -> None:
        assert build(of_many=3, parallelism=8)["spec"]["parallelism"] == 3

    def test_no_archive_holds_up_the_others(self) -> None:
        spec = build(of_many=20, backoffLimit=2)["spec"]
        assert spec["backoffLimitPerIndex"] == 2
        assert not {"backoffLimit", "maxFailedIndexes"} & spec.keys()
        assert [rule["action"] for rule in spec["podFailurePolicy"]["rules"]] == ["Ignore", *["FailIndex"] * 3]

    def test_each_pod_has_the_deadline_that_the_job_of_one_archive_has(self) -> None:
        times = {"activeDeadlineSeconds": 600, "startingDeadlineSeconds": 120, "repetitions": 5}
        alone = build(**times)["spec"]
        assert "activeDeadlineSeconds" not in alone["template"]["spec"]
        many = build(of_many=20, **times)["spec"]
        assert many["template"]["spec"]["activeDeadlineSeconds"] == alone["activeDeadlineSeconds"]

    @pytest.mark.parametrize(("count", "parallelism", "rounds"), [(20, 4, 5), (21, 4, 6), (3, 8, 1)])
    def test_the_job_has_time_for_all_of_them(self, count: int, parallelism: int, rounds: int) -> None:
        spec = build(of_many=count, parallelism=parallelism)["spec"]
        assert spec["activeDeadlineSeconds"] == rounds * spec["template"]["spec"]["activeDeadlineSeconds"]

    def test_no_pod_outlives_its_token(self) -> None:
        longest = build(of_many=1000, activeDeadlineSeconds=86400)["spec"]["activeDeadlineSeconds"]
        assert longest == LONGEST_SECONDS
        assert timedelta(0) < MAX_AGE - timedelta(seconds=longest) < timedelta(days=1)
        # what the CRD allows one pod fits
        assert LONGEST_SECONDS >= 561600 + TRANSFER_ALLOWANCE_SECONDS

    def test_the_job_is_as_large_whatever_the_count(self) -> None:
        sizes = {len(orjson.dumps(build(of_many=count, parallelism=32))) for count in (100, 999)}
        assert max(sizes) - min(sizes) < 8

    def test_the_containers_are_those_of_one_archive(self) -> None:
        alone, many = pod(), pod(of_many=20)
        del many["activeDeadlineSeconds"]
        assert many == alone

    def test_the_host_name_of_the_last_pod_of_the_longest_name_is_a_label(self) -> None:
        assert len(f"{names.job_name('x' * 52, 31, 2)}-{MAX_ARCHIVES - 1}") <= 63


class TestNames:
    @pytest.mark.parametrize(
        ("index", "attempt", "name"), [(0, 1, "why-pending-0"), (7, 1, "why-pending-7"), (0, 2, "why-pending-0-a2")]
    )
    def test_a_name_is_never_used_again(self, index: int, attempt: int, name: str) -> None:
        built = build(index, attempt)
        assert built["metadata"]["name"] == name
        assert (
            built["metadata"]["labels"]
            | {
                names.REPLAY: "why-pending",
                names.REPLAY_UID: "b7c0",
                names.INDEX: str(index),
                names.ATTEMPT: str(attempt),
            }
            == built["metadata"]["labels"]
        )

    def test_the_longest_name_allowed_still_fits_a_label(self) -> None:
        assert len(names.job_name("x" * 52, 31, 2)) <= 63


class TestPodTemplate:
    TEMPLATE = {
        "metadata": {"labels": {"team": "infra", names.REPLAY: "another"}, "annotations": {"note": "x"}},
        "spec": {
            "nodeSelector": {"pool": "cpu"},
            "tolerations": [{"key": "replay", "operator": "Exists"}],
            "affinity": {"nodeAffinity": {"x": None}},
            "priorityClassName": "low",
            "imagePullSecrets": [{"name": "mirror"}],
            "hostNetwork": True,
        },
    }

    def test_what_may_be_set_is_set(self) -> None:
        spec = pod(podTemplate=self.TEMPLATE)
        assert spec["nodeSelector"] == {"pool": "cpu"}
        assert spec["tolerations"] == [{"key": "replay", "operator": "Exists"}]
        assert spec["priorityClassName"] == "low"
        assert spec["imagePullSecrets"] == [{"name": "mirror"}]
        assert "nodeAffinity" in spec["affinity"]

    def test_later_versions_are_drawn_to_the_node_of_the_first(self) -> None:
        affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}]}}
        ran = replay(podTemplate={"spec": {"affinity": affinity}}).model_copy(
            update={"status": SnapshotReplayStatus(results=(VersionResult(name="v0.16.5", node_name="node-1"),))}
        )
        built = job(ran, index=0, attempt=1, image="tool", operator_image="ours", transfer_url="http://ours")
        wanted = built["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
        theirs, beside = wanted["preferredDuringSchedulingIgnoredDuringExecution"]
        assert theirs == {"weight": 1}
        assert beside["preference"]["matchFields"][0]["values"] == ["node-1"]
        assert "affinity" not in pod(), "as long as none has run"

    def test_nothing_else_may(self) -> None:
        assert "hostNetwork" not in pod(podTemplate=self.TEMPLATE)

    def test_our_labels_stand(self) -> None:
        metadata = build(podTemplate=self.TEMPLATE)["spec"]["template"]["metadata"]
        assert metadata["labels"]["team"] == "infra"
        assert metadata["labels"][names.REPLAY] == "why-pending"
        assert metadata["annotations"] == {"note": "x"}

    def test_nothing_is_set_that_nobody_asked_for(self) -> None:
        assert not {"nodeSelector", "tolerations", "affinity", "imagePullSecrets", "priorityClassName"} & pod().keys()

    @pytest.mark.parametrize(
        ("given", "requests", "limits"),
        [
            ({}, {"cpu": "500m", "memory": "256Mi", "ephemeral-storage": "1Gi"}, {"ephemeral-storage": "16Gi"}),
            (
                {"limits": {"memory": "128Mi"}},
                {"cpu": "500m", "ephemeral-storage": "1Gi"},
                {"ephemeral-storage": "16Gi", "memory": "128Mi"},
            ),
            (
                {"requests": {"cpu": 4, "ephemeral-storage": "100Gi"}},
                {"cpu": 4, "memory": "256Mi", "ephemeral-storage": "100Gi"},
                {},
            ),
        ],
        ids=["defaults", "a limit below our request", "a request above our limit"],
    )
    def test_what_the_replay_says_of_a_resource_replaces_what_we_say_of_it(
        self, given: dict[str, Any], requests: dict[str, Any], limits: dict[str, Any]
    ) -> None:
        found = containers(podTemplate={"spec": {"resources": given}})
        assert found[names.TOOL]["resources"] == {"requests": requests, "limits": limits}
        assert found[names.FETCH]["resources"] == containers()[names.FETCH]["resources"]


def test_the_tokens_secret_goes_with_its_job() -> None:
    created = build(2)
    created["metadata"]["uid"] = "f00d"
    secret = transfer_secret(created, token="signed", authorities="PEM")
    assert secret["metadata"]["name"] == "why-pending-2-token"
    assert secret["metadata"]["namespace"] == "kai-snapshots"
    assert secret["metadata"]["ownerReferences"] == [
        {"apiVersion": "batch/v1", "kind": "Job", "name": "why-pending-2", "uid": "f00d", "controller": True}
    ]
    assert secret["stringData"] == {"token": "signed", "ca.crt": "PEM"}


class TestImages:
    @pytest.mark.parametrize(
        ("version", "template", "image"),
        [
            ({"name": "v0.17.0"}, None, "ghcr.io/kai-scheduler/kai-scheduler/snapshot-tool:v0.17.0"),
            ({"name": "v0.9.0"}, None, "ghcr.io/nvidia/kai-scheduler/snapshot-tool:v0.9.0"),
            ({"name": AS_CAPTURED}, None, "ghcr.io/kai-scheduler/kai-scheduler/snapshot-tool:v0.14.7"),
            ({"name": AS_CAPTURED}, "mirror/tool:{version}-fips", "mirror/tool:v0.14.7-fips"),
            ({"name": "main", "image": "mine:1"}, "mirror/tool:{version}", "mine:1"),
            ({"name": AS_CAPTURED, "image": "mine:1"}, None, "mine:1"),
        ],
        ids=["published", "published by NVIDIA", "as captured", "mirrored", "own image", "own image for AsCaptured"],
    )
    def test_the_image_of_a_version(self, version: dict[str, str], template: str | None, image: str) -> None:
        found = image_for(ReplayVersion.model_validate(version), captured_version="v0.14.7", template=template)
        assert found == image

    def test_as_captured_of_nobody_knows_what_has_none(self) -> None:
        with pytest.raises(TerminalError) as caught:
            image_for(ReplayVersion(name=AS_CAPTURED), captured_version="", template="mirror/tool:{version}")
        assert caught.value.reason is Reason.INCOMPATIBLE_SNAPSHOT

    @pytest.mark.parametrize(("name", "target"), [(AS_CAPTURED, "v0.14.7"), ("v0.17.0", "v0.17.0"), ("main", "main")])
    def test_the_version_a_name_stands_for(self, name: str, target: str) -> None:
        assert target_version(ReplayVersion(name=name), captured_version="v0.14.7") == target
