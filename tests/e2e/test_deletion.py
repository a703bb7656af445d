"""Deleting: at once, whether the operator is there or not; with the archives only where that is the policy."""

from collections.abc import Callable, Iterator

import pytest
from pytest_kind.cluster import KindCluster

from stage import images, stage
from stage.images import Image
from stage.kube import Kube
from stage.stage import Cast
from support.archives import Archives, InBucket
from support.eventually import eventually
from support.kstatus import condition, verdict
from support.objects import Object, capture, replay
from support.operatorpod import Operator
from support.schedulers import Shard
from support.story import Story

CLEANUP = "kai-snapshot.io/archive-cleanup"
SKIP_ARCHIVE_CLEANUP = "kai-snapshot.io/skip-archive-cleanup"
CHILDREN = ("jobs", "pods", "secrets")


@pytest.fixture
def stop(operator: Operator) -> Iterator[Callable[[], None]]:
    """Stops the operator until the test is over."""
    yield operator.stop
    operator.start()


@pytest.fixture(scope="module")
def hanging(load: Callable[[Image], Image]) -> Object:
    """A version of the tool that does not end."""
    return {"name": "hanging", "image": load(images.snapshot_tool("v0.17.0", behaviour="hang")).reference}


@pytest.fixture
def set_up_again(kube: Kube, kind_cluster: KindCluster, players: Cast) -> Iterator[Callable[[], None]]:
    """Puts back what the test takes away, when it is called and when the test is over."""

    def again() -> None:
        stage.set_up(kube, kind_cluster.name, players, lambda _: None)

    yield again
    again()


@pytest.fixture
def blocked(story: Story, kube: Kube, bucket: InBucket, tag: str) -> Object:
    """A capture whose archives are to go with it, but the keys have become wrong."""
    keys = story.create(stage.secret(f"keys-{tag}", stage.NAMESPACE, stage.S3_KEYS))["metadata"]["name"]
    storage = {"s3": {**bucket.spec["s3"], "credentialsSecretRef": {"name": keys}}}
    kept = story.finished(story.create(capture(f"kept-{tag}", storage=storage, deletionPolicy="Delete")))
    kube.apply(stage.secret(keys, stage.NAMESPACE, {**stage.S3_KEYS, "AWS_SECRET_ACCESS_KEY": "not-any-more"}))
    kube.delete("snapshotcapture", kept["metadata"]["name"], stage.NAMESPACE, wait=False)
    return story.until(kept, lambda seen: reason(seen) == "DeletionBlocked")


def test_with_the_operator_stopped_both_kinds_go_at_once_and_archives_stay(
    story: Story, kube: Kube, bucket: InBucket, hanging: Object, stop: Callable[[], None], tag: str
) -> None:
    once = story.create(capture(f"once-{tag}", storage=bucket.spec))
    scheduled = story.create(capture(f"yearly-{tag}", storage=bucket.spec, schedule={"cron": "@yearly"}))
    replayed = story.create(replay(f"replayed-{tag}", of=f"once-{tag}", versions=["v0.17.0"]))
    running = story.create(replay(f"running-{tag}", of=f"once-{tag}", versions=[hanging]))
    story.until(scheduled, lambda seen: reason(seen) == "Scheduled")
    story.finished(replayed)
    eventually(lambda: tool_runs(kube, running), what="the tool runs")

    stop()
    for obj in (running, replayed, scheduled, once):
        delete(kube, obj)
    assert [key.rpartition(".")[2] for key in bucket] == ["zip", "json", "gz", "json"], "archive and result stay"
    eventually(
        lambda: not children(kube, running) + children(kube, replayed), what="Jobs, pods and Secrets go with them"
    )


def test_a_replay_takes_its_jobs_and_secrets_with_it(
    story: Story, kube: Kube, bucket: InBucket, hanging: Object, tag: str
) -> None:
    story.create(capture(f"once-{tag}", storage=bucket.spec))
    running = story.create(replay(f"running-{tag}", of=f"once-{tag}", versions=[hanging, "v0.17.0"], parallelism=2))
    eventually(lambda: tool_runs(kube, running), what="the tool runs")
    assert {each["kind"] for each in children(kube, running)} == {"Job", "Pod", "Secret"}
    delete(kube, running)
    eventually(lambda: not children(kube, running), what="nothing is left of it")


