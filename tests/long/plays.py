"""Stories that are played with the operator in trouble: what is asked for, its end, and what must be so then."""

from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import ClassVar

from stage import stage
from stage.kube import Kube
from support import invariants
from support.archives import InBucket
from support.eventually import eventually
from support.kstatus import is_true
from support.objects import Object, capture, replay
from support.schedulers import Shard
from support.seeds import seed
from support.story import Story

NEVER: Object = {"cron": "0 0 29 2 *"}
RUN_NOW = "kai-snapshot.io/run-requested-at"
NODE_LABEL = {"stage.kai-snapshot.io/real": "yes"}
SOON: Object = {"jobTTLSecondsAfterFinished": 1}
"""Jobs go at once, so that it can be seen that they do."""
PATIENCE = 240.0
FIRST = datetime(2026, 11, 1, tzinfo=UTC)


class Play(ABC):
    """A story, played once: `prepare` without trouble, `begin` and `end` with it, and then `check`."""

    def __init__(self, story: Story, place: InBucket, name: str) -> None:
        self.story, self.place, self.name = story, place, name

    def prepare(self) -> None:  # noqa: B027 - most need nothing
        """What there must be before."""

    @abstractmethod
    def begin(self) -> None:
        """What is asked for."""

    @abstractmethod
    def end(self) -> None:
        """Waits for the end."""

    @abstractmethod
    def check(self) -> None:
        """What must be so then."""

    @property
    def kube(self) -> Kube:
        return self.story.kube


class OneCapture(Play):
    """capture"""

    def begin(self) -> None:
        self.created = self.story.create(capture(self.name, storage=self.place.spec))

    def end(self) -> None:
        self.seen = self.story.finished(self.created, timeout=PATIENCE)

    def check(self) -> None:
        ids = invariants.archives_are_whole(self.place, leftovers=True)  # until a day is over
        invariants.runs_are_told(self.seen, ids, runs=1)
        invariants.archives_are_counted(self.seen, ids)


class Retention(Play):
    """retention: the third run of a schedule that keeps one archive"""

    may_fail: tuple[str, ...] = ()
    """Reasons for which the third may."""

    def prepare(self) -> None:
        wanted = capture(
            self.name, storage=self.place.spec, schedule={**NEVER, "immediate": True}, retention={"keepLast": 1}
        )
        self.created = self.story.create(wanted)
        self._runs(1)
        self._ask("second")
        self._runs(2)

    def begin(self) -> None:
        self._ask("third")

    def end(self) -> None:
        self.seen = self._runs(3)

    def check(self) -> None:
        """After one more run. What a removal that was cut short has left would go after a day."""
        self._ask("fourth")
        seen = self._runs(4)
        ids = invariants.archives_are_whole(self.place, leftovers=True)
        invariants.runs_are_told(seen, ids, runs=4, may_fail=self.may_fail)
        assert len(ids) == 1, f"one was to be kept: {ids}"
        invariants.archives_are_counted(seen, ids)

    def _ask(self, which: str) -> None:
        self.story.annotate(self.created, RUN_NOW, which)

    def _runs(self, number: int) -> Object:
        def so(seen: Object) -> bool:
            status = seen["status"]
            return len(status.get("history", ())) >= number and "active" not in status

        return self.story.until(self.created, so, timeout=PATIENCE)


class OneReplay(Play):
    """replay of one version"""

    versions: ClassVar[list[str | Object] | None] = ["v0.17.0"]
    archives: ClassVar[tuple[str, ...]] = ("01-gang",)
    source: ClassVar[Object] = {"select": "Latest"}
    more: ClassVar[Object] = {}

    def prepare(self) -> None:
        seed(self.kube, self.place, self.name, self.archives, first=FIRST)
        of = self.story.create(capture(self.name, storage=self.place.spec, schedule={"cron": "@hourly"}, suspend=True))
        self.story.until(of, lambda seen: is_true(seen, "Ready"))

    def begin(self) -> None:
        of = {"captureRef": {"name": self.name, **self.source}}
        self.created = self.story.create(
            replay(self.name, of=of, versions=self.versions, repetitions=1, **SOON, **self.more)
        )

    def end(self) -> None:
        self.seen = self.story.finished(self.created, timeout=PATIENCE)

    def check(self) -> None:
        invariants.results_are_whole(self.seen, self.place, versions=len(self.versions or [1]))
        invariants.archives_are_whole(self.place, leftovers=False)
        invariants.nothing_is_left(self.kube, self.created, label="replay")


class Matrix(OneReplay):
    """matrix: two versions, compared, with an expectation"""

    versions: ClassVar[list[str | Object] | None] = ["v0.14.7", "v0.17.0"]
    more: ClassVar[Object] = {"parallelism": 2}

    def check(self) -> None:
        super().check()
        assert self.seen["status"]["comparison"]["baseline"] == "v0.14.7"


class Backtest(OneReplay):
    """backtest: two archives"""

    archives: ClassVar[tuple[str, ...]] = ("01-gang", "02-gang+fraction")
    source: ClassVar[Object] = {"select": "Last", "last": 2}
    more: ClassVar[Object] = {"parallelism": 2}

    def check(self) -> None:
        super().check()
        (result,) = self.seen["status"]["results"]
        assert result["archives"]["done"] == 2, result


class Environment(Play):
    """environment of a node, beside an archive"""

    shard: ClassVar[Shard]

    def begin(self) -> None:
        wanted = capture(
            self.name,
            storage=self.place.spec,
            source=self.shard.source,
            environment={"mode": "PerNode", "nodeSelector": NODE_LABEL},
        )
        self.created = self.story.create(wanted)

    def end(self) -> None:
        def over(seen: Object) -> bool:
            return bool(seen["status"].get("environment", {}).get("outcome", "Running") != "Running")

        self.seen = self.story.until(self.created, over, timeout=PATIENCE)

    def check(self) -> None:
        beside = self.seen["status"]["environment"]
        assert beside["outcome"] == "Succeeded", beside
        assert beside["nodes"]["captured"] == 1, beside
        ids = invariants.archives_are_whole(self.place, leftovers=True)
        invariants.runs_are_told(self.seen, ids, runs=1)
        assert self.place.read(self.place.key(beside["uri"])), "the index is empty"
        invariants.what_is_left_goes(self.kube, self.created, label="capture")


class Deletion(Play):
    """deletion of a capture with its archives"""

    def prepare(self) -> None:
        wanted = capture(self.name, storage=self.place.spec, schedule=NEVER, deletionPolicy="Delete", suspend=True)
        self.created = self.story.create(wanted)
        self.story.until(self.created, lambda seen: is_true(seen, "Ready") and seen["metadata"].get("finalizers"))
        seed(self.kube, self.place, self.name, ("01-gang", "02-gang+fraction"), first=FIRST)

    def begin(self) -> None:
        self.kube.delete("snapshotcapture", self.name, stage.NAMESPACE, wait=False)

    def end(self) -> None:
        def gone() -> bool:
            return self.kube.get("snapshotcapture", self.name, stage.NAMESPACE) is None

        eventually(gone, timeout=PATIENCE, what=f"{self.name} is gone")

    def check(self) -> None:
        assert self.place.keys() == []
