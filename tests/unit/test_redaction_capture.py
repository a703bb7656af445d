"""A redaction as the operator has it: what a spec may say, which key a run gets, and how long tables stay."""

import asyncio
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kai_snapshot.api.snapshotcapture import SnapshotCapture
from kai_snapshot.api.storage import Storage
from kai_snapshot.cluster import CAPTURES
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.runs import drive_capture
from kai_snapshot.runs.request import RedactionRequest
from kai_snapshot.runs.tables import prune_tables, redaction_of
from kai_snapshot.stores import layout, owner
from kai_snapshot.stores.directory import DirectoryStore
from kai_snapshot.stores.memory import MemoryStore
from support.cluster import NAMESPACE, FakeCluster, services
from support.resources import capture

KEY = {"name": "redaction-key"}
S3 = {"bucket": "archives", "endpoint": "https://s3.example.com", "credentialsSecretRef": {"name": "s3"}}
FOLDER = layout.CaptureFolder("kai-snapshots", "hourly")
SHA256 = "0" * 64
OWNER = "0123abcd"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def model(storage: dict[str, Any], table: dict[str, Any], **spec: Any) -> SnapshotCapture:
    redaction = {"keySecretRef": KEY, "table": table}
    return SnapshotCapture.model_validate(capture(storage=storage, redaction=redaction, **spec))


@pytest.mark.parametrize(
    ("storage", "table"),
    [
        ({"s3": S3}, {"s3": {**S3, "bucket": "tables"}}),
        ({"s3": {**S3, "prefix": "a"}}, {"s3": {**S3, "prefix": "a-tables"}}),
        ({"s3": S3}, {"s3": {**S3, "endpoint": "https://other.example.com"}}),
        ({"s3": S3}, {"pvc": {"claimName": "tables"}}),
        ({"pvc": {"claimName": "archives"}}, {"pvc": {"claimName": "tables"}}),
        ({"pvc": {"claimName": "one", "subPath": "a"}}, {"pvc": {"claimName": "one", "subPath": "b"}}),
    ],
)
def test_a_table_may_lie_in_another_place(storage: dict[str, Any], table: dict[str, Any]) -> None:
    assert model(storage, table).spec.redaction is not None


@pytest.mark.parametrize(
    ("storage", "table"),
    [
        ({"s3": S3}, {"s3": S3}),
        ({"s3": S3}, {"s3": {**S3, "prefix": "tables"}}),
        ({"s3": {**S3, "prefix": "a/b"}}, {"s3": {**S3, "prefix": "a"}}),
        ({"pvc": {"claimName": "archives"}}, {"pvc": {"claimName": "archives", "subPath": "tables"}}),
    ],
)
def test_a_table_may_not_lie_with_its_archive(storage: dict[str, Any], table: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="another place than storage"):
        model(storage, table)


def test_an_environment_would_name_what_the_redaction_hides() -> None:
    with pytest.raises(ValidationError, match="exclude each other"):
        model({"s3": S3}, {"pvc": {"claimName": "tables"}}, environment={"mode": "ClusterOnly"})


def test_a_run_gets_the_key_of_the_secret_and_hands_it_to_its_child_as_it_is(tmp_path: Path) -> None:
    cluster = FakeCluster()
    cluster.secrets["redaction-key"] = {"stringData": {"redaction.key": "k" * 40}}
    told = redaction_of(services(cluster, claims=tmp_path), model({"s3": S3}, {"pvc": {"claimName": "tables"}}))
    assert told is not None
    read = type(told).model_validate_json(told.model_dump_json(by_alias=True))
    assert (read.key, read.table.pvc) == (b"k" * 40, told.table.pvc)


@pytest.mark.parametrize("secret", [None, {"stringData": {"other": "x"}}])
def test_a_secret_that_is_missing_is_named(secret: dict[str, Any] | None, tmp_path: Path) -> None:
    cluster = FakeCluster()
    if secret is not None:
        cluster.secrets["redaction-key"] = secret
    with pytest.raises(TerminalError, match=r"redaction-key with the key redaction\.key does not exist") as refused:
        redaction_of(services(cluster, claims=tmp_path), model({"s3": S3}, {"pvc": {"claimName": "tables"}}))
    assert refused.value.reason is Reason.CREDENTIALS_NOT_FOUND