def test_with_the_policy_delete_archives_and_results_go_with_the_capture(
    story: Story, kube: Kube, archives: Archives, tag: str
) -> None:
    created = story.create(capture(f"brief-{tag}", storage=archives.spec, deletionPolicy="Delete"))
    assert story.finished(created)["metadata"]["finalizers"] == [CLEANUP]
    story.finished(story.create(replay(f"replay-{tag}", of=f"brief-{tag}", versions=["v0.17.0"])))
    assert len(archives.keys()) == 4, "archive, manifest, result, log"
    delete(kube, created)
    assert archives.keys() == []


def test_a_run_is_stopped_when_its_archives_are_to_go(
    story: Story, kube: Kube, bucket: InBucket, shard: Callable[..., Shard], tag: str
) -> None:
    silent = shard("silent", behaviour="silence")
    created = story.create(capture(f"brief-{tag}", storage=bucket.spec, source=silent.source, deletionPolicy="Delete"))
    eventually(silent.requests, what="the run is under way")
    delete(kube, created)
    assert bucket.keys() == []


def test_archives_that_cannot_be_deleted_hold_the_object_until_somebody_lets_it_go(
    story: Story, kube: Kube, bucket: InBucket, blocked: Object
) -> None:
    message = condition(blocked, "Ready")["message"]  # type: ignore[index]
    assert verdict(blocked) == "Terminating"
    assert "AccessDenied" in message
    assert f"{SKIP_ARCHIVE_CLEANUP}=true" in message

    story.annotate(blocked, SKIP_ARCHIVE_CLEANUP, "true")
    eventually(lambda: gone(kube, blocked))
    assert len(bucket.keys()) == 2, "archive and manifest stay"


def test_archives_go_when_the_storage_can_be_used_again(
    kube: Kube, bucket: InBucket, blocked: Object, tag: str
) -> None:
    kube.apply(stage.secret(f"keys-{tag}", stage.NAMESPACE, stage.S3_KEYS))
    eventually(lambda: gone(kube, blocked))
    assert bucket.keys() == []


def test_a_namespace_that_is_deleted_waits_for_nothing_and_is_served_again_when_it_is_back(
    story: Story, kube: Kube, bucket: InBucket, set_up_again: Callable[[], None], tag: str
) -> None:
    there = stage.OTHER_NAMESPACE
    brief = capture(f"brief-{tag}", storage=bucket.spec, namespace=there, deletionPolicy="Delete")
    story.finished(story.create(brief))
    kube.run("delete", "namespace", there, "--timeout=90s")
    set_up_again()
    story.finished(story.create(capture(f"again-{tag}", storage=bucket.spec, namespace=there)), timeout=180)


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_a_change_of_the_policy_changes_whether_the_object_waits(
    story: Story, kube: Kube, bucket: InBucket, tag: str, policy: str
) -> None:
    other = {"Retain": "Delete", "Delete": "Retain"}[policy]
    created = story.create(capture(f"moody-{tag}", storage=bucket.spec, deletionPolicy=other, suspend=True))
    story.until(created, lambda seen: seen["metadata"].get("finalizers", []) == finalizers(other) and reason(seen))
    kube.patch("snapshotcapture", created["metadata"]["name"], stage.NAMESPACE, {"spec": {"deletionPolicy": policy}})
    story.until(created, lambda seen: seen["metadata"].get("finalizers", []) == finalizers(policy))


def finalizers(policy: str) -> list[str]:
    """Those of a capture with that policy."""
    return [CLEANUP] if policy == "Delete" else []


def reason(obj: Object) -> str | None:
    """Why it is Ready, or not."""
    ready = condition(obj, "Ready")
    return str(ready["reason"]) if ready else None


def delete(kube: Kube, obj: Object) -> None:
    """Deletes an object that must not wait for anybody: half a minute is what a busy machine may need."""
    meta = obj["metadata"]
    kube.run("delete", obj["kind"], meta["name"], f"--namespace={meta['namespace']}", "--timeout=30s")
    assert gone(kube, obj)


def gone(kube: Kube, obj: Object) -> bool:
    """Whether it is not there any more."""
    return kube.get(obj["kind"], obj["metadata"]["name"], obj["metadata"]["namespace"]) is None


def children(kube: Kube, replay: Object) -> list[Object]:
    """What was made for a replay."""
    selector = f"kai-snapshot.io/replay-uid={replay['metadata']['uid']}"
    return [each for kind in CHILDREN for each in kube.list(kind, stage.NAMESPACE, selector=selector)]


def tool_runs(kube: Kube, replay: Object) -> bool:
    """Whether the tool is running in a pod of the replay."""
    return any(
        status["name"] == "snapshot-tool" and "running" in status["state"]
        for each in children(kube, replay)
        for status in each.get("status", {}).get("initContainerStatuses", ())
    )
