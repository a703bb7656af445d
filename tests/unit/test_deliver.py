"""What the transfer endpoint gives to, and takes from, the pods of a replay: of one archive, and of many by a plan."""

import hashlib
import io
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO, Literal

import pytest
from pydantic import Field

from kai_snapshot.api.base import ApiModel
from kai_snapshot.api.replayplan import PlannedArchive, ReplayPlan
from kai_snapshot.api.result import Engine, Outcome, ReplayResult
from kai_snapshot.api.transfer import Part, Profile
from kai_snapshot.cluster import REPLAYS
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.runs import deliver
from kai_snapshot.runs.deliver import Delivery
from kai_snapshot.runs.locks import Locks
from kai_snapshot.runs.replayplan import store_plan
from kai_snapshot.runs.results import summarize
from kai_snapshot.stores import Entry, layout
from kai_snapshot.stores.memory import MemoryStore
from kai_snapshot.transfer.backend import Upload
from support.cluster import NAMESPACE, FakeCluster, services
from support.resources import replay

CAPTURE = layout.CaptureFolder(NAMESPACE, "hourly")
UID = replay()["metadata"]["uid"]
ARCHIVES = [b"the first", b"another", b"and the newest"]
COUNT = len(ARCHIVES)


class CountingStore(MemoryStore):
    """Counts how often each key is opened. A key that ends as `slow` says is put only once `go` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.slow: str | None = None
        self.arrived, self.go = threading.Event(), threading.Event()

    def put(self, key: str, body: Path | BinaryIO) -> Entry:
        if self.slow is not None and key.endswith(self.slow):
            self.arrived.set()
            assert self.go.wait(10)
        return super().put(key, body)

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        self.opened.append(key)
        return super().open(key)


def planned(position: int) -> PlannedArchive:
    id_, sha256 = f"20261122T10{position:02d}00Z", hashlib.sha256(ARCHIVES[position]).hexdigest()
    return PlannedArchive.model_validate(
        {
            "id": id_,
            "key": CAPTURE.archive(id_, sha256),
            "sha256": sha256,
            "sizeBytes": len(ARCHIVES[position]),
            "capturedAt": f"2026-11-22T10:{position:02d}:00Z",
            "schedulerVersion": f"v0.{15 + position}.0",
        }
    )


PLAN = ReplayPlan(archives=tuple(planned(position) for position in range(COUNT)))
HOME = layout.replay_folder(PLAN.archives[-1].key, "compare", uid=UID)


def part(archive: int | None = None, *, index: int = 0, attempt: int = 1) -> Part:
    return Part(uid=UID, namespace=NAMESPACE, name="compare", index=index, attempt=attempt, archive=archive)


def upload(content: bytes) -> Upload:
    return Upload(io.BytesIO(content), hashlib.sha256(content).hexdigest(), len(content))


def result(outcome: Outcome = Outcome.SUCCEEDED) -> bytes:
    return ReplayResult(engine=Engine(version="v0.17.0"), outcome=outcome).model_dump_json(by_alias=True).encode()


class Desk:
    """The endpoint's backend, and all that is around it."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store, self.cluster = CountingStore(), FakeCluster()
        self.arrived: list[Part] = []
        monkeypatch.setattr(deliver, "store_for", lambda *_: self.store)
        self.delivery = Delivery(services(self.cluster, claims=tmp_path), on_result=self.arrived.append)
        for archive, content in zip(PLAN.archives, ARCHIVES, strict=True):
            self.store.put(archive.key, io.BytesIO(content))

    def replays(self, *, many: bool, outcome: str = "Running", attempt: int = 1) -> None:
        """Puts the replay there; of one archive it is about the newest."""
        newest = PLAN.archives[-1]
        source = newest.dump() | {
            "storage": {"pvc": {"claimName": "archives"}},
            "uri": f"pvc://archives/{newest.key}",
        }
        if many:
            source["archives"] = {
                "count": COUNT,
                "first": PLAN.archives[0].id,
                "last": newest.id,
                "digest": store_plan(self.store, HOME, PLAN),
                "planURI": f"pvc://archives/{HOME.plan}",
            }
        results = [
            {"name": name, "image": f"tool:{name}", "outcome": outcome, "attempt": attempt}
            for name in ("AsCaptured", "v0.14.7")
        ]
        self.cluster.put(REPLAYS, replay(status={"resolvedSource": source, "results": results}))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


