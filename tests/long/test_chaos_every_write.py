"""Trouble at each write there is, in one process: the operator dies once or twice, is refused, or the clock jumps.

    .venv/bin/pytest tests/long/test_chaos_every_write.py          # no cluster, minutes

A story is played again and again, with the trouble at its first write, at its second, and so on. That is so fast that
it can die twice, at every two writes. `test_chaos_steps.py` does the like with real processes on a real cluster.
"""

import hashlib
import io
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kai_snapshot.api.ids import run_id
from kai_snapshot.api.manifest import CaptureIdentity, Manifest, SchedulerIdentity
from kai_snapshot.cluster import CAPTURES, REPLAYS
from kai_snapshot.stores import layout, read
from long.chaospage import Told
from support import kstatus, recordings, resources
from support.cluster import NAMESPACE
from support.mortal import Trouble, World
from support.nodearchive import snapshot

CLAIM: dict[str, Any] = {"storage": {"pvc": {"claimName": "archives"}}}
FOLDER = layout.CaptureFolder(NAMESPACE, "hourly")
SCHEDULED: dict[str, Any] = {"schedule": {"cron": "0 0 29 2 *"}}
RUN_NOW = "kai-snapshot.io/run-requested-at"
FIRST = datetime(2026, 11, 1, tzinfo=UTC)
ARCHIVES = ("01-gang", "02-gang+fraction")


