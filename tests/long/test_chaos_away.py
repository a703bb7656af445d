"""What the operator stands on goes away while it works, and comes back."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from long.chaospage import Told
from long.plays import PATIENCE, RUN_NOW, Matrix, OneCapture, Play, Retention
from stage import stage
from stage.kube import Kube, KubectlError
from support import invariants, nodehand
from support.archives import InBucket
from support.chaos import S3_ENDPOINT, Chaos
from support.eventually import eventually
from support.kstatus import condition, is_true
from support.objects import Object, capture
from support.story import Story
from support.watch import Watch

AWAY_SECONDS = 20


@pytest.fixture(autouse=True)
def every_status_may_be(watch: Watch) -> Iterator[None]:
    """Fails where a status was wrong at any moment."""
    yield
    watch.complain()


@pytest.fixture
def s3(kube: Kube) -> Iterator[Any]:
    """For this test alone: what the one before has broken may have been the way to the storage."""
    with stage.s3(kube) as client:
        yield client


@pytest.fixture
def place(s3: Any, tag: str) -> InBucket:
    """A place in the bucket, as the supervised operator reaches it."""
    return InBucket(s3, f"chaos/{tag}", endpoint=S3_ENDPOINT)


@pytest.fixture
def story(kube: Kube) -> Iterator[Story]:
    """The test's objects."""
    story = Story(kube)
    yield story
    story.end()


@pytest.fixture
def plays(story: Story, place: InBucket, tag: str) -> Sequence[Play]:
    """A capture, a retention and a matrix, each with a place of its own."""
    made = []
    for kind in (OneCapture, Retention, Matrix):
        name = f"{kind.__name__.lower()}-{tag}"
        play = kind(story, InBucket(place.client, f"{place.prefix}/{name}", endpoint=S3_ENDPOINT), name)
        play.prepare()
        made.append(play)
    return made


def stop_the_api_server(kube: Kube) -> None:
    """Returns once it does not answer."""
    nodehand.pause(kube, "kube-apiserver", AWAY_SECONDS)
    eventually(lambda: not answers(kube), timeout=AWAY_SECONDS, what="the API server does not answer")


AWAY: dict[str, Callable[[Kube], None]] = {
    f"the API server stops for {AWAY_SECONDS} s": stop_the_api_server,
    f"the S3 server stops for {AWAY_SECONDS} s": lambda kube: nodehand.pause(kube, "versitygw", AWAY_SECONDS),
    "the S3 server is killed": lambda kube: nodehand.kill(kube, "versitygw"),
    "the node's containerd is killed": lambda kube: nodehand.kill(kube, "containerd"),
    "the node's kubelet stops for 20 s": lambda kube: nodehand.pause(kube, "kubelet", AWAY_SECONDS),
}


@pytest.mark.parametrize("what", AWAY)
def test_what_was_under_way_comes_to_its_end_when(
    what: str, plays: Sequence[Play], chaos: Chaos, kube: Kube, told: Told
) -> None:
    chaos.count()
    for play in plays:
        play.begin()
    AWAY[what](kube)
    began = time.monotonic()
    with told_of(told, what):
        eventually(lambda: answers(kube), what="the test can look again")
        for play in plays:
            play.end()
    assert time.monotonic() - began < PATIENCE
    chaos.ready()
    with stage.s3(kube) as client:  # a forwarded port goes away with what stands behind it
        for play in plays:
            play.place = replace(play.place, client=client)
            play.check()
    assert not chaos.left_in_spool()


def answers(kube: Kube) -> bool:
    """Whether the API server does."""
    try:
        kube.get_raw("/readyz")
    except KubectlError:
        return False
    return True


@contextmanager
def told_of(told: Told, what: str, end: str = "all came to the same end") -> Iterator[None]:
    """Takes the time."""
    began = time.monotonic()
    yield
    told.away.append((what, end, time.monotonic() - began))


