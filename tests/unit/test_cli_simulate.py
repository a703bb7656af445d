"""`kai-snapshot simulate` as scripts and people use it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kai_snapshot.cli.app import app

CORPUS = Path(__file__).parents[1] / "data" / "corpus"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["simulate", *map(str, arguments)])


def test_json_is_a_result_as_the_tool_gives_it() -> None:
    done = run(CORPUS / "10-gang+running" / "snapshot.zip", "-o", "json")
    document = json.loads(done.stdout)
    known = json.loads((CORPUS / "10-gang+running" / "v0.17.0.expected.json").read_bytes())
    assert (done.exit_code, document["engine"]["name"], document["outcome"]) == (0, "Simulator", "Succeeded")
    assert {each["pod"]: each["node"] for each in document["placements"]} == known["bound"]
    assert sorted(each["pod"] for each in document["evictions"]) == sorted(known["evicted"])
    assert document["approximate"]


def test_a_seed_gives_the_same_again() -> None:
    archive = CORPUS / "12-gang+fraction+running" / "snapshot.zip"
    first, second = (json.loads(run(archive, "--seed", 7, "-o", "json").stdout) for _ in range(2))
    assert {**first, "durationsMs": None} == {**second, "durationsMs": None}


def test_text_says_what_to_be_careful_with() -> None:
    done = run(CORPUS / "10-gang+running" / "snapshot.zip")
    assert done.stdout.startswith("Succeeded\npods:   22 bound, 13 evicted, 26 pipelined\n")
    assert "approximate: whom `reclaim` evicts" in done.stdout
    assert "log:" not in done.stdout


@pytest.mark.parametrize(
    ("case", "code", "says"),
    [("22-unknown-action", 1, "Incomplete"), ("21-config-null", 1, "ConfigNull")],
)
def test_what_cannot_be_simulated_is_said(case: str, code: int, says: str) -> None:
    done = run(CORPUS / case / "snapshot.zip")
    assert done.exit_code == code
    assert says in done.output
