"""fetch, the tool under busybox, report: what the containers of a replay's pod do, with the real busybox."""

import asyncio
import gzip
import hashlib
import io
import os
import shutil
import subprocess
import zipfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from typer.testing import CliRunner

from kai_snapshot.api.problem import Problem
from kai_snapshot.api.result import Outcome, ReplayedArchive, ReplayResult
from kai_snapshot.api.transfer import Instructions, NodePart, Part, Profile
from kai_snapshot.archive.read import read_config
from kai_snapshot.cli import job
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.jobs import names
from kai_snapshot.jobs.script import profile_arguments, tool_command
from kai_snapshot.runs.fetch import fetch
from kai_snapshot.runs.report import read_work, report
from kai_snapshot.transfer.backend import Download, Limits, Upload
from kai_snapshot.transfer.client import TransferClient, connect
from kai_snapshot.transfer.server import application
from kai_snapshot.transfer.tokens import Tokens
from support.transferred import TRUST, serving

CORPUS = Path(__file__).parent.parent / "data" / "corpus"
PRE_GENERATORS = CORPUS / "23-pre-v0.16-config"
CONFIG_NULL = CORPUS / "21-config-null"
TOKENS = Tokens(b"k" * 32)
PART = Part(uid="u", namespace="ns", name="r", index=0, attempt=1)
needs_busybox = pytest.mark.skipif(shutil.which("busybox") is None, reason="busybox-static is not installed")


def instructions(**changes: Any) -> Instructions:
    archive = changes.pop("archive", PRE_GENERATORS / "snapshot.zip")
    known = {
        "version": "v0.17.0",
        "target_version": "v0.17.0",
        "image": "tool:v0.17.0",
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "size_bytes": archive.stat().st_size,
        "captured_version": "v0.15.2",
        "captured_at": "2026-11-22T10:00:00Z",
        "limit_seconds": 60,
    }
    return Instructions.model_validate(known | changes)


@dataclass
class Desk:
    """A backend of one part."""

    told: Instructions = field(default_factory=instructions)
    archive_file: Path = PRE_GENERATORS / "snapshot.zip"
    log: bytes | None = None
    profiles: dict[Profile, bytes] = field(default_factory=dict)
    result: bytes | None = None
    result_at_archive: bytes | None = None
    """A result that another pod hands in before the archive is asked for."""
    refuses: TerminalError | None = None
    keeps_archive: TerminalError | None = None
    """Why the archive is not given."""
    parts: list[Part] = field(default_factory=list)
    """Who asked for instructions."""

    def instructions(self, part: Part) -> Instructions:
        self.parts.append(part)
        self._check_no_result()
        return self.told

    def archive(self, part: Part) -> Download:
        self.result = self.result or self.result_at_archive
        self._check_no_result()
        if self.keeps_archive is not None:
            raise self.keeps_archive
        return Download(self.archive_file.open("rb"), self.told.sha256, self.told.size_bytes)

    def put_environment(self, part: NodePart, upload: Upload) -> None:
        raise AssertionError("no part of a replay")

    def put_log(self, part: Part, upload: Upload) -> None:
        self._check_no_result()
        self.log = upload.file.read()

    def put_profile(self, part: Part, upload: Upload, profile: Profile) -> None:
        self.profiles[profile] = upload.file.read()

    def put_result(self, part: Part, upload: Upload) -> None:
        content = upload.file.read()
        if self.result not in (None, content):
            raise TerminalError(Reason.RESULT_EXISTS, "committed.")
        self.result = content

    def _check_no_result(self) -> None:
        if self.refuses is not None:
            raise self.refuses
        if self.result is not None:
            raise TerminalError(Reason.RESULT_EXISTS, "committed.")


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest_asyncio.fixture
async def url(desk: Desk, tmp_path: Path) -> AsyncIterator[str]:
    spool = tmp_path / "spool"
    spool.mkdir()
    limits = Limits(log_bytes=1 << 20, profile_bytes=1 << 10)
    async with serving(application(TOKENS, desk, desk, spool=spool, limits=limits)) as address:
        yield address


@pytest_asyncio.fixture
async def client(url: str) -> AsyncIterator[TransferClient]:
    async with connect(url, TOKENS.issue(PART), TRUST, patience_seconds=0) as client:
        yield client