def test_a_place_for_tables_that_is_not_mounted_is_said_before_anything_runs(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "archives").mkdir()
    monkeypatch.setattr("os.path.ismount", lambda path: Path(path).exists())
    cluster = FakeCluster()
    redaction = {"keySecretRef": KEY, "table": {"pvc": {"claimName": "tables"}}}
    cluster.put(CAPTURES, capture(storage={"pvc": {"claimName": "archives"}}, redaction=redaction))
    asyncio.run(drive_capture.drive(services(cluster, claims=tmp_path), NAMESPACE, "hourly", lambda: None))
    seen = cluster.get(CAPTURES, NAMESPACE, "hourly")
    assert seen is not None
    ready = next(each for each in seen["status"]["conditions"] if each["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ClaimNotMounted")
    assert "tables" in ready["message"]


def test_any_bytes_of_a_key_come_through_the_pipe() -> None:
    table = Storage.model_validate({"pvc": {"claimName": "tables"}})
    told = RedactionRequest.model_construct(key=bytes(range(256)), key_from="", table=table)
    assert RedactionRequest.model_validate_json(told.model_dump_json(by_alias=True)).key == bytes(range(256))


def a_store(*keys: str, age: timedelta = timedelta()) -> MemoryStore:
    store = MemoryStore(clock=lambda: NOW - age)
    for key in keys:
        store.put(key, io.BytesIO(b"x"))
    return store


def keys(store: MemoryStore) -> list[str]:
    return [entry.key for entry in store.list("")]


@pytest.mark.parametrize(
    ("age", "now", "stays"),
    [
        (timedelta(hours=1), NOW, True),
        (timedelta(hours=25), NOW, False),
        (timedelta(hours=1), None, False),
    ],
    ids=["a run may be about to store its archive", "its archive is gone", "the capture is gone"],
)
def test_a_table_goes_with_its_archive(age: timedelta, now: datetime | None, stays: bool) -> None:
    kept, gone = (FOLDER.table(id_, SHA256, owner=OWNER) for id_ in ("20261120T100000Z", "20261119T100000Z"))
    foreign = "kai-snapshots/hourly/notes.txt"
    tables = a_store(kept, gone, foreign, age=age)
    prune_tables(tables, a_store(FOLDER.manifest("20261120T100000Z")), FOLDER, owner=OWNER, now=now)
    assert keys(tables) == sorted([kept, foreign, *([gone] if stays else [])])


def test_tables_of_archives_in_another_place_or_of_another_cluster_stay() -> None:
    here, elsewhere = (Storage.model_validate({"s3": {**S3, "bucket": bucket}}) for bucket in ("here", "elsewhere"))
    others = [owner(elsewhere, "this"), owner(here, "another")]
    tables = a_store(*(FOLDER.table("20261119T100000Z", SHA256, owner=each) for each in others), age=timedelta(days=9))
    before = keys(tables)
    prune_tables(tables, a_store(), FOLDER, owner=owner(here, "this"), now=None)
    assert keys(tables) == before
    assert len(before) == 2


def test_the_tables_go_with_a_capture_whose_archives_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.ismount", lambda path: Path(path).exists())
    folder, id_ = layout.CaptureFolder(NAMESPACE, "hourly"), "20261120T100000Z"
    stores = {}
    for claim in ("archives", "tables"):
        (tmp_path / claim).mkdir()
        stores[claim] = DirectoryStore(tmp_path / claim, name=f"pvc://{claim}")
    stores["archives"].put(folder.archive(id_, SHA256), io.BytesIO(b"zip"))
    place, cluster = Storage.model_validate({"pvc": {"claimName": "archives"}}), FakeCluster()
    whose = owner(place, services(cluster, claims=tmp_path).cluster_uid)
    stores["tables"].put(folder.table(id_, SHA256, owner=whose), io.BytesIO(b"table"))
    redaction = {"keySecretRef": KEY, "table": {"pvc": {"claimName": "tables"}}}
    spec = capture(storage={"pvc": {"claimName": "archives"}}, redaction=redaction, deletionPolicy="Delete")
    spec["metadata"] |= {"finalizers": ["kai-snapshot.io/archive-cleanup"], "deletionTimestamp": "2026-11-22T11:00:00Z"}
    cluster.put(CAPTURES, spec)
    asyncio.run(drive_capture.drive(services(cluster, claims=tmp_path), NAMESPACE, "hourly", lambda: None))
    assert cluster.get(CAPTURES, NAMESPACE, "hourly") is None
    assert [list(store.list()) for store in stores.values()] == [[], []]
