"""The command as a whole: help, exit codes, what it loads, and a snapshot's way from a scheduler to a replay."""

import asyncio
import hashlib
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from kai_snapshot.cli import app as commands
from kai_snapshot.cli import output
from kai_snapshot.errors import Reason, TerminalError
from support import kai
from support.apiserver import ApiServer, serving
from support.scheduler import PluginHandler, Server, StandIn

CORPUS = Path(__file__).parents[1] / "data" / "corpus"
GANG = CORPUS / "01-gang"
EVERYTHING = commands.COMMANDS | commands.HIDDEN


def run(*arguments: object) -> Result:
    return CliRunner().invoke(commands.app, list(map(str, arguments)))


def document(*arguments: object) -> Any:
    done = run(*arguments, "-o", "json")
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    return json.loads(done.stdout)


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[StandIn, str]]:
    """A scheduler, and the URL of its plugin server. Its log would be taken for the command's."""
    monkeypatch.setattr("support.scheduler.log", lambda _: None)
    standin = StandIn((GANG / "snapshot.zip").read_bytes())
    server = Server(("127.0.0.1", 0), PluginHandler, standin)
    server.start()
    yield standin, f"http://127.0.0.1:{server.port}"
    standin.stopped.set()
    server.stop()


class TestHelp:
    def test_it_names_every_command_but_those_not_for_people(self) -> None:
        shown = run("--help").stdout
        named = [name for name in EVERYTHING if re.search(rf"^\W+{name} ", shown, re.MULTILINE)]
        assert named == list(commands.COMMANDS)

    @pytest.mark.parametrize("name", EVERYTHING)
    def test_every_command_has_one(self, name: str) -> None:
        done = run(name, "--help")
        assert (done.exit_code, f"Usage: kai-snapshot {name}" in done.stdout) == (0, True)

    def test_the_version_is_the_packages(self) -> None:
        assert run("--version").stdout == f"kai-snapshot {version('kai-snapshot-operator')}\n"


