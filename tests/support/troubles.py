"""What is so of a capture that failed, whatever the trouble was."""

from support.kstatus import condition, verdict
from support.objects import Object
from support.story import Story


def failed(story: Story, obj: Object, *, reason: str, says: str) -> Object:
    """The one-shot capture once it is over; asserts that it failed for that reason, and tells what to do about it."""
    over = story.finished(obj, timeout=180)
    status = over["status"]
    assert verdict(over) == "Failed"
    for type_ in ("Ready", "Stalled"):
        told = condition(over, type_)
        assert told is not None
        assert (told["reason"], says in told["message"]) == (reason, True), told
    assert "lastSuccessfulCapture" not in status
    assert [record["reason"] for record in status["history"]] == [reason]
    assert [event["reason"] for event in story.events(over, until=reason)] == [reason]
    return over