def reason(call: Callable[..., Any], *arguments: Any) -> Reason:
    with pytest.raises(TerminalError) as caught:
        call(*arguments)
    return caught.value.reason


class TestManyArchives:
    @pytest.mark.parametrize("position", range(COUNT))
    def test_each_pod_is_told_of_its_own_archive_and_gets_it(self, desk: Desk, position: int) -> None:
        desk.replays(many=True)
        told, wanted = desk.delivery.instructions(part(position)), PLAN.archives[position]
        assert (told.archive_id, told.sha256, told.size_bytes) == (wanted.id, wanted.sha256, wanted.size_bytes)
        assert (told.captured_at, told.captured_version) == (wanted.captured_at, wanted.scheduler_version)
        assert (told.version, told.target_version) == ("AsCaptured", wanted.scheduler_version)
        download = desk.delivery.archive(part(position))
        assert (download.sha256, download.size_bytes) == (wanted.sha256, wanted.size_bytes)
        with download.content as stream:
            assert stream.read() == ARCHIVES[position]

    def test_the_config_that_heals_an_archive_is_that_of_its_own_manifest(self, desk: Desk) -> None:
        healed = [archive.model_copy(update={"healed": True}) for archive in PLAN.archives]
        desk.replays(many=True)
        digest = store_plan(desk.store, HOME, ReplayPlan(archives=tuple(healed)))
        resource = desk.cluster.objects[REPLAYS, NAMESPACE, "compare"]
        resource["status"]["resolvedSource"]["archives"]["digest"] = digest
        for position, archive in enumerate(healed):
            content = MANIFEST % (archive.id, archive.key.rpartition("/")[2], archive.sha256, position)
            desk.store.put(CAPTURE.manifest(archive.id), io.BytesIO(content.encode()))
        told = [desk.delivery.instructions(part(position)).healed_config for position in range(COUNT)]
        assert told == [{"actions": f"allocate-{position}"} for position in range(COUNT)]

    def test_what_comes_of_each_lies_in_a_folder_of_its_own(self, desk: Desk) -> None:
        desk.replays(many=True)
        for position in range(COUNT):
            of = part(position, index=1)
            desk.delivery.put_log(of, upload(b"log"))
            desk.delivery.put_profile(of, upload(b"profile"), Profile.CPU)
            desk.delivery.put_result(of, upload(result()))
        assert desk.arrived == [part(position, index=1) for position in range(COUNT)]
        assert HOME.done(desk.store.list(HOME.prefix)) == {1: {0, 1, 2}}
        keys = {entry.key for entry in desk.store.list(HOME.of(2).prefix)}
        assert keys == {f"{HOME.prefix}2/1{end}" for end in (".result.json", "-a1.log.gz", "-a1.cpu.pprof")}

    def test_an_archive_whose_result_is_stored_is_not_replayed_again_and_the_others_are(self, desk: Desk) -> None:
        desk.replays(many=True)
        desk.delivery.put_result(part(1), upload(result()))
        desk.replays(many=True, attempt=2)  # the second Job of the version
        for call in (desk.delivery.instructions, desk.delivery.archive):
            assert reason(call, part(1, attempt=2)) is Reason.RESULT_EXISTS
        assert reason(desk.delivery.put_log, part(1, attempt=2), upload(b"log")) is Reason.RESULT_EXISTS
        assert desk.delivery.instructions(part(0, attempt=2)).sha256 == PLAN.archives[0].sha256
        assert desk.delivery.instructions(part(1, index=1, attempt=2)).sha256 == PLAN.archives[1].sha256

    @pytest.mark.parametrize("archive", [COUNT, 999, None])
    def test_what_is_not_in_the_plan_is_refused(self, desk: Desk, archive: int | None) -> None:
        desk.replays(many=True)
        for call, *body in (
            (desk.delivery.instructions,),
            (desk.delivery.archive,),
            (desk.delivery.put_log, upload(b"log")),
            (desk.delivery.put_result, upload(result())),
        ):
            assert reason(call, part(archive), *body) is Reason.TRANSFER_REFUSED
        assert not desk.arrived

    def test_a_plan_that_was_changed_is_not_followed(self, desk: Desk) -> None:
        desk.replays(many=True)
        store_plan(desk.store, HOME, ReplayPlan(archives=PLAN.archives[:1]))
        assert reason(desk.delivery.instructions, part(0)) is Reason.PLAN_LOST

    def test_the_plan_is_read_once(self, desk: Desk) -> None:
        desk.replays(many=True)
        for _ in range(10):
            desk.delivery.instructions(part(0))
        assert desk.store.opened.count(HOME.plan) == 1

    def test_an_archive_of_another_size_than_was_pinned_is_named(self, desk: Desk) -> None:
        desk.replays(many=True)
        desk.store.put(PLAN.archives[1].key, io.BytesIO(b"cut"))
        with pytest.raises(TerminalError, match=f"pvc://archives/{PLAN.archives[1].key} has 3 bytes") as caught:
            desk.delivery.archive(part(1))
        assert caught.value.reason is Reason.CHECKSUM_MISMATCH


