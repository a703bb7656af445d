"""The operator's straight lines in one process, with an API server in memory and storage in a directory, and trouble.

Everything that is written goes through `Trouble`: it can end the operator's life after any write, refuse the write, or
move the clock. What is real: all that the operator decides and does, its children's work on the storage, and the
transfer endpoint's. What is played: the API server, the kubelet with its pods, and the scheduler.
"""

import asyncio
import hashlib
import io
import itertools
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

from kai_snapshot.api.manifest import CaptureIdentity
from kai_snapshot.api.transfer import NodePart, Part
from kai_snapshot.archive.check import inspect
from kai_snapshot.cluster import REPLAYS, ConflictError, Object
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.jobs import names
from kai_snapshot.runs import capture, drive_capture, drive_environment, drive_replay, environmentsteps
from kai_snapshot.runs import services as services_of
from kai_snapshot.runs.deliver import Delivery
from kai_snapshot.runs.deliver_environment import EnvironmentDelivery
from kai_snapshot.runs.request import Answer, CaptureAnswer
from kai_snapshot.runs.services import Services
from kai_snapshot.runs.taken import Taken
from kai_snapshot.stores.directory import DirectoryStore
from kai_snapshot.transfer.backend import Upload
from support import environments
from support.cluster import NAMESPACE, FakeCluster, services
from support.results import result

T = TypeVar("T")
ROUNDS: Final = 300
"""So many looks at everything come to an end, or never will."""


class KilledError(BaseException):
    """Nobody catches it: the process is gone."""


@dataclass
class Trouble:
    """What happens at which write, counted from 1; several lives may each meet one."""

    kill_at: list[int] = field(default_factory=list)
    refuse_at: int | None = None
    move_clock_at: tuple[int, timedelta] | None = None
    writes: list[str] = field(default_factory=list)
    """Those of this life."""
    met: int = 0
    clock: timedelta = timedelta()

    def write(self, what: str, do: Callable[[], T], refused: Callable[[], SnapshotError]) -> T:
        """Writes, or not."""
        self.writes.append(what)
        number = len(self.writes)
        if number == self.refuse_at:
            self.refuse_at = None
            self.met += 1
            raise refused()
        done = do()
        if self.move_clock_at is not None and number == self.move_clock_at[0]:
            self.clock += self.move_clock_at[1]
            self.move_clock_at = None
            self.met += 1
        if self.kill_at and number == self.kill_at[0]:
            self.kill_at.pop(0)
            self.met += 1
            raise KilledError
        return done


def in_trouble(monkeypatch: pytest.MonkeyPatch, trouble: Trouble, place: type, *methods: str) -> None:
    """Lets what these methods write meet the trouble."""
    for method in methods:
        monkeypatch.setattr(place, method, _troubled(trouble, getattr(place, method), method))


def _troubled(trouble: Trouble, original: Callable[..., Any], method: str) -> Callable[..., Any]:
    def refused() -> SnapshotError:
        if method == "replace_status":
            return ConflictError("changed meanwhile")
        return TransientError(Reason.API_UNREACHABLE, "too many requests")

    def write(self: Any, *arguments: Any, **named: Any) -> Any:
        what = arguments[0] if method in ("replace_status", "put", "delete") else ""
        return trouble.write(f"{method} {what}".strip(), lambda: original(self, *arguments, **named), refused)

    return write


CLUSTER_WRITES: Final = (
    "replace_status", "set_finalizers", "post_event", "create_job", "expire_job", "suspend_job", "delete_job",
    "create_secret",
)  # fmt: skip


class Inline:
    """A table of children whose work is done here, between two looks."""

    def __init__(self, answers: type[Any], work: Callable[[Any], Any]) -> None:
        self._answers, self._work = answers, work
        self._table: dict[str, Any] = {}

    def get(self, key: str, *, id_: str, attempt: int) -> Any:
        child = self._table.get(key)
        return child if child is not None and (child.id, child.attempt) == (id_, attempt) else None

    def start(self, key: str, id_: str, request: Callable[[], Awaitable[Any]], *, attempt: int, **_: Any) -> None:
        if self.get(key, id_=id_, attempt=attempt) is None:
            self._table[key] = _Child(id_, attempt, request)

    def forget(self, key: str) -> None:
        self._table.pop(key, None)

    async def stop(self, key: str) -> bool:
        return self._table.pop(key, None) is not None

    async def settle(self) -> bool:
        """Lets all come to their end; whether there was one."""
        waiting = [child for child in self._table.values() if child.answer is None]
        for child in waiting:
            try:
                request = await child.request()
                with ThreadPoolExecutor(1) as elsewhere:  # it has an event loop of its own
                    child.answer = elsewhere.submit(self._work, request).result()
            except SnapshotError as error:
                child.answer = self._answers.of(error)
        return bool(waiting)


@dataclass
class _Child:
    id: str
    attempt: int
    request: Callable[[], Awaitable[Any]]
    answer: Any = None
    duration_seconds: float = 1.0
    ended_at: datetime | None = None


