"""What goes wrong with one version of a replay is that version's outcome, says why, and is no matter of the others."""

import gzip
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from stage import images, stage
from stage.images import Image
from stage.kube import Kube
from support.archives import InBucket
from support.kstatus import condition, verdict
from support.objects import Object, capture, replay
from support.recordings import log
from support.seeds import upload
from support.story import Story

GOOD = "v0.17.0"
PANICKED, PANICS = "v0.12.23", "07-gang+elastic"
"""A version that really panicked, and the archive it did that at."""
MISBEHAVING = ("hang", "oom", "silent")
"""Versions that are no versions: the stand-in for the tool behaves so."""
PULL_SECONDS = 120
"""How long an image may fail to be pulled."""


@dataclass(frozen=True)
class Trouble:
    """A version that makes trouble, and what is to be said of it. `GOOD` is replayed after it."""

    version: Object
    outcome: str
    says: str
    """What the message must hold."""
    archive: str = stage.ARCHIVE
    exit_code: int | None = None
    log: float = 0.0
    """How much of the log the tool wrote is kept."""
    finished: tuple[str, ...] = ()
    """The actions that ended before it went wrong."""
    spec: Mapping[str, Any] = field(default_factory=dict)
    """What else the replay says."""


def limited(memory: str) -> Object:
    """The pod template of a tool that may have so much memory."""
    resources = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": memory}}
    return {"podTemplate": {"spec": {"resources": resources}}}


TROUBLES = {
    "its image cannot be pulled": Trouble(
        {"name": "nowhere", "image": "registry.invalid/snapshot-tool:nowhere"},
        "ImagePullFailed",
        "the image registry.invalid/snapshot-tool:nowhere could not be pulled in 2 minutes",
    ),
    "it panics": Trouble(
        {"name": PANICKED},
        "Panicked",
        "invalid memory address or nil pointer dereference",
        archive=PANICS,
        exit_code=2,
        log=1.0,
        finished=("allocate", "consolidation"),
    ),
    "it hangs": Trouble(
        {"name": "hang"},
        "DeadlineExceeded",
        "stopped at its deadline",
        exit_code=137,
        log=0.5,
        finished=("allocate",),
        spec={"activeDeadlineSeconds": 10},
    ),
    "it ends with exit code 0 and has run nothing": Trouble(
        {"name": "silent"}, "Incomplete", "allocate", exit_code=0, log=0.01
    ),
    "it takes all memory": Trouble(
        {"name": "oom"}, "OOMKilled", "(128Mi): raise podTemplate.spec.resources", spec=limited("128Mi")
    ),
    "nobody knows its version": Trouble(
        {"name": "AsCaptured"}, "IncompatibleSnapshot", "name a version in its place, or give it an image"
    ),
}

Replays = Mapping[str, tuple[Object, InBucket]]


@pytest.fixture(scope="module")
def replays(kube: Kube, s3: Any, load: Callable[[Image], Image]) -> Iterator[Replays]:
    """A replay of each trouble, all at once."""
    story, tag = Story(kube), secrets.token_hex(2)
    made = {}
    for number, (what, trouble) in enumerate(TROUBLES.items()):
        place = InBucket(s3, f"e2e/{tag}/{number}")
        versions: list[str | Object] = [misbehaving(trouble.version, load), GOOD]
        obj = replay(f"trouble-{tag}-{number}", of=upload(place, trouble.archive), versions=versions, **trouble.spec)
        made[what] = story.create(obj), place
    yield made
    story.end()


def misbehaving(version: Object, load: Callable[[Image], Image]) -> Object:
    """The version with the image of a stand-in that makes the trouble, unless it has one."""
    name = version["name"]
    if name in MISBEHAVING:
        return {**version, "image": load(images.snapshot_tool(GOOD, behaviour=name)).reference}
    return {**version, "image": load(images.snapshot_tool(name)).reference} if name == PANICKED else version


def outcome(seen: Object, index: int) -> str:
    """Of the version at `index`."""
    return str(seen["status"]["results"][index]["outcome"])


def test_an_image_that_cannot_be_pulled_holds_up_nobody(replays: Replays, story: Story) -> None:
    obj, _ = replays["its image cannot be pulled"]
    story.until(obj, lambda seen: outcome(seen, 1) == "Succeeded")


