"""`kai-snapshot inspect`: what it prints, and its exit codes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kai_snapshot.cli.app import app

CORPUS = Path(__file__).parent.parent / "data" / "corpus"


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


@pytest.mark.parametrize(
    "arguments",
    [(), ("a.zip", "-o", "xml"), ("a.zip", "b.zip"), ("none.zip",), (CORPUS,)],
    ids=["nothing", "an unknown format", "two files", "a file that is not there", "a folder"],
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