@pytest.fixture
def work(tmp_path: Path) -> Path:
    directory = tmp_path / "work"
    directory.mkdir()
    return directory


def tool(directory: Path, script: str) -> str:
    app = directory / "app"
    app.write_text("#!/bin/sh\n" + script)
    app.chmod(0o755)
    return str(app)


def run(work: Path, app: str, *, limit_seconds: int = 60, repetitions: int = 1, profiles: Sequence[str] = ()) -> int:
    """Runs the tool as its container does."""
    command = tool_command(
        str(work),
        app,
        verbosity=4,
        limit_seconds=limit_seconds,
        repetitions=repetitions,
        profiles=list(profiles),
    )
    return subprocess.run(command, check=False).returncode


def assert_settled(work: Path) -> None:
    """The tool's container comes to a good end and runs nothing."""
    assert run(work, "/workspace/none") == 0
    assert not list(work.glob("run-*"))


def recording(case: Path, version: str) -> str:
    return f"zcat '{case}/{version}.stderr.gz' >&2; cat '{case}/{version}.stdout'; exit $(cat '{case}/{version}.exit')"


@pytest.mark.asyncio
@needs_busybox
class TestFetch:
    async def test_leaves_the_prepared_archive_the_changes_made_and_a_busybox(
        self, client: TransferClient, desk: Desk, work: Path
    ) -> None:
        await fetch(client, work)
        config = read_config(work / names.ARCHIVE)
        assert config is not None
        plugins = {plugin["name"] for tier in config["tiers"] for plugin in tier["plugins"]}
        assert {"sg-nodelocalgreedy", "sg-multinodegang"} <= plugins
        kinds = [line.partition(":")[0] for line in orjson.loads((work / names.ADAPTATIONS).read_bytes())]
        assert kinds == ["config", "config", "clock"]
        assert Instructions.model_validate_json((work / names.INSTRUCTIONS).read_bytes()) == desk.told
        assert os.access(work / names.BUSYBOX, os.X_OK)
        assert not (work / names.DOWNLOAD).exists()

    async def test_verbatim_leaves_the_archive_as_it_is(self, client: TransferClient, desk: Desk, work: Path) -> None:
        desk.told = instructions(prepare={"config": "Verbatim", "clock": "Verbatim"})
        await fetch(client, work)
        assert (work / names.ARCHIVE).read_bytes() == desk.archive_file.read_bytes()
        assert orjson.loads((work / names.ADAPTATIONS).read_bytes()) == []

    async def test_a_null_config_is_healed_with_the_manifests(
        self, client: TransferClient, desk: Desk, work: Path
    ) -> None:
        desk.archive_file = CONFIG_NULL / "snapshot.zip"
        desk.told = instructions(archive=desk.archive_file, healed_config={"actions": "allocate", "tiers": []})
        await fetch(client, work)
        config = read_config(work / names.ARCHIVE)
        assert config is not None
        assert config["actions"] == "allocate"

    @pytest.mark.parametrize(
        ("told", "outcome", "reason"),
        [
            (instructions(archive=CONFIG_NULL / "snapshot.zip"), Outcome.INCOMPATIBLE_SNAPSHOT, Reason.CONFIG_NULL),
            (instructions(sha256="0" * 64), Outcome.FAILED, Reason.CHECKSUM_MISMATCH),
        ],
        ids=["a null config that nothing heals", "another checksum"],
    )
    async def test_what_is_wrong_with_an_archive_is_its_result_and_nothing_is_run(
        self, client: TransferClient, desk: Desk, work: Path, told: Instructions, outcome: Outcome, reason: Reason
    ) -> None:
        desk.told = told
        if reason is Reason.CONFIG_NULL:
            desk.archive_file = CONFIG_NULL / "snapshot.zip"
        await fetch(client, work)
        assert desk.result is not None
        result = ReplayResult.model_validate_json(desk.result)
        assert (result.outcome, result.exit_code, result.ran) == (outcome, None, False)
        assert result.message.startswith(f"{reason}: ")
        assert (result.engine.version, result.engine.image) == ("v0.17.0", "tool:v0.17.0")
        assert_settled(work)
        assert await report(client, work) is None

    async def test_that_the_archive_is_gone_is_the_result(self, client: TransferClient, desk: Desk, work: Path) -> None:
        desk.keeps_archive = TerminalError(Reason.ARCHIVE_NOT_FOUND, "There is no archive.")
        await fetch(client, work)
        assert desk.result is not None
        result = ReplayResult.model_validate_json(desk.result)
        assert (result.outcome, result.message) == (Outcome.FAILED, "ArchiveNotFound: There is no archive.")
        assert_settled(work)

    @pytest.mark.parametrize(
        ("reason", "kind"),
        [
            (Reason.ACCESS_DENIED, TransientError),
            (Reason.CREDENTIALS_NOT_FOUND, TransientError),
            (Reason.STORAGE_REFUSED, TransientError),
            (Reason.PLAN_LOST, TerminalError),
            (Reason.TRANSFER_REFUSED, TerminalError),
        ],
    )
    async def test_what_is_no_matter_of_the_archive_is_no_result(
        self, client: TransferClient, desk: Desk, work: Path, reason: Reason, kind: type[SnapshotError]
    ) -> None:
        desk.keeps_archive = TerminalError(reason, "Not now.")
        with pytest.raises(kind, match=r"Not now\.") as caught:
            await fetch(client, work)
        assert caught.value.reason is reason
        assert desk.result is None
        assert not (work / names.SETTLED).exists()

    async def test_a_patch_that_does_not_fit_is_the_result(
        self, client: TransferClient, desk: Desk, work: Path
    ) -> None:
        patch = {"target": {"kind": "Queue", "name": "none"}, "patch": "[{op: remove, path: /spec}]"}
        desk.told = instructions(prepare={"patches": [patch]})
        await fetch(client, work)
        assert desk.result is not None
        result = ReplayResult.model_validate_json(desk.result)
        assert result.outcome is Outcome.FAILED
        assert result.message.startswith("PatchFailed: ")

    async def test_an_archive_whose_result_is_there_is_not_replayed_again(
        self, client: TransferClient, desk: Desk, work: Path
    ) -> None:
        desk.result = b"another"
        await fetch(client, work)
        assert_settled(work)
        assert not (work / names.ARCHIVE).exists()
        assert await report(client, work) is None
        assert (desk.log, desk.result) == (None, b"another")

    async def test_a_result_that_came_while_the_archive_was_fetched_counts(
        self, client: TransferClient, desk: Desk, work: Path
    ) -> None:
        desk.result_at_archive = b"another"
        await fetch(client, work)
        assert_settled(work)
        assert desk.result == b"another"

    async def test_what_the_endpoint_refuses_altogether_is_no_result(
        self, client: TransferClient, desk: Desk, work: Path
    ) -> None:
        desk.refuses = TerminalError(Reason.TRANSFER_REFUSED, "the replay is gone.")
        with pytest.raises(TerminalError, match="the replay is gone"):
            await fetch(client, work)
        assert not (work / names.SETTLED).exists()


