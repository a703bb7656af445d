"""Replays on a person's machine: tools and a container engine that are small scripts."""

import gzip
import hashlib
import os
import zipfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from kai_snapshot.api.manifest import Manifest
from kai_snapshot.cli.app import app

CORPUS = Path(__file__).parent.parent / "data" / "corpus"
GANG = CORPUS / "01-gang"


def replay(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["replay", *map(str, arguments)])


def results(*arguments: str | Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads(replay(*arguments, "-o", "json").stdout)
    return found


def script(file: Path, text: str) -> Path:
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def recording(case: Path, version: str) -> str:
    return f"zcat '{case}/{version}.stderr.gz' >&2; cat '{case}/{version}.stdout'; exit $(cat '{case}/{version}.exit')"


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    return script(tmp_path / "snapshot-tool", f'echo "$@" > "{tmp_path}/called"; {recording(GANG, "v0.17.0")}')


class TestBinaries:
    def test_several_versions_are_replayed_one_after_the_other(self, tool: Path, tmp_path: Path) -> None:
        old = script(tmp_path / "old", recording(GANG, "v0.9.0"))
        ran = results(GANG / "snapshot.zip", "--tool", f"v0.17.0={tool}", "--tool", f"v0.9.0={old}")
        assert [(result["engine"]["version"], result["outcome"]) for result in ran] == [
            ("v0.17.0", "Succeeded"),
            ("v0.9.0", "Succeeded"),
        ]
        expected = orjson.loads((GANG / "v0.17.0.expected.json").read_bytes())
        assert {placement["pod"]: placement["node"] for placement in ran[0]["placements"]} == expected["bound"]

    def test_what_the_process_used_is_told(self, tool: Path) -> None:
        used = results(GANG / "snapshot.zip", "--tool", tool)[0]["resources"]
        assert used["peakMemoryBytes"] > 1 << 19
        assert used["cpuSeconds"] >= 0

    def test_a_binary_without_a_version_is_called_by_its_name(self, tool: Path) -> None:
        assert results(GANG / "snapshot.zip", "--tool", tool)[0]["engine"]["version"] == "snapshot-tool"

    def test_everything_is_kept_where_it_is_wanted(self, tool: Path, tmp_path: Path) -> None:
        ran = results(GANG / "snapshot.zip", "--tool", f"v0.17.0={tool}", "--output-dir", tmp_path / "out", "-v", "6")
        kept = tmp_path / "out" / "v0.17.0"
        log = gzip.decompress((GANG / "v0.17.0.stderr.gz").read_bytes())
        for run in ("run-1", "run-2", "run-3"):
            assert gzip.decompress((kept / run / "stderr.gz").read_bytes()) == log
            assert (kept / run / "stdout").read_bytes() == (GANG / "v0.17.0.stdout").read_bytes()
        assert orjson.loads((kept / "result.json").read_bytes()) == ran[0]
        assert (tmp_path / "called").read_text() == f"--filename {kept}/snapshot.zip --verbosity 6\n"

    def test_the_result_says_what_it_is_of_and_how_it_was_made(self, tool: Path) -> None:
        ran = results(GANG / "snapshot.zip", "--tool", tool, "-v", "6")[0]
        digest = hashlib.sha256((GANG / "snapshot.zip").read_bytes()).hexdigest()
        assert ran["archive"] == {"name": "snapshot.zip", "sha256": digest}
        assert (ran["verbosity"], ran["ran"]) == (6, True)

    def test_nothing_of_a_replay_before_is_left_beside_the_result(self, tool: Path, tmp_path: Path) -> None:
        where = (GANG / "snapshot.zip", "--tool", f"v0.17.0={tool}", "--output-dir", tmp_path)
        kept = tmp_path / "v0.17.0"
        (kept / "notes").mkdir(parents=True)
        replay(*where, "--profile")
        replay(*where, "--repetitions", "1")
        assert {path.name for path in kept.iterdir()} == {"notes", "result.json", "run-1", "snapshot.zip"}

    def test_an_old_archive_gets_what_the_version_needs(self, tool: Path) -> None:
        archive = CORPUS / "23-pre-v0.16-config" / "snapshot.zip"
        made = results(archive, "--tool", f"v0.17.0={tool}")[0]["adaptations"]
        assert [line.partition(":")[0] for line in made] == ["config", "config", "clock"]
        as_it_is = ("--config", "Verbatim", "--clock", "Verbatim")
        assert results(archive, "--tool", f"v0.17.0={tool}", *as_it_is)[0]["adaptations"] == []

    def test_a_tool_that_hangs_is_stopped_and_its_log_is_read(self, tmp_path: Path) -> None:
        hanging = script(tmp_path / "tool", f"zcat '{GANG}/v0.17.0.stderr.gz' | head -40 >&2; exec sleep 60")
        ran = replay(GANG / "snapshot.zip", "--tool", f"v0.17.0={hanging}", "--timeout", "1")
        assert ran.exit_code == 1
        assert "DeadlineExceeded" in ran.stdout

    @pytest.mark.parametrize(
        ("end", "outcome"), [("exit 1", "Failed"), ("exit 0", "Incomplete"), ("kill -KILL $$", "OOMKilled")]
    )
    def test_no_other_end_is_a_success(self, tmp_path: Path, end: str, outcome: str) -> None:
        ran = replay(GANG / "snapshot.zip", "--tool", script(tmp_path / "tool", end))
        assert (ran.exit_code, outcome in ran.stdout) == (1, True)

    @pytest.mark.parametrize("content", [None, "", "no program"], ids=["none", "empty", "text"])
    def test_what_cannot_be_run_is_said_plainly(self, tmp_path: Path, content: str | None) -> None:
        broken = tmp_path / "tool"
        if content is not None:
            broken.write_text(content)
            broken.chmod(0o755 if content else 0o644)
        ran = replay(GANG / "snapshot.zip", "--tool", broken)
        assert ran.exit_code == 3
        assert ran.stderr.startswith(f"kai-snapshot: ToolNotFound: {broken} cannot be run")


class TestRepetitions:
    def test_each_version_runs_three_times(self, tool: Path) -> None:
        runs = results(GANG / "snapshot.zip", "--tool", f"v0.17.0={tool}")[0]["runs"]
        assert (runs["count"], runs["distinct"], runs["outcomes"]) == (3, 1, {"Succeeded": 3})

    def test_once_is_enough_if_that_is_wanted(self, tool: Path) -> None:
        once = (GANG / "snapshot.zip", "--tool", f"v0.17.0={tool}", "--repetitions", "1")
        assert results(*once)[0]["runs"] is None
        assert replay(*once).stdout.splitlines()[1].split()[2:4] == ["1", "-"]

    def test_what_varies_is_counted(self, tmp_path: Path) -> None:
        other = CORPUS / "10-gang+running"
        first, later = recording(GANG, "v0.17.0"), recording(other, "v0.17.0")
        fickle = script(tmp_path / "tool", f'if mkdir "{tmp_path}/once"; then {first}; fi\n{later}')
        ran = results(GANG / "snapshot.zip", "--tool", f"v0.17.0={fickle}")[0]
        runs = ran["runs"]
        assert (runs["count"], runs["distinct"], runs["shown"]) == (3, 2, 2)
        expected = orjson.loads((other / "v0.17.0.expected.json").read_bytes())
        assert {placement["pod"]: placement["node"] for placement in ran["placements"]} == expected["bound"]
        for pod, node in expected["bound"].items():
            assert runs["frequencies"]["placements"][pod][node] >= 2
        assert all(runs["frequencies"]["evictions"][pod] >= 2 for pod in expected["evicted"])

    def test_the_table_says_how_often_and_how_many_results(self, tool: Path) -> None:
        header, row, *_ = replay(GANG / "snapshot.zip", "--tool", f"v0.17.0={tool}").stdout.splitlines()
        assert header.split()[:4] == ["VERSION", "OUTCOME", "RUNS", "DISTINCT"]
        assert row.split()[:4] == ["v0.17.0", "Succeeded", "3", "1"]

    def test_a_run_that_a_signal_ended_is_the_last(self, tmp_path: Path) -> None:
        killed = script(tmp_path / "tool", f'echo >> "{tmp_path}/runs"; kill -KILL $$')
        ran = replay(GANG / "snapshot.zip", "--tool", f"v0.17.0={killed}")
        assert (tmp_path / "runs").read_text() == "\n"
        assert "It was not run again: 3 runs were wanted." in ran.stdout

    @pytest.mark.parametrize("times", ["0", "21", "x"])
    def test_no_other_number_is_taken(self, tool: Path, times: str) -> None:
        assert replay(GANG / "snapshot.zip", "--tool", tool, "--repetitions", times).exit_code == 2


class TestProfiles:
    def test_the_last_run_writes_them_where_they_are_kept(self, tmp_path: Path) -> None:
        noting = script(tmp_path / "tool", f'echo "$@" >> "{tmp_path}/calls"; {recording(GANG, "v0.17.0")}')
        replay(GANG / "snapshot.zip", "--tool", f"v0.17.0={noting}", "--profile", "--output-dir", tmp_path)
        kept = tmp_path / "v0.17.0"
        plain = f"--filename {kept}/snapshot.zip --verbosity 4"
        profiles = f"--cpuprofile {kept}/profiles/cpu.pprof --memprofile {kept}/profiles/memory.pprof"
        assert (tmp_path / "calls").read_text().splitlines() == [plain, plain, f"{plain} {profiles}"]
        assert (kept / "profiles").is_dir()

    def test_they_need_a_place_to_be_kept(self, tool: Path) -> None:
        assert replay(GANG / "snapshot.zip", "--tool", tool, "--profile").exit_code == 2


class TestPreparation:
    def test_objects_are_patched_as_files_say(self, tool: Path, tmp_path: Path) -> None:
        archive, first, second = GANG / "snapshot.zip", tmp_path / "first.yaml", tmp_path / "second.yaml"
        with zipfile.ZipFile(archive) as reader:
            node = orjson.loads(reader.read("snapshot.json"))["rawObjects"]["nodes"][0]["metadata"]["name"]
        first.write_text("- target: {kind: SchedulerParams}\n  patch: |\n    - {op: add, path: /x, value: true}\n")
        second.write_text(f"[{{target: {{kind: Node, name: {node}}}, patch: '[{{op: remove, path: \"\"}}]'}}]")
        made = results(archive, "--tool", tool, "--patch", first, "--patch", second)[0]["adaptations"]
        assert made[:2] == ["patch 1: SchedulerParams is changed: add /x", f"patch 2: Node {node} is removed"]

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("[", "cannot be read as YAML"),
            ("target: {kind: Config}", "is no list of patches"),
            ("- {target: {kind: Config}}", "0.patch: Field required"),
            ("- {target: {kind: Config}, patch: [{op: remove}]}", "0.patch: Input should be a valid string"),
            ("[" * 60_000, "it is nested too deeply"),
            ("- &a {target: {kind: Config}}\n- *a", "line 2: aliases and tags are not allowed"),
            ("- {target: {kind: Config}, patch: '[{op: remove}]'}", "PatchFailed: patch 1 (Config)"),
            ("- {target: {kind: Node, name: none}, patch: '[{op: remove, path: /x}]'}", "patch 1 (Node none)"),
        ],
        ids=["no YAML", "no list", "no patch", "no text", "deep", "an alias", "no operation", "no such object"],
    )
    def test_what_is_no_patch_is_wrong_usage(self, tool: Path, tmp_path: Path, text: str, says: str) -> None:
        (tmp_path / "patches.yaml").write_text(text)
        ran = replay(GANG / "snapshot.zip", "--tool", tool, "--patch", tmp_path / "patches.yaml")
        assert ran.exit_code == 2
        assert says in " ".join(ran.stderr.replace("│", " ").split())


