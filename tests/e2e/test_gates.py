"""A replay as a gate: whether the object is Ready says whether what is expected came out."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from stage import images
from stage.images import Image
from stage.kube import Kube
from stage.stage import Cast
from support.archives import InBucket
from support.kstatus import condition, is_true, verdict
from support.objects import Object, replay
from support.recordings import counts, differing, recorded
from support.seeds import upload
from support.story import Story

CALM, CHANGED = "16-gang+limit+running+overq+prio", "05-gang+selector+taint"
"""An archive of which v0.9.0 and v0.17.0 make the same, and one of which v0.17.0 and v0.14.7 do not."""
PANICS = "07-gang+elastic"
"""An archive at which v0.12.23 panics."""
UNCHANGED = ["Placements", "Evictions", "JobOutcomes"]


@dataclass(frozen=True)
class Gate:
    """A gate between two versions, the first of them the baseline."""

    archive: str
    versions: tuple[str, str]
    expectations: Mapping[str, Any]
    met: bool = False
    says: tuple[str, ...] = ()
    """What the message must hold besides the version, if it is not met."""


def differences(what: str) -> str:
    """How many there are, as a message says it."""
    return str(counts([differing(recorded(CHANGED, "v0.17.0"), recorded(CHANGED, "v0.14.7"))])[what])


GATES = {
    "nothing may change, and nothing does": Gate(CALM, ("v0.9.0", "v0.17.0"), {"unchanged": UNCHANGED}, met=True),
    "evictions may not change, and do": Gate(
        CHANGED, ("v0.17.0", "v0.14.7"), {"unchanged": ["Evictions"]}, says=(differences("evictions"),)
    ),
    "a cycle may take a quarter longer, and takes more than twice as long": Gate(
        CHANGED, ("v0.17.0", "v0.14.7"), {"maxTotalSlowdownPercent": 25}, says=("169", "25")
    ),
    "it may take three times as long": Gate(
        CHANGED, ("v0.17.0", "v0.14.7"), {"maxTotalSlowdownPercent": 200}, met=True
    ),
    "an action may take half as long again, and reclaim takes more": Gate(
        CHANGED, ("v0.17.0", "v0.14.7"), {"maxActionSlowdownPercent": 50}, says=("reclaim", "257", "50")
    ),
    "all must succeed, and one panics": Gate(
        PANICS, ("v0.17.0", "v0.12.23"), {"requireSuccess": "All"}, says=("Panicked",)
    ),
    "the baseline must succeed, and another one panics": Gate(
        PANICS, ("v0.17.0", "v0.12.23"), {"requireSuccess": "Baseline"}, met=True
    ),
}


@pytest.fixture(scope="module")
def replays(kube: Kube, s3: Any, players: Cast, load: Callable[[Image], Image]) -> Iterator[Mapping[str, Object]]:
    """A replay for each gate, all at once."""
    if not players.plays_back:
        pytest.skip("the real tool gives another result each time")
    for version in {version for gate in GATES.values() for version in gate.versions}:
        load(images.snapshot_tool(version))
    story, tag, made = Story(kube), secrets.token_hex(2), {}
    for number, (what, gate) in enumerate(GATES.items()):
        source = upload(InBucket(s3, f"e2e/{tag}/{number}"), gate.archive)
        versions: list[str | Object] = list(gate.versions)
        spec: Object = {"parallelism": 2, "repetitions": 5, "expectations": gate.expectations}
        made[what] = story.create(replay(f"gate-{tag}-{number}", of=source, versions=versions, **spec))
    yield made
    story.end()


@pytest.mark.parametrize(("what", "gate"), GATES.items(), ids=GATES)
def test_a_gate_is_open_when_it_is_met_and_else_says_which_version_and_what(
    what: str, gate: Gate, replays: Mapping[str, Object], story: Story
) -> None:
    over = story.finished(replays[what], timeout=240)
    ready = condition(over, "Ready")
    assert ready is not None
    events = story.events(over, until="ReplayFinished")
    (last,) = (event for event in events if event["reason"] == "ReplayFinished")
    assert last["type"] == ("Normal" if gate.met else "Warning")
    if gate.met:
        assert (ready["status"], ready["reason"]) == ("True", "ExpectationsMet"), ready
        assert verdict(over) == "Current"
        return
    assert verdict(over) == "Failed"
    for type_ in ("Ready", "Stalled"):
        told = condition(over, type_)
        assert told is not None
        assert told["reason"] == "ExpectationsNotMet", told
        for word in (gate.versions[1], *gate.says):
            assert word in told["message"], told
    assert ready["status"] == "False"
    assert is_true(over, "Finished"), "it is over, and stays so"