@pytest.fixture
def fetched(work: Path) -> Path:
    """A directory as fetch leaves it."""
    instruct(work)
    (work / names.ADAPTATIONS).write_bytes(b'["config: plugin sg-multinodegang is added"]')
    shutil.copy(PRE_GENERATORS / "snapshot.zip", work / names.ARCHIVE)
    busybox = shutil.which("busybox")
    if busybox is not None:
        shutil.copy(busybox, work / names.BUSYBOX)
    return work


def ran_once(directory: Path, case: Path) -> None:
    directory.mkdir()
    for name, recorded in ((names.STDERR, "stderr.gz"), (names.STDOUT, "stdout"), (names.EXIT_CODE, "exit")):
        shutil.copy(case / f"v0.17.0.{recorded}", directory / name)


def instruct(work: Path, **changes: Any) -> None:
    (work / names.INSTRUCTIONS).write_bytes(orjson.dumps(instructions(**changes).dump()))


@needs_busybox
class TestToolUnderBusybox:
    @pytest.mark.parametrize("version", ["v0.9.0", "v0.17.0"])
    def test_what_the_tool_says_becomes_the_result(self, fetched: Path, tmp_path: Path, version: str) -> None:
        instruct(fetched, target_version=version)
        assert run(fetched, tool(tmp_path, recording(PRE_GENERATORS, version))) == 0
        result = read_work(fetched)
        expected = orjson.loads((PRE_GENERATORS / f"{version}.expected.json").read_bytes())
        assert (result.outcome, result.exit_code) == (Outcome.SUCCEEDED, 0)
        assert {placement.pod: placement.node for placement in result.placements} == expected["bound"]
        assert {eviction.pod for eviction in result.evictions} == set(expected["evicted"])
        assert result.adaptations == ("config: plugin sg-multinodegang is added",)
        assert (result.engine.version, result.engine.image) == (version, "tool:v0.17.0")

    def test_the_result_says_what_it_is_of_and_how_it_was_made(self, fetched: Path, tmp_path: Path) -> None:
        instruct(fetched, archive_id="20261122T100000Z", verbosity=6)
        assert run(fetched, tool(tmp_path, recording(PRE_GENERATORS, "v0.17.0"))) == 0
        result = read_work(fetched)
        captured = ReplayedArchive(name="20261122T100000Z", sha256=instructions().sha256)
        assert (result.archive, result.verbosity, result.ran) == (captured, 6, True)

    def test_the_tool_gets_the_archive_and_the_verbosity(self, fetched: Path, tmp_path: Path) -> None:
        run(fetched, tool(tmp_path, 'echo "$@"; test -f "$2"'))
        assert (fetched / "run-1" / names.STDOUT).read_text() == "--filename snapshot.zip --verbosity 4\n"
        assert (fetched / "run-1" / names.EXIT_CODE).read_text() == "0\n"

    def test_the_log_is_kept_apart_from_what_is_printed(self, fetched: Path, tmp_path: Path) -> None:
        run(fetched, tool(tmp_path, "echo printed; echo logged >&2"))
        assert gzip.decompress((fetched / "run-1" / names.STDERR).read_bytes()) == b"logged\n"
        assert (fetched / "run-1" / names.STDOUT).read_text() == "printed\n"

    @pytest.mark.parametrize(
        ("script", "exit_code", "outcome"),
        [
            ("exit 1", 1, Outcome.FAILED),
            ("exit 9", 9, Outcome.FAILED),
            ("exit 0", 0, Outcome.INCOMPLETE),
            ("kill -KILL $$", 137, Outcome.OOM_KILLED),
            ("kill -SEGV $$", 139, Outcome.FAILED),
            (recording(CORPUS / "07-gang+elastic", "v0.9.0"), 2, Outcome.PANICKED),
        ],
        ids=["error", "not a signal", "nothing run", "killed by another", "crashed", "panic"],
    )
    def test_no_end_of_the_tool_stops_the_pod(
        self, fetched: Path, tmp_path: Path, script: str, exit_code: int, outcome: Outcome
    ) -> None:
        assert run(fetched, tool(tmp_path, script)) == 0
        result = read_work(fetched)
        assert (result.exit_code, result.outcome) == (exit_code, outcome)

    def test_a_tool_that_hangs_is_killed_at_its_limit_and_its_log_is_kept(self, fetched: Path, tmp_path: Path) -> None:
        instruct(fetched, limit_seconds=1)
        half = f"zcat '{PRE_GENERATORS}/v0.17.0.stderr.gz' | head -60 >&2; exec sleep 60"
        assert run(fetched, tool(tmp_path, half), limit_seconds=1) == 0
        result = read_work(fetched)
        assert (result.exit_code, result.outcome) == (137, Outcome.DEADLINE_EXCEEDED)
        assert result.queues, "what it logged before is read"
        assert len(gzip.decompress((fetched / "run-1" / names.STDERR).read_bytes()).splitlines()) == 60

    def test_no_tool_in_the_image_is_a_failure_that_says_so(self, fetched: Path) -> None:
        assert run(fetched, "/workspace/none") == 0
        result = read_work(fetched)
        assert (result.exit_code, result.outcome) == (127, Outcome.FAILED)
        assert "/workspace/none" in result.message

    def test_time_and_memory_are_measured(self, fetched: Path, tmp_path: Path) -> None:
        run(fetched, tool(tmp_path, "exec python3 -c 'x = bytearray(128 << 20); [i * i for i in range(300000)]'"))
        resources = read_work(fetched).resources
        assert resources is not None
        assert 128 << 20 <= resources.peak_memory_bytes < 256 << 20
        assert 0 < resources.cpu_seconds < 20


