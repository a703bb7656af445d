"""A replay's pod with the Simulator: fetch, the command of its container under a real busybox, report."""

import hashlib
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from kai_snapshot.api.result import SIMULATED, Engine, Outcome, ReplayResult
from kai_snapshot.api.transfer import Instructions
from kai_snapshot.jobs import names
from kai_snapshot.jobs.script import simulator_command
from kai_snapshot.runs.report import read_work
from kai_snapshot.runs.simulate import simulate_run
from support.simulated import RECORDED_AT

CORPUS = Path(__file__).parent.parent / "data" / "corpus"
RECLAIM = CORPUS / "13-gang+fraction+running+overq+prio+three"
STALE = CORPUS / "mini" / "24-stale_gang.zip"
needs_busybox = pytest.mark.skipif(shutil.which("busybox") is None, reason="busybox-static is not installed")


def fetched(work: Path, archive: Path = RECLAIM / "snapshot.zip", **changes: Any) -> Path:
    """A directory as fetch leaves it."""
    known = {
        "version": SIMULATED,
        "target_version": SIMULATED,
        "engine": "Simulator",
        "image": "kai-snapshot-operator:1.0.0",
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "size_bytes": archive.stat().st_size,
        "captured_at": RECORDED_AT,
        "limit_seconds": 60,
    }
    told = Instructions.model_validate(known | changes)
    work.mkdir()
    (work / names.INSTRUCTIONS).write_bytes(orjson.dumps(told.dump()))
    (work / names.ADAPTATIONS).write_bytes(b"[]")
    shutil.copy(archive, work / names.ARCHIVE)
    if (busybox := shutil.which("busybox")) is not None:
        shutil.copy(busybox, work / names.BUSYBOX)
    return work


def run(work: Path, *, repetitions: int = 1, limit_seconds: int = 60, path: str | None = None) -> None:
    """Runs the Simulator as its container does, the command beside this Python's."""
    command = simulator_command(str(work), limit_seconds=limit_seconds, repetitions=repetitions)
    path = path or f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(command, check=True, env={"PATH": path})


def decided(result: ReplayResult) -> tuple[object, ...]:
    return result.placements, result.evictions, result.pipelined, result.pod_groups, result.queues


@needs_busybox
def test_what_the_simulator_says_is_the_result(tmp_path: Path) -> None:
    work = fetched(tmp_path / "work")
    run(work)
    result = read_work(work)
    direct = simulate_run(work, 1, now=RECORDED_AT)
    assert direct.evictions, "something was decided"
    assert decided(result) == decided(direct)
    assert result.engine == Engine(name="Simulator", version=SIMULATED, image="kai-snapshot-operator:1.0.0")
    assert (result.outcome, result.exit_code, result.verbosity) == (Outcome.SUCCEEDED, 0, None)
    assert result.resources is not None
    assert result.resources.peak_memory_bytes > 10 << 20


@needs_busybox
def test_each_run_draws_an_order_of_jobs_of_its_own(tmp_path: Path) -> None:
    case = CORPUS / "12-gang+fraction+running" / "snapshot.zip"
    work = fetched(tmp_path / "work", case, repetitions=3)
    run(work, repetitions=3)
    result = read_work(work)
    assert result.runs is not None
    assert (result.runs.count, result.runs.outcomes) == (3, {Outcome.SUCCEEDED: 3})
    seeded = {decided(simulate_run(work, each, now=RECORDED_AT)) for each in (1, 2, 3)}
    assert result.runs.distinct == len(seeded) > 1


@needs_busybox
def test_a_simulator_that_is_stopped_at_its_deadline_is_a_result(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "kai-snapshot").write_text("#!/bin/sh\nexec sleep 60\n")
    (programs / "kai-snapshot").chmod(0o755)
    work = fetched(tmp_path / "work", limit_seconds=1)
    run(work, limit_seconds=1, path=f"{programs}:{os.environ['PATH']}")
    result = read_work(work)
    assert (result.outcome, result.exit_code) == (Outcome.DEADLINE_EXCEEDED, 137)
    assert result.engine.name == "Simulator"


@needs_busybox
@pytest.mark.parametrize(
    ("script", "outcome", "says"),
    [
        ("kill -KILL $$", Outcome.OOM_KILLED, "needs more memory"),
        ("echo '{' ; exit 1", Outcome.FAILED, "ended with exit code 1 and no result"),
    ],
    ids=["killed by another", "crashed in the middle of its words"],
)
def test_a_simulator_that_ends_without_a_result_is_one(
    tmp_path: Path, script: str, outcome: Outcome, says: str
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "kai-snapshot").write_text(f"#!/bin/sh\n{script}\n")
    (programs / "kai-snapshot").chmod(0o755)
    work = fetched(tmp_path / "work")
    run(work, path=f"{programs}:{os.environ['PATH']}")
    result = read_work(work)
    assert result.outcome is outcome
    assert says in result.message


def test_an_archive_that_cannot_be_simulated_is_a_result_that_says_why(tmp_path: Path) -> None:
    work = fetched(tmp_path / "work", CORPUS / "21-config-null" / "snapshot.zip")
    result = simulate_run(work, 1, now=datetime.now(UTC))
    assert result.outcome is Outcome.INCOMPATIBLE_SNAPSHOT
    assert result.message.startswith("ConfigNull: ")


@pytest.mark.parametrize(
    ("clock", "evicted"), [("Shift", 0), ("Verbatim", 1)], ids=["as the scheduler saw it", "as old as it is by now"]
)
def test_the_clock_says_what_time_it_is(tmp_path: Path, clock: str, evicted: int) -> None:
    captured_at = datetime(2026, 11, 20, 8, 0, 30, tzinfo=UTC)  # stale for 25 s, which is less than a minute
    work = fetched(tmp_path / "work", STALE, prepare={"clock": clock}, captured_at=captured_at)
    result = simulate_run(work, 1, now=RECORDED_AT)
    assert len(result.evictions) == evicted
