"""The operator is away for some minutes, and everything goes on when it is back."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from stage import images, stage
from stage.kube import Kube
from support.archives import InBucket
from support.eventually import eventually
from support.kstatus import verdict
from support.objects import Object, capture, replay
from support.operator import Operator
from support.story import Story

AWAY = timedelta(minutes=3, seconds=10)
"""At least three slots of a schedule that fires each minute."""


def test_of_several_missed_slots_the_newest_is_made_up_for_and_a_result_that_waited_arrives(
    story: Story, kube: Kube, operator: Operator, bucket: InBucket, tag: str, load: "Load"
) -> None:
    slow = load(images.snapshot_tool("v0.17.0", behaviour="slow"))
    once = story.finished(story.create(capture(f"once-{tag}", storage=bucket.spec)))
    minutely = capture(f"minutely-{tag}", storage=bucket.spec, schedule={"cron": "* * * * *"})
    scheduled = story.create(minutely)
    waiting = story.create(
        replay(f"patient-{tag}", of=once["metadata"]["name"], versions=[{"name": "v0.17.0", "image": slow.reference}])
    )
    story.until(scheduled, lambda seen: seen["status"].get("history"), timeout=90)
    eventually(lambda: _container(kube, waiting, "snapshot-tool", "running"), what="the tool runs")

    operator.stop()
    gone = datetime.now(UTC)
    eventually(lambda: _container(kube, waiting, "snapshot-tool", "terminated"), what="the tool has ended")
    before = story.see(scheduled)["status"]["history"]
    eventually(lambda: datetime.now(UTC) - gone > AWAY, timeout=AWAY.total_seconds() + 30, interval=5)
    assert _container(kube, waiting, "report", "running"), "the pod waits for somebody to take its result"
    operator.start()
    back = datetime.now(UTC)

    finished = story.finished(waiting)
    assert verdict(finished) == "Current"
    (result,) = finished["status"]["results"]
    assert (result["outcome"], result.get("attempt", 1)) == ("Succeeded", 1)

    caught_up = story.until(scheduled, lambda seen: len(seen["status"]["history"]) > len(before))
    made_up_for = caught_up["status"]["history"][-len(before) - 1]
    assert made_up_for["id"] == _newest_slot(back), "the newest slot, and only that"
    later = story.until(scheduled, lambda seen: len(seen["status"]["history"]) > len(before) + 1, timeout=90)
    assert later["status"]["history"][-len(before) - 2]["id"] > made_up_for["id"]
    missed = [event["message"] for event in story.events(scheduled) if event["reason"] == "MissedSchedule"]
    assert len(missed) == 1
    assert "the newest is made up for" in missed[0]
