"""The main path: an archive of what the scheduler saw is kept, and replayed at two versions."""

import hashlib

import pytest

from stage import stage
from stage.stage import Cast
from support.archives import Archives
from support.kstatus import condition, verdict
from support.objects import Object, capture, replay
from support.recordings import content, recorded
from support.story import Story

VERSIONS = {"AsCaptured": "v0.17.0", "v0.14.7": "v0.14.7"}
"""The versions of the replay, and what is recorded of them."""


@pytest.fixture
def captured(story: Story, archives: Archives, tag: str) -> Object:
    """A one-shot capture that is finished."""
    return story.finished(story.create(capture(f"once-{tag}", storage=archives.spec)))


def test_a_one_shot_capture_keeps_exactly_the_bytes_that_were_served(
    captured: Object, archives: Archives, players: Cast, story: Story, tag: str
) -> None:
    ready, stored = condition(captured, "Ready"), captured["status"]["lastSuccessfulCapture"]
    assert ready is not None
    assert (ready["status"], ready["reason"]) == ("True", "Succeeded")
    assert verdict(captured) == "Current"

    archive, manifest = archives.keys()
    assert archives.uri(archive) == stored["uri"]
    assert archives.sha256(archive) == stored["sha256"]
    if players.scheduler_is_standin:
        assert stored["sha256"] == hashlib.sha256(content(stage.ARCHIVE)).hexdigest()
        assert stored["schedulerVersion"] == "v0.17.0"

    told = archives.document(manifest)
    assert told["archive"] == archive.rpartition("/")[2]
    assert told["sha256"] == stored["sha256"]
    assert told["scheduler"]["version"] == stored["schedulerVersion"]
    assert told["objectCounts"] == stored["objectCounts"]
    assert [event["reason"] for event in story.events(captured, until="Succeeded")] == ["Succeeded"]
    assert f"once-{tag}" in archive


def test_a_replay_tells_what_two_versions_make_of_the_archive(
    captured: Object, players: Cast, story: Story, tag: str
) -> None:
    name = captured["metadata"]["name"]
    finished = story.finished(story.create(replay(f"replay-{tag}", of=name, versions=list(VERSIONS))))
    status = finished["status"]
    assert verdict(finished) == "Current"
    assert status["outcome"] == "Succeeded"
    assert status["summary"].startswith("2/2 replayed: AsCaptured ")
    assert status["resolvedSource"]["sha256"] == captured["status"]["lastSuccessfulCapture"]["sha256"]
    for result, version in zip(status["results"], VERSIONS.values(), strict=True):
        assert result["outcome"] == "Succeeded"
        assert result["image"].endswith(f":{version}")
        assert result["actions"][0]["name"] == "allocate"
        if players.plays_back:
            expected = recorded(stage.ARCHIVE, version)
            assert result["counts"]["placements"] == len(expected["bound"])
            assert result["counts"]["evictions"] == len(expected["evicted"])


def test_the_result_by_name_and_the_log_lie_beside_the_archive(
    captured: Object, archives: Archives, players: Cast, story: Story, tag: str
) -> None:
    name = captured["metadata"]["name"]
    finished = story.finished(story.create(replay(f"replay-{tag}", of=name, versions=["AsCaptured"])))
    (told,) = finished["status"]["results"]
    result, log = (next(key for key in archives if archives.uri(key) == told[uri]) for uri in ("resultURI", "logURI"))
    document = archives.document(result)
    assert len(document["placements"]) == told["counts"]["placements"]
    assert len(document["evictions"]) == told["counts"]["evictions"]
    if players.plays_back:
        expected = recorded(stage.ARCHIVE, "v0.17.0")
        assert {each["pod"]: each["node"] for each in document["placements"]} == expected["bound"]
        assert sorted(each["pod"] for each in document["evictions"]) == sorted(expected["evicted"])
    assert log.endswith(".log.gz")
