"""`kai-snapshot redact` and `translate` as people use them."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from kai_snapshot.api.manifest import Manifest
from kai_snapshot.cli.app import app
from kai_snapshot.errors import TerminalError
from kai_snapshot.redaction.key import Key
from kai_snapshot.runs.redact import redact_archive
from support.redactable import content
from support.simulated import CORPUS

ARCHIVE = CORPUS / "10-gang+running" / "snapshot.zip"
NO_ARCHIVE = Path(__file__)
NULL = CORPUS / "21-config-null" / "snapshot.zip"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "redaction.key"
    file.write_bytes(b"a key of thirty-two bytes or more, for tests\n")
    return file


def redact(archive: Path, folder: Path, *more: object) -> Result:
    return run("redact", archive, "--key-file", folder / "redaction.key", "--table", folder / "table.gz", *more)


def manifest(archive: Path, **changes: Any) -> dict[str, Any]:
    return {
        "schemaVersion": "kai-snapshot.io/manifest/v1",
        "id": "20261122T120000Z",
        "archive": "20261122T120000Z-01234567.zip",
        "capture": {"clusterUID": "secret-cluster", "namespace": "falcon", "name": "hourly"},
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "sizeBytes": 1,
        "uncompressedBytes": 1,
        "scheduler": {"image": "registry.acme.com/kai:v0.17.0", "version": "v0.17.0", "pod": "acme-pod"},
        "scheduledFor": "2026-11-22T12:00:00Z",
        "capturedAt": "2026-11-22T12:00:00Z",
        "trigger": "Schedule",
        **changes,
    }


def test_a_result_of_the_redacted_archive_is_turned_back_into_that_of_the_original(key: Path, tmp_path: Path) -> None:
    redacted, result = tmp_path / "redacted.zip", tmp_path / "result.json"
    done = redact(ARCHIVE, key.parent, "-f", redacted, "-o", "json")
    document = json.loads(done.stdout)
    assert (done.exit_code, document["path"], document["problems"], document["dropped"]) == (0, str(redacted), [], {})
    assert (tmp_path / "table.gz").stat().st_mode & 0o077 == 0
    assert document["sha256"] == hashlib.sha256(redacted.read_bytes()).hexdigest()
    result.write_text(run("simulate", redacted, "-o", "json").stdout)
    translated = run("translate", result, "--table", tmp_path / "table.gz")
    found, wanted = json.loads(translated.stdout), json.loads(run("simulate", ARCHIVE, "-o", "json").stdout)
    for each in (found, wanted):
        del each["archive"], each["durationsMs"]
    assert found == wanted
    assert translated.exit_code == 0


def test_text_and_logs_are_turned_back_too(key: Path, tmp_path: Path) -> None:
    redacted, log, out = tmp_path / "redacted.zip", tmp_path / "tool.log.gz", tmp_path / "tool.log"
    redact(ARCHIVE, key.parent, "-f", redacted)
    pods = zip(content(ARCHIVE)["rawObjects"]["pods"], content(redacted)["rawObjects"]["pods"], strict=True)
    original, changed = next(pods)
    said = "I1122 Bound pod <{namespace}/{name}>\n"
    log.write_bytes(gzip.compress(said.format(**changed["metadata"]).encode()))
    assert run("translate", log, "--table", tmp_path / "table.gz", "-f", out).exit_code == 0
    assert out.read_text() == said.format(**original["metadata"])


def test_a_name_that_json_has_to_escape_is_escaped(key: Path, tmp_path: Path) -> None:
    del key
    (tmp_path / "table.gz").write_bytes(
        gzip.compress(b'{"schemaVersion":"kai-snapshot.io/redaction-table/v1"}\n["n0123456789abcdef","a\\"b"]\n')
    )
    (tmp_path / "result.json").write_text('{"pod": "n0123456789abcdef"}')
    done = run("translate", tmp_path / "result.json", "--table", tmp_path / "table.gz")
    assert json.loads(done.stdout) == {"pod": 'a"b'}


def test_pseudonyms_of_another_table_stay_and_are_counted(key: Path, tmp_path: Path) -> None:
    redact(ARCHIVE, key.parent, "-f", tmp_path / "redacted.zip")
    text = "n0123456789abcdef, nfedcba9876543210 and the word nonrepresentation"
    (tmp_path / "result.txt").write_text(text)
    done = run("translate", tmp_path / "result.txt", "--table", tmp_path / "table.gz")
    assert (done.exit_code, done.stdout) == (1, text)
    assert "2 pseudonyms are not in" in done.stderr


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"\x1f\x8bno", b"not even gzip"])
def test_what_is_no_table_is_refused(damage: bytes, key: Path, tmp_path: Path) -> None:
    del key
    (tmp_path / "table.gz").write_bytes(gzip.compress(damage) if damage.startswith((b"", b"{}")) else damage)
    (tmp_path / "result.txt").write_text("n0123456789abcdef")
    done = run("translate", tmp_path / "result.txt", "--table", tmp_path / "table.gz")
    assert (done.exit_code, "InvalidTable" in done.stderr) == (3, True)


def test_a_manifest_loses_whose_it_is_and_keeps_what_a_replay_needs(key: Path, tmp_path: Path) -> None:
    about = tmp_path / "manifest.json"
    about.write_text(json.dumps(manifest(NULL, healed=True, config={"actions": "allocate, falcon", "tiers": []})))
    done = redact(NULL, key.parent, "-f", tmp_path / "out.zip", "--manifest", about)
    assert done.exit_code == 0
    text = (tmp_path / "out.json").read_text()
    assert not any(secret in text for secret in ("falcon", "acme", "secret-cluster"))
    told = Manifest.decode(text.encode(), where="out.json")
    assert told.sha256 == hashlib.sha256((tmp_path / "out.zip").read_bytes()).hexdigest()
    assert told.scheduler.version == "v0.17.0"
    assert told.redaction is not None
    simulated = run("simulate", tmp_path / "out.zip", "--manifest", tmp_path / "out.json", "-o", "json")
    assert json.loads(simulated.stdout)["outcome"] == "Incomplete"


def test_a_manifest_of_another_archive_is_refused_and_nothing_is_written(key: Path, tmp_path: Path) -> None:
    about = tmp_path / "manifest.json"
    about.write_text(json.dumps(manifest(NULL)))
    done = redact(ARCHIVE, key.parent, "-f", tmp_path / "out.zip", "--manifest", about)
    assert (done.exit_code, "ChecksumMismatch" in done.stderr) == (1, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.json", "redaction.key"]


def test_an_archive_that_is_damaged_leaves_neither_archive_nor_table(key: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.zip"
    cut.write_bytes(ARCHIVE.read_bytes()[:2000])
    done = redact(cut, key.parent, "-f", tmp_path / "out.zip")
    assert (done.exit_code, "InvalidArchive" in done.stderr) == (1, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.zip", "redaction.key"]


def test_a_table_that_is_there_is_kept(key: Path, tmp_path: Path) -> None:
    redact(ARCHIVE, key.parent, "-f", tmp_path / "redacted.zip")
    table = (tmp_path / "table.gz").read_bytes()
    again = redact(NULL, key.parent, "-f", tmp_path / "other.zip")
    assert (again.exit_code, (tmp_path / "other.zip").exists()) == (2, False)
    assert (tmp_path / "table.gz").read_bytes() == table


def test_a_table_is_whole_or_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "table.gz"
    path.write_bytes(b"the one before")
    with pytest.raises(TerminalError):
        redact_archive(NO_ARCHIVE, tmp_path / "out.zip", path, Key(b"k" * 32, where=""))
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"the one before", [path])


def test_a_result_that_is_cut_off_is_said(key: Path, tmp_path: Path) -> None:
    redact(ARCHIVE, key.parent, "-f", tmp_path / "redacted.zip")
    (tmp_path / "tool.log.gz").write_bytes(gzip.compress(b"text" * 99)[:-9])
    done = run("translate", tmp_path / "tool.log.gz", "--table", tmp_path / "table.gz")
    assert (done.exit_code, "tool.log.gz is a gzip file that is damaged" in done.stderr) == (3, True)


def test_a_table_with_other_bytes_in_it_is_refused(key: Path, tmp_path: Path) -> None:
    redact(ARCHIVE, key.parent, "-f", tmp_path / "redacted.zip")
    damaged = bytearray((tmp_path / "table.gz").read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 20] = bytes(20)
    (tmp_path / "table.gz").write_bytes(damaged)
    (tmp_path / "result.txt").write_text("n0123456789abcdef")
    done = run("translate", tmp_path / "result.txt", "--table", tmp_path / "table.gz")
    assert (done.exit_code, "InvalidTable" in done.stderr) == (3, True)


def test_a_short_key_is_refused(key: Path, tmp_path: Path) -> None:
    key.write_bytes(b"short")
    done = redact(ARCHIVE, tmp_path, "-f", tmp_path / "out.zip")
    assert (done.exit_code, "InvalidKey" in done.stderr) == (3, True)


@pytest.mark.parametrize("name", ["table.gz", "redaction.key"])
def test_files_do_not_overwrite_each_other(name: str, key: Path, tmp_path: Path) -> None:
    before = key.read_bytes()
    assert redact(ARCHIVE, tmp_path, "-f", tmp_path / name).exit_code == 2
    assert key.read_bytes() == before
    assert not (tmp_path / "table.gz").exists()


def test_a_config_that_is_null_is_said(key: Path, tmp_path: Path) -> None:
    done = redact(NULL, key.parent, "-f", tmp_path / "out.zip")
    assert (done.exit_code, "ConfigNull" in done.stderr) == (1, True)
