"""An operator takes over from v0.1.0, in a cluster with that one's definitions, objects and archives."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from stage import images, stage
from stage.kube import Kube
from stage.stage import Cast
from support import upgrades
from support.archives import InBucket
from support.kstatus import condition, is_true, verdict
from support.objects import Object, replay
from support.operatorpod import Operator
from support.schedulers import Shard
from support.story import Story
from support.upgrades import ENDED

LONGEST: Object = {"startingDeadlineSeconds": 432000, "activeDeadlineSeconds": 86400}
"""What v0.1.0 took, and what one with three repetitions could not be created with any more."""

STANDIN = re.compile(r"localhost/snapshot-tool-standin(-\w+)?-[0-9a-f]{12}(?=:)")
"""The images that versions were played back by."""
CLUSTER = re.compile(rb'(?<="clusterUID": ")[^"]+')
"""What manifests call the cluster that they are of: it is the same after an upgrade."""


@dataclass(frozen=True)
class Old:
    """What there was before the upgrade, by kind and name."""

    objects: dict[tuple[str, str], Object]

    def of(self, kind: str, *names: str) -> list[Object]:
        """Some of them."""
        return [self.objects[kind, name] for name in names]


@pytest.fixture(scope="module")
def old(
    kube: Kube,
    operator: Operator,
    players: Cast,
    s3: Any,
    shard: Callable[..., Shard],
    module_story: Story,
) -> Old:
    """The state v0.1.0 left, and then today's manifests applied to it; once for all tests here."""
    bucket = InBucket(s3, "e2e/upgrade")
    shard("silent"), shard("off")  # those that failed and hung at that time would work now
    operator.stop()
    kube.apply(*map(stopped, upgrades.installed()))
    try:
        found = {(each["kind"], each["metadata"]["name"]): each for each in taken_over(module_story, bucket)}
    finally:
        kube.apply(*stage.operator_objects(kube, players))
    operator.ready()
    return Old(found)


@pytest.fixture(scope="module")
def module_story(kube: Kube) -> Iterator[Story]:
    """The objects of all tests here."""
    story = Story(kube)
    yield story
    story.end()


def stopped(obj: Object) -> Object:
    """The object, without a pod: the image of v0.1.0 is not there."""
    return {**obj, "spec": {**obj["spec"], "replicas": 0}} if obj["kind"] == "Deployment" else obj


def taken_over(story: Story, bucket: InBucket) -> Iterator[Object]:
    """Creates the recorded objects with their status and what was stored, and yields them as they are then."""
    longest = upgrades.recorded("SnapshotReplay", "waiting")
    longest["metadata"]["name"] = "waiting-long"
    longest["spec"] |= LONGEST
    moved = {"s3://kai-snapshots/upgrade/": f"s3://kai-snapshots/{bucket.prefix}/"}
    cluster = story.kube.get("namespace", "kube-system")
    assert cluster is not None
    created = []
    for recorded in (*upgrades.objects(), longest):
        text = json.dumps(recorded).replace('"prefix": "upgrade"', f'"prefix": "{bucket.prefix}"')
        obj = runnable(text)
        meta = obj["metadata"]
        fresh = story.create(
            {**obj, "metadata": {key: meta[key] for key in ("name", "namespace", "finalizers") if key in meta}}
        )
        moved[meta["uid"][:8]] = fresh["metadata"]["uid"][:8]  # of which the folder of a replay is called
        created.append((obj, fresh))
    for key, content in upgrades.stored().items():
        bucket.put(replaced(key, moved), CLUSTER.sub(cluster["metadata"]["uid"].encode(), content))
    for obj, fresh in created:
        status = json.loads(replaced(json.dumps(obj["status"]), moved))
        meta = fresh["metadata"]
        story.kube.patch(obj["kind"], meta["name"], meta["namespace"], {"status": status}, subresource="status")
        seen = story.see(fresh)
        assert seen["status"] == status, "the definitions are those of v0.1.0"
        yield seen


