"""The operator is away for some minutes, and everything goes on when it is back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from stage import images, stage
from stage.images import Image
from stage.kube import Kube
from support.archives import InBucket
from support.eventually import eventually
from support.kstatus import verdict
from support.objects import Object, capture, replay
from support.operatorpod import Operator
from support.story import Story

AWAY = timedelta(minutes=3, seconds=5)
"""At least three slots of a schedule that fires each minute."""


def test_the_newest_of_several_missed_slots_is_made_up_for_and_a_result_that_waited_arrives(
    story: Story, kube: Kube, operator: Operator, bucket: InBucket, load: Callable[[Image], Image], tag: str
) -> None:
    slow = {"name": "slow", "image": load(images.snapshot_tool("v0.17.0", behaviour="slow")).reference}
    minutely = capture(f"minutely-{tag}", storage=bucket.spec, schedule={"cron": "* * * * *", "immediate": True})
    scheduled = story.create(minutely)
    story.until(scheduled, lambda seen: seen["status"].get("history"))
    patient = story.create(replay(f"patient-{tag}", of=scheduled["metadata"]["name"], versions=[slow], repetitions=1))
    eventually(lambda: state(kube, patient, "snapshot-tool") == "running", what="the tool runs")

    operator.stop()
    gone = datetime.now(UTC)
    before = story.see(scheduled)["status"]["history"]
    eventually(lambda: state(kube, patient, "report") == "running", what="the tool has ended, its result waits")
    eventually(lambda: _early_in_a_minute(after=gone + AWAY), timeout=300, interval=2, what="slots have passed")
    returning = datetime.now(UTC)
    operator.start()

    finished = story.finished(patient)
    assert verdict(finished) == "Current"
    (result,) = finished["status"]["results"]
    assert (result["outcome"], result["attempt"]) == ("Succeeded", 1)

    seen = story.until(scheduled, lambda seen: len(seen["status"]["history"]) >= len(before) + 2)
    new = [run["id"] for run in reversed(seen["status"]["history"]) if run["id"] > before[0]["id"]]
    assert new[0] == slot(returning), "the newest slot is made up for, and only that"
    assert new[1] == slot(returning + timedelta(minutes=1)), "and then it goes on"
    told = story.events(scheduled, until="MissedSchedule")
    (missed,) = [event["message"] for event in told if event["reason"] == "MissedSchedule"]
    assert missed.startswith(("2 runs were missed", "3 runs were missed"))


def _early_in_a_minute(*, after: datetime) -> bool:
    """So that no slot passes between the start and the first look."""
    now = datetime.now(UTC)
    return now > after and now.second < 30


def slot(moment: datetime) -> str:
    """The id of the minutely run that was due last."""
    return moment.strftime("%Y%m%dT%H%M00Z")


def state(kube: Kube, replay: Object, container: str) -> str | None:
    """`waiting`, `running` or `terminated`, of the replay's pod."""
    pods = kube.list("pods", stage.NAMESPACE, selector=f"kai-snapshot.io/replay-uid={replay['metadata']['uid']}")
    statuses = (
        status
        for pod in pods
        for kind in ("initContainerStatuses", "containerStatuses")
        for status in pod["status"].get(kind, ())
        if status["name"] == container
    )
    return next((next(iter(status["state"])) for status in statuses), None)
