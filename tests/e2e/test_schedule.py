"""Captures by schedule."""

from support.archives import InBucket, OnVolume
from support.kstatus import condition, verdict
from support.objects import Object, capture
from support.story import Story

MINUTELY: Object = {"cron": "* * * * *"}
NEVER: Object = {"cron": "0 0 29 2 *"}
RUN_REQUESTED_AT = "kai-snapshot.io/run-requested-at"


def runs(seen: Object) -> list[Object]:
    """The runs that are over, oldest first."""
    return list(reversed(seen["status"].get("history", ())))


def test_a_schedule_fires_twice_and_retention_leaves_what_it_should(
    story: Story, bucket: InBucket, volume: OnVolume, tag: str
) -> None:
    captures = {}
    for place, kind in ((bucket, "s3"), (volume, "pvc")):
        minutely = capture(f"{kind}-{tag}", storage=place.spec, schedule=MINUTELY, retention={"keepLast": 1})
        captures[place] = story.create(minutely)
    for place, created in captures.items():
        seen = story.until(created, lambda seen: len(runs(seen)) >= 2, timeout=150)
        first, second = runs(seen)[:2]
        assert [run["outcome"] for run in (first, second)] == ["Succeeded"] * 2
        assert [run["trigger"] for run in (first, second)] == ["Schedule"] * 2
        assert first["id"] < second["id"], "a run is named by its slot"
        assert first["id"].endswith("00Z")
        newest = runs(seen)[-1]["id"]
        assert seen["status"]["archives"]["count"] == 1
        assert {key.rpartition("/")[2][:16] for key in place} == {newest}, "archive and manifest of the newest run"
        assert verdict(seen) == "Current"
        assert condition(seen, "LastCaptureSucceeded")["status"] == "True"  # type: ignore[index]
        story.events(created, until="ArchivesPruned")


def test_a_run_can_be_requested_also_while_the_schedule_is_suspended(story: Story, bucket: InBucket, tag: str) -> None:
    created = story.create(capture(f"asked-{tag}", storage=bucket.spec, schedule=NEVER, suspend=True))
    suspended = story.until(created, lambda seen: condition(seen, "Ready"))
    assert condition(suspended, "Ready")["reason"] == "Suspended"  # type: ignore[index]
    story.annotate(created, RUN_REQUESTED_AT, "now, please")
    seen = story.until(created, runs)
    (run,) = runs(seen)
    assert (run["trigger"], run["outcome"]) == ("Manual", "Succeeded")
    assert seen["status"]["lastHandledRunRequest"] == "now, please"
    assert len(bucket.keys()) == 2


def test_a_schedule_starts_at_once_where_that_is_asked_for(story: Story, bucket: InBucket, tag: str) -> None:
    created = story.create(capture(f"eager-{tag}", storage=bucket.spec, schedule={**NEVER, "immediate": True}))
    seen = story.until(created, runs)
    assert [(run["trigger"], run["outcome"]) for run in runs(seen)] == [("Immediate", "Succeeded")]


def test_a_time_zone_nobody_knows_is_said_so_and_stalls_the_capture(story: Story, bucket: InBucket, tag: str) -> None:
    created = story.create(
        capture(f"lost-{tag}", storage=bucket.spec, schedule={**MINUTELY, "timeZone": "Mars/Olympus"})
    )
    seen = story.until(created, lambda seen: condition(seen, "Stalled"))
    ready = condition(seen, "Ready")
    assert ready is not None
    assert (ready["status"], ready["reason"]) == ("False", "UnknownTimeZone")
    assert "Mars/Olympus" in ready["message"]
    assert verdict(seen) == "Failed"