class TestOneArchive:
    def test_a_pod_tried_again_after_its_result_was_handed_in_has_nothing_to_do(self, desk: Desk) -> None:
        desk.replays(many=False)
        desk.delivery.put_result(part(), upload(result()))
        assert reason(desk.delivery.instructions, part()) is Reason.RESULT_EXISTS
        desk.replays(many=False, outcome="Succeeded")  # harvested
        assert reason(desk.delivery.instructions, part()) is Reason.RESULT_EXISTS

    def test_a_version_that_ended_without_a_result_is_finished(self, desk: Desk) -> None:
        desk.replays(many=False, outcome="ImagePullFailed")
        assert reason(desk.delivery.instructions, part()) is Reason.TRANSFER_REFUSED

    def test_there_is_no_other_archive(self, desk: Desk) -> None:
        desk.replays(many=False)
        assert reason(desk.delivery.instructions, part(0)) is Reason.TRANSFER_REFUSED


class TestSeveralAtOnce:
    def test_the_log_of_one_does_not_hold_up_the_others_and_only_its_own_result_waits(self, desk: Desk) -> None:
        desk.replays(many=True)
        desk.store.slow = "/0/0-a1.log.gz"
        with ThreadPoolExecutor(2) as threads:
            log = threads.submit(desk.delivery.put_log, part(0), upload(b"log"))
            assert desk.store.arrived.wait(10)
            own = threads.submit(desk.delivery.put_result, part(0), upload(result()))
            for other in (part(1), part(2), part(0, index=1)):
                desk.delivery.put_log(other, upload(b"log"))
                desk.delivery.put_result(other, upload(result()))
            assert not log.done()
            assert not own.done()
            desk.store.go.set()
        assert (log.exception(), own.exception()) == (None, None)
        assert desk.arrived[-1] == part(0)

    def test_of_two_pods_the_first_result_counts(self, desk: Desk) -> None:
        desk.replays(many=False)
        desk.store.slow = "0.result.json"
        with ThreadPoolExecutor(2) as threads:
            first = threads.submit(desk.delivery.put_result, part(), upload(result()))
            assert desk.store.arrived.wait(10)
            second = threads.submit(desk.delivery.put_result, part(), upload(result(Outcome.PANICKED)))
            desk.store.go.set()
        assert first.exception() is None
        error = second.exception()
        assert isinstance(error, TerminalError)
        assert error.reason is Reason.RESULT_EXISTS

    def test_a_lock_is_one_for_all_attempts_at_a_result_and_gone_when_nobody_wants_it(self) -> None:
        locks = Locks()
        lock = locks.of(part(0).result)
        assert locks.of(part(0, attempt=2).result) is lock
        for other in (part(1), part(0, index=1), part()):
            assert locks.of(other.result) is not lock
        gone = weakref.ref(lock)
        del lock
        assert gone() is None


