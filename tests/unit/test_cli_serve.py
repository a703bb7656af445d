"""`kai-snapshot serve` as people use it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kai_snapshot.cli.app import app
from support.results import recorded
from support.served import serving
from support.simulated import CORPUS

ARCHIVE = CORPUS / "10-gang+running" / "snapshot.zip"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["serve", *map(str, arguments)])


def test_it_serves_an_archive_until_it_is_told_to_end() -> None:
    with serving(ARCHIVE) as site:
        assert site.ask("/api/v1/visualizer/summary").document["totalNodes"] == 14


def test_results_are_shown_with_their_archive(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(recorded("10-gang+running", "v0.17.0").model_dump_json(by_alias=True))
    with serving(ARCHIVE, tmp_path / "result.json") as site:
        assert "at <bdi>v0.17.0</bdi>" in site.ask("/replay?replay=results").body.decode()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "say what to show"),
        ([ARCHIVE, "--live"], "say what to show"),
        ([ARCHIVE, "--dir", "x"], "say what to show"),
        ([ARCHIVE, "--listen", "8080"], "is not HOST:PORT"),
        ([ARCHIVE, "--listen", "127.0.0.1:99999"], "is not HOST:PORT"),
        (["absent.zip"], "absent.zip"),
        (["--live", "--shard", ""], "--shard"),
        ([ARCHIVE, "--behind-tls"], "--sign-in"),
    ],
    ids=["nothing", "two things", "two places", "no host", "no port", "no file", "no shard", "no cookie"],
)
def test_wrong_usage_ends_with_2(arguments: list[object], says: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr


def test_an_address_that_is_taken_is_said() -> None:
    with serving(ARCHIVE) as site:
        result = run(ARCHIVE, "--listen", f"127.0.0.1:{site.port}")
    assert result.exit_code == 3
    assert "ddress already in use" in result.stderr


def test_a_kubeconfig_that_cannot_be_used_is_said_before_anything_is_served(tmp_path: Path) -> None:
    result = run("--live", "--kubeconfig", tmp_path / "absent")
    assert result.exit_code == 3
    assert result.stderr.startswith("kai-snapshot: InvalidKubeconfig: ")