@needs_busybox
class TestRepetitions:
    @pytest.fixture
    def counting(self, tmp_path: Path) -> Callable[[str], str]:
        """A tool whose runs see their number, from 1, in $n."""

        def script(text: str) -> str:
            return tool(tmp_path, f'echo >>"{tmp_path}/runs"; n=$(wc -l <"{tmp_path}/runs")\n{text}')

        return script

    def test_every_run_is_kept_apart(self, fetched: Path, counting: Callable[[str], str]) -> None:
        assert run(fetched, counting('echo "out $n"; echo "log $n" >&2; exit $n'), repetitions=3) == 0
        for number in (1, 2, 3):
            directory = fetched / f"run-{number}"
            assert (directory / names.STDOUT).read_text() == f"out {number}\n"
            assert gzip.decompress((directory / names.STDERR).read_bytes()) == f"log {number}\n".encode()
            assert (directory / names.EXIT_CODE).read_text() == f"{number}\n"

    def test_equal_runs_become_one_result(self, fetched: Path, tmp_path: Path) -> None:
        instruct(fetched, repetitions=3)
        run(fetched, tool(tmp_path, recording(PRE_GENERATORS, "v0.17.0")), repetitions=3)
        result = read_work(fetched)
        assert result.outcome is Outcome.SUCCEEDED
        assert result.runs is not None
        assert (result.runs.count, result.runs.distinct, result.runs.frequencies) == (3, 1, None)

    def test_it_goes_on_after_a_panic_which_is_the_outcome(self, fetched: Path, counting: Callable[[str], str]) -> None:
        instruct(fetched, repetitions=3)
        panic, fine = recording(CORPUS / "07-gang+elastic", "v0.9.0"), recording(PRE_GENERATORS, "v0.17.0")
        run(fetched, counting(f"if [ $n = 2 ]; then {panic}; fi\n{fine}"), repetitions=3)
        result = read_work(fetched)
        assert (result.outcome, result.exit_code) == (Outcome.PANICKED, 2)
        assert result.message.startswith("1 of 3 runs did not succeed. Run 2: ")
        assert result.runs is not None
        assert (result.runs.shown, result.runs.outcomes) == (2, {Outcome.SUCCEEDED: 2, Outcome.PANICKED: 1})

    @pytest.mark.parametrize("signal", ["KILL", "SEGV"])
    def test_a_run_that_a_signal_ended_is_the_last(
        self, fetched: Path, counting: Callable[[str], str], signal: str
    ) -> None:
        assert run(fetched, counting(f"[ $n = 2 ] && kill -{signal} $$\nexit 0"), repetitions=5) == 0
        assert (fetched / "run-2").exists()
        assert not (fetched / "run-3").exists()

    def test_a_run_that_hangs_is_stopped_and_is_the_last(self, fetched: Path, counting: Callable[[str], str]) -> None:
        instruct(fetched, limit_seconds=1, repetitions=5)
        hang = f"zcat '{PRE_GENERATORS}/v0.17.0.stderr.gz' | head -60 >&2; exec sleep 60"
        fine = recording(PRE_GENERATORS, "v0.17.0")
        run(fetched, counting(f"if [ $n = 2 ]; then {hang}; fi\n{fine}"), limit_seconds=1, repetitions=5)
        result = read_work(fetched)
        assert result.outcome is Outcome.DEADLINE_EXCEEDED
        assert result.queues, "what it logged before is read"
        assert "5 runs were wanted" in result.message
        assert result.runs is not None
        assert (result.runs.count, result.runs.shown) == (2, 2)

    def test_only_the_last_run_writes_profiles(self, fetched: Path, counting: Callable[[str], str]) -> None:
        profiles = profile_arguments("v0.17.0")
        run(fetched, counting('echo "$@"'), repetitions=2, profiles=profiles)
        said = [(fetched / f"run-{number}" / names.STDOUT).read_text() for number in (1, 2)]
        assert said == [
            "--filename snapshot.zip --verbosity 4\n",
            "--filename snapshot.zip --verbosity 4 --cpuprofile cpu.pprof --memprofile memory.pprof\n",
        ]

    @pytest.mark.parametrize(
        ("adaptations", "told"),
        [
            (
                ["clock: all times are moved on by 1:00:00"],
                ["clock: the last run began 41 s after the times were moved"],
            ),
            (["clock: no time is moved"], []),
            ([], []),
        ],
        ids=["moved", "nothing to go by", "verbatim"],
    )
    def test_that_a_run_began_long_after_the_times_were_moved_is_said(
        self, fetched: Path, tmp_path: Path, adaptations: list[str], told: list[str]
    ) -> None:
        (fetched / names.ADAPTATIONS).write_bytes(orjson.dumps(adaptations))
        earlier = (fetched / names.ADAPTATIONS).stat().st_mtime - 41
        os.utime(fetched / names.ADAPTATIONS, (earlier, earlier))
        run(fetched, tool(tmp_path, recording(PRE_GENERATORS, "v0.17.0")))
        assert list(read_work(fetched).adaptations) == [*adaptations, *told]