class TestPodsOf010:
    """Of replays that run on while the operator is upgraded. The model is that of 0.1.0; it goes with `config`."""

    class Instructions(ApiModel):
        version: str
        target_version: str
        image: str
        sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
        size_bytes: int = Field(ge=0)
        captured_version: str = ""
        config: Literal["TargetDefaults", "Verbatim"] = "TargetDefaults"
        healed_config: dict[str, Any] | None = None
        verbosity: int = Field(default=4, ge=0, le=8)
        limit_seconds: int = Field(ge=1)

    @pytest.mark.parametrize("config", ["TargetDefaults", "Verbatim"])
    def test_they_understand_what_they_are_told(self, desk: Desk, config: str) -> None:
        desk.replays(many=False)
        desk.cluster.objects[REPLAYS, NAMESPACE, "compare"]["spec"]["prepare"] = {"config": config}
        told = self.Instructions.model_validate(desk.delivery.instructions(part()).dump())
        newest = PLAN.archives[-1]
        assert told == self.Instructions(
            version="AsCaptured",
            target_version=newest.scheduler_version,
            image="tool:AsCaptured",
            sha256=newest.sha256,
            size_bytes=newest.size_bytes,
            captured_version=newest.scheduler_version,
            config=config,
            verbosity=4,
            limit_seconds=1800,
        )

    def test_their_log_and_result_are_taken(self, desk: Desk) -> None:
        desk.replays(many=False)
        desk.delivery.put_log(part(), upload(b"log"))
        desk.delivery.put_result(part(), upload(RESULT_OF_010))
        assert desk.arrived == [part()]
        read, counts = summarize(RESULT_OF_010, where="it")
        assert (read.outcome, read.runs, read.durations_ms.total) == (Outcome.SUCCEEDED, None, 41)
        assert (counts.placements, counts.unschedulable) == (1, 1)


RESULT_OF_010 = b"""{
  "schemaVersion": "kai-snapshot.io/replay-result/v1",
  "engine": {"name": "SnapshotTool", "version": "v0.17.0", "image": "tool:v0.17.0"},
  "outcome": "Succeeded", "exitCode": 0, "message": "", "durationsMs": {"total": 41, "actions": {"allocate": 12}},
  "resources": {"peakMemoryBytes": 67108864, "cpuSeconds": 0.2},
  "placements": [{"pod": "a/p", "node": "n", "gpuGroups": []}],
  "evictions": [{"pod": "a/q", "action": "stalegangeviction", "preemptor": null}],
  "pipelined": [{"pod": "a/r", "node": null}],
  "podGroups": [{"name": "a/g", "queue": null, "outcome": "Unschedulable", "reason": null}],
  "queues": [], "errorCount": 0, "warningCount": 0, "errors": [], "warnings": [],
  "adaptations": ["config: plugin sg-multinodegang is added"]
}"""
MANIFEST = """{
  "schemaVersion": "kai-snapshot.io/manifest/v1", "id": "%s", "archive": "%s", "sha256": "%s",
  "capture": {"namespace": "kai-snapshots", "name": "hourly"}, "sizeBytes": 1, "uncompressedBytes": 1,
  "scheduledFor": "2026-11-22T10:00:00Z", "capturedAt": "2026-11-22T10:00:00Z", "trigger": "Schedule",
  "healed": true, "config": {"actions": "allocate-%d"}
}"""
