"""The command where the scheduler is down: what it would serve, from the API server's lists."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from kai_snapshot.cli.app import app
from kai_snapshot.errors import Reason, TransientError
from support.apicluster import PATHS, api_server, document, kubeconfig_of
from support.apiserver import ApiServer
from support.served import Given, served, serving
from support.simulated import CORPUS

LIVE = document(CORPUS / "19-live" / "snapshot.zip")
GANG = CORPUS / "01-gang" / "snapshot.zip"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def said(*arguments: object) -> Any:
    done = run(*arguments, "-o", "json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def server() -> ApiServer:
    return api_server(LIVE)


@pytest.fixture
def kubeconfig(server: ApiServer, tmp_path: Path) -> Iterator[Path]:
    with kubeconfig_of(server, tmp_path) as path:
        yield path


class TestCapture:
    def test_into_a_file_it_is_inspected_and_simulated_and_its_manifest_lies_beside_it(
        self, kubeconfig: Path, tmp_path: Path
    ) -> None:
        archive = tmp_path / "now.zip"
        manifest = said("capture", "--from-api", "--kubeconfig", kubeconfig, "-f", archive)["manifest"]
        assert manifest["builtFromAPI"]["resourceVersions"]["podGroups"] == ["100"]
        assert "because" not in manifest["builtFromAPI"]
        assert json.loads((tmp_path / "now.json").read_text()) == manifest
        assert said("inspect", archive)["builtFromAPI"] is True
        assert "no scheduler served it" in run("inspect", archive, "--manifest", tmp_path / "now.json").stdout
        assert (
            said("simulate", archive)["placements"]
            == said("simulate", CORPUS / "19-live" / "snapshot.zip")["placements"]
        )

    def test_in_a_storage_it_is_listed_as_what_it_is(self, kubeconfig: Path, tmp_path: Path) -> None:
        said("capture", "--from-api", "--kubeconfig", kubeconfig, "--dir", tmp_path / "place")
        assert "from the API server" in run("list", "--dir", tmp_path / "place").stdout

    def test_people_are_told(self, kubeconfig: Path, tmp_path: Path) -> None:
        done = run("capture", "--from-api", "--kubeconfig", kubeconfig, "-f", tmp_path / "now.zip")
        assert "from v0.17.0, built from the API server, SHA-256" in done.stdout

    def test_a_right_that_is_missing_is_named(self, server: ApiServer, kubeconfig: Path, tmp_path: Path) -> None:
        server.statuses[PATHS["podGroups"]] = 403
        done = run("capture", "--from-api", "--kubeconfig", kubeconfig, "-f", tmp_path / "now.zip")
        assert done.exit_code == 3
        assert (
            'a ClusterRole with apiGroups ["scheduling.run.ai"], resources ["podgroups"], verbs ["list"]' in done.stderr
        )
        assert not (tmp_path / "now.zip").exists()

    def test_of_a_url_is_a_contradiction(self) -> None:
        assert run("capture", "--from-api", "--url", "http://localhost:1").exit_code == 2


class TestTheSnapshotEndpoint:
    @pytest.mark.parametrize("arguments", [["--from-api", "--snapshot-endpoint"], ["--snapshot-endpoint"]])
    def test_gives_what_the_scheduler_would(self, kubeconfig: Path, arguments: list[str]) -> None:
        with serving(*arguments, "--kubeconfig", kubeconfig) as site:
            answer = site.ask("/get-snapshot")
            assert site.ask("/api/v1/visualizer/summary").document["totalNodes"] == 9
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/zip"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="snapshot.zip"'
        with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
            assert archive.namelist() == ["snapshot.json"]
            assert json.loads(archive.read("snapshot.json"))["schedulerParams"] == LIVE["schedulerParams"]

    def test_gives_the_bytes_of_an_archive(self) -> None:
        with serving(GANG, "--snapshot-endpoint") as site:
            assert site.ask("/get-snapshot").body == GANG.read_bytes()

    def test_gives_the_newest_of_a_storage(self, kubeconfig: Path, tmp_path: Path) -> None:
        stored = said("capture", "--from-api", "--kubeconfig", kubeconfig, "--dir", tmp_path / "place")["manifest"]
        with serving("--dir", tmp_path / "place", "--snapshot-endpoint") as site:
            assert hashlib.sha256(site.ask("/get-snapshot").body).hexdigest() == stored["sha256"]

    def test_is_not_there_unless_it_is_asked_for(self) -> None:
        with serving(GANG) as site:
            assert site.ask("/get-snapshot").status == 404

    def test_is_not_for_other_sites_pages(self, tmp_path: Path) -> None:
        place = Given(TransientError(Reason.SOURCE_UNREACHABLE, "m"))
        place.file = tmp_path / "a.zip"
        place.file.write_bytes(b"PK")
        with served(place, origin="*", snapshot_endpoint=True) as site:
            answer = site.ask("/get-snapshot")
            assert answer.body == b"PK"
            assert "Access-Control-Allow-Origin" not in answer.headers
        assert not place.file.exists()

    def test_says_why_it_has_none(self, server: ApiServer, kubeconfig: Path) -> None:
        server.statuses[PATHS["pods"]] = 403
        with serving("--snapshot-endpoint", "--kubeconfig", kubeconfig) as site:
            answer = site.ask("/get-snapshot")
        assert answer.status >= 500
        assert b"May not list pods" in answer.body

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            ([GANG, "--snapshot-endpoint", "--listen", "0.0.0.0:0"], "--sign-in"),
            ([GANG, "--from-api"], "say what to show"),
            (["--from-api", "--url", "http://localhost:1"], "--url or --from-api"),
        ],
        ids=["for everybody", "two things", "two ways"],
    )
    def test_wrong_usage_ends_with_2(self, arguments: list[object], says: str) -> None:
        done = run("serve", *arguments)
        assert done.exit_code == 2
        assert says in done.stderr
