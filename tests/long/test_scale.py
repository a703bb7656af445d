"""A thousand captures, five thousand finished replays and a hundred that run, and ten times as many of what is at rest.

    make scale                                    # writes docs/scale.md
    make scale ARGS="--sizes=20,40"               # smaller, and writes nothing; the last rests for ten minutes

Nothing but the pods of the hundred is pretended: they run on a node that kwok plays, and what their containers would
hand in is handed in by this test. Statuses of what is finished are those of objects that really ran.
"""

import asyncio
import base64
import copy
import json
import secrets
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver
from pytest_kind.cluster import KindCluster

from e2e.conftest import report
from kai_snapshot.api.base import rfc3339
from kai_snapshot.handlers.workers import AT_THE_LATEST
from kai_snapshot.jobs import names
from kai_snapshot.transfer import client as transfer
from kai_snapshot.transfer.presented import client_context
from long.scalepage import Measured, page, share
from stage.kube import Kube
from support.archives import InBucket
from support.crowd import Crowd, crowd, samples, writes
from support.eventually import eventually
from support.fakenode import ENDED, THERE
from support.kstatus import is_true
from support.objects import API_VERSION, NAMESPACE, Object, capture, replay
from support.operatorpod import Operator
from support.story import Story
from toolchain.places import CHECKOUT

REPLAYS = 5
"""Finished replays for each capture."""
RUNNING, RUNNING_AT_MOST = 0.1, 100
"""Running replays: for each capture, and in all."""
PROMISED = 1000
"""Captures up to which the limits hold that are promised."""
AT_REST_SECONDS = 60
ALL_LOOKED_AT_SECONDS = int(AT_THE_LATEST) + 30
"""In which each capture with a schedule is looked at once more: with the last size."""
A_SECOND = 4
"""Jobs that end in a second."""
NEVER = {"cron": "0 0 29 2 *", "immediate": True}
TRANSFER_HOST = "kai-snapshot-transfer.kai-snapshots.svc"
"""As the manifests have it."""
LOOKS, CPU = "kai_snapshot_reconciles_total", "process_cpu_seconds_total"
DOCS = CHECKOUT / "docs"
OURS = f"/apis/{API_VERSION}/namespaces/{NAMESPACE}"
"""Where the API server has our kinds."""