class TestArchives:
    def test_an_archive_that_is_none_is_a_bad_finding(self, tool: Path, tmp_path: Path) -> None:
        (tmp_path / "snapshot.zip").write_bytes(b"no zip")
        ran = replay(tmp_path / "snapshot.zip", "--tool", tool)
        assert (ran.exit_code, ran.stdout) == (1, "")
        assert "NotAZip" in ran.stderr

    def test_a_null_config_is_a_bad_finding_without_a_manifest_and_healed_with_one(
        self, tool: Path, tmp_path: Path
    ) -> None:
        archive = CORPUS / "21-config-null" / "snapshot.zip"
        ran = replay(archive, "--tool", f"v0.17.0={tool}")
        assert (ran.exit_code, "ConfigNull" in ran.stderr) == (1, True)
        manifest = Manifest.model_validate(
            {
                "id": "20261122T101500Z",
                "archive": "20261122T101500Z-01234567.zip",
                "capture": {"namespace": "kai-snapshots", "name": "hourly"},
                "sha256": "0" * 64,
                "sizeBytes": 1,
                "uncompressedBytes": 1,
                "scheduler": {"version": "v0.17.0"},
                "scheduledFor": "2026-11-22T10:15:00Z",
                "capturedAt": "2026-11-22T10:15:01Z",
                "trigger": "Schedule",
                "healed": True,
                "config": {"actions": "allocate", "tiers": [], "usageDBConfig": None},
            }
        )
        (tmp_path / "manifest.json").write_bytes(manifest.encode())
        ran = replay(archive, "--tool", f"v0.17.0={tool}", "--manifest", tmp_path / "manifest.json")
        assert "ConfigMap" in ran.stdout


