"""`kai-snapshot parse-log` as scripts use it."""

import gzip
import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kai_snapshot.cli.app import app
from support.toollogs import Log

CORPUS = Path(__file__).parents[1] / "data" / "corpus"
OVERQUOTA = CORPUS / "11-gang+running+overq"


def run(*arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["parse-log", *map(str, arguments)], input=stdin)


def test_json_is_the_whole_result_and_nothing_else() -> None:
    found = run(
        OVERQUOTA / "v0.17.0.stderr.gz", "--stdout", OVERQUOTA / "v0.17.0.stdout", "--exit-code", 0,
        "--archive", OVERQUOTA / "snapshot.zip", "--tool-version", "v0.17.0", "-o", "json",
    )  # fmt: skip
    document = json.loads(found.stdout)
    known = json.loads((OVERQUOTA / "v0.17.0.expected.json").read_bytes())
    assert found.exit_code == 0
    assert (document["outcome"], document["exitCode"], document["engine"]["version"]) == ("Succeeded", 0, "v0.17.0")
    assert {placement["pod"]: placement["node"] for placement in document["placements"]} == known["bound"]
    assert {job["name"]: job["outcome"] for job in document["podGroups"]} == known["jobs"]


def test_plain_text_and_standard_input_are_read_like_gzip() -> None:
    packed = (OVERQUOTA / "v0.17.0.stderr.gz").read_bytes()
    outputs = [run("-", "-o", "json", stdin=text).stdout for text in (packed, gzip.decompress(packed))]
    assert outputs[0] == outputs[1] == run(OVERQUOTA / "v0.17.0.stderr.gz", "-o", "json").stdout


def test_text_says_the_outcome_first() -> None:
    lines = run(OVERQUOTA / "v0.17.0.stderr.gz").stdout.splitlines()
    assert lines[0] == "Succeeded"
    assert "evicted" in lines[1]


@pytest.mark.parametrize(
    ("case", "version", "code", "outcome"),
    [("07-gang+elastic", "v0.9.0", 2, "Panicked"), ("22-unknown-action", "v0.17.0", 0, "Incomplete")],
)
def test_exit_status_is_1_when_the_run_did_not_succeed(case: str, version: str, code: int, outcome: str) -> None:
    log, archive = CORPUS / case / f"{version}.stderr.gz", CORPUS / case / "snapshot.zip"
    found = run(log, "--exit-code", code, "--archive", archive, "-o", "json")
    assert (found.exit_code, json.loads(found.stdout)["outcome"]) == (1, outcome)


def test_an_archive_is_named_in_the_result() -> None:
    archive = OVERQUOTA / "snapshot.zip"
    found = run(OVERQUOTA / "v0.17.0.stderr.gz", "--archive", archive, "-o", "json")
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert json.loads(found.stdout)["archive"] == {"name": "snapshot.zip", "sha256": sha256}


def test_an_archive_adds_the_queues_names(tmp_path: Path) -> None:
    log = Log((0, 17, 0))
    log.open({})
    log.enter("allocate")
    log.succeed("prod-0/train-0053", [])
    log.leave(1)
    (tmp_path / "stderr").write_bytes(log.text())
    archive = CORPUS / "13-gang+fraction+running+overq+prio+three" / "snapshot.zip"
    found = run(tmp_path / "stderr", "--archive", archive, "-o", "json")
    assert json.loads(found.stdout)["podGroups"][0]["queue"] == "prod-0"


@pytest.mark.parametrize(
    "arguments",
    [["no-such-file"], [OVERQUOTA], [], [OVERQUOTA / "v0.17.0.stderr.gz", "--exit-code", "x"]],
    ids=["no such file", "a directory", "nothing", "no number"],
)
def test_wrong_usage_is_exit_status_2(arguments: list[object]) -> None:
    assert run(*arguments).exit_code == 2
