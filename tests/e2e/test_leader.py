"""A scheduler with two replicas: only the leader serves snapshots."""

from collections.abc import Callable

from stage import stage
from stage.kube import Kube
from support.archives import InBucket
from support.eventually import eventually
from support.objects import capture
from support.schedulers import Shard
from support.story import Story

NEVER = {"cron": "0 0 29 2 *"}


def test_the_leader_is_asked_and_after_a_change_the_new_one(
    story: Story, kube: Kube, bucket: InBucket, shard: Callable[..., Shard], tag: str
) -> None:
    elected = shard("elected", replicas=2)

    def leader() -> str | None:
        lease = kube.get("lease", f"kai-scheduler-{elected.name}", stage.SCHEDULER_NAMESPACE)
        holder = str((lease or {}).get("spec", {}).get("holderIdentity", "")).partition("_")[0]
        return holder if holder in [pod["metadata"]["name"] for pod in elected.pods()] else None

    first = eventually(leader, what="a leader is elected")
    created = story.create(
        capture(f"led-{tag}", storage=bucket.spec, source=elected.source, schedule={**NEVER, "immediate": True})
    )
    story.until(created, lambda seen: len(seen["status"].get("history", ())) == 1)
    assert asked(bucket) == [first]

    kube.delete("pod", first, stage.SCHEDULER_NAMESPACE, now=True)
    second = eventually(leader, what="another leader is elected")
    assert second != first
    story.annotate(created, "kai-snapshot.io/run-requested-at", "after the change")
    seen = story.until(created, lambda seen: len(seen["status"]["history"]) == 2)
    assert [run["outcome"] for run in seen["status"]["history"]] == ["Succeeded"] * 2
    assert asked(bucket) == [first, second]


def asked(bucket: InBucket) -> list[str]:
    """The pods that served the archives, oldest first."""
    return [bucket.document(key)["scheduler"]["pod"] for key in bucket.keys() if key.endswith(".json")]