def runnable(text: str) -> Object:
    """The object with the stand-ins that there are today, and what is under way as if it had begun just now."""
    obj: Object = json.loads(STANDIN.sub(images.snapshot_tool("v0.17.0").repository, text))
    if obj["metadata"]["name"] == "in-flight":
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        obj["status"]["active"] |= {"startTime": now, "attemptTime": now}
    return obj


def replaced(text: str, words: dict[str, str]) -> str:
    for was, is_ in words.items():
        text = text.replace(was, is_)
    return text


def test_what_had_ended_is_not_written_to_and_nothing_is_run_for_it(story: Story, kube: Kube, old: Old) -> None:
    done = story.finished(story.create(replay("asked-after", of="once", versions=["v0.17.0"])))
    assert done["status"]["outcome"] == "Succeeded", "an archive of v0.1.0 is replayed"
    for kind, names in ENDED.items():
        for was in old.of(kind, *names):
            now = story.see(was)
            assert now["metadata"]["resourceVersion"] == was["metadata"]["resourceVersion"]
            assert verdict(now) == verdict(was)
            assert jobs(kube, now) == []


def test_what_waited_waits_on_and_goes_on_when_it_is_let_go(story: Story, kube: Kube, old: Old) -> None:
    for was in old.of("SnapshotReplay", "waiting", "waiting-long"):
        assert condition(story.see(was), "SourceResolved") == condition(was, "SourceResolved")
    for was in (*old.of("SnapshotReplay", "suspended"), *old.of("SnapshotCapture", "held")):
        meta = was["metadata"]
        assert story.see(was)["metadata"]["resourceVersion"] == meta["resourceVersion"]
        kube.patch(was["kind"], meta["name"], meta["namespace"], {"spec": {"suspend": False}})
        assert verdict(story.finished(was)) == "Current"


def test_a_replay_that_was_half_done_is_finished_and_keeps_the_half(story: Story, kube: Kube, old: Old) -> None:
    (was,) = old.of("SnapshotReplay", "half-done")
    now = story.finished(was)
    assert [result["outcome"] for result in now["status"]["results"]] == ["Succeeded"] * 3
    first = was["status"]["results"][0]
    assert now["status"]["results"][0] == {**now["status"]["results"][0], **first}
    assert len(jobs(kube, now)) == 2, "none for the first"
    assert now["status"]["comparison"]["baseline"] == "v0.14.7", "the result that was there is read"


def test_a_capture_that_was_under_way_is_tried_again_and_one_that_is_late_says_so(story: Story, old: Old) -> None:
    running, late = old.of("SnapshotCapture", "in-flight", "midway")
    (run,) = [story.finished(running)["status"]["lastSuccessfulCapture"]]
    assert run["id"] == running["status"]["active"]["id"], "the same run"
    (failed, *_) = story.until(late, lambda seen: seen["status"].get("history"))["status"]["history"][-1:]
    assert (failed["id"], failed["outcome"]) == (late["status"]["active"]["id"], "Failed")
    assert failed["reason"] in ("DeadlineExceeded", "Interrupted")
    assert failed["message"]


def test_schedules_keep_what_they_have_done(story: Story, old: Old) -> None:
    for was in old.of("SnapshotCapture", "deleting", "failing", "hourly", "suspended"):
        now = story.until(was, lambda seen: is_true(seen, "Ready") or condition(seen, "Ready"))
        before = was["status"].get("history", [])
        assert now["status"].get("history", [])[-len(before) :] == before if before else True
    assert condition(story.see(old.of("SnapshotCapture", "suspended")[0]), "Ready") == condition(
        old.of("SnapshotCapture", "suspended")[0], "Ready"
    )


def test_what_is_stored_in_the_cluster_is_of_the_one_version(kube: Kube, old: Old) -> None:
    for plural in upgrades.definitions():
        definition = kube.get("crd", f"{plural}.kai-snapshot.io")
        assert definition is not None
        assert definition["status"]["storedVersions"] == ["v1alpha1"]


def jobs(kube: Kube, replay: Object) -> list[str]:
    """The Jobs made for a replay."""
    found = kube.list("jobs", stage.NAMESPACE, selector=f"kai-snapshot.io/replay-uid={replay['metadata']['uid']}")
    return [job["metadata"]["name"] for job in found]
