"""The environment beside an archive: on a real node, with no more rights than it takes, never in the archive's way."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from kai_snapshot.environment.text import decode
from stage import stage
from stage.images import STANDINS, TESTS, Image
from stage.kube import Kube
from stage.stage import Cast
from support import aicr
from support.archives import InBucket
from support.eventually import eventually
from support.faults import ENDPOINT, Faults
from support.kstatus import condition, verdict
from support.nodearchive import snapshot
from support.objects import Object, capture
from support.operatorpod import Operator
from support.schedulers import Shard
from support.story import Story

NEVER: Object = {"cron": "0 0 29 2 *"}
LABEL = {"stage.kai-snapshot.io/real": "yes"}
"""The node of the cluster; the archive has others as well, which are nowhere."""


@pytest.fixture(scope="module")
def node(kube: Kube) -> str:
    """The cluster's only node that has a kubelet."""
    found = [each["metadata"]["name"] for each in kube.list("nodes") if not each["spec"].get("taints")]
    assert len(found) == 1
    return str(found[0])


@pytest.fixture(scope="module")
def real(shard: Callable[..., Shard], node: str) -> Iterator[Shard]:
    """A scheduler whose snapshot has the cluster's node, and one that is nowhere."""
    made = shard("real")
    made.serve(snapshot({node: LABEL, "gone-1": {}}))
    yield made
    made.kube.delete("deployment", made.deployment, stage.SCHEDULER_NAMESPACE, wait=False)


@pytest.fixture(scope="module")
def driver(load: Callable[[Image], Image], players: Cast) -> Callable[[str], str]:
    """The operator's image with an nvidia-smi in it, and what that does."""

    def image(behaviour: str) -> str:
        files = (STANDINS / "driver", TESTS / "data" / "environment" / "nvidia-smi-8.xml")
        arguments = (("OPERATOR_IMAGE", players.operator.reference), ("BEHAVIOUR", behaviour))
        name = f"driver-standin-{behaviour}-{players.operator.key}"
        return load(Image(name, STANDINS / "driver" / "Dockerfile", TESTS, files, arguments)).reference

    return image


def per_node(**more: Any) -> Object:
    return {"mode": "PerNode", "nodeSelector": LABEL, **more}


def over(seen: Object) -> bool:
    """Whether its environment is."""
    return bool(seen["status"].get("environment", {}).get("outcome", "Running") != "Running")


def recorded(story: Story, obj: Object, *, timeout: float = 180) -> Object:
    """`status.environment` once it is over."""
    return dict(story.until(obj, over, timeout=timeout)["status"]["environment"])


def key(place: InBucket, beside: Object, file: str) -> str:
    return f"{place.key(beside['uri']).rpartition('/')[0]}/{file}"


def jobs_of(kube: Kube, obj: Object) -> list[Object]:
    meta = obj["metadata"]
    return kube.list("jobs", meta["namespace"], selector=f"kai-snapshot.io/capture-uid={meta['uid']}")


def pods_of(kube: Kube, obj: Object) -> list[Object]:
    meta = obj["metadata"]
    return kube.list("pods", meta["namespace"], selector=f"kai-snapshot.io/capture-uid={meta['uid']}")


