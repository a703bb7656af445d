"""A scheduler with two replicas: only the leader serves snapshots, and it is the leader that is asked."""

from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection

import pytest

from stage import stage
from stage.kube import Kube
from support.archives import InBucket
from support.eventually import eventually
from support.objects import Object, capture
from support.schedulers import Shard
from support.story import Story

LEASE = "kai-scheduler-elected"
"""`--scheduler-name` and `--partition-label-value`, as KAI names it."""


@pytest.fixture(scope="module")
def elected(shard: Callable[..., Shard]) -> Shard:
    """A shard whose two replicas elect a leader."""
    return shard("elected", replicas=2)


@pytest.fixture
def leader(kube: Kube, elected: Shard) -> Callable[[], str]:
    """The pod that holds the Lease, as soon as one that is there does."""

    def holder() -> str | None:
        lease = kube.get("lease", LEASE, stage.SCHEDULER_NAMESPACE)
        pod = str(lease["spec"]["holderIdentity"]).partition("_")[0] if lease else ""
        return pod if pod in names(elected) else None

    return lambda: eventually(holder, what="a leader is elected")


def test_a_standby_serves_nothing_and_the_leader_is_asked(
    story: Story, kube: Kube, bucket: InBucket, elected: Shard, leader: Callable[[], str], tag: str
) -> None:
    first = leader()
    (standby,) = set(names(elected)) - {first}
    assert eventually(lambda: asked(kube, first)[0] == 200)
    assert asked(kube, standby) == (404, b"404 page not found\n")

    story.finished(story.create(capture(f"led-{tag}", storage=bucket.spec, source=elected.source)))
    assert served_by(bucket) == {"pod": first, "deployment": "kai-scheduler-elected", "shard": "elected"}


def test_a_capture_in_a_change_of_leaders_waits_for_the_new_one(
    story: Story, kube: Kube, bucket: InBucket, elected: Shard, leader: Callable[[], str], tag: str
) -> None:
    first = leader()
    kube.delete("pod", first, stage.SCHEDULER_NAMESPACE)  # and it has ended when this returns, but nobody follows yet
    kube.patch("lease", LEASE, stage.SCHEDULER_NAMESPACE, {"spec": {"leaseDurationSeconds": 600}})
    created = story.create(capture(f"led-{tag}", storage=bucket.spec, source=elected.source, retries=5))
    waiting = story.until(created, lambda seen: seen["status"]["active"]["attempt"] > 1)
    assert waiting["status"]["active"]["message"].startswith(f"NoLeader: {first} holds the Lease kai-scheduler/{LEASE}")

    kube.patch("lease", LEASE, stage.SCHEDULER_NAMESPACE, {"spec": {"leaseDurationSeconds": 1}})
    story.finished(created, timeout=180)
    second = leader()
    assert second != first
    assert served_by(bucket)["pod"] == second


def names(shard: Shard) -> list[str]:
    """Its pods."""
    return [pod["metadata"]["name"] for pod in shard.pods()]


def asked(kube: Kube, pod: str) -> tuple[int, bytes]:
    """What a pod answers, with the beginning of it, to whoever asks it for a snapshot."""
    with (
        kube.forward(f"pod/{pod}", stage.SCHEDULER_NAMESPACE, 8081) as port,
        closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection,
    ):
        connection.request("GET", "/get-snapshot")
        with connection.getresponse() as answer:
            return answer.status, answer.read()[:100]


def served_by(bucket: InBucket) -> Object:
    """Who served the one archive there is, by its manifest."""
    (manifest,) = (key for key in bucket if key.endswith(".json"))
    scheduler = bucket.document(manifest)["scheduler"]
    return {name: scheduler[name] for name in ("pod", "deployment", "shard")}