class Play:
    """A story: `prepare`, then `begin` with trouble until `over`, then `check`."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.served = itertools.cycle(recordings.content(name) for name in ARCHIVES)

    def prepare(self) -> None:
        """What there must be before."""

    def begin(self) -> None:
        """What is asked for."""

    def over(self) -> object:
        """Whether it has come to its end."""

    def check(self) -> None:
        """What must be so then."""

    # -- what they have in common

    def create(self, plural: str, resource: dict[str, Any]) -> None:
        resource["metadata"]["creationTimestamp"] = self.world.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        resource.setdefault("status", {"observedGeneration": -1})
        self.world.cluster.put(plural, resource)

    def change(self, **metadata: Any) -> None:
        found = self.world.cluster.get(CAPTURES, NAMESPACE, "hourly")
        assert found is not None
        found["metadata"] |= metadata
        self.world.cluster.put(CAPTURES, found)

    def status(self, plural: str = CAPTURES, name: str = "hourly") -> dict[str, Any]:
        found = self.world.cluster.get(plural, NAMESPACE, name)
        assert found is not None
        return dict(kstatus.check(found)["status"])

    def is_finished(self, plural: str = CAPTURES, name: str = "hourly") -> bool:
        return any(
            (c["type"], c["status"]) == ("Finished", "True") for c in self.status(plural, name).get("conditions", ())
        )

    def keys(self) -> list[str]:
        return [entry.key for entry in self.world.store.list()]

    def manifests(self) -> dict[str, Manifest]:
        """By id; each has its archive, as it says."""
        found = {}
        for key in self.keys():
            parsed = layout.parse(key)
            if parsed is not None and parsed.kind == "manifest":
                manifest = Manifest.decode(read(self.world.store, key, limit=1 << 20), where=key)
                content = read(self.world.store, FOLDER.prefix + manifest.archive, limit=1 << 26)
                assert hashlib.sha256(content).hexdigest() == manifest.sha256, f"{manifest.archive} is damaged"
                found[parsed.id] = manifest
        return found

    def runs_are_told(self, *, runs: int) -> None:
        """No run is lost or doubled."""
        status, ids = self.status(), set(self.manifests())
        history = status["history"]
        assert [run["outcome"] for run in history] == ["Succeeded"] * runs, history
        assert max(Counter(run["id"] for run in history).values()) == 1, history
        assert ids <= {run["id"] for run in history}
        assert history[0]["id"] in ids, "the newest archive is missing"
        assert status["lastSuccessfulCapture"]["id"] == history[0]["id"]
        assert status["archives"]["count"] == len(ids)
        assert "active" not in status

    def nothing_is_left(self) -> None:
        """Of Jobs and Secrets."""
        assert self.world.cluster.made_jobs == {}
        assert self.world.cluster.secrets == {}

    def no_orphans(self) -> None:
        """Each archive has a manifest that names it."""
        named = {FOLDER.prefix + manifest.archive for manifest in self.manifests().values()}
        assert {key for key in self.keys() if key.endswith(".zip")} == named


class OneCapture(Play):
    """capture"""

    def begin(self) -> None:
        self.create(CAPTURES, resources.capture(**CLAIM))

    def over(self) -> object:
        return self.is_finished()

    def check(self) -> None:
        self.runs_are_told(runs=1)


class Retention(Play):
    """retention: the third run of a schedule that keeps one archive"""

    def prepare(self) -> None:
        self.create(CAPTURES, resources.capture(**CLAIM, **SCHEDULED, retention={"keepLast": 1}))
        self.runs(1)
        self.runs(2)

    def begin(self) -> None:
        self.change(annotations={RUN_NOW: "3"})

    def over(self) -> object:
        return self.has(3)

    def check(self) -> None:
        """After one more run on the next day: what a removal that was cut short has left goes then."""
        self.world.trouble.clock += timedelta(hours=25)
        self.runs(4)
        self.runs_are_told(runs=4)
        assert len(self.manifests()) == 1
        self.no_orphans()

    def runs(self, number: int) -> None:
        self.change(annotations={RUN_NOW: str(number)})
        self.world.run(lambda: self.has(number))

    def has(self, runs: int) -> bool:
        return len(self.status().get("history", ())) >= runs and "active" not in self.status()


class OneReplay(Play):
    """replay of one version"""

    versions: tuple[str, ...] = ("v0.17.0",)
    source: dict[str, Any] = {}

    def prepare(self) -> None:
        self.create(CAPTURES, resources.capture(**CLAIM, **SCHEDULED, suspend=True))
        for number, name in enumerate(ARCHIVES):
            self.seed(recordings.content(name), FIRST + timedelta(hours=number))
        self.world.run(lambda: self.status()["observedGeneration"] == 1)

    def seed(self, content: bytes, at: datetime) -> None:
        id_, digest = run_id(at), hashlib.sha256(content).hexdigest()
        manifest = Manifest(
            id=id_,
            archive=layout.archive_name(id_, digest),
            capture=CaptureIdentity(cluster_uid="c1", namespace=NAMESPACE, name="hourly"),
            sha256=digest,
            size_bytes=len(content),
            uncompressed_bytes=len(content),
            scheduler=SchedulerIdentity(version="v0.17.0"),
            scheduled_for=at,
            captured_at=at,
            trigger="Schedule",
        )
        self.world.store.put(FOLDER.prefix + manifest.archive, io.BytesIO(content))
        self.world.store.put(FOLDER.manifest(id_), io.BytesIO(manifest.encode()))

    def begin(self) -> None:
        source = {"captureRef": {"name": "hourly", **self.source}}
        versions = [{"name": version} for version in self.versions]
        self.create(REPLAYS, resources.replay(source=source, versions=versions, repetitions=1))

    def over(self) -> object:
        return self.is_finished(REPLAYS, "compare")

    def check(self) -> None:
        status = self.status(REPLAYS, "compare")
        assert status["outcome"] == "Succeeded", status
        assert [result["outcome"] for result in status["results"]] == ["Succeeded"] * len(self.versions)
        assert len(self.manifests()) == len(ARCHIVES)
        self.results_are_whole(status)
        self.nothing_is_left()

    def results_are_whole(self, status: dict[str, Any]) -> None:
        for told in status["results"]:
            key = told["resultURI"].removeprefix("pvc://archives/")
            assert json.loads(read(self.world.store, key, limit=1 << 20))["outcome"] == "Succeeded"
            log = told["logURI"].removeprefix("pvc://archives/")
            assert read(self.world.store, log, limit=100) == b"log"


class Matrix(OneReplay):
    """matrix: two versions, compared"""

    versions = ("v0.14.7", "v0.17.0")

    def check(self) -> None:
        super().check()
        assert self.status(REPLAYS, "compare")["comparison"]["baseline"] == "v0.14.7"


class Backtest(OneReplay):
    """backtest: two archives at two versions"""

    versions = ("v0.14.7", "v0.17.0")
    source = {"select": "Last", "last": 2}

    def results_are_whole(self, status: dict[str, Any]) -> None:
        assert [result["archives"]["done"] for result in status["results"]] == [2, 2]
        stored = [key for key in self.keys() if key.endswith("result.json")]
        assert len(stored) == len(self.versions) * len(ARCHIVES), stored
        for key in stored:
            assert json.loads(read(self.world.store, key, limit=1 << 20))["outcome"] == "Succeeded"


class Environment(Play):
    """environment of two nodes, beside an archive"""

    def prepare(self) -> None:
        self.world.served = itertools.cycle([snapshot({"n1": {}, "n2": {}})])

    def begin(self) -> None:
        self.create(CAPTURES, resources.capture(**CLAIM, environment={"mode": "PerNode"}))

    def over(self) -> object:
        return self.status().get("environment", {}).get("outcome", "Running") != "Running"

    def check(self) -> None:
        self.runs_are_told(runs=1)
        self.nothing_is_left()
        beside = self.status()["environment"]
        if self.world.trouble.clock > timedelta(minutes=30):  # more than it may take
            assert beside.get("reason") in (None, "Captured", "Succeeded", "DeadlineExceeded"), beside
            return
        assert (beside["outcome"], beside["nodes"]["captured"]) == ("Succeeded", 2), beside
        (manifest,) = self.manifests().values()
        assert manifest.environment is not None
        index = read(self.world.store, FOLDER.environment(manifest.id).index, limit=1 << 20)
        assert hashlib.sha256(index).hexdigest() == manifest.environment.sha256


class Deletion(OneReplay):
    """deletion of a capture with its archives"""

    def prepare(self) -> None:
        super().prepare()
        found = self.world.cluster.get(CAPTURES, NAMESPACE, "hourly")
        assert found is not None
        found["spec"]["deletionPolicy"] = "Delete"
        self.world.cluster.put(CAPTURES, found)
        self.world.run(self.finalizers)

    def finalizers(self) -> Any:
        found = self.world.cluster.get(CAPTURES, NAMESPACE, "hourly")
        return found is not None and found["metadata"].get("finalizers")

    def begin(self) -> None:
        self.change(deletionTimestamp=self.world.now().strftime("%Y-%m-%dT%H:%M:%SZ"))

    def over(self) -> object:
        return self.world.cluster.get(CAPTURES, NAMESPACE, "hourly") is None

    def check(self) -> None:
        assert self.keys() == []


PLAYS = (OneCapture, Retention, OneReplay, Matrix, Backtest, Environment, Deletion)
Make = Callable[[type[Play]], Play]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """A play in a world of its own, prepared."""
    with pytest.MonkeyPatch.context() as patches:

        def make(kind: type[Play]) -> Play:
            patches.undo()
            directory = tmp_path / str(next(numbers))
            directory.mkdir()
            play = kind(World(directory, patches, Trouble()))
            play.prepare()
            return play

        numbers = itertools.count()
        yield make


def played(play: Play, **trouble: Any) -> list[str]:
    """Plays it with that trouble; what was written in the first life."""
    play.begin()
    told = play.world.trouble
    told.met = 0
    for name, value in trouble.items():
        setattr(told, name, value)
    first: list[str] = []

    def over() -> object:
        first[:] = first or list(told.writes)
        return play.over()

    play.world.run(over)
    told.kill_at.clear()
    told.refuse_at = told.move_clock_at = None
    play.check()
    return first


by_story = pytest.mark.parametrize("kind", PLAYS, ids=lambda kind: kind.__name__.lower())


@by_story
def test_it_comes_to_the_same_end_if_the_operator_dies_once_or_twice(kind: type[Play], make: Make, told: Told) -> None:
    steps = len(played(make(kind)))
    twice = 0
    for first in range(1, steps + 1):
        for second in itertools.count(0):
            play = make(kind)
            played(play, kill_at=[first, second] if second else [first])
            met = play.world.trouble.met
            assert met >= 1, "it dies"
            twice += met == 2
            if second and met == 1:
                break
    told.every.append((str(kind.__doc__), "killed once", steps))
    told.every.append((str(kind.__doc__), "killed twice", twice))


@by_story
def test_it_comes_to_the_same_end_if_a_write_is_refused(kind: type[Play], make: Make, told: Told) -> None:
    steps = len(played(make(kind)))
    for number in range(1, steps + 1):
        play = make(kind)
        played(play, refuse_at=number)
        assert play.world.trouble.met == 1
    told.every.append((str(kind.__doc__), "refused: 409 for a status, else 429", steps))


@by_story
@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1), timedelta(days=400)], ids=str)
def test_it_comes_to_the_same_end_if_the_clock_jumps(kind: type[Play], jump: timedelta, make: Make, told: Told) -> None:
    steps = len(played(make(kind)))
    for number in range(1, steps + 1):
        play = make(kind)
        played(play, move_clock_at=(number, jump))
        assert play.world.trouble.met == 1
    told.every.append((str(kind.__doc__), f"the clock jumps by {jump.total_seconds() / 3600:+,.0f} h", steps))