class TestANode:
    def test_is_recorded_by_a_pod_that_may_nothing(
        self, story: Story, kube: Kube, bucket: InBucket, real: Shard, node: str, tag: str
    ) -> None:
        wanted: Object = {"storage": bucket.spec, "source": real.source, "environment": per_node()}
        obj = story.create(capture(f"node-{tag}", **wanted))
        beside = recorded(story, obj)
        assert (beside["outcome"], beside["reason"]) == ("Succeeded", "Succeeded"), beside
        assert beside["nodes"] == {"matching": 1, "total": 1, "captured": 1, "incomplete": 0, "failed": 0}

        content = bucket.read(key(bucket, beside, f"nodes/{node}.yaml"))
        metadata, read = aicr.read_yaml(content)
        assert metadata["source-node"] == node
        assert yaml.safe_load(content)["apiVersion"] == "aicr.nvidia.com/v1alpha1"
        assert read["K8s"]["server"]["version"] == "v1.35.4"
        assert read["K8s"]["node"]["source-node"] == node
        assert read["OS"]["sysctl"]["/proc/sys/kernel/ostype"] == "Linux"
        assert read["GPU"]["hardware"]["gpu-count"] == 0
        assert read["NodeTopology"]["summary"]["node-count"] == 2

        # its digest: manifest -> index -> document
        manifest = bucket.document(next(each for each in bucket if each.endswith(f"{beside['id']}.json")))
        assert manifest["environment"] == {"sha256": beside["sha256"], "documents": 1, "failed": 0}
        assert bucket.sha256(bucket.key(beside["uri"])) == beside["sha256"]
        (record,) = bucket.document(bucket.key(beside["uri"]))["nodes"]
        assert record["document"]["sha256"] == bucket.sha256(key(bucket, beside, f"nodes/{node}.yaml"))

        (pod,) = pods_of(kube, obj)
        assert pod["spec"]["schedulerName"] == "default-scheduler"
        assert pod["spec"]["automountServiceAccountToken"] is False
        (container,) = pod["spec"]["containers"]
        assert container["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert [volume["name"] for volume in pod["spec"]["volumes"]] == ["token"], "nothing of the host"
        assert [event["reason"] for event in story.events(obj, until="EnvironmentCaptured")] == [
            "Succeeded",
            "EnvironmentCaptured",
        ]

    def test_is_seen_whole_where_the_namespace_admits_a_privileged_pod(
        self, story: Story, kube: Kube, bucket: InBucket, real: Shard, node: str, tag: str
    ) -> None:
        wanted: Object = {"storage": bucket.spec, "source": real.source, "environment": per_node(privileged=True)}
        obj = story.create(capture(f"whole-{tag}", namespace=stage.OTHER_NAMESPACE, **wanted))
        beside = recorded(story, obj)
        assert beside["outcome"] == "Succeeded", beside
        document = decode(bucket.read(key(bucket, beside, f"nodes/{node}.yaml")), where=node)
        os = next(each for each in document.measurements if each.type == "OS")
        release = os.subtype("release")
        assert release is not None
        assert release.data["ID"]
        (pod,) = pods_of(kube, obj)
        (container,) = pod["spec"]["containers"]
        assert container["securityContext"]["privileged"] is True
        host = [mount for mount in container["volumeMounts"] if mount["name"] == "host"]
        assert [mount["readOnly"] for mount in host] == [True]

    def test_whose_namespace_forbids_a_privileged_pod_says_so_at_once(
        self, story: Story, kube: Kube, bucket: InBucket, real: Shard, node: str, tag: str
    ) -> None:
        wanted: Object = {"storage": bucket.spec, "source": real.source, "environment": per_node(privileged=True)}
        obj = story.create(capture(f"forbidden-{tag}", **wanted))
        beside = recorded(story, obj, timeout=60)
        assert (beside["outcome"], beside["reason"]) == ("Failed", "PodForbidden")
        (failure,) = beside["failures"]
        assert failure["node"] == node
        assert 'violates PodSecurity "restricted:latest"' in failure["message"]
        seen = story.see(obj)
        told = condition(seen, "EnvironmentCaptured")
        assert told is not None
        assert (told["status"], told["reason"]) == ("False", "PodForbidden")
        assert verdict(seen) == "Current", "the archive is good"
        eventually(lambda: jobs_of(kube, obj) == [], what="the Job that comes to nothing is gone")

    def test_without_a_gpu_fails_clearly_where_one_is_required(
        self, story: Story, bucket: InBucket, real: Shard, node: str, tag: str
    ) -> None:
        wanted: Object = {"storage": bucket.spec, "source": real.source, "environment": per_node(requireGPU=True)}
        obj = story.create(capture(f"gpu-{tag}", **wanted))
        beside = recorded(story, obj)
        assert (beside["outcome"], beside["reason"]) == ("Failed", "GPUNotFound")
        (failure,) = beside["failures"]
        assert failure["message"].startswith(f"A GPU is required, and {node} shows none")
        assert verdict(story.see(obj)) == "Current"
        assert "GPUNotFound" in [event["reason"] for event in story.events(obj, until="GPUNotFound")]

    def test_to_which_nothing_happened_has_no_drift(
        self, story: Story, bucket: InBucket, real: Shard, tag: str
    ) -> None:
        wanted: Object = {"storage": bucket.spec, "source": real.source, "environment": per_node()}
        obj = story.create(capture(f"still-{tag}", schedule={**NEVER, "immediate": True}, **wanted))
        first = recorded(story, obj)
        story.annotate(obj, "kai-snapshot.io/run-requested-at", "again")
        seen = story.until(
            obj, lambda seen: over(seen) and seen["status"]["environment"]["id"] != first["id"], timeout=180
        )
        second = seen["status"]["environment"]
        assert (second["outcome"], second["nodes"]["captured"]) == ("Succeeded", 1), second
        assert second["drift"]["since"] == first["id"]
        assert second["drift"]["changes"] == 0, second["drift"]["examples"]

    def test_with_a_driver_tells_of_its_gpus(
        self, story: Story, bucket: InBucket, real: Shard, node: str, driver: Callable[[str], str], tag: str
    ) -> None:
        environment = per_node(requireGPU=True, image=driver("print"))
        obj = story.create(capture(f"driver-{tag}", storage=bucket.spec, source=real.source, environment=environment))
        beside = recorded(story, obj)
        assert beside["outcome"] == "Succeeded", beside
        _, read = aicr.read_yaml(bucket.read(key(bucket, beside, f"nodes/{node}.yaml")))
        assert read["GPU"]["smi"]["gpu-count"] == 8

    def test_whose_driver_hangs_is_cut_off_there_and_the_rest_arrives(
        self, story: Story, bucket: InBucket, real: Shard, node: str, driver: Callable[[str], str], tag: str
    ) -> None:
        environment = per_node(image=driver("hang"), timeoutSeconds=120)
        obj = story.create(capture(f"hang-{tag}", storage=bucket.spec, source=real.source, environment=environment))
        beside = recorded(story, obj)
        assert beside["outcome"] == "Succeeded", beside
        document = decode(bucket.read(key(bucket, beside, f"nodes/{node}.yaml")), where=node)
        gpu = next(each for each in document.measurements if each.type == "GPU")
        smi = gpu.subtype("smi")
        assert smi is not None
        assert "did not answer within 7 s" in smi.context["reason"]
        assert gpu.subtype("hardware") is not None, "what is on the bus is there all the same"
        assert {each.type for each in document.measurements} >= {"K8s", "GPU", "OS", "NodeTopology"}

    def test_that_is_nowhere_is_given_up_and_holds_up_no_other(
        self, story: Story, kube: Kube, bucket: InBucket, real: Shard, node: str, tag: str
    ) -> None:
        environment = {"mode": "PerNode", "timeoutSeconds": 60}
        obj = story.create(capture(f"nowhere-{tag}", storage=bucket.spec, source=real.source, environment=environment))
        beside = recorded(story, obj)
        assert (beside["outcome"], beside["reason"]) == ("PartiallyFailed", "PartiallyFailed")
        (failure,) = beside["failures"]
        assert (failure["node"], failure["reason"]) == ("gone-1", "DeadlineExceeded")
        assert "Unschedulable" in failure["message"] or "didn't match" in failure["message"]
        assert bucket.read(key(bucket, beside, f"nodes/{node}.yaml"))


class TestTheCluster:
    def test_is_recorded_without_a_pod(self, story: Story, kube: Kube, bucket: InBucket, real: Shard, tag: str) -> None:
        wanted: Object = {"storage": bucket.spec, "source": real.source, "environment": {"mode": "ClusterOnly"}}
        obj = story.create(capture(f"cluster-{tag}", **wanted))
        beside = recorded(story, obj)
        assert beside["outcome"] == "Succeeded"
        assert jobs_of(kube, obj) == []
        _, read = aicr.read_yaml(bucket.read(key(bucket, beside, "cluster.yaml")))
        assert (read["K8s"]["server"]["version"], read["NodeTopology"]["summary"]["node-count"]) == ("v1.35.4", 2)

    def test_that_changed_is_told_with_the_next_archive(
        self, story: Story, bucket: InBucket, shard: Callable[..., Shard], node: str, tag: str
    ) -> None:
        changing = shard("changing")
        changing.serve(snapshot({node: LABEL, "gone-1": {}}))
        wanted: Object = {"storage": bucket.spec, "source": changing.source, "environment": {"mode": "ClusterOnly"}}
        obj = story.create(capture(f"drift-{tag}", schedule={**NEVER, "immediate": True}, **wanted))
        first = recorded(story, obj)
        changing.serve(snapshot({node: LABEL, "gone-1": {}}, version="v1.36.0"))
        story.annotate(obj, "kai-snapshot.io/run-requested-at", "again")
        seen = story.until(obj, lambda seen: over(seen) and seen["status"]["environment"]["id"] != first["id"])
        drift = seen["status"]["environment"]["drift"]
        assert (drift["since"], drift["changes"]) == (first["id"], 1)
        assert drift["examples"] == ["the cluster: K8s.server.version v1.35.4 -> v1.36.0"]
        assert "EnvironmentDrift" in [event["reason"] for event in story.events(obj, until="EnvironmentDrift")]


def test_two_captures_at_once_do_not_collide(
    story: Story, kube: Kube, bucket: InBucket, real: Shard, node: str, tag: str
) -> None:
    wanted: Object = {"storage": bucket.spec, "source": real.source, "environment": per_node()}
    both = [story.create(capture(f"{name}-{tag}", **wanted)) for name in ("one", "two")]
    ended = [recorded(story, obj) for obj in both]
    assert [beside["outcome"] for beside in ended] == ["Succeeded", "Succeeded"]
    made = [job["metadata"]["name"] for obj in both for job in jobs_of(kube, obj)]
    assert len(made) == len(set(made)) == 2
    for beside in ended:
        metadata, _ = aicr.read_yaml(bucket.read(key(bucket, beside, f"nodes/{node}.yaml")))
        assert metadata["source-node"] == node


def test_a_storage_that_takes_no_environment_fails_and_delays_no_archive_run_retention_or_deletion(
    story: Story, faults: Faults, s3: Any, real: Shard, tag: str
) -> None:
    place = InBucket(s3, f"e2e/{tag}", endpoint=ENDPOINT)
    faults.hold(r"PUT .*/environment/.*")
    obj = story.create(
        capture(
            f"held-{tag}",
            storage=place.spec,
            source=real.source,
            schedule={**NEVER, "immediate": True},
            retention={"keepLast": 1},
            deletionPolicy="Delete",
            environment={"mode": "ClusterOnly"},
        )
    )
    first = story.until(obj, lambda seen: seen["status"].get("lastSuccessfulCapture"))
    eventually(lambda: faults.seen() > 0, what="the environment is held up")
    ids = [first["status"]["lastSuccessfulCapture"]["id"]]
    assert condition(first, "Ready")["status"] == "True"  # type: ignore[index]

    for again in ("second", "third"):
        story.annotate(obj, "kai-snapshot.io/run-requested-at", again)
        seen = story.until(obj, lambda seen: seen["status"]["lastSuccessfulCapture"]["id"] not in ids)
        ids.append(seen["status"]["lastSuccessfulCapture"]["id"])
    assert seen["status"]["archives"]["count"] == 2, "retention goes on, and spares the one that it is recorded for"
    assert [any(id_ in key for key in place) for id_ in ids] == [True, False, True]
    assert seen["status"]["environment"]["outcome"] == "Running"

    def successes() -> int:
        return [event["reason"] for event in story.events(obj, until="EnvironmentSkipped")].count("Succeeded")

    eventually(lambda: successes() == len(ids), what="each run says that it succeeded")

    kube = story.kube
    kube.delete("snapshotcapture", obj["metadata"]["name"], stage.NAMESPACE)
    eventually(lambda: place.keys() == [], what="the archives went with it")


def test_an_operator_that_is_killed_in_the_middle_goes_on_where_it_was(
    story: Story, kube: Kube, operator: Operator, bucket: InBucket, real: Shard, node: str, tag: str
) -> None:
    environment = per_node(timeoutSeconds=300)
    obj = story.create(capture(f"torn-{tag}", storage=bucket.spec, source=real.source, environment=environment))
    (job,) = eventually(lambda: jobs_of(kube, obj), what="the Job is created")
    operator.crash()
    operator.ready()
    beside = recorded(story, obj)
    assert beside["outcome"] == "Succeeded", beside
    assert [each["metadata"]["uid"] for each in jobs_of(kube, obj)] == [job["metadata"]["uid"]]
    assert bucket.read(key(bucket, beside, f"nodes/{node}.yaml"))
