"""A replay of many archives over a cluster in memory and a real directory, from the plan to the comparison."""

import asyncio
import hashlib
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kai_snapshot.api.ids import run_id
from kai_snapshot.api.manifest import CaptureIdentity, Manifest, SchedulerIdentity
from kai_snapshot.api.result import Durations, Engine, Outcome, ReplayResult
from kai_snapshot.cluster import CAPTURES, REPLAYS
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.runs import drive_replay, observe, write
from kai_snapshot.runs.services import Services
from kai_snapshot.stores import layout
from kai_snapshot.stores.directory import DirectoryStore
from support import kstatus
from support.cluster import NAMESPACE, FakeCluster, services
from support.resources import CREATED, capture, replay

CLAIM: dict[str, Any] = {"storage": {"pvc": {"claimName": "archives"}}}
FOLDER = layout.CaptureFolder(NAMESPACE, "hourly")
FIRST = datetime(2026, 11, 20, tzinfo=UTC)
NOW = CREATED + timedelta(minutes=1)
VERSIONS = [{"name": "v0.16.4"}, {"name": "v0.17.0"}]


class World:
    """An operator, a claim with archives of every hour, and a replay of them."""

    def __init__(self, claims: Path) -> None:
        self.cluster = FakeCluster()
        self.services: Services = services(self.cluster, claims=claims)
        self.store = DirectoryStore(claims / "archives", name="pvc://archives")
        self.cluster.put(CAPTURES, capture(**CLAIM))

    def seed(self, count: int, *, version: str = "v0.16.4", cluster_uid: str = "c1") -> list[str]:
        return [self._seed_one(FIRST + timedelta(hours=n), version, cluster_uid) for n in range(count)]

    def _seed_one(self, moment: datetime, version: str, cluster_uid: str) -> str:
        content = moment.isoformat().encode()
        sha256, id_ = hashlib.sha256(content).hexdigest(), run_id(moment)
        manifest = Manifest(
            id=id_,
            archive=layout.archive_name(id_, sha256),
            capture=CaptureIdentity(cluster_uid=cluster_uid, namespace=NAMESPACE, name="hourly"),
            sha256=sha256,
            size_bytes=len(content),
            uncompressed_bytes=9,
            scheduler=SchedulerIdentity(version=version),
            scheduled_for=moment,
            captured_at=moment,
            trigger="Schedule",
        )
        self.store.put(FOLDER.archive(id_, sha256), io.BytesIO(content))
        self.store.put(FOLDER.manifest(id_), io.BytesIO(manifest.encode()))
        return id_

    def request(self, reference: dict[str, Any], **spec: Any) -> None:
        source = {"captureRef": {"name": "hourly", **reference}}
        self.cluster.put(REPLAYS, replay(**{"source": source, "versions": VERSIONS, **spec}))

    def look(self) -> dict[str, Any]:
        asyncio.run(drive_replay.drive(self.services, NAMESPACE, "compare"))
        return self.status()

    def status(self) -> dict[str, Any]:
        found = self.cluster.get(REPLAYS, NAMESPACE, "compare")
        assert found is not None
        return dict(kstatus.check(found)["status"])

    @property
    def home(self) -> layout.ReplayFolder:
        found = self.cluster.get(REPLAYS, NAMESPACE, "compare")
        assert found is not None
        key = found["status"]["resolvedSource"]["key"]
        return layout.replay_folder(key, "compare", uid=found["metadata"]["uid"])

    def document(self, key: str) -> dict[str, Any]:
        with self.store.open(key) as stream:
            return dict(json.loads(stream.read()))

    def hand_in(self, index: int, number: int, *, ms: int = 40, outcome: Outcome = Outcome.SUCCEEDED) -> None:
        result = ReplayResult(
            engine=Engine(version=VERSIONS[index]["name"]),
            outcome=outcome,
            message="" if outcome is Outcome.SUCCEEDED else "nil map",
            durations_ms=Durations(total=ms, actions={"allocate": ms // 2}),
        )
        self.store.put(self.home.of(number).result(index), io.BytesIO(json.dumps(result.dump()).encode()))

    def end_job(self, index: int, **status: Any) -> None:
        condition = {"type": "Complete", "status": "True", "reason": "", "message": ""}
        self.cluster.made_jobs[f"compare-{index}"]["status"] = {"conditions": [condition], **status}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    (tmp_path / "archives").mkdir()
    monkeypatch.setattr("os.path.ismount", lambda path: Path(path).exists())
    for module in (drive_replay, observe, write):  # jobs and replays were made on a certain day
        monkeypatch.setattr(module, "now", lambda: NOW)
    return World(tmp_path)


def test_the_newest_archives_are_planned_oldest_first_and_pinned_by_digest(world: World) -> None:
    ids = world.seed(6)
    world.request({"select": "Last", "last": 4})
    source = world.look()["resolvedSource"]
    assert source["id"] == ids[-1]
    plan = world.document(world.home.plan)
    assert [archive["id"] for archive in plan["archives"]] == ids[2:]
    pinned = source["archives"]
    assert (pinned["count"], pinned["first"], pinned["last"]) == (4, ids[2], ids[5])
    with world.store.open(world.home.plan) as stream:
        assert hashlib.sha256(stream.read()).hexdigest() == pinned["digest"]
    assert pinned["planURI"] == f"pvc://archives/{world.home.plan}"


def test_a_range_takes_the_runs_of_its_moments_both_ends_included(world: World) -> None:
    ids = world.seed(6)
    world.request({"select": "Range", "from": "2026-11-20T01:00:00Z", "to": "2026-11-20T03:00:00Z"})
    world.look()
    assert [archive["id"] for archive in world.document(world.home.plan)["archives"]] == ids[1:4]


def test_fewer_archives_than_wanted_are_all_there_is(world: World) -> None:
    world.seed(2)
    world.request({"select": "Last", "last": 40})
    assert world.look()["resolvedSource"]["archives"]["count"] == 2


def test_archives_of_another_cluster_are_not_ours(world: World) -> None:
    world.seed(3, cluster_uid="c2")
    world.request({"select": "Last", "last": 40})
    ready = next(c for c in world.look()["conditions"] if c["type"] == "Ready")
    assert ready["reason"] == "WaitingForCapture"


def test_a_range_of_more_archives_than_one_replay_can_be_about_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kai_snapshot.runs.resolve.MAX_ARCHIVES", 3)
    world.seed(5)
    world.request({"select": "Range", "from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z"})
    ready = next(c for c in world.look()["conditions"] if c["type"] == "Ready")
    assert ready["reason"] == "InvalidSpec"
    assert "there are 5 archives" in ready["message"]


def test_as_captured_needs_archives_of_one_version(world: World) -> None:
    world.seed(2)
    world._seed_one(FIRST + timedelta(hours=9), "v0.17.0", "c1")
    world.request({"select": "Last", "last": 5}, versions=[{"name": "AsCaptured"}, {"name": "v0.17.0"}])
    first, second = world.look()["results"]
    assert (first["outcome"], second["outcome"]) == ("IncompatibleSnapshot", "Pending")
    assert "different versions" in first["message"]


def test_archives_that_go_while_they_are_being_pinned_are_looked_for_anew(world: World) -> None:
    ids = world.seed(4)
    world.request({"select": "Last", "last": 4})
    world.look()
    gone = world.document(world.home.plan)["archives"][1]
    world.store.delete(FOLDER.manifest(gone["id"]))
    world.store.delete(gone["key"])
    assert "resolvedSource" not in world.look()
    assert world.look()["resolvedSource"]["archives"]["count"] == 3
    assert [archive["id"] for archive in world.document(world.home.plan)["archives"]] == [ids[0], ids[2], ids[3]]


def test_from_the_plan_to_the_comparison(world: World) -> None:
    ids = world.seed(3)
    world.request({"select": "Last", "last": 3}, parallelism=2, expectations={"maxTotalSlowdownPercent": 25})
    world.look()
    world.look()
    job = world.cluster.made_jobs["compare-0"]
    assert (job["spec"]["completionMode"], job["spec"]["completions"], job["spec"]["parallelism"]) == ("Indexed", 3, 2)
    assert "compare-1" not in world.cluster.made_jobs
    world.hand_in(0, 1)
    assert world.look()["results"][0]["archives"] == {"total": 3, "done": 1}
    world.hand_in(0, 0)
    world.hand_in(0, 2)
    world.end_job(0, completedIndexes="0-2")
    first, second = world.look()["results"]
    assert (first["outcome"], first["totalMs"], second["outcome"]) == ("Succeeded", 40, "Pending")
    assert first["archives"] == {"total": 3, "done": 3, "succeeded": 3, "failed": 0}
    assert "compare-1" in world.cluster.made_jobs
    world.look()
    world.hand_in(1, 0, ms=400)
    world.hand_in(1, 1, ms=500)
    world.hand_in(1, 2, outcome=Outcome.PANICKED)
    world.end_job(1, completedIndexes="0-2")
    status = world.look()
    assert status["results"][1]["outcome"] == "PartiallyFailed"
    assert "nil map" in status["results"][1]["message"]
    assert "completionTime" not in status, "the versions are compared first"
    status = world.look()
    assert status["outcome"] == "PartiallyFailed"
    ready = next(c for c in status["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ExpectationsNotMet")
    (compared,) = status["comparison"]["versions"]
    assert compared["changedArchives"] == 1
    assert ids[2] in compared["worstArchives"]
    assert world.document(world.home.comparison)["baseline"] == "v0.16.4"


def test_five_hundred_archives_at_two_versions_keep_the_status_small(world: World) -> None:
    world.seed(500)
    world.request({"select": "Last", "last": 500})
    world.look()
    for index in (0, 1):
        world.look()
        for number in range(500):
            panicked = index == 1 and number % 7 == 0
            world.hand_in(index, number, ms=40 + number, outcome=Outcome.PANICKED if panicked else Outcome.SUCCEEDED)
        world.end_job(index, completedIndexes="0-499")
        world.look()
    status = world.look()
    assert status["outcome"] == "PartiallyFailed"
    assert status["results"][1]["archives"] == {"total": 500, "done": 500, "succeeded": 428, "failed": 72}
    assert status["comparison"]["versions"][0]["changedArchives"] == 72
    assert len(json.dumps(status)) < 50_000
    assert len(world.document(world.home.comparison)["archives"]) == 500


def test_a_plan_that_is_lost_ends_what_it_is_needed_for_and_says_so(world: World) -> None:
    world.seed(2)
    world.request({"select": "Last", "last": 2})
    world.look()
    world.look()
    world.store.delete(world.home.plan)
    world.hand_in(0, 0)
    world.hand_in(0, 1)
    world.end_job(0, completedIndexes="0-1")
    first, _ = world.look()["results"]
    assert first["outcome"] == "Failed"
    assert first["message"].startswith("PlanLost: ")


def test_a_storage_that_cannot_be_written_at_the_end_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.seed(1)
    world.request({"select": "Last", "last": 1}, versions=VERSIONS[:1])
    world.look()
    world.look()
    world.hand_in(0, 0)
    world.end_job(0, completedIndexes="0")
    world.look()
    put = DirectoryStore.put

    def full(*_: Any) -> None:
        raise TerminalError(Reason.NO_SPACE_LEFT, "the volume is full")

    monkeypatch.setattr(DirectoryStore, "put", full)
    ready = next(c for c in world.look()["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("Unknown", "ProgressingWithRetry")
    assert "the volume is full" in ready["message"]
    monkeypatch.setattr(DirectoryStore, "put", put)
    assert world.look()["outcome"] == "Succeeded"


def test_patches_that_cannot_be_read_end_a_replay_before_anything_runs(world: World) -> None:
    world.seed(1)
    patch = {"target": {"kind": "Queue", "name": "team"}, "patch": "no list"}
    world.request({"select": "Latest"}, prepare={"patches": [patch]})
    ready = next(c for c in world.look()["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "PatchFailed")


def test_a_result_that_was_damaged_is_the_failure_of_its_archive(world: World) -> None:
    ids = world.seed(2)
    world.request({"select": "Last", "last": 2}, versions=VERSIONS[:1])
    world.look()
    world.look()
    world.hand_in(0, 0)
    world.store.put(world.home.of(1).result(0), io.BytesIO(b"{"))
    world.end_job(0, completedIndexes="0-1")
    (only,) = world.look()["results"]
    assert only["outcome"] == "PartiallyFailed"
    assert only["message"].startswith(f"1 of 2 archives: {ids[1]} Failed: ")
    assert world.look()["outcome"] == "PartiallyFailed"
