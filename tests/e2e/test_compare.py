"""Versions side by side: how many differences there are stands in the status, and each by name in the store."""

import json
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from stage import images
from stage.images import Image
from stage.stage import Cast
from support.archives import Archives, InBucket
from support.kstatus import verdict
from support.objects import Object, capture, replay
from support.recordings import counts, differing, recorded, samples
from support.schedulers import Shard
from support.seeds import upload
from support.story import Story

SERVED = "05-gang+selector+taint"
VERSIONS = ("v0.9.0", "v0.12.23", "v0.14.7", "v0.17.0")
BASELINE, OTHERS = VERSIONS[0], VERSIONS[1:]
SEVERAL = "12-gang+fraction+running"
"""An archive of which the tool v0.17.0 makes now this and now that: there are several recordings."""
COMMAND = Path(sys.executable).with_name("kai-snapshot")


@pytest.fixture(autouse=True)
def known(players: Cast, load: Callable[[Image], Image]) -> None:
    """All four versions, of which it is known what comes of them."""
    if not players.plays_back:
        pytest.skip("the real tool gives another result each time")
    for version in VERSIONS:
        load(images.snapshot_tool(version))


@pytest.fixture
def compared(archives: Archives, shard: Callable[..., Shard], story: Story, tag: str) -> Object:
    """What a scheduler served, replayed at four versions."""
    scheduler = shard("compared", archive=SERVED)
    once = story.create(capture(f"once-{tag}", storage=archives.spec, source=scheduler.source))
    obj = replay(f"versions-{tag}", of=once["metadata"]["name"], versions=list(VERSIONS), parallelism=4)
    return story.finished(story.create(obj), timeout=180)


def found(comparison: Object) -> dict[str, dict[str, int]]:
    """How many true differences each version has."""
    return {
        each["name"]: {what: each.get(what, {}).get("differing", 0) for what in counts([])}
        for each in comparison["versions"]
    }


def test_what_differs_between_four_versions_is_counted_in_the_status_and_named_in_the_store(
    compared: Object, archives: Archives, tmp_path: Path
) -> None:
    assert verdict(compared) == "Current"
    made = {version: recorded(SERVED, version) for version in VERSIONS}
    expected = {version: differing(made[BASELINE], made[version]) for version in OTHERS}

    assert f"{OTHERS[1]} differs: " in compared["status"]["summary"]
    comparison = compared["status"]["comparison"]
    assert comparison["baseline"] == BASELINE
    assert found(comparison) == {version: counts([expected[version]]) for version in OTHERS}
    assert comparison["firstDifferent"] == next(
        later for earlier, later in pairwise(VERSIONS) if any(differing(made[earlier], made[later]).values())
    )
    for each in comparison["versions"]:
        assert each["complete"]
        assert each["comparable"]
        named = set().union(*expected[each["name"]].values())
        for example in each.get("examples", ()):
            assert any(name in example for name in named), example

    document = archives.document(next(key for key in archives if archives.uri(key) == comparison["uri"]))
    assert named_in(document) == expected

    results = {}
    for told in compared["status"]["results"]:
        assert (told["runs"], told["distinct"]) == (3, 1)
        results[told["name"]] = tmp_path / f"{told['name']}.json"
        key = next(key for key in archives if archives.uri(key) == told["resultURI"])
        results[told["name"]].write_text(json.dumps(archives.document(key)))
    assert named_in(said(*results.values())) == expected, "the command tells the same"


def test_what_one_version_does_now_so_and_now_so_is_no_difference(bucket: InBucket, story: Story, tag: str) -> None:
    # of three samples, 12 runs all take the same once in 177,147 times; and all runs of one version take some of them
    # while all of the other take the rest, which would be a difference, once in ten million times
    versions: list[str | Object] = ["v0.17.0", {"name": "again", "image": images.snapshot_tool("v0.17.0").reference}]
    obj = replay(f"again-{tag}", of=upload(bucket, SEVERAL), versions=versions, repetitions=12, parallelism=2)
    over = story.finished(story.create(obj))
    for told in over["status"]["results"]:
        assert told["runs"] == 12
        assert 2 <= told["distinct"] <= samples(SEVERAL, "v0.17.0")
    (again,) = over["status"]["comparison"]["versions"]
    assert not any(found(over["status"]["comparison"])["again"].values()), again
    assert sum(again.get(what, {}).get("varying", 0) for what in counts([])) > 0
    assert "firstDifferent" not in over["status"]["comparison"]


def said(*results: Path) -> Object:
    """What the command makes of result documents."""
    done = subprocess.run([COMMAND, "compare", *results, "--output=json"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, ""), "they differ"
    return dict(json.loads(done.stdout))


def named_in(document: Object) -> dict[str, dict[str, set[str]]]:
    """The true differences by name, of each version."""
    return {
        version["name"]: {
            what: {each["name"] for each in version["baseline"][what]["differing"]} for what in counts([])
        }
        for version in document["versions"]
        if version["baseline"] is not None
    }