@pytest.mark.asyncio
class TestReport:
    @pytest.fixture
    def ran(self, fetched: Path) -> Path:
        """A directory as the tool leaves it."""
        ran_once(fetched / "run-1", PRE_GENERATORS)
        return fetched

    async def test_hands_in_the_log_and_then_the_result(self, client: TransferClient, desk: Desk, ran: Path) -> None:
        result = await report(client, ran, "node-1")
        assert result is not None
        assert result.node_name == "node-1"
        assert desk.log == (PRE_GENERATORS / "v0.17.0.stderr.gz").read_bytes()
        assert desk.result is not None
        assert ReplayResult.model_validate_json(desk.result) == result
        assert result.outcome is Outcome.SUCCEEDED

    async def test_the_result_of_a_pod_that_was_first_counts(
        self, client: TransferClient, desk: Desk, ran: Path
    ) -> None:
        desk.result = b"another"
        await report(client, ran)
        assert desk.result == b"another"

    async def test_a_log_too_large_is_left_out_and_the_result_says_so(
        self, client: TransferClient, desk: Desk, ran: Path
    ) -> None:
        large = io.BytesIO()
        with gzip.GzipFile(fileobj=large, mode="wb", compresslevel=0) as file:
            file.write(bytes(2 << 20))
        with (ran / "run-1" / names.STDERR).open("ab") as log:
            log.write(large.getvalue())
        result = await report(client, ran)
        assert desk.log is None
        assert desk.result is not None
        assert result is not None
        assert "The log was not kept" in result.message

    async def test_the_log_is_that_of_the_run_shown(self, client: TransferClient, desk: Desk, ran: Path) -> None:
        instruct(ran, repetitions=2)
        failed = ran / "run-2"
        failed.mkdir()
        (failed / names.STDERR).write_bytes(gzip.compress(b"no\n"))
        (failed / names.EXIT_CODE).write_text("1\n")
        await report(client, ran)
        assert desk.log == (failed / names.STDERR).read_bytes()
        assert desk.result is not None
        assert ReplayResult.model_validate_json(desk.result).outcome is Outcome.FAILED

    async def test_profiles_are_handed_in_if_there_are_any(self, client: TransferClient, desk: Desk, ran: Path) -> None:
        (ran / "cpu.pprof").write_bytes(b"samples")
        (ran / "memory.pprof").touch()  # as a tool leaves it that was stopped
        await report(client, ran)
        assert desk.profiles == {Profile.CPU: b"samples"}

    async def test_a_profile_too_large_is_left_out_and_the_result_says_so(
        self, client: TransferClient, desk: Desk, ran: Path
    ) -> None:
        (ran / "memory.pprof").write_bytes(bytes(2 << 10))
        result = await report(client, ran)
        assert not desk.profiles
        assert result is not None
        assert "The memory profile was not kept" in result.message

    async def test_a_pod_whose_tool_left_nothing_still_reports(
        self, client: TransferClient, desk: Desk, fetched: Path
    ) -> None:
        result = await report(client, fetched)
        assert result is not None
        assert result.outcome is Outcome.INCOMPLETE
        assert desk.result is not None

    async def test_an_archive_only_the_tool_can_judge_does_not_stop_the_report(
        self, client: TransferClient, desk: Desk, ran: Path
    ) -> None:
        with zipfile.ZipFile(ran / names.ARCHIVE, "w") as archive:
            archive.writestr("snapshot.json", "{")
        await report(client, ran)
        assert desk.result is not None


