"""Workers take keys from the queue and look at the object; failures are repeated with back-off."""

import asyncio
import logging
import random
from datetime import UTC, datetime
from typing import Final, NamedTuple

from kai_snapshot.cluster import CAPTURES, KINDS, ConflictError
from kai_snapshot.errors import Reason, SnapshotError
from kai_snapshot.runs import drive_capture, drive_environment, drive_replay
from kai_snapshot.runs.services import Services
from kai_snapshot.workqueue import WorkQueue

COUNT: Final = 4
BESIDE: Final = 2
"""Those who look at environments, and at nothing else: a storage that hangs keeps nobody from the captures."""
ENVIRONMENTS: Final = "environments"
"""The environment beside the newest archive of a capture: a key of its own, so that it holds up no capture."""
_KINDS: Final = {**KINDS, ENVIRONMENTS: "Environment"}
AT_THE_LATEST: Final = 600.0
"""Every object that is not at rest is looked at again after this many seconds."""

logger = logging.getLogger(__name__)


class Key(NamedTuple):
    """An object of ours, or the environment of one."""

    plural: str
    namespace: str
    name: str


def until_next_look(again_at: datetime, now: datetime) -> float:
    """Seconds: when it is wanted, or earlier. After a start all were looked at at once; they are not again."""
    return min((again_at - now).total_seconds(), AT_THE_LATEST * random.uniform(0.5, 1))  # noqa: S311 - no secret


class Workers:
    """The queue and those who work on it, once this operator is the active one."""

    def __init__(self) -> None:
        self._queue: WorkQueue[Key] = WorkQueue()
        self._environments: WorkQueue[Key] = WorkQueue()
        self._services: Services | None = None
        self._waiting: dict[tuple[str, str], set[Key]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, services: Services) -> None:
        """Begins to work."""
        self._services = services
        services.metrics.queue_made("objects", lambda: self._queue.depth)
        services.metrics.queue_made("environments", lambda: self._environments.depth)
        queues = [self._queue] * COUNT + [self._environments] * BESIDE
        self._tasks = [asyncio.create_task(queue.work(self.look), name=f"worker-{n}") for n, queue in enumerate(queues)]

    def add(self, key: Key) -> None:
        """Looks at the object soon."""
        self.queue_of(key).add(key)

    def queue_of(self, key: Key) -> WorkQueue[Key]:
        """Where the key waits for its turn."""
        return self._environments if key.plural == ENVIRONMENTS else self._queue

    async def stop(self) -> None:
        """Ends the work and the runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._services is not None:
            await asyncio.gather(self._services.children.close(), self._services.environments.close())

    def wake_replays_of(self, namespace: str, capture: str) -> None:
        """Looks at the replays that wait for an archive of this capture."""
        for key in self._waiting.pop((namespace, capture), ()):
            self.add(key)

    async def look(self, key: Key) -> None:
        """One look at one object. What goes wrong is said in the log and looked at again."""
        assert self._services is not None
        queue = self.queue_of(key)
        self._services.metrics.looked(_KINDS[key.plural])
        try:
            again_at = await self._drive(self._services, key)
        except ConflictError:
            self.add(key)
        except SnapshotError as error:
            delay = queue.retry(key)
            self._services.metrics.look_failed(_KINDS[key.plural], error.reason)
            logger.warning(
                "%s %s/%s: %s: %s; again in %.0f s",
                _KINDS[key.plural], key.namespace, key.name, error.reason, error.message, delay,
            )  # fmt: skip
        except Exception:  # a fault of ours with one object must not end the work on all others
            delay = queue.retry(key)
            self._services.metrics.look_failed(_KINDS[key.plural], Reason.INTERNAL_ERROR)
            logger.exception("%s %s/%s; again in %.0f s", _KINDS[key.plural], key.namespace, key.name, delay)
        else:
            queue.forget(key)
            if again_at is not None:
                queue.add(key, after=until_next_look(again_at, datetime.now(UTC)))

    async def _drive(self, services: Services, key: Key) -> datetime | None:
        if key.plural == CAPTURES:
            again_at = await drive_capture.drive(services, key.namespace, key.name, lambda: self.add(key))
            self.add(key._replace(plural=ENVIRONMENTS))
            return again_at
        if key.plural == ENVIRONMENTS:
            return await drive_environment.drive(services, key.namespace, key.name, lambda: self.add(key))
        looked = await drive_replay.drive(services, key.namespace, key.name)
        if looked.waits_for is not None:
            self._waiting.setdefault((key.namespace, looked.waits_for), set()).add(key)
        return looked.again_at