class TestImages:
    @pytest.fixture
    def engine(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A docker that has the image mirror/tool:1, can pull v0.17.0, and notes how it was called."""
        directory = tmp_path / "bin"
        directory.mkdir()
        monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
        script(
            directory / "docker",
            f"""echo "$@" >> "{tmp_path}/engine"
case "$1 $2 $3" in
  "image inspect mirror/tool:1") exit 0 ;;
  "image inspect "*) exit 1 ;;
  "pull "*:v0.17.0*) exit 0 ;;
  "pull "*) echo "manifest unknown" >&2; exit 1 ;;
  "kill "*) kill -KILL $(cat "{tmp_path}/pid") ;;
  "run "*) case "$*" in *refused*) echo "no such runtime" >&2; exit 125 ;;
           *hanging*) echo $$ > "{tmp_path}/pid"; exec sleep 60 ;; esac
           {recording(GANG, "v0.17.0")} ;;
esac""",
        )
        return tmp_path / "engine"

    def test_a_version_is_its_published_image(self, engine: Path) -> None:
        ran = results(GANG / "snapshot.zip", "--version", "v0.17.0")
        image = "ghcr.io/kai-scheduler/kai-scheduler/snapshot-tool:v0.17.0"
        assert (ran[0]["outcome"], ran[0]["engine"]["image"]) == ("Succeeded", image)
        assert [line.split()[0] for line in engine.read_text().splitlines()] == ["image", "pull", "run", "run", "run"]

    def test_an_image_that_is_here_is_not_pulled_and_is_confined(self, engine: Path) -> None:
        results(GANG / "snapshot.zip", "--image", "main=mirror/tool:1", "--repetitions", "1")
        inspected, ran = engine.read_text().splitlines()
        assert inspected == "image inspect mirror/tool:1"
        assert "--network none --read-only --cap-drop ALL" in ran
        assert ran.endswith("mirror/tool:1 --filename /snapshot.zip --verbosity 4")

    def test_an_image_writes_profiles_into_a_directory_of_their_own(self, engine: Path, tmp_path: Path) -> None:
        replay(GANG / "snapshot.zip", "--image", "v0.17.0=mirror/tool:1", "--profile", "--output-dir", tmp_path)
        _, first, _, last = engine.read_text().splitlines()
        assert "/profiles" not in first
        assert f"--volume {tmp_path}/v0.17.0/profiles:/profiles mirror/tool:1" in last
        assert last.endswith("--cpuprofile /profiles/cpu.pprof --memprofile /profiles/memory.pprof")
        assert (tmp_path / "v0.17.0" / "profiles").stat().st_mode & 0o777 == 0o777

    def test_an_image_that_cannot_be_pulled_is_exit_status_3(self, engine: Path) -> None:
        ran = replay(GANG / "snapshot.zip", "--version", "v0.1.0")
        assert ran.exit_code == 3
        assert "ImagePullFailed" in ran.stdout
        assert "manifest unknown" in ran.stdout

    def test_an_engine_that_fails_says_why(self, engine: Path) -> None:
        ran = replay(GANG / "snapshot.zip", "--image", "v0.17.0=refused:v0.17.0")
        assert ran.exit_code == 3
        assert ran.stderr == "kai-snapshot: ToolNotFound: docker cannot run refused:v0.17.0: no such runtime\n"

    def test_a_container_that_hangs_is_ended_by_its_engine(self, engine: Path) -> None:
        ran = replay(GANG / "snapshot.zip", "--image", "v0.17.0=hanging:v0.17.0", "--timeout", "1")
        assert (ran.exit_code, "DeadlineExceeded" in ran.stdout) == (1, True)
        assert engine.read_text().splitlines()[-1].startswith("kill kai-snapshot-")

    def test_no_engine_is_said_plainly(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        ran = replay(GANG / "snapshot.zip", "--version", "v0.17.0")
        assert ran.exit_code == 3
        assert "docker or podman or nerdctl" in ran.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--tool", "v1=a", "--tool", "v1=b"),
        ("--tool", "../x=a"),
        ("--image", "=a"),
        ("--config", "Other", "--tool", "a"),
    ],
    ids=["no version", "one twice", "a path for a name", "no name", "no such mode"],
)
def test_wrong_usage_is_exit_status_2(arguments: tuple[str, ...]) -> None:
    assert replay(GANG / "snapshot.zip", *arguments).exit_code == 2
