"""The operator's straight lines over a cluster in memory and a real directory: status first, then actions."""

import asyncio
import hashlib
import io
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kai_snapshot.api.ids import run_id
from kai_snapshot.api.manifest import CaptureIdentity, Manifest, SchedulerIdentity
from kai_snapshot.api.result import Durations, Engine, Outcome, ReplayResult
from kai_snapshot.api.transfer import Part, Profile
from kai_snapshot.cluster import CAPTURES, REPLAYS, ConflictError
from kai_snapshot.errors import Reason, SnapshotError, TerminalError
from kai_snapshot.runs import drive_capture, drive_replay
from kai_snapshot.runs.deliver import Delivery
from kai_snapshot.runs.request import CaptureAnswer
from kai_snapshot.runs.services import Services
from kai_snapshot.stores import layout
from kai_snapshot.stores.directory import DirectoryStore
from kai_snapshot.transfer.backend import Upload
from support import kstatus
from support.cluster import NAMESPACE, FakeCluster, services
from support.resources import capture, replay

CLAIM: dict[str, Any] = {"storage": {"pvc": {"claimName": "archives"}}}
FOLDER = layout.CaptureFolder(NAMESPACE, "hourly")
CREATED = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=5)


class FakeChild:
    def __init__(self, id_: str, attempt: int) -> None:
        self.id, self.attempt = id_, attempt
        self.answer: CaptureAnswer | None = None
        self.duration_seconds = 1.0


class FakeChildren:
    """A table of runs whose ends the test decides."""

    def __init__(self) -> None:
        self.table: dict[str, FakeChild] = {}
        self.started: list[tuple[str, int]] = []
        self.requests: list[Any] = []

    def get(self, key: str, *, id_: str, attempt: int) -> FakeChild | None:
        child = self.table.get(key)
        return child if child is not None and (child.id, child.attempt) == (id_, attempt) else None

    def start(self, key: str, id_: str, request: Any, *, attempt: int, **_: Any) -> None:
        self.table[key] = FakeChild(id_, attempt)
        self.started.append((id_, attempt))
        self.requests.append(request)

    def forget(self, key: str) -> None:
        self.table.pop(key, None)

    async def stop(self, key: str) -> None:
        self.forget(key)


