"""The watch of the e2e tests tells what is wrong with a status, of which object, and once."""

from typing import Any

import pytest

from support.resources import replay
from support.watch import SMALL, Watch

READY = {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "", "observedGeneration": 1}
GOOD: dict[str, Any] = {"observedGeneration": 1, "conditions": [READY]}


def see(*statuses: dict[str, Any]) -> Watch:
    watch = Watch(lambda _: None)
    for status in statuses:
        watch.see(replay(status=status))
    return watch


def test_nothing_is_wrong_with_what_may_be() -> None:
    see({"observedGeneration": -1}, GOOD).complain()


@pytest.mark.parametrize(
    ("status", "rule"),
    [
        ({**GOOD, "conditions": [{**READY, "status": "Unknown"}]}, "nothing is under way"),
        ({**GOOD, "conditions": [{**READY, "observedGeneration": 0}]}, "said of another generation"),
        ({**GOOD, "summary": "x" * SMALL}, "the status has"),
    ],
    ids=["waits for nothing", "an old condition", "too large"],
)
def test_what_may_not_be_is_told_once_even_if_the_next_status_is_good(status: dict[str, Any], rule: str) -> None:
    watch = see(status, status, GOOD)
    with pytest.raises(AssertionError, match=rule) as told:
        watch.complain()
    assert str(told.value).count("SnapshotReplay kai-snapshots/compare: ") == 1
    watch.complain()


def test_every_status_is_handed_on() -> None:
    told: list[dict[str, Any]] = []
    Watch(told.append).see(replay(status=GOOD))
    assert [each["status"] for each in told] == [GOOD]
