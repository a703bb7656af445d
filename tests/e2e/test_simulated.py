"""Replays with the Simulator: the whole way, and no stand-in on it but the scheduler that was captured."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kai_snapshot.api.result import SIMULATED
from stage import stage
from stage.kube import Kube
from stage.stage import Cast
from support.archives import Archives, InBucket
from support.kstatus import condition, verdict
from support.objects import Object, capture, replay
from support.recordings import recorded
from support.seeds import seed
from support.story import Story

ARCHIVES = ["03-gang+fraction+cpu", "06-fraction+gpumem", "09-gang+prio"]
"""Those of which every run of the tool makes the same."""
NODE = "h100-0007"
"""Where pods are bound to of the archive that the stand-in for the scheduler serves."""
FIRST = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def captured(story: Story, archives: Archives, tag: str) -> Object:
    """A one-shot capture that is finished."""
    return story.finished(story.create(capture(f"once-{tag}", storage=archives.spec)))


def simulated(story: Story, name: str, *, of: str | Object, **spec: Any) -> Object:
    """A replay with the Simulator that is finished."""
    return story.finished(story.create(replay(name, of=of, versions=None, engine="Simulator", **spec)))


def test_an_archive_is_replayed_without_any_image_of_the_tool(
    captured: Object, archives: Archives, players: Cast, story: Story, tag: str
) -> None:
    finished = simulated(story, f"simulated-{tag}", of=captured["metadata"]["name"], repetitions=3)
    status = finished["status"]
    assert verdict(finished) == "Current", status
    assert status["summary"].startswith(f"1/1 replayed: {SIMULATED} ")
    (result,) = status["results"]
    assert (result["outcome"], result["runs"]) == ("Succeeded", 3)
    assert "logURI" not in result
    assert result["nodeName"]

    document = archives.document(next(key for key in archives if archives.uri(key) == result["resultURI"]))
    assert (document["engine"]["name"], document["engine"]["version"]) == ("Simulator", SIMULATED)
    assert document["engine"]["image"] == result["image"]
    assert document["resources"]["peakMemoryBytes"] > 0
    assert document["archive"]["sha256"] == status["resolvedSource"]["sha256"]
    if players.scheduler_is_standin:  # the archive is one of the corpus, of which the real tool's result is known
        bound = {each["pod"]: each["node"] for each in document["placements"]}
        assert bound == recorded(stage.ARCHIVE, SIMULATED)["bound"]


def test_a_patch_shows_what_would_be_different(
    captured: Object, archives: Archives, players: Cast, story: Story, tag: str
) -> None:
    if not players.scheduler_is_standin:
        pytest.skip("names a node of the archive that the stand-in for the scheduler serves")
    cordon = "[{op: add, path: /spec/unschedulable, value: true}]"
    patch = {"target": {"kind": "Node", "name": NODE}, "patch": cordon}
    name = captured["metadata"]["name"]
    finished = simulated(story, f"what-if-{tag}", of=name, repetitions=1, prepare={"patches": [patch]})
    (result,) = finished["status"]["results"]
    assert result["outcome"] == "Succeeded", result["message"]
    document = archives.document(next(key for key in archives if archives.uri(key) == result["resultURI"]))
    assert document["adaptations"] == [f"patch 1: Node {NODE} is changed: add /spec/unschedulable"]
    assert document["placements"]
    assert all(each["node"] != NODE for each in document["placements"])


def test_a_patch_that_does_not_fit_is_the_result(captured: Object, story: Story, tag: str) -> None:
    patch = {"target": {"kind": "Queue", "name": "none-such"}, "patch": "[{op: remove, path: /spec/priority}]"}
    name = captured["metadata"]["name"]
    finished = simulated(story, f"unfit-{tag}", of=name, prepare={"patches": [patch]})
    (result,) = finished["status"]["results"]
    assert result["outcome"] == "Failed"
    assert result["message"].startswith("PatchFailed: patch 1 (Queue none-such)")
    ready = condition(finished, "Ready")
    assert ready is not None
    assert (ready["status"], ready["reason"]) == ("False", "ReplayFailed")


def test_many_archives_are_simulated_one_by_one(kube: Kube, bucket: InBucket, story: Story, tag: str) -> None:
    """In the same Indexed Job as with the tool."""
    seed(kube, bucket, f"hourly-{tag}", ARCHIVES, first=FIRST)
    story.create(capture(f"hourly-{tag}", storage=bucket.spec, schedule={"cron": "@hourly"}, suspend=True))
    newest = {"captureRef": {"name": f"hourly-{tag}", "select": "Last", "last": len(ARCHIVES)}}
    finished = simulated(story, f"all-{tag}", of=newest, repetitions=1, parallelism=3)
    (result,) = finished["status"]["results"]
    assert (result["outcome"], result["archives"]["succeeded"]) == ("Succeeded", len(ARCHIVES))
    documents = {key: bucket.document(key) for key in bucket if f"/all-{tag}-" in key and key.endswith("result.json")}
    assert len(documents) == len(ARCHIVES)
    found = sorted(len(document["placements"]) for document in documents.values())
    assert found == sorted(len(recorded(name, SIMULATED)["bound"]) for name in ARCHIVES)
