"""Deleting: at once, whether the operator is there or not; with the archives only where that is the policy."""

import pytest

from stage import stage
from stage.kube import Kube
from support.archives import Archives, InBucket
from support.eventually import eventually
from support.kstatus import condition
from support.objects import capture, replay
from support.operator import Operator
from support.story import Story

SKIP_ARCHIVE_CLEANUP = "kai-snapshot.io/skip-archive-cleanup"


def test_with_the_operator_stopped_both_kinds_go_at_once_and_archives_stay(
    story: Story, kube: Kube, operator: Operator, bucket: InBucket, tag: str
) -> None:
    once = story.finished(story.create(capture(f"once-{tag}", storage=bucket.spec)))
    scheduled = story.create(capture(f"yearly-{tag}", storage=bucket.spec, schedule={"cron": "@yearly"}))
    story.until(scheduled, lambda seen: condition(seen, "Ready"))
    waiting = story.create(replay(f"waiting-{tag}", of="never", versions=["v0.17.0"]))
    story.until(waiting, lambda seen: condition(seen, "Ready"))
    kept = bucket.keys()
    operator.stop()
    try:
        for obj in (once, scheduled, waiting):
            meta = obj["metadata"]
            kube.run("delete", obj["kind"], meta["name"], f"--namespace={meta['namespace']}", "--timeout=5s")
            assert kube.get(obj["kind"], meta["name"], meta["namespace"]) is None
    finally:
        operator.start()
    assert bucket.keys() == kept


def test_with_the_policy_delete_the_archives_go_with_the_object(story: Story, kube: Kube, archives: Archives, tag: str) -> None:
    created = story.create(capture(f"brief-{tag}", storage=archives.spec, deletionPolicy="Delete"))
    once = story.finished(created)
    assert once["metadata"]["finalizers"] == ["kai-snapshot.io/archive-cleanup"]
    story.finished(story.create(replay(f"replay-{tag}", of=once["metadata"]["name"], versions=["v0.17.0"])))
    assert len(archives.keys()) == 4, "archive, manifest, result, log"
    kube.delete("snapshotcapture", once["metadata"]["name"], stage.NAMESPACE)
    assert archives.keys() == []


def test_archives_that_cannot_be_deleted_hold_the_object_and_say_so_until_somebody_lets_it_go(
    story: Story, kube: Kube, bucket: InBucket, tag: str
) -> None:
    keys = story.create(stage.secret(f"keys-{tag}", stage.NAMESPACE, stage.S3_KEYS))
    storage = {"s3": {**bucket.spec["s3"], "credentialsSecretRef": {"name": keys["metadata"]["name"]}}}
    created = story.create(capture(f"held-{tag}", storage=storage, deletionPolicy="Delete"))
    story.finished(created)
    kept = bucket.keys()
    kube.delete("secret", keys["metadata"]["name"], stage.NAMESPACE)
    kube.delete("snapshotcapture", created["metadata"]["name"], stage.NAMESPACE, wait=False)

    blocked = story.until(created, lambda seen: condition(seen, "Ready")["reason"] == "DeletionBlocked")  # type: ignore[index]
    message = condition(blocked, "Ready")["message"]  # type: ignore[index]
    assert "CredentialsNotFound" in message
    assert SKIP_ARCHIVE_CLEANUP in message

    story.annotate(created, SKIP_ARCHIVE_CLEANUP, "true")
    eventually(lambda: kube.get("snapshotcapture", created["metadata"]["name"], stage.NAMESPACE) is None)
    assert bucket.keys() == kept


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_a_change_of_the_policy_changes_whether_the_object_waits(
    story: Story, kube: Kube, bucket: InBucket, tag: str, policy: str
) -> None:
    other = {"Retain": "Delete", "Delete": "Retain"}[policy]
    created = story.create(capture(f"moody-{tag}", storage=bucket.spec, deletionPolicy=other, suspend=True))
    story.until(created, lambda seen: bool(seen["metadata"].get("finalizers")) == (other == "Delete"))
    kube.patch("snapshotcapture", created["metadata"]["name"], stage.NAMESPACE, {"spec": {"deletionPolicy": policy}})
    story.until(created, lambda seen: bool(seen["metadata"].get("finalizers")) == (policy == "Delete"))