@pytest.mark.parametrize("hours", [1, -1, 24 * 400])
def test_a_clock_that_jumps_doubles_no_run(
    hours: int, plays: Sequence[Play], chaos: Chaos, told: Told, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(lambda: chaos.move_clock(0))
    for play in plays:
        play.begin()
        if isinstance(play, Retention) and hours > 0:
            play.may_fail = ("DeadlineExceeded",)
    chaos.move_clock(3600 * hours)
    end = "all came to the same end" if hours < 0 else "the same end, or that of a deadline which it jumped over"
    with told_of(told, f"the clock jumps by {hours:+,} h", end):
        for play in plays:
            play.end()
    if hours < 0:
        chaos.move_clock(0)  # until then an archive is of a time to come, and no retention removes it
    for play in plays:
        if hours < 0 or not overtaken(play):
            play.check()


def overtaken(play: Play) -> bool:
    """Whether the clock jumped over the time that a replay had to start in; then nothing of it may be left."""
    if not isinstance(play, Matrix) or is_true(play.seen, "Ready"):
        return False
    for result in play.seen["status"]["results"]:
        assert result["outcome"] == "Succeeded" or "StartDeadlineExceeded" in result["message"], result
    invariants.archives_are_whole(play.place, leftovers=False)
    invariants.nothing_is_left(play.kube, play.created, label="replay")
    return True


def test_a_full_spool_is_told_and_leaves_nothing(
    story: Story, place: InBucket, chaos: Chaos, tag: str, told: Told, request: pytest.FixtureRequest
) -> None:
    created = story.create(capture(f"full-{tag}", storage=place.spec, schedule={"cron": "0 0 29 2 *"}, retries=0))
    chaos.fill_spool()
    request.addfinalizer(chaos.empty_spool)
    story.annotate(created, RUN_NOW, "while it is full")
    seen = story.until(created, lambda seen: len(history(seen)) == 1, timeout=PATIENCE)
    assert [(run["outcome"], run["reason"]) for run in history(seen)] == [("Failed", "SpoolFull")]
    assert place.keys() == []
    chaos.empty_spool()
    with told_of(told, "the spool directory is full", "`SpoolFull`; the next run succeeds"):
        well_again(story, created, place)
    chaos.fill_spool()  # for the finalizer to empty


def test_keys_that_expire_are_told_and_the_next_run_is_well(
    story: Story, place: InBucket, kube: Kube, tag: str, told: Told
) -> None:
    keys = story.create(stage.secret(f"keys-{tag}", stage.NAMESPACE, stage.S3_KEYS))["metadata"]["name"]
    storage = {"s3": {**place.spec["s3"], "credentialsSecretRef": {"name": keys}}}
    created = story.create(capture(f"expired-{tag}", storage=storage, schedule={"cron": "0 0 29 2 *"}, retries=0))
    kube.apply(stage.secret(keys, stage.NAMESPACE, {**stage.S3_KEYS, "AWS_SECRET_ACCESS_KEY": "expired"}))
    story.annotate(created, RUN_NOW, "with old keys")
    seen = story.until(created, lambda seen: len(history(seen)) == 1, timeout=PATIENCE)
    (failed,) = history(seen)
    assert failed["outcome"] == "Failed"
    assert place.keys() == []
    kube.apply(stage.secret(keys, stage.NAMESPACE, stage.S3_KEYS))
    with told_of(told, "the storage's keys expire", f"`{failed['reason']}`; the next run succeeds"):
        well_again(story, created, place)


def history(seen: Object) -> list[Object]:
    return list(seen["status"].get("history", ()))


def well_again(story: Story, created: Object, place: InBucket) -> None:
    """One run more, and all is well."""
    story.annotate(created, RUN_NOW, "when it is well again")
    seen = story.until(created, lambda seen: len(history(seen)) == 2, timeout=PATIENCE)
    assert history(seen)[0]["outcome"] == "Succeeded"
    ids = invariants.archives_are_whole(place, leftovers=False)
    assert ids == [history(seen)[0]["id"]]
    ready = condition(seen, "Ready")
    assert ready is not None
    assert ready["status"] == "True"
    eventually(lambda: story.see(created)["status"]["consecutiveFailures"] == 0, what="the failures are over")
