"""The operator is killed after each thing it writes, and what it was at comes to the same end.

    make chaos ARGS="-k retention"

A story is played again and again: the first time the operator dies after its first write, then after its second, and so
on, until it comes to the end of the story alive. A write is one to the API server or to the storage, by the operator or
by its children. Between two writes nothing outside of the process changes: these are all the places where it can die.
The same again with writes that are refused.
"""

from collections.abc import Iterator
from itertools import count, cycle
from typing import Any

import pytest

from long.chaospage import Told
from long.plays import Backtest, Deletion, Environment, Matrix, OneCapture, OneReplay, Play, Retention
from stage.kube import Kube
from support.archives import InBucket
from support.chaos import S3_ENDPOINT, Chaos
from support.schedulers import Shard
from support.story import Story
from support.watch import Watch

STATUSES = (409, 429, 500, 503)
PLAYS = (OneCapture, Retention, OneReplay, Matrix, Backtest, Environment, Deletion)


@pytest.fixture(autouse=True)
def every_status_may_be(watch: Watch) -> Iterator[None]:
    """Fails where a status was wrong at any moment."""
    yield
    watch.complain()


@pytest.fixture(scope="module", autouse=True)
def node(real: Shard) -> None:
    """There is a node to record."""
    Environment.shard = real


@pytest.mark.parametrize("trouble", ["killed", "refused"])
@pytest.mark.parametrize("play", PLAYS, ids=lambda play: str(play.__doc__).split()[0].rstrip(":"))
def test_it_comes_to_the_same_end_wherever_the_operator_is(
    play: type[Play], trouble: str, chaos: Chaos, kube: Kube, s3: Any, tag: str, told: Told
) -> None:
    writes: list[str] = []
    for number, status in zip(count(1), cycle(STATUSES)):
        story = Story(kube)
        place = InBucket(s3, f"chaos/{tag}-{number}", endpoint=S3_ENDPOINT)
        playing = play(story, place, f"{play.__name__.lower()}-{tag}-{number}")
        chaos.count()
        playing.prepare()
        chaos.quiet()
        if trouble == "killed":
            chaos.kill_after(number)
        else:
            chaos.refuse(number, status)
        playing.begin()
        playing.end()
        chaos.quiet()
        met, written = chaos.met(), chaos.writes()[:number]
        chaos.ready()
        playing.check()
        assert not chaos.left_in_spool()
        story.end()
        if not met:
            break
        writes.append(short(written[-1]))
    told.steps.append((str(play.__doc__), trouble, writes))
    assert writes, "the story has no step"


def short(write: str) -> str:
    """A write without the names that are the test's own."""
    method, _, path = write.partition(" ")
    parts = path.split("/")
    if path.startswith("/api"):
        kind = parts[parts.index("namespaces") + 2]
        return f"{method} {kind}/status" if parts[-1] == "status" else f"{method} {kind}"
    file = parts[-1]
    suffix = file.rpartition(".")[2]
    return f"{method} {'archive' if suffix == 'zip' else 'manifest' if len(parts) == 7 else file} (storage)"