class TestAnArchiveThatIsNotTheOneItWas:
    def test_is_refused_before_anything_is_run(self, bucket: InBucket, story: Story, kube: Kube, tag: str) -> None:
        source = upload(bucket, stage.ARCHIVE)
        bucket.put("snapshot.zip", b"another")
        over = story.finished(story.create(replay(f"changed-{tag}", of=source, versions=[GOOD])))
        assert verdict(over) == "Failed"
        for type_ in ("Ready", "Stalled", "SourceResolved"):
            told = condition(over, type_)
            assert told is not None
            assert told["reason"] == "ChecksumMismatch"
            assert "it was changed or damaged after it was stored; replay another archive" in told["message"]
        assert "results" not in over["status"] or over["status"]["results"] == []
        assert kube.list("jobs", stage.NAMESPACE, selector=f"kai-snapshot.io/replay=changed-{tag}") == []
        assert bucket.keys() == ["snapshot.zip"]

    def test_is_not_given_to_a_version_when_it_was_changed_while_another_ran(
        self, bucket: InBucket, story: Story, load: Callable[[Image], Image], tag: str
    ) -> None:
        hang = misbehaving({"name": "hang"}, load)
        source = upload(bucket, stage.ARCHIVE)
        obj = replay(f"changed-{tag}", of=source, versions=[hang, GOOD], activeDeadlineSeconds=10)
        story.create(obj)
        # the tool has an image once the archive is fetched
        story.until(obj, lambda seen: seen["status"].get("results", [{}])[0].get("imageID"))
        bucket.put("snapshot.zip", b"another")
        over = story.finished(obj, timeout=180)
        first, second = over["status"]["results"]
        assert first["outcome"] == "DeadlineExceeded"
        assert second["outcome"] == "Failed"
        assert second["message"].startswith("ChecksumMismatch: ")
        assert "as when it was pinned" in second["message"]


class TestACaptureThatIsNotThereYet:
    def test_is_waited_for(self, bucket: InBucket, story: Story, tag: str) -> None:
        obj = story.create(replay(f"early-{tag}", of=f"late-{tag}", versions=[GOOD]))
        waiting = story.until(obj, lambda seen: condition(seen, "Ready"))
        for type_, status in (("Ready", "Unknown"), ("Reconciling", "True"), ("SourceResolved", "False")):
            told = condition(waiting, type_)
            assert told is not None
            assert (told["status"], told["reason"]) == (status, "WaitingForCapture")
            assert f"SnapshotCapture kai-snapshots/late-{tag} does not exist yet" in told["message"]
        assert verdict(waiting) == "InProgress"

        made = story.finished(story.create(capture(f"late-{tag}", storage=bucket.spec)))
        over = story.finished(obj)
        assert over["status"]["outcome"] == "Succeeded"
        assert over["status"]["resolvedSource"]["sha256"] == made["status"]["lastSuccessfulCapture"]["sha256"]

    def test_is_waited_for_no_longer_than_wanted(self, story: Story, tag: str) -> None:
        obj = story.create(replay(f"early-{tag}", of=f"never-{tag}", versions=[GOOD], startingDeadlineSeconds=2))
        over = story.finished(obj)
        assert verdict(over) == "Failed"
        for type_ in ("Ready", "Stalled", "SourceResolved"):
            told = condition(over, type_)
            assert told is not None
            assert told["reason"] == "CaptureNotFound"
            assert f"SnapshotCapture kai-snapshots/never-{tag} does not exist yet" in told["message"]
            assert "startingDeadlineSeconds" in told["message"]
        assert [event["reason"] for event in story.events(over, until="CaptureNotFound")] == ["CaptureNotFound"]


@pytest.mark.parametrize(("what", "trouble"), TROUBLES.items(), ids=TROUBLES)
def test_the_outcome_of_a_version_says_that(what: str, trouble: Trouble, replays: Replays, story: Story) -> None:
    obj, place = replays[what]
    over = story.finished(obj, timeout=PULL_SECONDS + 180)
    bad, good = over["status"]["results"]
    assert (bad["outcome"], bad.get("exitCode")) == (trouble.outcome, trouble.exit_code), bad["message"]
    assert trouble.says in bad["message"]
    assert tuple(action["name"] for action in bad.get("actions", ())) == trouble.finished
    assert good["outcome"] == "Succeeded", "the others are not affected"

    assert over["status"]["outcome"] == "PartiallyFailed"
    assert over["status"]["summary"].startswith("1/2 replayed: v0.17.0 ")
    assert verdict(over) == "Failed"
    for type_ in ("Ready", "Stalled"):
        told = condition(over, type_)
        assert told is not None
        assert told["reason"] == "ReplayFailed"
        assert told["message"].startswith(f"{bad['name']} {trouble.outcome}: ")
    reasons = [event["reason"] for event in story.events(over, until="ReplayFinished")]
    assert sorted(reasons) == ["ReplayFinished", "SourceResolved", "VersionFailed", "VersionReplayed"]

    assert ("logURI" in bad) == (trouble.log > 0)
    if trouble.log:
        recorded = PANICKED if trouble.archive == PANICS else GOOD
        written = gzip.decompress(log(trouble.archive, recorded).read_bytes())
        kept = gzip.decompress(place.read(place.key(bad["logURI"])))
        assert written.startswith(kept)
        assert len(kept) >= trouble.log * len(written) * 0.98
