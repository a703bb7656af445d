"""The stand-in for snapshot-tool keeps the tool's contract and prints what the real one printed, to the byte."""

import gzip
import os
import shutil
import signal
import subprocess
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from kai_snapshot.api.preparation import Patch, PatchTarget
from kai_snapshot.archive.prepare import Preparation, prepare
from support.eventually import eventually
from toolchain.programs import find_go

TESTS = Path(__file__).parent.parent
CORPUS = TESTS / "data" / "corpus"
SOURCE = TESTS / "standins" / "snapshot-tool"
NOW = datetime(2026, 11, 30, tzinfo=UTC)
CASES = sorted(path.parent.name for path in CORPUS.glob("*/snapshot.zip"))


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("standin") / "app"
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
    subprocess.run([find_go(), "build", "-C", SOURCE, "-buildvcs=false", "-o", built, "."], check=True, env=environment)
    return built


def run(
    app: Path,
    *arguments: str | Path,
    version: str = "v0.17.0",
    behaviour: str = "",
    recordings: Path = CORPUS,
    timeout: float = 60,
) -> subprocess.CompletedProcess[bytes]:
    environment = {"STANDIN_VERSION": version, "STANDIN_RECORDINGS": str(recordings), "STANDIN_BEHAVIOUR": behaviour}
    return subprocess.run([app, *arguments], env=environment, capture_output=True, check=False, timeout=timeout)


def recorded(case: str, version: str) -> list[tuple[bytes, bytes, int]]:
    """All that the version said about the archive, one or several times."""
    first = CORPUS / case / f"{version}.stderr.gz"
    return [
        (
            gzip.decompress(log.read_bytes()),
            log.with_name(log.name.replace(".stderr.gz", ".stdout")).read_bytes(),
            int(log.with_name(log.name.replace(".stderr.gz", ".exit")).read_text()),
        )
        for log in (first, *first.parent.glob(f"{version}.[2-9].stderr.gz"))
    ]


def said(run: subprocess.CompletedProcess[bytes]) -> tuple[bytes, bytes, int]:
    return run.stderr, run.stdout, run.returncode


@pytest.mark.parametrize("case", CASES)
def test_every_archive_finds_its_own_recording(app: Path, case: str) -> None:
    assert said(run(app, "--filename", CORPUS / case / "snapshot.zip")) in recorded(case, "v0.17.0")


@pytest.mark.parametrize("version", ["v0.9.0", "v0.12.23", "v0.14.7"])
def test_every_version_has_its_own_recording(app: Path, version: str) -> None:
    ran = run(app, "--filename", CORPUS / "07-gang+elastic" / "snapshot.zip", "--verbosity", "6", version=version)
    assert said(ran) in recorded("07-gang+elastic", version)


def test_an_archive_prepared_for_a_newer_version_finds_what_it_was_turned_into(app: Path, tmp_path: Path) -> None:
    source, target = CORPUS / "23-pre-v0.16-config" / "snapshot.zip", tmp_path / "snapshot.zip"
    assert prepare(source, target, Preparation(captured_version="v0.15.0", target_version="v0.17.0"), now=NOW)
    assert said(run(app, "--filename", target)) in recorded("11-gang+running+overq", "v0.17.0")