class TestExitCodes:
    @pytest.mark.parametrize(
        ("failure", "code", "line"),
        [
            pytest.param(
                TerminalError(Reason.ACCESS_DENIED, "The bucket refused: check the keys."),
                3,
                "AccessDenied: The bucket refused: check the keys.",
                id="could not",
            ),
            pytest.param(
                TerminalError(Reason.INVALID_JSON, "It is cut off."), 1, "InvalidJSON: It is cut off.", id="bad finding"
            ),
            pytest.param(TerminalError(Reason.INVALID_SPEC, "No."), 2, "InvalidSpec: No.", id="usage"),
            pytest.param(PermissionError(13, "Permission denied", "/x"), 3, "/x: Permission denied", id="a file"),
            pytest.param(OSError("odd"), 3, "odd", id="an error of the system without a name"),
        ],
    )
    def test_a_failure_is_one_line_and_a_code(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failure: Exception, code: int, line: str
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise failure

        monkeypatch.setattr("kai_snapshot.cli.list.listing", fail)
        done = run("list", "--dir", tmp_path)
        assert (done.exit_code, done.stdout, done.stderr) == (code, "", f"kai-snapshot: {line}\n")

    def test_ctrl_c_is_neither_a_finding_nor_a_failure(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        def interrupt(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("kai_snapshot.cli.list.listing", interrupt)
        assert run("list", "--dir", tmp_path).exit_code == 130

    @pytest.mark.parametrize("arguments", [("explode",), ("list", "--dir"), ("capture", "--port", "0")])
    def test_wrong_usage_is_2(self, arguments: tuple[str, ...]) -> None:
        assert run(*arguments).exit_code == 2

    def test_what_is_wrong_with_an_archive_or_a_node_is_a_finding_and_nothing_else_is(self) -> None:
        assert {reason for reason in Reason if output.exit_code(reason) == 1} == {
            Reason.ARCHIVE_TOO_LARGE, Reason.CHECKSUM_MISMATCH, Reason.CONFIG_NULL, Reason.GPU_NOT_FOUND,
            Reason.INCOMPATIBLE_SNAPSHOT, Reason.INCOMPLETE_SNAPSHOT, Reason.INVALID_ARCHIVE, Reason.INVALID_JSON,
            Reason.NOT_A_ZIP,
        }  # fmt: skip


class TestWhatItLoads:
    def loaded(self, code: str) -> set[str]:
        script = f"import sys\n{code}\nprint(*sys.modules)"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}

    def test_no_command_loads_the_operators_libraries(self) -> None:
        everything = "\n".join(f"import kai_snapshot.cli.{where.partition(':')[0]}" for where in EVERYTHING.values())
        assert not self.loaded(everything) & {"kubernetes", "kopf", "prometheus_client"}

    def test_a_capturing_process_loads_neither_typer_nor_rich_but_what_it_needs(self) -> None:
        child = """
import io
from kai_snapshot import cli
sys.argv = ["kai-snapshot", "capture", "--request", "-"]
sys.stdin = io.TextIOWrapper(io.BytesIO(b"{}"))
try:
    cli.main()
except ValueError:
    pass
"""
        loaded = self.loaded(child)
        assert not loaded & {"typer", "rich", "kubernetes", "kopf", "prometheus_client"}
        assert "kai_snapshot" in loaded

    def test_inspect_does_not_wait_for_the_networks_libraries(self) -> None:
        assert not self.loaded("import kai_snapshot.cli.app, kai_snapshot.cli.inspect_archive") & {"aiohttp", "boto3"}

    def test_only_the_simulators_container_of_a_pod_takes_the_memory_of_numpy(self) -> None:
        assert "numpy" not in self.loaded("import kai_snapshot.cli.app, kai_snapshot.cli.job, kai_snapshot.runs.report")


class TestCapture:
    def test_into_a_file_it_is_the_bytes_that_were_served(self, scheduler: tuple[StandIn, str], tmp_path: Path) -> None:
        standin, url = scheduler
        said = document("capture", "--url", url, "-f", tmp_path / "a.zip")
        assert (tmp_path / "a.zip").read_bytes() == standin.archive
        assert said["uri"] == str(tmp_path / "a.zip")
        assert said["manifest"]["sha256"] == hashlib.sha256(standin.archive).hexdigest()
        assert said["manifest"]["trigger"] == "Command"
        assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]

    def test_without_a_place_it_lies_here_under_its_own_name(
        self, scheduler: tuple[StandIn, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        said = document("capture", "--url", scheduler[1])
        assert [path.name for path in tmp_path.iterdir()] == [said["uri"]] == [said["manifest"]["archive"]]

    def test_people_are_told_what_was_captured(self, scheduler: tuple[StandIn, str], tmp_path: Path) -> None:
        done = run("capture", "--url", scheduler[1], "-f", tmp_path / "a.zip")
        first, second = done.stdout.splitlines()
        assert first.startswith(f"{tmp_path}/a.zip: ")
        assert "nodes" in second
        assert done.stderr == ""

    def test_from_a_directory_it_is_listed_got_inspected_and_replayed(
        self, scheduler: tuple[StandIn, str], tmp_path: Path
    ) -> None:
        place, copy = tmp_path / "place", tmp_path / "copy.zip"
        tool = tmp_path / "tool"
        tool.write_text(f"#!/bin/sh\nzcat '{GANG}/v0.17.0.stderr.gz' >&2\ncat '{GANG}/v0.17.0.stdout'\n")
        tool.chmod(0o755)

        captured = document("capture", "--url", scheduler[1], "--dir", place, "--capture", "team-a/by-hand")
        listed = document("list", "--dir", place)
        got = document("get", "latest", "--dir", place, "-f", copy)
        inspected = document("inspect", copy)
        (replayed,) = document("replay", copy, "--tool", f"v0.17.0={tool}")

        (archive,) = listed["archives"]
        assert archive["manifest"] == captured["manifest"] == got["manifest"]
        assert archive["uri"] == captured["uri"]
        assert archive["key"].startswith("team-a/by-hand/")
        assert copy.read_bytes() == scheduler[0].archive
        assert got["sha256"] == inspected["sha256"] == captured["manifest"]["sha256"]
        assert inspected["objectCounts"] == captured["manifest"]["objectCounts"]
        expected = json.loads((GANG / "v0.17.0.expected.json").read_bytes())
        assert replayed["outcome"] == "Succeeded"
        assert {placement["pod"]: placement["node"] for placement in replayed["placements"]} == expected["bound"]

    def test_through_the_api_server_it_is_the_leaders_and_the_manifest_names_it(
        self, scheduler: tuple[StandIn, str], tmp_path: Path
    ) -> None:
        pod = "kai-scheduler-default-7d9f-aaaaa"
        server = ApiServer(
            lists={
                "/apis/apps/v1/namespaces/kai-scheduler/deployments": [kai.deployment()],
                "/api/v1/namespaces/kai-scheduler/pods": [kai.pod(pod)],
            },
            objects={"/api/v1/namespaces/kube-system": {"metadata": {"name": "kube-system", "uid": "u-1"}}},
            ports={(pod, 8081): int(scheduler[1].rpartition(":")[2])},
            token="t",
        )

        async def capture() -> Any:
            async with serving(server):
                kubeconfig = {
                    "current-context": "here",
                    "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
                    "clusters": [{"name": "c", "cluster": {"server": server.url}}],
                    "users": [{"name": "u", "user": {"token": "t"}}],
                }
                (tmp_path / "config").write_text(json.dumps(kubeconfig))
                place = ("--kubeconfig", tmp_path / "config", "--dir", tmp_path / "place")
                return await asyncio.to_thread(document, "capture", *place)

        manifest = asyncio.run(capture())["manifest"]
        assert manifest["capture"] == {"clusterUID": "u-1", "namespace": "command", "name": "manual"}
        assert (manifest["scheduler"]["pod"], manifest["scheduler"]["version"]) == (pod, "v0.17.0")
        assert manifest["sha256"] == hashlib.sha256(scheduler[0].archive).hexdigest()

    @pytest.mark.parametrize(
        ("behaviour", "code", "reason"),
        [
            ("plugin-off", 3, Reason.PLUGIN_DISABLED),
            ("standby", 3, Reason.NOT_LEADER),
            ("error", 3, Reason.HTTP_STATUS),
            ("cut", 3, Reason.CONNECTION_CUT),
            ("silence", 3, Reason.SOURCE_TIMEOUT),
            ("not-a-zip", 1, Reason.NOT_A_ZIP),
            ("cut-json", 1, Reason.INVALID_JSON),
            ("config-null", 1, Reason.CONFIG_NULL),
            ("bomb", 1, Reason.ARCHIVE_TOO_LARGE),
        ],
    )
    def test_nothing_is_kept_of_what_is_not_whole(
        self, scheduler: tuple[StandIn, str], tmp_path: Path, behaviour: str, code: int, reason: Reason
    ) -> None:
        scheduler[0].behave(behaviour)
        silence = "1" if behaviour == "silence" else "30"
        done = run("capture", "--url", scheduler[1], "-f", tmp_path / "a.zip", "--timeout", silence)
        assert (done.exit_code, done.stdout) == (code, "")
        assert done.stderr.startswith(f"kai-snapshot: {reason}: ")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("--file", "a.zip", "--dir", "x"), "once"),
            (("--dir", "x", "--s3", "s3://bucket"), "either --s3 or --dir"),
            (("--dir", "x", "--capture", "by-hand"), "NAMESPACE/NAME"),
            (("--shard", "Not a name"), "--shard"),
            (("--scheduler", ""), "--scheduler"),
            (("--timeout", "0"), "--timeout"),
        ],
        ids=["two places", "two stores", "half a name", "no name", "an empty name", "no time"],
    )
    def test_wrong_usage_is_said_before_anything_is_asked(
        self, scheduler: tuple[StandIn, str], arguments: tuple[str, ...], says: str
    ) -> None:
        done = run("capture", "--url", scheduler[1], *arguments)
        assert (done.exit_code, says in done.stderr) == (2, True)
        assert scheduler[0].requests == 0

    def test_a_kubeconfig_that_is_not_there_could_not_be_used(self, tmp_path: Path) -> None:
        done = run("capture", "--kubeconfig", tmp_path / "none", "-f", tmp_path / "a.zip")
        assert done.exit_code == 3
        assert done.stderr.startswith("kai-snapshot: InvalidKubeconfig: ")


class TestOutput:
    @pytest.mark.parametrize("terminal", [True, False], ids=["on a terminal", "elsewhere"])
    def test_progress_is_for_terminals_and_never_in_the_document(self, terminal: bool) -> None:
        inspect = [sys.executable, "-m", "kai_snapshot", "inspect", str(GANG / "snapshot.zip"), "-o", "json"]
        ours, theirs = pty.openpty() if terminal else os.pipe()
        done = subprocess.run(inspect, stdout=subprocess.PIPE, stderr=theirs, check=True)
        os.close(theirs)
        try:
            shown = os.read(ours, 4096)
        except OSError:  # a terminal without another side has nothing more to say
            shown = b""
        os.close(ours)
        assert (b"snapshot.zip" in shown) is terminal
        assert json.loads(done.stdout)["valid"] is True

    @pytest.mark.parametrize(
        ("number", "text"),
        [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_843_221, "1.8 MB"), (164_000_000, "164 MB")],
    )
    def test_sizes_are_written_for_people(self, number: int, text: str) -> None:
        assert output.size(number) == text

    def test_columns_stand_one_under_the_other(self) -> None:
        assert output.table([("NAME", "PODS"), ("hourly", "7"), ("x", "")]) == "NAME     PODS\nhourly   7\nx"
