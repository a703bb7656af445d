"""The stand-in for snapshot-tool keeps the tool's contract and prints what the real one printed, to the byte."""

import gzip
import os
import shutil
import signal
import subprocess
import zipfile
from pathlib import Path

import orjson
import pytest

from kai_snapshot.archive.prepare import prepare
from support.eventually import eventually

TESTS = Path(__file__).parent.parent
CORPUS = TESTS / "data" / "corpus"
SOURCE = TESTS / "standins" / "snapshot-tool"
CASES = sorted(path.parent.name for path in CORPUS.glob("*/snapshot.zip"))


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("go") is None:
        if (SOURCE / "app").exists():
            return SOURCE / "app"
        pytest.skip("Go is not installed")
    built = tmp_path_factory.mktemp("standin") / "app"
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
    subprocess.run(["go", "build", "-C", SOURCE, "-buildvcs=false", "-o", built, "."], check=True, env=environment)
    return built


def run(
    app: Path, *arguments: str | Path, version: str = "v0.17.0", behaviour: str = "", timeout: float = 60
) -> subprocess.CompletedProcess[bytes]:
    environment = {"STANDIN_VERSION": version, "STANDIN_RECORDINGS": str(CORPUS), "STANDIN_BEHAVIOUR": behaviour}
    return subprocess.run([app, *arguments], env=environment, capture_output=True, check=False, timeout=timeout)


def recorded(case: str, version: str) -> tuple[bytes, bytes, int]:
    files = CORPUS / case / version
    return (
        gzip.decompress(files.with_name(f"{version}.stderr.gz").read_bytes()),
        files.with_name(f"{version}.stdout").read_bytes(),
        int(files.with_name(f"{version}.exit").read_text()),
    )


def said(run: subprocess.CompletedProcess[bytes]) -> tuple[bytes, bytes, int]:
    return run.stderr, run.stdout, run.returncode


@pytest.mark.parametrize("case", CASES)
def test_every_archive_finds_its_own_recording(app: Path, case: str) -> None:
    assert said(run(app, "--filename", CORPUS / case / "snapshot.zip")) == recorded(case, "v0.17.0")


@pytest.mark.parametrize("version", ["v0.9.0", "v0.12.23", "v0.14.7"])
def test_every_version_has_its_own_recording(app: Path, version: str) -> None:
    ran = run(app, "--filename", CORPUS / "07-gang+elastic" / "snapshot.zip", "--verbosity", "6", version=version)
    assert said(ran) == recorded("07-gang+elastic", version)


def test_an_archive_prepared_for_a_newer_version_finds_what_it_was_turned_into(app: Path, tmp_path: Path) -> None:
    source, target = CORPUS / "23-pre-v0.16-config" / "snapshot.zip", tmp_path / "snapshot.zip"
    assert prepare(
        source, target, mode="TargetDefaults", healed_config=None, captured_version="v0.15.0", target_version="v0.17.0"
    )
    assert said(run(app, "--filename", target)) == recorded("11-gang+running+overq", "v0.17.0")


def test_a_healed_archive_finds_what_it_was_turned_into(app: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(CORPUS / "12-gang+fraction+running" / "snapshot.zip") as archive:
        config = orjson.loads(archive.read("snapshot.json"))["config"]
    config["tiers"][0]["plugins"].pop()  # a ConfigMap of another release
    source, target = CORPUS / "21-config-null" / "snapshot.zip", tmp_path / "snapshot.zip"
    prepare(
        source,
        target,
        mode="TargetDefaults",
        healed_config=config,
        captured_version="v0.16.2",
        target_version="v0.17.0",
    )
    assert said(run(app, "--filename", target)) == recorded("12-gang+fraction+running", "v0.17.0")


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


@pytest.mark.parametrize("flag", ["--cpuprofile", "--memprofile"])
def test_profiles_are_accepted(app: Path, flag: str) -> None:
    assert run(app, "--filename", CORPUS / "01-gang" / "snapshot.zip", flag, "/tmp/profile").returncode == 0


class TestTroubles:
    ARCHIVE = CORPUS / "01-gang" / "snapshot.zip"

    def test_hang_prints_half_and_never_ends(self, app: Path) -> None:
        with pytest.raises(subprocess.TimeoutExpired) as caught:
            run(app, "--filename", self.ARCHIVE, behaviour="hang", timeout=1)
        log, _, _ = recorded("01-gang", "v0.17.0")
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
