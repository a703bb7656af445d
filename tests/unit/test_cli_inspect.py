"""`kai-snapshot inspect`: what it prints, and its exit codes."""

import hashlib
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from kai_snapshot.cli.app import app
from support import zips

CORPUS = Path(__file__).parent.parent / "data" / "corpus"
ANY = CORPUS / "01-gang" / "snapshot.zip"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["inspect", *map(str, arguments)])


def test_the_finding_is_a_document_for_scripts() -> None:
    done = run(CORPUS / "19-live" / "snapshot.zip", "-o", "json")
    found = json.loads(done.stdout)
    assert done.exit_code == 0
    assert found["valid"] is True
    assert found["problems"] == []
    assert found["objectCounts"]["pods"] == 42
    assert found["topLevelKeys"] == ["config", "schedulerParams", "rawObjects", "discovery"]
    assert found["configPresent"] is True
    assert (found["sizeBytes"], found["uncompressedBytes"]) == (14267, 166781)
    assert found["sha256"] == "601b5384a458fcd391336fd57da00d59781a6b43513c64cf9e461af20fb9203c"
    assert done.stderr == ""


def test_a_finding_that_is_bad_ends_with_1() -> None:
    done = run(CORPUS / "21-config-null" / "snapshot.zip", "-o", "json")
    assert done.exit_code == 1
    assert [problem["reason"] for problem in json.loads(done.stdout)["problems"]] == ["ConfigNull"]
    assert json.loads(done.stdout)["configPresent"] is False


def test_people_get_a_page() -> None:
    done = run(CORPUS / "19-live" / "snapshot.zip")
    assert done.exit_code == 0
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert lines[0] == ["valid"]
    assert ["pods", "42"] in lines
    assert ["Kubernetes", "v1.35.4"] in lines
    bad = run(CORPUS / "21-config-null" / "snapshot.zip")
    assert bad.stdout.startswith("not valid\n  ConfigNull: ")


def test_versions_are_judged_one_by_one() -> None:
    versions = ("--for", "v0.14.7", "--for", "v0.17.0")
    done = run(CORPUS / "23-pre-v0.16-config" / "snapshot.zip", *versions, "-o", "json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["valid"]) == (0, True)
    older, newer = found["compatibility"]
    assert older == {"version": "v0.14.7", "findings": []}
    assert newer["version"] == "v0.17.0"
    assert [(each["severity"], each["code"]) for each in newer["findings"]] == [("Note", "PluginsAdded")]
    page = run(CORPUS / "23-pre-v0.16-config" / "snapshot.zip", *versions).stdout
    assert "\n\nfor v0.14.7\n  nothing to report\n\nfor v0.17.0\n  Note PluginsAdded: " in page
    assert "compatibility" not in json.loads(run(CORPUS / "19-live" / "snapshot.zip", "-o", "json").stdout)


def manifest(path: Path, archive: Path, **changes: Any) -> Path:
    """The manifest of an archive."""
    content = {
        "id": "20261122T101500Z",
        "archive": "20261122T101500Z-00000000.zip",
        "capture": {"namespace": "kai-snapshots", "name": "hourly"},
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "sizeBytes": archive.stat().st_size,
        "uncompressedBytes": 1,
        "scheduler": {"version": "v0.16.4"},
        "scheduledFor": "2026-11-22T10:15:00Z",
        "capturedAt": "2026-11-22T10:15:00Z",
        "trigger": "Schedule",
    }
    path.write_text(json.dumps(content | changes))
    return path


def test_the_manifest_tells_what_the_archive_does_not(tmp_path: Path) -> None:
    archive = CORPUS / "21-config-null" / "snapshot.zip"
    about = manifest(tmp_path / "healed.json", archive, healed=True, config={"actions": "allocate", "tiers": []})
    done = run(archive, "--manifest", about, "--for", "AsCaptured", "--for", "v0.17.0", "-o", "json")
    reports = json.loads(done.stdout)["compatibility"]
    codes = [(report["version"], [finding["code"] for finding in report["findings"]]) for report in reports]
    assert codes == [("AsCaptured", ["ConfigHealed"]), ("v0.17.0", ["ConfigHealed"])]
    assert done.exit_code == 1, "the archive itself is not valid"


def test_a_version_that_cannot_replay_a_whole_archive_ends_with_1_too(tmp_path: Path) -> None:
    document = orjson.dumps(
        {
            "config": {"actions": "allocate"},
            "schedulerParams": {},
            "rawObjects": {"pods": []},
            "discovery": {"resources": [{"groupVersion": "topology.node.k8s.io/v1alpha2"}]},
        }
    )
    path = tmp_path / "snapshot.zip"
    path.write_bytes(zips.archive(document))
    assert run(path, "--for", "v0.17.0").exit_code == 0
    assert run(path, "--for", "v0.17.0", "--for", "v0.16.8").exit_code == 1


def test_a_name_that_is_no_release_is_judged_as_the_newest() -> None:
    page = run(CORPUS / "23-pre-v0.16-config" / "snapshot.zip", "--for", "v17.0").stdout
    assert "for v17.0, which is no release and judged as the newest\n  Note PluginsAdded: " in page


def test_a_manifest_of_another_archive_is_refused(tmp_path: Path) -> None:
    about = manifest(tmp_path / "other.json", CORPUS / "19-live" / "snapshot.zip")
    done = run(CORPUS / "01-gang" / "snapshot.zip", "--manifest", about, "--for", "v0.17.0")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "ChecksumMismatch" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("a.zip", "-o", "xml"),
        ("a.zip", "b.zip"),
        ("none.zip",),
        (CORPUS,),
        (ANY, "--for", "AsCaptured"),
        (ANY, "--for", ""),
    ],
    ids=[
        "nothing",
        "an unknown format",
        "two files",
        "a missing file",
        "a folder",
        "a version nobody knows",
        "no version",
    ],
)
def test_wrong_usage_is_told_apart(arguments: tuple[object, ...]) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr


def test_what_is_not_an_archive_is_a_finding_too(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<html>404 page not found</html>")
    done = run(tmp_path / "page.html", "-o", "json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["problems"][0]["reason"] == "NotAZip"