@pytest.fixture
def claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the claim `archives` in it; that it is no mount point of its own does not matter here."""
    (tmp_path / "archives").mkdir()
    monkeypatch.setattr("os.path.ismount", lambda path: Path(path).exists())
    return tmp_path


@pytest.fixture
def world(claims: Path) -> tuple[FakeCluster, FakeChildren, Services]:
    cluster, children = FakeCluster(), FakeChildren()
    return cluster, children, services(cluster, claims=claims, children=children)


def store(claims: Path) -> DirectoryStore:
    return DirectoryStore(claims / "archives", name="pvc://archives")


def stored(claims: Path, moment: datetime = CREATED, content: bytes = b"zip") -> Manifest:
    sha256 = hashlib.sha256(content).hexdigest()
    id_ = run_id(moment)
    manifest = Manifest(
        id=id_,
        archive=layout.archive_name(id_, sha256),
        capture=CaptureIdentity(cluster_uid="c1", namespace=NAMESPACE, name="hourly"),
        sha256=sha256,
        size_bytes=len(content),
        uncompressed_bytes=9,
        scheduler=SchedulerIdentity(version="v0.17.0"),
        scheduled_for=moment,
        captured_at=moment,
        trigger="Schedule",
    )
    store(claims).put(FOLDER.archive(id_, sha256), io.BytesIO(content))
    store(claims).put(FOLDER.manifest(id_), io.BytesIO(manifest.encode()))
    return manifest


def put_capture(cluster: FakeCluster, **spec: Any) -> None:
    resource = capture(**{**CLAIM, **spec})
    resource["metadata"]["creationTimestamp"] = CREATED.strftime("%Y-%m-%dT%H:%M:%SZ")
    cluster.put(CAPTURES, resource)


def look(services_: Services) -> datetime | None:
    return asyncio.run(drive_capture.drive(services_, NAMESPACE, "hourly", lambda: None))


def look_at_replay(services_: Services) -> drive_replay.Looked:
    return asyncio.run(drive_replay.drive(services_, NAMESPACE, "compare"))


def status(cluster: FakeCluster, plural: str = CAPTURES, name: str = "hourly") -> dict[str, Any]:
    resource = cluster.get(plural, NAMESPACE, name)
    assert resource is not None
    kstatus.check(resource)
    return dict(resource["status"])


def ready(of: dict[str, Any]) -> tuple[str, str]:
    return next((c["status"], c["reason"]) for c in of["conditions"] if c["type"] == "Ready")


def test_a_run_starts_after_the_status_that_names_it_is_written(world: Any) -> None:
    cluster, children, all_ = world
    put_capture(cluster)
    look(all_)
    assert children.started == [(status(cluster)["active"]["id"], 1)]


def test_a_run_does_not_start_if_its_status_cannot_be_written(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, children, all_ = world
    put_capture(cluster)

    def refuse(*_: Any) -> None:
        raise ConflictError("hourly")

    monkeypatch.setattr(cluster, "replace_status", refuse)
    with pytest.raises(ConflictError):
        look(all_)
    assert children.started == []


def test_a_run_that_ended_well_is_recorded_counted_and_forgotten(world: Any, claims: Path) -> None:
    cluster, children, all_ = world
    put_capture(cluster)
    look(all_)
    children.table[f"{NAMESPACE}/hourly"].answer = CaptureAnswer(manifest=stored(claims), uri="pvc://archives/x.zip")
    look(all_)
    assert ready(status(cluster)) == ("True", "Succeeded")
    assert status(cluster)["archives"] == {"count": 1, "bytes": 3}
    assert children.table == {}
    writes = cluster.status_writes
    look(all_)
    assert cluster.status_writes == writes, "a status that did not change is not written"


def test_a_run_that_failed_gives_its_reason(world: Any) -> None:
    cluster, children, all_ = world
    put_capture(cluster)
    look(all_)
    error = TerminalError(Reason.PLUGIN_DISABLED, "switch it on")
    children.table[f"{NAMESPACE}/hourly"].answer = CaptureAnswer.of(error)
    look(all_)
    assert ready(status(cluster)) == ("False", "PluginDisabled")
    assert ("PluginDisabled", f"run {status(cluster)['history'][0]['id']} failed: switch it on") in cluster.events


def test_a_claim_that_is_not_mounted_is_said_before_anything_is_captured(world: Any) -> None:
    cluster, children, all_ = world
    put_capture(cluster, storage={"pvc": {"claimName": "elsewhere"}})
    look(all_)
    assert ready(status(cluster)) == ("False", "ClaimNotMounted")
    assert children.started == []


@pytest.mark.parametrize(
    ("s3", "word"),
    [
        pytest.param({"endpoint": "http://s3"}, "custom endpoint", id="a custom endpoint"),
        pytest.param({}, None, id="the operator's own namespace may use it"),
    ],
)
def test_the_operators_own_identity_goes_nowhere_else(world: Any, s3: dict[str, str], word: str | None) -> None:
    cluster, children, all_ = world
    put_capture(cluster, storage={"s3": {"bucket": "archives", **s3}})
    look(all_)
    assert bool(children.started) == (word is None)
    if word:
        assert ready(status(cluster)) == ("False", "CredentialsNotFound")


def test_a_secret_that_is_missing_is_named_in_the_failed_run(world: Any) -> None:
    cluster, children, all_ = world
    put_capture(cluster, storage={"s3": {"bucket": "archives", "credentialsSecretRef": {"name": "keys"}}})
    look(all_)
    with pytest.raises(SnapshotError, match="Secret kai-snapshots/keys does not exist") as error:
        asyncio.run(children.requests[0]())
    assert error.value.reason == Reason.CREDENTIALS_NOT_FOUND


def test_an_object_that_cannot_be_read_is_said_to_be_invalid(world: Any) -> None:
    cluster, _, all_ = world
    cluster.put(CAPTURES, {**capture(**CLAIM), "spec": {"storage": {}}})
    look(all_)
    assert ready(status(cluster)) == ("False", "InvalidSpec")


def test_only_with_the_policy_delete_an_object_waits_for_us_when_it_is_deleted(world: Any, claims: Path) -> None:
    cluster, _, all_ = world
    put_capture(cluster)
    look(all_)
    assert "finalizers" not in cluster.get(CAPTURES, NAMESPACE, "hourly")["metadata"]
    put_capture(cluster, deletionPolicy="Delete")
    look(all_)
    assert cluster.get(CAPTURES, NAMESPACE, "hourly")["metadata"]["finalizers"] == ["kai-snapshot.io/archive-cleanup"]
    stored(claims)
    deleting = cluster.get(CAPTURES, NAMESPACE, "hourly")
    deleting["metadata"]["deletionTimestamp"] = "2026-11-22T11:00:00Z"
    cluster.put(CAPTURES, deleting)
    look(all_)
    assert cluster.get(CAPTURES, NAMESPACE, "hourly") is None
    assert list(store(claims).list()) == []


def test_archives_that_cannot_be_deleted_block_the_deletion_until_a_person_says_otherwise(world: Any) -> None:
    cluster, _, all_ = world
    put_capture(cluster, deletionPolicy="Delete", storage={"pvc": {"claimName": "elsewhere"}})
    look(all_)
    deleting = cluster.get(CAPTURES, NAMESPACE, "hourly")
    deleting["metadata"]["deletionTimestamp"] = "2026-11-22T11:00:00Z"
    cluster.put(CAPTURES, deleting)
    with pytest.raises(SnapshotError):
        look(all_)
    blocked = cluster.get(CAPTURES, NAMESPACE, "hourly")
    assert ready(blocked["status"]) == ("False", "DeletionBlocked")
    blocked["metadata"]["annotations"] = {"kai-snapshot.io/skip-archive-cleanup": "true"}
    cluster.put(CAPTURES, blocked)
    look(all_)
    assert cluster.get(CAPTURES, NAMESPACE, "hourly") is None


def test_a_namespace_that_is_deleted_is_not_held_up_by_archives_whose_keys_went_with_it(world: Any) -> None:
    cluster, _, all_ = world
    storage = {"s3": {"bucket": "archives", "credentialsSecretRef": {"name": "gone-already"}}}
    put_capture(cluster, deletionPolicy="Delete", storage=storage)
    look(all_)
    deleting = cluster.get(CAPTURES, NAMESPACE, "hourly")
    deleting["metadata"]["deletionTimestamp"] = "2026-11-22T11:00:00Z"
    cluster.put(CAPTURES, deleting)
    cluster.terminating.add(NAMESPACE)
    look(all_)
    assert cluster.get(CAPTURES, NAMESPACE, "hourly") is None


def pinned_replay(world: Any, claims: Path, **spec: Any) -> Manifest:
    cluster, _, all_ = world
    put_capture(cluster)
    manifest = stored(claims)
    cluster.put(REPLAYS, replay(**spec))
    look_at_replay(all_)  # pins
    look_at_replay(all_)  # starts
    return manifest


def test_a_replay_waits_for_a_capture_that_does_not_exist_yet_and_names_it(world: Any) -> None:
    cluster, _, all_ = world
    resource = replay()
    resource["metadata"]["creationTimestamp"] = CREATED.strftime("%Y-%m-%dT%H:%M:%SZ")
    cluster.put(REPLAYS, resource)
    looked = look_at_replay(all_)
    assert looked.waits_for == "hourly"
    assert ready(status(cluster, REPLAYS, "compare")) == ("Unknown", "WaitingForCapture")


def test_a_replay_pins_the_newest_archive_and_makes_a_job_with_a_token(world: Any, claims: Path) -> None:
    cluster, _, _ = world
    stored(claims, CREATED - timedelta(hours=1), b"older")
    manifest = pinned_replay(world, claims)
    source = status(cluster, REPLAYS, "compare")["resolvedSource"]
    assert (source["id"], source["sha256"], source["schedulerVersion"]) == (manifest.id, manifest.sha256, "v0.17.0")
    assert set(cluster.made_jobs) == {"compare-0"}
    assert cluster.secrets["compare-0-token"]["metadata"]["ownerReferences"][0]["uid"] == "uid-compare-0"


def test_an_archive_that_comes_later_is_not_the_one_that_was_pinned(world: Any, claims: Path) -> None:
    cluster, _, all_ = world
    manifest = pinned_replay(world, claims)
    stored(claims, CREATED + timedelta(minutes=1), b"newer")
    look_at_replay(all_)
    assert status(cluster, REPLAYS, "compare")["resolvedSource"]["id"] == manifest.id


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        pytest.param({"select": "ID", "id": run_id(CREATED - timedelta(hours=2))}, 2, id="by id"),
        pytest.param(
            {"select": "AsOf", "asOf": (CREATED - timedelta(minutes=90)).isoformat()}, 2, id="the newest before a time"
        ),
        pytest.param({}, 0, id="the newest"),
    ],
)
def test_an_archive_is_selected(world: Any, claims: Path, select: dict[str, str], expected: int) -> None:
    cluster, _, _ = world
    for hours in (1, 2, 3):
        stored(claims, CREATED - timedelta(hours=hours))
    pinned_replay(world, claims, source={"captureRef": {"name": "hourly", **select}})
    id_ = status(cluster, REPLAYS, "compare")["resolvedSource"]["id"]
    assert id_ == run_id(CREATED - timedelta(hours=expected))


def test_an_archive_that_was_changed_in_the_storage_is_refused(world: Any, claims: Path) -> None:
    cluster, _, all_ = world
    put_capture(cluster)
    manifest = stored(claims)
    store(claims).put(FOLDER.prefix + manifest.archive, io.BytesIO(b"other"))
    cluster.put(REPLAYS, replay())
    look_at_replay(all_)
    assert ready(status(cluster, REPLAYS, "compare")) == ("False", "ChecksumMismatch")
    assert cluster.made_jobs == {}


def test_an_archive_that_went_while_it_was_pinned_is_looked_for_anew(world: Any, claims: Path) -> None:
    cluster, _, all_ = world
    put_capture(cluster)
    older, newer = stored(claims, CREATED - timedelta(hours=1)), stored(claims)
    cluster.put(REPLAYS, replay())
    look_at_replay(all_)
    store(claims).delete(FOLDER.manifest(newer.id))
    store(claims).delete(FOLDER.prefix + newer.archive)
    for _ in range(3):
        look_at_replay(all_)
    assert status(cluster, REPLAYS, "compare")["resolvedSource"]["id"] == older.id
    assert set(cluster.made_jobs) == {"compare-0"}


@pytest.mark.parametrize("by_key", [False, True])
def test_an_archive_that_an_unfinished_replay_reads_is_not_pruned(world: Any, claims: Path, by_key: bool) -> None:
    cluster, children, all_ = world
    put_capture(cluster, schedule={"cron": "0 0 1 1 *", "immediate": True}, retention={"keepLast": 1})
    old = stored(claims, CREATED - timedelta(hours=1))
    by_id = {"captureRef": {"name": "hourly", "select": "ID", "id": old.id}}
    cluster.put(REPLAYS, replay(source={"archive": {**CLAIM, "key": FOLDER.prefix + old.archive}} if by_key else by_id))
    look_at_replay(all_)
    look(all_)
    children.table[f"{NAMESPACE}/hourly"].answer = CaptureAnswer(manifest=stored(claims), uri="pvc://archives/x.zip")
    look(all_)
    assert status(cluster)["archives"]["count"] == 2


def test_a_replay_does_not_begin_with_what_is_being_removed(world: Any, claims: Path) -> None:
    cluster, _, all_ = world
    put_capture(cluster)
    manifest = stored(claims)
    cluster.put(REPLAYS, replay())
    look_at_replay(all_)  # pins
    with ThreadPoolExecutor() as threads, all_.locks.of(FOLDER):
        looks = threads.submit(look_at_replay, all_)
        with pytest.raises(TimeoutError):
            looks.result(timeout=0.3)
        store(claims).delete(FOLDER.prefix + manifest.archive)
    looks.result(timeout=10)
    assert cluster.made_jobs == {}
    assert "resolvedSource" not in status(cluster, REPLAYS, "compare")


def test_results_of_versions_that_nobody_asked_for_hold_up_no_worker(world: Any, claims: Path) -> None:
    cluster, _, all_ = world
    pinned_replay(world, claims, versions=[{"name": "v0.14.7"}, {"name": "v0.17.0"}])
    resource = cluster.get(REPLAYS, NAMESPACE, "compare")
    for result in resource["status"]["results"]:
        result.update(name="another", outcome="Failed")
    cluster.put(REPLAYS, resource)
    look = drive_replay.drive(all_, NAMESPACE, "compare")
    with pytest.raises(ValueError, match="not in list"):
        asyncio.run(asyncio.wait_for(look, 10))


def test_a_result_that_cannot_be_read_ends_its_version(world: Any, claims: Path) -> None:
    cluster, _, all_ = world
    manifest = pinned_replay(world, claims)
    folder = layout.replay_folder(FOLDER.prefix + manifest.archive, "compare", uid=replay()["metadata"]["uid"])
    store(claims).put(folder.result(0), io.BytesIO(b"{"))
    look_at_replay(all_)
    first = status(cluster, REPLAYS, "compare")["results"][0]
    assert (first["outcome"], first["message"].partition(":")[0]) == ("Failed", "InvalidResult")


def test_a_result_that_cannot_be_read_is_not_taken(world: Any, claims: Path) -> None:
    _, _, all_ = world
    pinned_replay(world, claims)
    with pytest.raises(TerminalError) as error:
        Delivery(all_, on_result=lambda _: None).put_result(part(), upload(b"[]"))
    assert error.value.reason == Reason.INVALID_RESULT


def test_a_log_of_a_result_that_is_there_is_not_replaced(world: Any, claims: Path) -> None:
    _, _, all_ = world
    pinned_replay(world, claims)
    delivery = Delivery(all_, on_result=lambda _: None)
    delivery.put_log(part(), upload(b"log"))
    delivery.put_result(part(), upload(result()))
    for put in (delivery.put_log, partial(delivery.put_profile, profile=Profile.MEMORY)):
        with pytest.raises(TerminalError) as error:
            put(part(), upload(b"another"))
        assert error.value.reason == Reason.RESULT_EXISTS


def test_a_storage_that_goes_away_during_a_replay_is_said_and_loses_nothing(world: Any, claims: Path) -> None:
    cluster, _, all_ = world
    pinned_replay(world, claims)
    (claims / "archives").rename(claims / "gone")
    look_at_replay(all_)
    now = status(cluster, REPLAYS, "compare")
    assert ready(now) == ("Unknown", "ProgressingWithRetry")
    (claims / "gone").rename(claims / "archives")
    look_at_replay(all_)
    assert ready(status(cluster, REPLAYS, "compare")) == ("Unknown", "Progressing")


def test_an_object_that_cannot_be_read_can_still_be_let_go(world: Any) -> None:
    cluster, _, all_ = world
    broken = {**capture(**CLAIM, annotations={"kai-snapshot.io/skip-archive-cleanup": "true"}), "spec": {}}
    broken["metadata"] |= {
        "deletionTimestamp": "2026-11-22T11:00:00Z",
        "finalizers": ["kai-snapshot.io/archive-cleanup"],
    }
    cluster.put(CAPTURES, broken)
    look(all_)
    assert cluster.get(CAPTURES, NAMESPACE, "hourly") is None


def test_an_archive_by_its_key_needs_no_capture(world: Any, claims: Path) -> None:
    cluster, _, all_ = world
    manifest = stored(claims)
    key = FOLDER.prefix + manifest.archive
    cluster.put(REPLAYS, replay(source={"archive": {**CLAIM, "key": key, "sha256": manifest.sha256}}))
    look_at_replay(all_)
    assert status(cluster, REPLAYS, "compare")["resolvedSource"]["key"] == key


def test_an_archive_that_is_not_there_is_said_so_at_once(world: Any) -> None:
    cluster, _, all_ = world
    cluster.put(REPLAYS, replay(source={"archive": {**CLAIM, "key": "uploads/mine.zip"}}))
    look_at_replay(all_)
    assert ready(status(cluster, REPLAYS, "compare")) == ("False", "ArchiveNotFound")


def test_a_job_that_belongs_to_somebody_else_is_not_adopted(world: Any, claims: Path) -> None:
    cluster, _, _ = world
    foreign = {"name": "compare-0", "namespace": NAMESPACE, "labels": {}, "uid": "u", "ownerReferences": []}
    cluster.made_jobs["compare-0"] = {"metadata": foreign, "spec": {}}
    pinned_replay(world, claims)
    first = status(cluster, REPLAYS, "compare")["results"][0]
    assert (first["outcome"], "NameTaken" in first["message"]) == ("Failed", True)
    assert "compare-1" in cluster.made_jobs


def result(outcome: Outcome = Outcome.SUCCEEDED) -> bytes:
    return json.dumps(ReplayResult(engine=Engine(), outcome=outcome, durations_ms=Durations(total=41)).dump()).encode()


def upload(content: bytes) -> Upload:
    return Upload(io.BytesIO(content), hashlib.sha256(content).hexdigest(), len(content))


def part(index: int = 0, attempt: int = 1, **changes: str) -> Part:
    meta = replay()["metadata"]
    return Part.model_validate(
        {"uid": meta["uid"], "namespace": NAMESPACE, "name": "compare", "index": index, "attempt": attempt, **changes}
    )


def test_a_job_gets_the_archive_that_was_pinned_and_hands_in_what_the_status_then_says(
    world: Any, claims: Path
) -> None:
    cluster, _, all_ = world
    manifest = pinned_replay(world, claims, versions=[{"name": "v0.14.7"}])
    arrived: list[Part] = []
    delivery = Delivery(all_, on_result=arrived.append)
    instructions = delivery.instructions(part())
    assert (instructions.sha256, instructions.captured_version) == (manifest.sha256, "v0.17.0")
    with delivery.archive(part()).content as stream:
        assert stream.read() == b"zip"
    delivery.put_log(part(), upload(b"log"))
    delivery.put_profile(part(), upload(b"samples"), Profile.CPU)
    delivery.put_result(part(), upload(result()))
    assert arrived == [part()]
    look_at_replay(all_)
    after = status(cluster, REPLAYS, "compare")
    assert (ready(after), after["outcome"]) == (("True", "Succeeded"), "Succeeded")
    assert after["results"][0]["logURI"].endswith("/0-a1.log.gz")
    assert after["results"][0]["cpuProfileURI"].endswith("/0-a1.cpu.pprof")
    assert "memoryProfileURI" not in after["results"][0]


def test_a_result_whose_status_was_not_written_is_told_by_the_next_look_and_replayed_by_no_second_job(
    world: Any, claims: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, _, all_ = world
    pinned_replay(world, claims, versions=[{"name": "v0.14.7"}])
    Delivery(all_, on_result=lambda _: None).put_result(part(), upload(result()))
    jobs = dict(cluster.made_jobs)

    def lost(*_: Any) -> None:
        raise ConflictError("compare")

    with monkeypatch.context() as patched:
        patched.setattr(cluster, "replace_status", lost)
        with pytest.raises(ConflictError):
            look_at_replay(all_)
    look_at_replay(all_)
    after = status(cluster, REPLAYS, "compare")
    assert (after["outcome"], after["results"][0]["attempt"]) == ("Succeeded", 1)
    assert cluster.made_jobs.keys() == jobs.keys()


def test_a_job_that_an_operator_left_when_it_went_away_for_days_is_let_go(world: Any, claims: Path) -> None:
    cluster, _, all_ = world
    pinned_replay(world, claims, versions=[{"name": "v0.14.7"}])
    delivery = Delivery(all_, on_result=lambda _: None)
    delivery.put_result(part(), upload(result()))
    look_at_replay(all_)  # it is over; the operator dies before it sees its own news
    left = cluster.get(REPLAYS, NAMESPACE, "compare")
    left["status"]["completionTime"] = (CREATED - timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    cluster.put(REPLAYS, left)
    look_at_replay(all_)
    assert cluster.made_jobs["compare-0"]["spec"]["ttlSecondsAfterFinished"] == 3600


@pytest.mark.parametrize("content", [b"z", b"zipzip"], ids=["cut", "longer"])
def test_an_archive_of_another_size_than_was_pinned_is_not_sent(world: Any, claims: Path, content: bytes) -> None:
    _, _, all_ = world
    manifest = pinned_replay(world, claims)
    store(claims).put(FOLDER.prefix + manifest.archive, io.BytesIO(content))
    with pytest.raises(TerminalError, match=f"has {len(content)} bytes, not 3 as when it was pinned") as error:
        Delivery(all_, on_result=lambda _: None).archive(part())
    assert error.value.reason == Reason.CHECKSUM_MISMATCH


def test_the_first_result_counts_and_the_same_again_is_fine(world: Any, claims: Path) -> None:
    _, _, all_ = world
    pinned_replay(world, claims)
    delivery = Delivery(all_, on_result=lambda _: None)
    delivery.put_result(part(), upload(result()))
    delivery.put_result(part(), upload(result()))
    with pytest.raises(TerminalError) as error:
        delivery.put_result(part(), upload(result(Outcome.PANICKED)))
    assert error.value.reason == Reason.RESULT_EXISTS


@pytest.mark.parametrize(
    "foreign",
    [
        pytest.param({"uid": "another"}, id="a replay of that name that was made anew"),
        pytest.param({"name": "gone"}, id="a replay that is gone"),
        pytest.param({"attempt": 2}, id="a Job that was given up"),
    ],
)
def test_a_token_of_something_else_opens_nothing(world: Any, claims: Path, foreign: dict[str, Any]) -> None:
    _, _, all_ = world
    pinned_replay(world, claims)
    with pytest.raises(TerminalError) as error:
        Delivery(all_, on_result=lambda _: None).instructions(part(**foreign))
    assert error.value.reason == Reason.TRANSFER_REFUSED