def test_a_healed_archive_finds_what_it_was_turned_into(app: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(CORPUS / "12-gang+fraction+running" / "snapshot.zip") as archive:
        config = orjson.loads(archive.read("snapshot.json"))["config"]
    config["tiers"][0]["plugins"].pop()  # a ConfigMap of another release
    source, target = CORPUS / "21-config-null" / "snapshot.zip", tmp_path / "snapshot.zip"
    wanted = Preparation(healed_config=config, captured_version="v0.16.2", target_version="v0.17.0")
    prepare(source, target, wanted, now=NOW)
    assert said(run(app, "--filename", target)) in recorded("12-gang+fraction+running", "v0.17.0")


def test_each_of_several_recordings_comes_at_some_time(app: Path, tmp_path: Path) -> None:
    case = "04-gang+selector"
    shutil.copytree(CORPUS / case, tmp_path / case)
    wanted, seen = recorded(case, "v0.17.0"), list[tuple[bytes, bytes, int]]()
    assert len(wanted) > 1
    for _ in range(200):
        ran = said(run(app, "--filename", CORPUS / case / "snapshot.zip", recordings=tmp_path))
        assert ran in wanted
        if ran not in seen:
            seen.append(ran)
        if len(seen) == len(wanted):
            return
    pytest.fail(f"{len(seen)} of {len(wanted)} came")


class TestPatched:
    SOURCE = CORPUS / "01-gang" / "snapshot.zip"

    @pytest.fixture
    def pod(self) -> dict[str, Any]:
        with zipfile.ZipFile(self.SOURCE) as archive:
            return dict(orjson.loads(archive.read("snapshot.json"))["rawObjects"]["pods"][0]["metadata"])

    def prepared(self, target: Path, pod: dict[str, Any], operations: str) -> Path:
        place = PatchTarget(kind="Pod", namespace=pod["namespace"], name=pod["name"])
        wanted = Preparation(patches=[Patch(target=place, patch=operations)], captured_at=NOW - timedelta(days=3))
        said = prepare(self.SOURCE, target, wanted, now=NOW)
        assert any("clock" in line for line in said)
        return target

    def test_an_archive_with_other_times_and_objects_is_recognised(
        self, app: Path, tmp_path: Path, pod: dict[str, Any]
    ) -> None:
        archive = self.prepared(tmp_path / "snapshot.zip", pod, "[{op: add, path: /metadata/labels/x, value: y}]")
        assert said(run(app, "--filename", archive)) in recorded("01-gang", "v0.17.0")

    def test_one_without_a_pod_is_another(self, app: Path, tmp_path: Path, pod: dict[str, Any]) -> None:
        archive = self.prepared(tmp_path / "snapshot.zip", pod, '[{op: remove, path: ""}]')
        ran = run(app, "--filename", archive)
        assert ran.returncode == 1
        assert b"no recording of an archive with these pods" in ran.stderr


def test_an_archive_it_does_not_know_is_not_guessed_at(app: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "snapshot.zip", "w") as archive:
        archive.writestr(
            "snapshot.json", orjson.dumps({"config": {"actions": "allocate"}, "rawObjects": {"pods": None}})
        )
    ran = run(app, "--filename", tmp_path / "snapshot.zip")
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert b"FATAL" in ran.stderr
    assert b"stand-in" in ran.stderr


@pytest.mark.parametrize("content", [None, b"no zip", b""], ids=["no file", "not a ZIP", "empty"])
def test_a_file_that_is_no_archive_is_exit_code_1(app: Path, tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "snapshot.zip").write_bytes(content)
    ran = run(app, "--filename", tmp_path / "snapshot.zip")
    assert ran.returncode == 1
    assert b"FATAL" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code"), [((), 0), (("--help",), 0), (("--no-such-flag",), 2)], ids=["none", "help", "unknown"]
)
def test_usage_says_that_it_is_a_stand_in(app: Path, arguments: tuple[str, ...], exit_code: int) -> None:
    ran = run(app, *arguments)
    assert ran.returncode == exit_code
    assert b"stand-in for KAI Scheduler's snapshot-tool v0.17.0" in ran.stderr
    assert b"-filename" in ran.stderr


@pytest.mark.parametrize(("flag", "measured"), [("--cpuprofile", b"nanoseconds"), ("--memprofile", b"inuse_space")])
def test_profiles_are_real_ones_of_itself(app: Path, tmp_path: Path, flag: str, measured: bytes) -> None:
    profile = tmp_path / "profile"
    assert run(app, "--filename", CORPUS / "01-gang" / "snapshot.zip", flag, profile).returncode == 0
    assert measured in gzip.decompress(profile.read_bytes())


def test_a_profile_that_cannot_be_written_is_exit_code_1(app: Path, tmp_path: Path) -> None:
    ran = run(app, "--filename", CORPUS / "01-gang" / "snapshot.zip", "--cpuprofile", tmp_path / "none" / "profile")
    assert ran.returncode == 1
    assert b"no such file or directory" in ran.stderr


class TestTroubles:
    ARCHIVE = CORPUS / "01-gang" / "snapshot.zip"

    def test_hang_prints_half_and_never_ends(self, app: Path) -> None:
        with pytest.raises(subprocess.TimeoutExpired) as caught:
            run(app, "--filename", self.ARCHIVE, behaviour="hang", timeout=1)
        [(log, _, _)] = recorded("01-gang", "v0.17.0")
        assert caught.value.stderr is not None
        assert log.startswith(caught.value.stderr)
        assert len(log) / 3 < len(caught.value.stderr) <= len(log) / 2

    def test_panic_is_gos(self, app: Path) -> None:
        ran = run(app, "--filename", self.ARCHIVE, behaviour="panic")
        assert ran.returncode == 2
        assert b"panic: " in ran.stderr
        assert b"goroutine 1 [running]" in ran.stderr

    def test_silent_runs_nothing_and_calls_it_good(self, app: Path) -> None:
        ran = run(app, "--filename", self.ARCHIVE, behaviour="silent")
        assert (ran.returncode, ran.stdout) == (0, b"")
        assert b"Enter " not in ran.stderr

    def test_oom_takes_memory_until_it_is_killed(self, app: Path) -> None:
        environment = {"STANDIN_VERSION": "v0.17.0", "STANDIN_RECORDINGS": str(CORPUS), "STANDIN_BEHAVIOUR": "oom"}
        with subprocess.Popen([app, "--filename", self.ARCHIVE], env=environment, stderr=subprocess.DEVNULL) as process:
            _wait_for_memory(process.pid, 64 << 20)
            process.kill()
        assert process.returncode == -signal.SIGKILL


def _wait_for_memory(pid: int, wanted: int) -> None:
    page = os.sysconf("SC_PAGE_SIZE")
    eventually(
        lambda: int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page > wanted,
        timeout=20,
        interval=0.02,
        what="memory",
    )