class World:
    """A cluster, a storage, and an operator that may die and is started again."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch, trouble: Trouble) -> None:
        (directory / "archives").mkdir()
        self.directory, self.trouble = directory, trouble
        self._moment = datetime.now(UTC).replace(microsecond=0)
        self.cluster = FakeCluster(self.now)
        self.store = DirectoryStore(directory / "archives", name="pvc://archives")
        self.served: Iterator[bytes] = itertools.cycle(())
        """What the scheduler answers, one after the other."""
        self.lives = 0
        in_trouble(monkeypatch, trouble, FakeCluster, *CLUSTER_WRITES)
        in_trouble(monkeypatch, trouble, DirectoryStore, "put", "delete")
        monkeypatch.setattr("os.path.ismount", lambda path: Path(path).exists())
        monkeypatch.setattr(capture, "identify", self._identify)
        monkeypatch.setattr(capture, "take", self._take)
        real = services_of.now
        for module in [each for name, each in sys.modules.items() if name.startswith("kai_snapshot.runs")]:
            if getattr(module, "now", None) is real:
                monkeypatch.setattr(module, "now", self.now)

    def now(self) -> datetime:
        """The operator's clock."""
        return self._moment + self.trouble.clock

    async def _identify(self, *_: Any) -> CaptureIdentity:
        return CaptureIdentity(cluster_uid="c1", namespace=NAMESPACE, name="hourly")

    async def _take(self, connection: Any, source: Any, spool: Path, **_: Any) -> Taken:
        spool.write_bytes(next(self.served))  # noqa: ASYNC240 - nobody waits meanwhile
        return Taken(spool, inspect(spool), self.now())

    def run(self, so: Callable[[], object]) -> None:
        """Lives until it is so and all is quiet. Raises AssertionError if that does not come."""
        while True:
            self.lives += 1
            self.trouble.writes.clear()
            try:
                asyncio.run(self._live(so))
            except KilledError:
                continue
            return

    async def _live(self, so: Callable[[], object]) -> None:
        captures, steps = Inline(CaptureAnswer, capture.answer), Inline(Answer, environmentsteps.answer)
        made = services(self.cluster, claims=self.directory, children=captures, steps=steps)
        alive = replace(made, identity=f"operator-1_{self.lives}")
        for _ in range(ROUNDS):
            before = len(self.trouble.writes)
            due = [at for at in [await self._look(alive, key) for key in list(self.cluster.objects)] if at is not None]
            moved = await captures.settle() | await steps.settle() | self._pods(alive) | self._collect()
            if not moved and len(self.trouble.writes) == before:
                if so():
                    return
                self._moment += max(min(due, default=self.now()) - self.now(), timedelta(seconds=1))
            self._moment += timedelta(seconds=1)
        raise AssertionError(f"it does not come to its end: {self.cluster.objects}")

    async def _look(self, alive: Services, key: tuple[str, str, str]) -> datetime | None:
        plural, namespace, name = key
        try:
            if plural == REPLAYS:
                return (await drive_replay.drive(alive, namespace, name)).again_at
            again_at = await drive_capture.drive(alive, namespace, name, lambda: None)
            return await drive_environment.drive(alive, namespace, name, lambda: None) or again_at
        except SnapshotError:
            return self.now() + timedelta(seconds=1)

    def _pods(self, alive: Services) -> bool:
        """Plays each Job that has its token and is not over; whether there was one."""
        moved = False
        for job in list(self.cluster.made_jobs.values()):
            secret = self.cluster.secrets.get(names.secret_name(job["metadata"]["name"]))
            if job["status"] or secret is None:
                continue
            moved = True
            try:
                self._pod(alive, job, secret["stringData"][names.TOKEN_KEY])
            except TerminalError as error:
                job["status"] = _ended("Complete" if error.reason == Reason.RESULT_EXISTS else "Failed")
            except SnapshotError:
                continue  # it comes again
            else:
                job["status"] = _ended("Complete")
        return moved

    def _pod(self, alive: Services, job: Object, token: str) -> None:
        if job["metadata"]["labels"][names.COMPONENT] == names.ENVIRONMENT_COMPONENT:
            part: NodePart = alive.tokens.read_node(token)
            EnvironmentDelivery(alive, on_document=lambda _: None).put_environment(
                part, environments.upload(environments.document())
            )
            return
        delivery, of = Delivery(alive, on_result=lambda _: None), alive.tokens.read(token)
        for archive in range(job["spec"].get("completions", 1)):
            many = job["spec"].get("completionMode") == "Indexed"
            self._replay(delivery, of.model_copy(update={"archive": archive}) if many else of)

    @staticmethod
    def _replay(delivery: Delivery, part: Part) -> None:
        try:
            instructions = delivery.instructions(part)
        except TerminalError as error:
            if error.reason == Reason.RESULT_EXISTS:
                return
            raise
        download = delivery.archive(part)
        with download.content as content:
            assert hashlib.sha256(content.read()).hexdigest() == instructions.sha256
        delivery.put_log(part, uploaded(b"log"))
        found = result(version=instructions.version, placements={"ns/p": "n"})
        delivery.put_result(part, uploaded(json.dumps(found).encode()))

    def _collect(self) -> bool:
        """What the controllers of Kubernetes clear away; whether there was something."""
        jobs = self.cluster.made_jobs
        over = [name for name, job in jobs.items() if job["status"] and "ttlSecondsAfterFinished" in job["spec"]]
        for name in over:
            del jobs[name]
        uids = {job["metadata"]["uid"] for job in jobs.values()}
        orphans = [
            name
            for name, secret in self.cluster.secrets.items()
            if not uids & {owner["uid"] for owner in secret["metadata"]["ownerReferences"]}
        ]
        for name in orphans:
            del self.cluster.secrets[name]
        return bool(over or orphans)


def _ended(how: str) -> Object:
    return {"conditions": [{"type": how, "status": "True", "reason": "", "message": ""}]}


def uploaded(content: bytes) -> Upload:
    """As the transfer endpoint hands it on."""
    return Upload(io.BytesIO(content), hashlib.sha256(content).hexdigest(), len(content))
