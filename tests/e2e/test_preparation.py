"""What is done to an archive before the tool gets it: its configuration, its clock, and what a person changes in it."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from stage import images, stage
from stage.images import Image
from stage.kube import Kube
from stage.stage import Cast
from support.archives import InBucket
from support.kstatus import condition, verdict
from support.objects import Object, replay
from support.recordings import recorded
from support.seeds import seed, upload
from support.story import Story

OLD, HEALTHY = "23-pre-v0.16-config", "11-gang+running+overq"
"""An archive with the plugins of a scheduler before v0.16, and the same with all those of v0.17.0."""
MISSING = ("sg-nodelocalgreedy", "sg-multinodegang")
"""Plugins without which a tool from v0.16 on neither reclaims nor preempts nor consolidates."""
CAPTURED = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def known(players: Cast, load: Callable[[Image], Image]) -> None:
    """It is known what comes of the archives."""
    if not players.plays_back:
        pytest.skip("the real tool gives another result each time")
    load(images.snapshot_tool("v0.17.0"))


def result(over: Object, bucket: InBucket) -> Object:
    """The result of the only version, by name."""
    (told,) = over["status"]["results"]
    return bucket.document(bucket.key(told["resultURI"]))


def test_an_old_configuration_gets_the_plugins_that_are_default_now_and_the_result_says_so(
    kube: Kube, bucket: InBucket, story: Story, tag: str
) -> None:
    seed(kube, bucket, f"old-{tag}", [OLD], first=CAPTURED, scheduler="v0.15.2")
    source = {"archive": {"storage": bucket.spec, "key": next(key for key in bucket if key.endswith(".zip"))}}
    default = story.create(replay(f"default-{tag}", of=source, versions=["v0.17.0"]))
    verbatim = story.create(
        replay(f"verbatim-{tag}", of=source, versions=["v0.17.0"], prepare={"config": "Verbatim", "clock": "Verbatim"})
    )
    plain, prepared = (result(story.finished(obj), bucket) for obj in (verbatim, default))

    assert plain["adaptations"] == []
    assert plain["evictions"] == []
    assert {each["pod"] for each in prepared["evictions"]} == set(recorded(HEALTHY, "v0.17.0")["evicted"]) != set()
    added = [line for line in prepared["adaptations"] if "plugin" in line]
    for plugin in MISSING:
        assert any(plugin in line for line in added), prepared["adaptations"]
    assert any(line.startswith("clock: ") for line in prepared["adaptations"]), prepared["adaptations"]


def test_what_a_person_changes_in_the_archive_is_listed_and_the_rest_stays(
    bucket: InBucket, story: Story, tag: str
) -> None:
    patches = [
        {
            "target": {"kind": "Queue", "name": "research"},
            "patch": "- {op: replace, path: /spec/resources/gpu/quota, value: 66}",
        },
        {"target": {"kind": "Node", "name": "h100-0003"}, "patch": '[{"op": "remove", "path": ""}]'},
    ]
    obj = replay(f"what-if-{tag}", of=upload(bucket, HEALTHY), versions=["v0.17.0"], prepare={"patches": patches})
    over = story.finished(story.create(obj))
    assert verdict(over) == "Current"
    listed = result(over, bucket)["adaptations"]
    for words in (("Queue", "research", "/spec/resources/gpu/quota"), ("Node", "h100-0003", "remove")):
        assert any(all(word in line for word in words) for line in listed), listed


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        ({"target": {"kind": "Queue", "name": "nobodys"}, "patch": "[{op: remove, path: ''}]"}, "nobodys"),
        (
            {
                "target": {"kind": "Queue", "name": "research"},
                "patch": "[{op: replace, path: /spec/no/such/field, value: 1}]",
            },
            "/spec/no/such/field",
        ),
    ],
    ids=["an object that is not there", "a field that is not there"],
)
def test_a_patch_that_fits_nothing_ends_the_replay_and_says_which(
    bucket: InBucket, story: Story, tag: str, patch: Object, says: str
) -> None:
    obj = replay(f"misfit-{tag}", of=upload(bucket, HEALTHY), versions=["v0.17.0"], prepare={"patches": [patch]})
    over = story.finished(story.create(obj))
    assert verdict(over) == "Failed"
    (told,) = over["status"]["results"]
    assert told["outcome"] == "Failed"
    assert told["message"].startswith("PatchFailed: patch 1 (Queue ")
    assert says in told["message"]


def test_a_patch_that_cannot_be_read_is_refused_before_anything_runs(
    kube: Kube, bucket: InBucket, story: Story, tag: str
) -> None:
    patches = [{"target": {"kind": "Queue", "name": "research"}, "patch": "[{op: replace, path: /spec"}]
    name = f"unread-{tag}"
    obj = replay(name, of=upload(bucket, HEALTHY), versions=["v0.17.0"], prepare={"patches": patches})
    story.create(obj)
    seen = story.until(obj, lambda seen: condition(seen, "Stalled"))
    assert verdict(seen) == "Failed"
    for type_ in ("Ready", "Stalled"):
        told = condition(seen, type_)
        assert told is not None
        assert told["reason"] == "PatchFailed"
        assert told["message"].startswith("patch 1 (Queue research): it cannot be read as YAML or JSON"), told
    assert kube.list("jobs", stage.NAMESPACE, selector=f"kai-snapshot.io/replay={name}") == []