@pytest.mark.asyncio
class TestCommands:
    """`kai-snapshot job fetch` and `job report`, and what they leave for the operator to read in the pod's status."""

    @pytest.fixture
    def left(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
        """Reads what the kubelet would take for the termination message; sets up the token, and no endpoint."""
        (tmp_path / "token").write_text(TOKENS.issue(PART) + "\n")
        (tmp_path / "termination-log").touch()
        (tmp_path / "ca.crt").write_text(TRUST)
        monkeypatch.setattr(names, "TOKEN_FILE", str(tmp_path / "token"))
        monkeypatch.setattr(names, "AUTHORITIES_FILE", str(tmp_path / "ca.crt"))
        monkeypatch.setattr(job, "TERMINATION_LOG", tmp_path / "termination-log")
        monkeypatch.setattr(job, "FETCH_PATIENCE_SECONDS", 0)
        monkeypatch.setenv(names.URL_VARIABLE, "https://127.0.0.1:9")
        return (tmp_path / "termination-log").read_text

    @staticmethod
    async def call(*arguments: str | Path) -> int:
        return (
            await asyncio.to_thread(CliRunner().invoke, job.app, [str(argument) for argument in arguments])
        ).exit_code

    async def test_fetch_and_report_make_a_replay(
        self, url: str, desk: Desk, work: Path, left: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(names.URL_VARIABLE, url)
        assert await self.call("fetch", work) == 0
        await asyncio.to_thread(run, work, tool(tmp_path, recording(PRE_GENERATORS, "v0.17.0")))
        assert await self.call("report", work) == 0
        assert desk.result is not None
        assert ReplayResult.model_validate_json(desk.result).outcome is Outcome.SUCCEEDED
        assert left() == ""

    async def test_a_failure_that_may_heal_is_exit_code_1(self, work: Path, left: Callable[[], str]) -> None:
        assert await self.call("fetch", work) == 1
        assert Problem.model_validate_json(left()).reason is Reason.TRANSFER_UNREACHABLE

    async def test_a_storage_that_cannot_be_used_at_present_is_exit_code_1(
        self, url: str, desk: Desk, work: Path, left: Callable[[], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(names.URL_VARIABLE, url)
        for where in ("refuses", "keeps_archive"):
            setattr(desk, where, TerminalError(Reason.CREDENTIALS_NOT_FOUND, "the Secret does not exist."))
            assert await self.call("fetch", work) == 1
            assert Problem.model_validate_json(left()).reason is Reason.CREDENTIALS_NOT_FOUND
            setattr(desk, where, None)

    async def test_a_failure_that_will_not_heal_is_exit_code_65(
        self, url: str, desk: Desk, work: Path, left: Callable[[], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(names.URL_VARIABLE, url)
        desk.refuses = TerminalError(Reason.TRANSFER_REFUSED, "the replay is gone.")
        assert await self.call("fetch", work) == names.HOPELESS
        assert Problem.model_validate_json(left()).reason is Reason.TRANSFER_REFUSED

    @pytest.mark.parametrize(("index", "archive"), [("0", 0), ("17", 17), (None, None)])
    async def test_a_pod_of_an_indexed_job_says_which_archive_it_is_about(
        self,
        url: str,
        desk: Desk,
        work: Path,
        left: Callable[[], str],
        monkeypatch: pytest.MonkeyPatch,
        index: str | None,
        archive: int | None,
    ) -> None:
        monkeypatch.setenv(names.URL_VARIABLE, url)
        if index is not None:
            monkeypatch.setenv("JOB_COMPLETION_INDEX", index)
        assert await self.call("fetch", work) == 0
        assert [part.archive for part in desk.parts] == [archive]
        assert left() == ""
