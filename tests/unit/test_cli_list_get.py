"""`kai-snapshot list` and `kai-snapshot get`, on a directory and on S3."""

import hashlib
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import botocore.session
import pytest
from typer.testing import CliRunner, Result

from kai_snapshot.api.ids import run_id
from kai_snapshot.api.manifest import CaptureIdentity, Manifest, SchedulerIdentity
from kai_snapshot.cli.app import app
from kai_snapshot.errors import Reason
from kai_snapshot.stores import layout
from kai_snapshot.stores.directory import DirectoryStore
from support.s3_server import error, s3_server

FIRST = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Two archives of one capture and one of another."""
    store = DirectoryStore(tmp_path / "place")
    for capture, moment in (("hourly", FIRST), ("hourly", FIRST + timedelta(hours=1)), ("once", FIRST)):
        content = f"{capture} {moment}".encode()
        folder = layout.CaptureFolder("ns", capture)
        sha256 = hashlib.sha256(content).hexdigest()
        manifest = Manifest(
            id=run_id(moment),
            archive=layout.archive_name(run_id(moment), sha256),
            capture=CaptureIdentity(cluster_uid="u", namespace="ns", name=capture),
            sha256=sha256,
            size_bytes=len(content),
            uncompressed_bytes=100,
            object_counts={"pods": 12, "nodes": 3},
            scheduler=SchedulerIdentity(version="v0.17.0"),
            scheduled_for=moment,
            captured_at=moment + timedelta(seconds=3),
            trigger="Schedule",
        )
        store.put(folder.prefix + manifest.archive, io.BytesIO(content))
        store.put(folder.manifest(manifest.id), io.BytesIO(manifest.encode()))
    return tmp_path / "place"


NEWEST = f"hourly {FIRST + timedelta(hours=1)}".encode()


class TestList:
    def test_it_shows_every_archive_oldest_first_in_columns(self, place: Path) -> None:
        result = run("list", "--dir", place)
        assert result.exit_code == 0
        assert result.stdout.splitlines() == [
            "CAPTURE     ID                 CAPTURED               SIZE   NODES   PODS   PODGROUPS   VERSION",
            "ns/hourly   20261122T101500Z   2026-11-22 10:15:03Z   32 B   3       12     -           v0.17.0",
            "ns/hourly   20261122T111500Z   2026-11-22 11:15:03Z   32 B   3       12     -           v0.17.0",
            "ns/once     20261122T101500Z   2026-11-22 10:15:03Z   30 B   3       12     -           v0.17.0",
        ]

    def test_it_shows_one_capture(self, place: Path) -> None:
        assert len(run("list", "--dir", place, "--capture", "ns/once").stdout.splitlines()) == 2

    def test_its_json_holds_the_manifests(self, place: Path) -> None:
        document = json.loads(run("list", "--dir", place, "-o", "json").stdout)
        assert [item["key"].rpartition("-")[0] for item in document["archives"]] == [
            "ns/hourly/20261122T101500Z", "ns/hourly/20261122T111500Z", "ns/once/20261122T101500Z",
        ]  # fmt: skip
        first = document["archives"][0]
        assert first["manifest"]["sha256"] == hashlib.sha256(Path(first["uri"]).read_bytes()).hexdigest()
        assert document["unreadable"] == []

    def test_a_damaged_manifest_spoils_nothing_but_itself(self, place: Path) -> None:
        (place / "ns/hourly/20261122T101500Z.json").write_text('{"schemaVer')
        result = run("list", "--dir", place)
        assert result.exit_code == 1
        assert len(result.stdout.splitlines()) == 3
        assert result.stderr.startswith(
            "kai-snapshot: InvalidManifest: ns/hourly/20261122T101500Z.json is not a manifest"
        )
        document = json.loads(run("list", "--dir", place, "-o", "json").stdout)
        assert [item["reason"] for item in document["unreadable"]] == ["InvalidManifest"]

    def test_an_empty_place_has_no_archives(self, tmp_path: Path) -> None:
        result = run("list", "--dir", tmp_path / "absent")
        assert (result.exit_code, len(result.stdout.splitlines())) == (0, 1)


class TestGet:
    @pytest.mark.parametrize("wanted", ["latest", "20261122T111500Z", "key"])
    def test_an_archive_is_written_to_the_file(self, place: Path, tmp_path: Path, wanted: str) -> None:
        if wanted == "key":
            wanted = next((place / "ns/hourly").glob("20261122T1115*.zip")).relative_to(place).as_posix()
        result = run("get", wanted, "--dir", place, "--capture", "ns/hourly", "-f", tmp_path / "out.zip")
        assert result.exit_code == 0, result.output
        assert (tmp_path / "out.zip").read_bytes() == NEWEST
        assert hashlib.sha256(NEWEST).hexdigest() in result.stdout
        assert "as its manifest says" in result.stdout
        assert result.stderr == ""

    def test_its_json_says_what_was_written(self, place: Path, tmp_path: Path) -> None:
        result = run(
            "get", "latest", "--dir", place, "--capture", "ns/hourly", "-f", tmp_path / "out.zip", "-o", "json"
        )
        document = json.loads(result.stdout)
        assert document["path"] == str(tmp_path / "out.zip")
        assert document["sha256"] == document["manifest"]["sha256"] == hashlib.sha256(NEWEST).hexdigest()
        assert document["sizeBytes"] == len(NEWEST)

    def test_into_a_directory_it_keeps_its_name(
        self, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "into").mkdir()
        name = next((place / "ns/once").glob("*.zip")).name
        run("get", "latest", "--dir", place, "--capture", "ns/once", "-f", tmp_path / "into")
        monkeypatch.chdir(tmp_path)
        run("get", "latest", "--dir", place, "--capture", "ns/once")
        assert (tmp_path / "into" / name).read_bytes() == (tmp_path / name).read_bytes()

    def test_an_archive_that_was_changed_is_not_kept(self, place: Path, tmp_path: Path) -> None:
        next((place / "ns/once").glob("*.zip")).write_bytes(b"something else")
        (tmp_path / "out").mkdir()
        result = run("get", "latest", "--dir", place, "--capture", "ns/once", "-f", tmp_path / "out" / "a.zip")
        assert result.exit_code == 1
        assert result.stderr.startswith("kai-snapshot: ChecksumMismatch: ns/once/")
        assert list((tmp_path / "out").iterdir()) == []

    def test_an_archive_without_a_manifest_is_not_called_checked(self, place: Path, tmp_path: Path) -> None:
        (place / "uploads").mkdir()
        (place / "uploads" / "x.zip").write_bytes(b"x")
        result = run("get", "uploads/x.zip", "--dir", place, "-f", tmp_path / "out.zip")
        assert "no manifest" in result.stdout

    @pytest.mark.parametrize(
        ("arguments", "code", "reason"),
        [
            (["latest"], 2, Reason.INVALID_SPEC),
            (["20261122T101500Z"], 2, Reason.INVALID_SPEC),
            (["20991122T101500Z"], 3, Reason.ARCHIVE_NOT_FOUND),
            (["latest", "--capture", "ns/absent"], 3, Reason.ARCHIVE_NOT_FOUND),
            (["ns/once/absent.zip"], 3, Reason.ARCHIVE_NOT_FOUND),
            (["../secret/x"], 2, Reason.INVALID_SPEC),
        ],
        ids=[
            "latest of several",
            "an id of several",
            "no such id",
            "no such capture",
            "no such key",
            "a path outwards",
        ],
    )
    def test_what_cannot_be_found_is_said(
        self, place: Path, tmp_path: Path, arguments: list[str], code: int, reason: Reason
    ) -> None:
        result = run("get", *arguments, "--dir", place, "-f", tmp_path / "out.zip")
        assert result.exit_code == code
        assert result.stderr.startswith(f"kai-snapshot: {reason}: ")
        assert not (tmp_path / "out.zip").exists()


class TestPlaces:
    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            ([], "either --s3 or --dir"),
            (["--dir", "x", "--s3", "s3://bucket"], "either --s3 or --dir"),
            (["--s3", "bucket/prefix"], "does not begin with s3://"),
            (["--s3", "s3://B"], "--s3"),
            (["--s3", "s3://bucket/../x"], "--s3"),
            (["--s3", "s3://bucket", "--endpoint", "minio:9000"], "--endpoint"),
            (["--dir", "x", "--capture", "hourly"], "NAMESPACE/NAME"),
            (["--s3", "s3://bucket", "--ca-file", "absent.pem"], "--ca-file"),
        ],
        ids=["none", "two", "no scheme", "no bucket", "outwards", "no address", "no capture", "no file"],
    )
    def test_wrong_usage_ends_with_2(self, arguments: list[str], says: str) -> None:
        result = run("list", *arguments)
        assert result.exit_code == 2
        assert says in result.stderr

    def test_a_bucket_is_asked_with_ones_own_credentials(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "MINE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
        monkeypatch.setattr("kai_snapshot.stores.s3_client._ambient_session", botocore.session.Session)
        with s3_server(lambda request: error(404, "NoSuchBucket")) as server:
            result = run("list", "--s3", "s3://snapshots/prod/", "--endpoint", server.url, "--path-style")
        assert result.exit_code == 3
        assert result.stderr.startswith("kai-snapshot: BucketNotFound: ")
        assert "Credential=MINE/" in server.requests[0].headers["Authorization"]
        assert "prefix=prod%2F" in server.requests[0].path