class World:
    """The cluster with its crowd, and the operator in it."""

    def __init__(self, kube: Kube, operator: Operator, kubeconfig: Path, seeds: "Seeds") -> None:
        self.kube, self.operator, self.kubeconfig, self.seeds = kube, operator, kubeconfig, seeds
        self.captures = 0
        self._generation = 1

    def grow(self, captures: int) -> None:
        """Adds captures and finished replays, as they would be found after a restart."""
        new = range(self.captures, captures)

        async def make() -> None:
            async with crowd(self.kubeconfig) as many:
                await many.make("snapshotcaptures", (self.seeds.capture(n) for n in new))
                await many.make("snapshotreplays", (self.seeds.replay(n, k) for n in new for k in range(REPLAYS)))

        asyncio.run(make())
        self.captures = captures

    def touch(self) -> list[tuple[str, str]]:
        """Changes some objects, the last among them, so that their status is behind; which ones."""
        marks = [("snapshotcaptures", self.seeds.capture(n)["metadata"]["name"]) for n in range(self.captures)]
        marks += [("snapshotreplays", self.seeds.replay(n, 0)["metadata"]["name"]) for n in range(self.captures)]
        marks = [*marks[:: max(self.captures // 10, 1)], marks[-1]]
        self._generation += 1
        suspend = {"spec": {"suspend": self._generation % 2 == 0}}

        async def change() -> None:
            async with crowd(self.kubeconfig) as many:
                await many.all_of(many.ask("PATCH", f"{OURS}/{plural}/{name}", patch=suspend) for plural, name in marks)

        asyncio.run(change())
        return marks

    def true_picture(self, marks: list[tuple[str, str]]) -> None:
        """Waits until what changed is in the statuses, and there is nothing more to look at."""
        for plural in {plural for plural, _ in marks}:
            of_kind = [name for each, name in marks if each == plural]
            eventually(partial(self._are_seen, plural, of_kind), timeout=600, interval=0.2, what=plural)
        eventually(lambda: self.metric("kai_snapshot_workqueue_depth") == 0, timeout=600, interval=0.5, what="all seen")
        assert self.count("kai_snapshot_capture_ready") >= self.captures

    def _are_seen(self, plural: str, names_: list[str]) -> bool:
        found = json.loads(self.kube.run("get", plural, *names_, f"--namespace={NAMESPACE}", "--output=json"))["items"]
        return all(each["status"]["observedGeneration"] == each["metadata"]["generation"] for each in found)

    def metric(self, name: str) -> float:
        """A metric of the operator, all its samples together."""
        return float(sum(sample.value for sample in self._samples(name)))

    def count(self, name: str) -> int:
        """How many samples it has."""
        return len(self._samples(name))

    def _samples(self, name: str) -> list[Any]:
        pod = self.operator.pod_name()
        return samples(self.kube.get_raw(f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:8080/proxy/metrics"), name)

    def peak(self) -> float:
        """MiB the operator's process had at the most."""
        said = self.kube.execute(f"pod/{self.operator.pod_name()}", NAMESPACE, "grep", "VmHWM", "/proc/1/status")
        return int(said.split()[1]) / 1024


@dataclass(frozen=True)
class Seeds:
    """Objects that really ran; the crowd are their likes."""

    once: Object
    scheduled: Object
    replayed: Object
    log: Path
    result: Path

    def capture(self, number: int) -> Object:
        """One of two is scheduled."""
        return _like(self.scheduled if number % 2 else self.once, f"capture-{number:04}")

    def replay(self, number: int, of_it: int) -> Object:
        """It ended some days ago."""
        obj = _like(self.replayed, f"replay-{number:04}-{of_it}")
        ended = datetime.now(UTC) - timedelta(days=of_it * 2, hours=1)
        obj["status"] |= {"startTime": rfc3339(ended - timedelta(seconds=20)), "completionTime": rfc3339(ended)}
        return obj


def _like(seed: Object, name: str) -> Object:
    kept = {key: seed[key] for key in ("apiVersion", "kind", "spec", "status")}
    return copy.deepcopy({**kept, "metadata": {"name": name, "namespace": NAMESPACE}})


def _has_run(seen: Object) -> bool:
    """It is at rest: what has `active` would go on with it."""
    return is_true(seen, "Ready") and bool(seen["status"].get("history")) and "active" not in seen["status"]


@pytest.fixture(scope="module")
def seeds(kube: Kube, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeds]:
    """Runs a capture, a schedule and a replay."""
    story, place = Story(kube), InBucket(s3, f"scale/{secrets.token_hex(2)}")
    once = story.finished(story.create(capture("seed", storage=place.spec)))
    scheduled = story.create(capture("seed-scheduled", storage=place.spec, schedule=NEVER))
    scheduled = story.until(scheduled, _has_run)
    replayed = story.finished(story.create(replay("seed", of="seed", versions=["v0.17.0"], repetitions=1)), timeout=180)
    folder, (version,) = tmp_path_factory.mktemp("handed-in"), replayed["status"]["results"]
    for name in ("log", "result"):
        (folder / name).write_bytes(place.read(place.key(version[f"{name}URI"])))
    yield Seeds(once, scheduled, replayed, log=folder / "log", result=folder / "result")
    story.end()


@pytest.fixture(scope="module")
def world(kube: Kube, operator: Operator, kind_cluster: KindCluster, seeds: Seeds) -> World:
    """Empty but for the seeds."""
    return World(kube, operator, kind_cluster.kubeconfig_path, seeds)


def test_a_thousand_captures_and_five_thousand_replays(
    world: World, fake_kubelet: None, request: pytest.FixtureRequest
) -> None:
    sizes = tuple(map(int, request.config.option.sizes.split(",")))
    found = [measured(world, size, last=size == sizes[-1]) for size in sizes]
    text = page(found)
    report(f"\n{text}")
    if request.config.option.write_docs:
        (DOCS / "scale.md").write_text(text)
    for each in found:
        tenfold = max(each.captures / PROMISED, 1)
        assert not each.at_rest, "nothing is written at rest"
        assert each.peak < 256 * tenfold, "MiB at the most"
        assert each.start_seconds < 60 * tenfold, "seconds to a true picture"
        assert each.after_crash < 60 * tenfold, "seconds to a true picture after a crash"
        assert share(each.to_status, 95) < 2, "seconds from a result to the status, of 95 %"


def measured(world: World, captures: int, *, last: bool) -> Measured:
    """Grows the crowd and looks at everything once."""
    found = Measured(captures, captures * REPLAYS, min(int(captures * RUNNING), RUNNING_AT_MOST))
    report(f"{captures} captures: made")
    world.operator.stop()
    world.grow(captures)
    marks, before = world.touch(), writes(world.kube)
    began = time.monotonic()
    world.operator.start()
    world.true_picture(marks)
    found.start_seconds = time.monotonic() - began
    found.writes_at_start = dict(writes(world.kube) - before)
    report(f"a true picture after {found.start_seconds:.0f} s")
    running = _run(world, found.running)
    found.capture_seconds = _captured(world)
    report("at rest")
    _rest(world, found, seconds=ALL_LOOKED_AT_SECONDS if last else AT_REST_SECONDS)
    report(f"{found.at_rest}, {found.looks_at_rest} looks, {found.cpu_at_rest:.3f} cores")
    if last:
        assert found.looks_at_rest >= 2 * (captures // 2), "each with a schedule was looked at, and its environment"
    marks = world.touch()
    began = time.monotonic()
    world.operator.crash()
    world.true_picture(marks)
    found.after_crash = time.monotonic() - began
    report(f"after a crash: {found.after_crash:.0f} s")
    found.to_status = asyncio.run(_ended(world, running))
    found.memory = world.metric("process_resident_memory_bytes") / 2**20
    found.peak = max(found.peak, world.peak())
    return found


def _run(world: World, count: int) -> list[str]:
    """Replays whose Jobs run on the fake node."""
    tag = secrets.token_hex(2)
    wanted = [f"running-{tag}-{number:03}" for number in range(count)]
    spec: Object = {"podTemplate": {"spec": {**THERE, "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}}}}}

    async def make() -> None:
        async with crowd(world.kubeconfig) as many:
            await many.make(
                "snapshotreplays",
                (replay(name, of="seed", versions=["v0.17.0"], repetitions=1, **spec) for name in wanted),
            )

    asyncio.run(make())

    def run() -> bool:
        found = world.kube.run(
            "get", "pods", f"--namespace={NAMESPACE}", f"--selector={names.JOB_SELECTOR}", "--output=name",
            "--field-selector=status.phase=Running",
        )  # fmt: skip
        return len(found.split()) >= count and world.metric("kai_snapshot_workqueue_depth") == 0

    eventually(run, timeout=300, interval=2, what=f"{count} Jobs run")
    return wanted


def _captured(world: World) -> float:
    """Seconds from the wish for one more run to its end, with an archive that retention removes."""
    story, name = Story(world.kube), f"new-{secrets.token_hex(2)}"
    wanted = _like(world.seeds.scheduled, name)
    wanted["spec"]["retention"] = {"keepLast": 1}
    created = story.create({**wanted, "status": None})

    def runs(number: int) -> Object:
        return story.until(created, lambda seen: len(seen["status"].get("history", ())) == number, timeout=300)

    runs(1)
    began = time.monotonic()
    story.annotate(created, "kai-snapshot.io/run-requested-at", "now")
    assert runs(2)["status"]["archives"]["count"] == 1
    took = time.monotonic() - began
    story.end()
    return took


def _rest(world: World, found: Measured, *, seconds: int) -> None:
    """Nothing happens for so long."""
    eventually(lambda: world.metric("kai_snapshot_workqueue_depth") == 0, timeout=300, what="nothing to look at")
    before, looks, cpu = writes(world.kube), world.metric(LOOKS), world.metric(CPU)
    began = time.monotonic()
    eventually(lambda: time.monotonic() > began + seconds, timeout=seconds + 10, interval=5)
    found.cpu_at_rest = (world.metric(CPU) - cpu) / (time.monotonic() - began)
    found.at_rest = dict(writes(world.kube) - before)
    found.looks_at_rest, found.rest_seconds = int(world.metric(LOOKS) - looks), seconds
    found.peak = world.peak()


async def _ended(world: World, running: list[str]) -> tuple[float, ...]:
    """Lets all that run end, some each second; how long each status took."""
    handed_in: dict[str, float] = {}
    finished: dict[str, float] = {}

    def seen(moment: float, obj: Object) -> None:
        if is_true(obj, "Finished"):
            finished.setdefault(obj["metadata"]["name"], moment)

    async with crowd(world.kubeconfig) as many:
        watching = asyncio.create_task(many.watch(f"{OURS}/snapshotreplays", seen, seconds=400))
        with world.kube.forward("service/kai-snapshot-transfer", NAMESPACE, 8082) as port:

            async def end(number: int, name: str) -> None:
                await asyncio.sleep(number / A_SECOND)
                await _hand_in(world, many, name, port)
                handed_in[name] = time.monotonic()
                pods = await many.ask(
                    "GET", f"/api/v1/namespaces/{NAMESPACE}/pods", params={"labelSelector": f"{names.REPLAY}={name}"}
                )
                for pod in pods["items"]:
                    await many.ask(
                        "PATCH", f"/api/v1/namespaces/{NAMESPACE}/pods/{pod['metadata']['name']}", patch=ENDED
                    )

            await asyncio.gather(*(end(number, name) for number, name in enumerate(running)))
        async with asyncio.timeout(300):
            while not finished.keys() >= set(running):  # noqa: ASYNC110 - what is awaited comes from a watch
                await asyncio.sleep(0.1)
        watching.cancel()
    return tuple(max(finished[name] - handed_in[name], 0.0) for name in running)


async def _hand_in(world: World, many: Crowd, name: str, port: int) -> None:
    """As the container `report` does."""
    secret = await many.ask("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets/{names.secret_name(f'{name}-0')}")
    token, authorities = (
        base64.b64decode(secret["data"][key]).decode() for key in (names.TOKEN_KEY, names.AUTHORITIES_KEY)
    )
    connector = aiohttp.TCPConnector(ssl=client_context(authorities), resolver=Forwarded())
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers, auto_decompress=False) as session:
        url = f"https://{TRANSFER_HOST}:{port}"
        endpoint = transfer.TransferClient(session, url, archive=None, patience_seconds=120)
        await endpoint.put_log(world.seeds.log)
        await endpoint.put_result(world.seeds.result)


class Forwarded(AbstractResolver):
    """The Service's name leads to the forwarded port, as its certificate is for that name."""

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[Any]:
        """To this machine."""
        here = {"hostname": host, "host": "127.0.0.1", "port": port, "family": family, "proto": 0, "flags": 0}
        return [here]

    async def close(self) -> None:
        """Holds nothing."""
