"""What kopf is told, and what its events lead to."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import kopf
import pytest
from kopf._cogs.structs.references import Resource

from kai_snapshot.cluster import CAPTURES, REPLAYS, ConflictError
from kai_snapshot.errors import Reason, TransientError
from kai_snapshot.handlers import events, startup
from kai_snapshot.handlers.workers import AT_THE_LATEST, ENVIRONMENTS, Key, Workers, until_next_look
from kai_snapshot.metrics import Metrics
from kai_snapshot.runs import drive_capture, drive_environment, drive_replay
from kai_snapshot.transfer.certificates import LIFETIME, Certificates, make
from kai_snapshot.transfer.presented import Presented
from support.cluster import FakeCluster, services
from support.eventually import eventually
from support.resources import replay


@pytest.mark.parametrize(
    "resource",
    [
        Resource(group="batch", version="v1", plural="jobs", kind="Job", singular="job"),
        Resource(group="", version="v1", plural="pods", kind="Pod", singular="pod"),
    ],
)
def test_the_api_server_sends_only_jobs_and_pods_of_ours(resource: Resource) -> None:
    settings = kopf.OperatorSettings()
    events.watch_ours(settings)
    (selector,) = settings.watching.label_selectors.collect(resource)
    assert "app.kubernetes.io/managed-by=kai-snapshot-operator" in selector
    assert "app.kubernetes.io/component in (replay,environment)" in selector


def take(workers: Workers, count: int) -> list[Key]:
    """The keys that are due."""
    seen: list[Key] = []

    async def main() -> None:
        enough = asyncio.Event()

        async def look(key: Key) -> None:
            seen.append(key)
            if len(seen) == count:
                enough.set()

        queues = {workers.queue_of(Key(kind, "", "")) for kind in (CAPTURES, REPLAYS, ENVIRONMENTS)}
        tasks = [asyncio.create_task(queue.work(look)) for queue in queues]
        await asyncio.wait_for(enough.wait(), 5)
        for task in tasks:
            task.cancel()

    asyncio.run(main())
    return seen


def test_an_event_of_a_job_is_a_look_at_its_replay() -> None:
    async def main() -> Workers:
        workers = Workers()
        labels = {"kai-snapshot.io/replay": "compare"}
        on_job: Any = events.job_event
        await on_job(memo=SimpleNamespace(workers=workers), namespace="ns", labels=labels)
        return workers

    assert take(asyncio.run(main()), 1) == [Key(REPLAYS, "ns", "compare")]


def seen_by_replay_event(type_: str | None, resource: dict[str, Any]) -> Workers:
    async def main() -> Workers:
        workers = Workers()
        on_replay: Any = events.replay_event
        event = {"type": type_, "object": resource}
        await on_replay(memo=SimpleNamespace(workers=workers), namespace="ns", name="compare", event=event)
        workers.add(Key(REPLAYS, "ns", "the next"))
        return workers

    return asyncio.run(main())


OVER = {
    "observedGeneration": 1,
    "conditions": [{"type": "Finished", "status": "True", "observedGeneration": 1}],
}


def test_a_replay_that_is_over_when_it_is_listed_is_not_looked_at() -> None:
    assert take(seen_by_replay_event(None, replay(status=OVER)), 1)[:1] == [Key(REPLAYS, "ns", "the next")]


@pytest.mark.parametrize(
    ("type_", "resource"),
    [
        pytest.param("MODIFIED", replay(status=OVER), id="it is over by now, and its Jobs may go"),
        pytest.param(None, replay(status={"observedGeneration": -1}), id="nobody has looked at it"),
        pytest.param(None, replay(status={**OVER, "conditions": []}), id="it is not over"),
        pytest.param(None, {**replay(status=OVER), "metadata": {"generation": 2}}, id="it was changed since"),
    ],
)
def test_a_replay_is_looked_at_where(type_: str | None, resource: dict[str, Any]) -> None:
    assert take(seen_by_replay_event(type_, resource), 1)[:1] == [Key(REPLAYS, "ns", "compare")]


def test_the_next_look_is_when_it_is_wanted() -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert until_next_look(now + timedelta(seconds=30), now) == 30


def test_looks_that_can_wait_are_spread_over_minutes_and_are_not_forgotten() -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    found = [until_next_look(now + timedelta(days=1), now) for _ in range(1000)]
    assert AT_THE_LATEST / 2 <= min(found) < max(found) <= AT_THE_LATEST
    each_minute = Counter(int(seconds // 60) for seconds in found)
    assert max(each_minute.values()) < 300


def test_an_event_of_a_nodes_job_is_a_look_at_the_environment() -> None:
    async def main() -> Workers:
        workers = Workers()
        labels = {"kai-snapshot.io/capture": "hourly"}
        on_job: Any = events.job_event
        await on_job(memo=SimpleNamespace(workers=workers), namespace="ns", labels=labels)
        return workers

    assert take(asyncio.run(main()), 1) == [Key(ENVIRONMENTS, "ns", "hourly")]


def test_after_a_look_at_a_capture_its_environment_is_looked_at_under_a_key_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> Workers:
        async def drive(*_: Any) -> None:
            return None

        monkeypatch.setattr(drive_capture, "drive", drive)
        workers = Workers()
        workers._services = SimpleNamespace(metrics=Metrics())  # type: ignore[assignment]
        await workers.look(Key(CAPTURES, "ns", "hourly"))
        return workers

    assert take(asyncio.run(main()), 1) == [Key(ENVIRONMENTS, "ns", "hourly")]


def test_an_event_of_a_capture_wakes_the_replays_that_wait_for_it() -> None:
    async def main() -> Workers:
        workers = Workers()
        workers._waiting["ns", "hourly"] = {Key(REPLAYS, "ns", "compare")}
        on_capture: Any = events.capture_event
        await on_capture(memo=SimpleNamespace(workers=workers), namespace="ns", name="hourly")
        return workers

    assert set(take(asyncio.run(main()), 2)) == {Key(CAPTURES, "ns", "hourly"), Key(REPLAYS, "ns", "compare")}


def test_the_certificate_is_renewed_while_the_operator_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "RENEWAL_SECONDS", 0.01)
    cluster = FakeCluster()
    refused = [TransientError(Reason.API_UNREACHABLE, "gone")]
    write = cluster.create_secret

    def create_secret(secret: dict[str, Any]) -> None:
        if refused:
            raise refused.pop()
        write(secret)

    monkeypatch.setattr(cluster, "create_secret", create_secret)
    active = object.__new__(startup.Active)
    active._cluster = cluster  # type: ignore[assignment]
    active._settings, active._metrics = services(cluster, claims=Path("/")).settings, Metrics()
    over = make("transfer", datetime.now(UTC) - LIFETIME)
    presented = Presented(Certificates(over))

    async def main() -> None:
        renewals = asyncio.create_task(active._renew(presented))
        async with asyncio.timeout(10):
            await asyncio.to_thread(eventually, told, interval=0.01)
        renewals.cancel()

    def told() -> bool:
        until = active._metrics.registry.get_sample_value(name)
        return presented.certificates.serving != over and until == presented.certificates.serving.ends.timestamp()

    name = "kai_snapshot_transfer_certificate_expiration_timestamp_seconds"
    asyncio.run(main())
    assert not refused, "and a refusal is no end"


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ConflictError("hourly"), id="the object changed meanwhile"),
        pytest.param(TransientError(Reason.API_UNREACHABLE, "gone"), id="the API server is away"),
        pytest.param(ValueError("a fault of ours"), id="a fault of ours"),
    ],
)
def test_a_look_that_fails_is_repeated_and_ends_nothing(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    async def main() -> None:
        again = asyncio.Event()

        async def drive(*_: Any) -> None:
            nonlocal looks
            looks += 1
            if looks == 1:
                raise error
            again.set()

        monkeypatch.setattr(drive_capture, "drive", drive)
        workers = Workers()
        workers.start(SimpleNamespace(metrics=Metrics()))  # type: ignore[arg-type]
        workers.add(Key(CAPTURES, "ns", "hourly"))
        await asyncio.wait_for(again.wait(), 10)
        for task in workers._tasks:
            task.cancel()

    asyncio.run(main())
    assert looks == 2


def test_a_replay_that_waits_is_remembered_by_the_capture_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> Workers:
        async def drive(*_: Any) -> drive_replay.Looked:
            return drive_replay.Looked(waits_for="hourly")

        monkeypatch.setattr(drive_replay, "drive", drive)
        workers = Workers()
        workers._services = SimpleNamespace(metrics=Metrics())  # type: ignore[assignment]
        await workers.look(Key(REPLAYS, "ns", "compare"))
        workers.wake_replays_of("ns", "hourly")
        return workers

    assert take(asyncio.run(main()), 1) == [Key(REPLAYS, "ns", "compare")]


def test_a_namespace_that_cannot_be_watched_is_tried_for_ever_and_takes_no_other_with_it() -> None:
    first, second = (list(islice(startup.Patience(), 100)) for _ in range(2))
    assert first == second
    assert (first[0], first[-1]) == (1, 30)


def test_environments_that_hang_keep_nobody_from_the_captures(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        reached = asyncio.Event()

        async def hang(*_: Any) -> None:
            await asyncio.Event().wait()

        async def drive(*_: Any) -> None:
            reached.set()

        monkeypatch.setattr(drive_environment, "drive", hang)
        monkeypatch.setattr(drive_capture, "drive", drive)
        workers = Workers()
        for number in range(20):
            workers.add(Key(ENVIRONMENTS, "ns", f"hangs-{number}"))
        workers.start(SimpleNamespace(metrics=Metrics()))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        workers.add(Key(CAPTURES, "ns", "hourly"))
        await asyncio.wait_for(reached.wait(), 10)
        for task in workers._tasks:
            task.cancel()

    asyncio.run(main())
