"""Capturing processes: real ones, running a short script in place of the command."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import pytest

from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.runs.children import Child, Children, sweep
from kai_snapshot.runs.request import CaptureAnswer, CaptureRequest
from kai_snapshot.source import ApiConnection
from kai_snapshot.stores import S3Credentials
from support.eventually import eventually

READ = "import sys, json, os, time; request = json.load(sys.stdin); "


def request(keys: S3Credentials | None = None, spool: str = tempfile.gettempdir()) -> CaptureRequest:
    return CaptureRequest.model_validate(
        {
            "id": "20261122T100000Z",
            "trigger": "OneShot",
            "scheduledFor": "2026-11-22T10:00:00Z",
            "namespace": "kai-snapshots",
            "name": "once",
            "source": {},
            "connection": ApiConnection(server="https://127.0.0.1:1"),
            "storage": {"s3": {"bucket": "archives"}},
            "keys": keys,
            "claimsDir": "/claims",
            "spoolDir": spool,
        }
    )


def run(
    script: str,
    *,
    deadline: float = 20,
    keys: S3Credentials | None = None,
    program: str = sys.executable,
    spool: str = tempfile.gettempdir(),
) -> CaptureAnswer:
    async def main() -> CaptureAnswer:
        children = Children(CaptureAnswer, concurrent=1, command=(program, "-c", READ + script))
        ended = asyncio.Event()

        async def wanted() -> CaptureRequest:
            return request(keys, spool)

        children.start("a/b", "id", wanted, attempt=1, deadline_seconds=deadline, on_end=ended.set)
        await asyncio.wait_for(ended.wait(), 30)
        child = children.get("a/b", id_="id", attempt=1)
        assert child is not None
        assert child.answer is not None
        return child.answer

    return asyncio.run(main())


def test_the_request_comes_on_standard_input_and_the_answer_on_standard_output() -> None:
    answer = run("print(json.dumps({'reason': 'NoLeader', 'message': request['name'], 'kind': 'Transient'}))")
    assert (answer.reason, answer.message, answer.kind) == (Reason.NO_LEADER, "once", "Transient")


def test_no_key_is_in_the_arguments_or_the_environment_of_the_process() -> None:
    os.environ["AWS_PROFILE"] = "ambient"
    try:
        keys = S3Credentials(access_key_id="AKIA", secret_access_key="s3cr3t")
        script = (
            "seen = ' '.join(sys.argv) + str(dict(os.environ)); leaked = 's3cr3t' in seen or 'AWS_' in seen;"
            "print(json.dumps({'reason': 'NoLeader', 'message': f'{leaked}'}))"
        )
        assert run(script, keys=keys).message == "False"
    finally:
        del os.environ["AWS_PROFILE"]


def test_keys_are_not_in_what_a_request_prints_as() -> None:
    assert "s3cr3t" not in repr(request(S3Credentials(access_key_id="AKIA", secret_access_key="s3cr3t")))


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        pytest.param("sys.exit(1)", Reason.INTERNAL_ERROR, id="it ends without an answer"),
        pytest.param("print('hello')", Reason.INTERNAL_ERROR, id="it says something else"),
        pytest.param("os.kill(os.getpid(), 9)", Reason.OUT_OF_MEMORY, id="it is killed"),
    ],
)
def test_a_process_that_breaks_is_a_failed_run(script: str, reason: Reason) -> None:
    assert run(script).reason == reason


def test_a_process_that_cannot_be_started_is_a_failed_run_that_may_heal() -> None:
    answer = run("", program="/nonexistent")
    assert (answer.reason, answer.kind) == (Reason.INTERNAL_ERROR, "Transient")


def test_a_spool_directory_that_is_not_there_is_a_failed_run_that_says_so() -> None:
    answer = run("", spool="/nonexistent")
    assert (answer.reason, answer.kind) == (Reason.SPOOL_FAILED, "Transient")
    assert "/nonexistent cannot hold the archive" in answer.message


def test_nothing_is_left_in_the_spool_directory_whatever_becomes_of_the_process() -> None:
    script = "open(request['spoolDir'] + '/snapshot.zip', 'w').close(); print(request['spoolDir'], file=sys.stderr);"
    before = set(Path(tempfile.gettempdir()).glob("capture-*"))
    run(script + "os.kill(os.getpid(), 9)")
    run(script + "time.sleep(60)", deadline=1)
    assert set(Path(tempfile.gettempdir()).glob("capture-*")) == before


def test_what_an_operator_that_was_killed_left_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / "capture-x").mkdir()
    (tmp_path / "capture-x" / "snapshot.zip").write_bytes(b"zip")
    (tmp_path / "other").touch()
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_a_process_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    answer = run(f"open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)", deadline=1)
    assert answer.reason == Reason.DEADLINE_EXCEEDED
    assert not Path(f"/proc/{pid.read_text()}").exists()


def test_a_request_that_cannot_be_made_is_a_failed_run() -> None:
    async def main() -> CaptureAnswer | None:
        children = Children(CaptureAnswer, concurrent=1, command=("false",))
        ended = asyncio.Event()

        async def wanted() -> CaptureRequest:
            raise TerminalError(Reason.CREDENTIALS_NOT_FOUND, "no such Secret")

        children.start("a/b", "id", wanted, attempt=1, deadline_seconds=5, on_end=ended.set)
        await asyncio.wait_for(ended.wait(), 10)
        child = children.get("a/b", id_="id", attempt=1)
        return child.answer if child else None

    answer = asyncio.run(main())
    assert answer is not None
    assert (answer.reason, answer.kind) == (Reason.CREDENTIALS_NOT_FOUND, "Terminal")


def test_the_same_try_is_not_started_twice_and_another_takes_its_place() -> None:
    async def main() -> tuple[Child[CaptureAnswer] | None, Child[CaptureAnswer] | None, Child[CaptureAnswer] | None]:
        children = Children(CaptureAnswer, concurrent=2, command=(sys.executable, "-c", "import time; time.sleep(60)"))

        async def wanted() -> CaptureRequest:
            return request()

        def start(attempt: int) -> Child[CaptureAnswer] | None:
            children.start("a/b", "id", wanted, attempt=attempt, deadline_seconds=60, on_end=lambda: None)
            return children.get("a/b", id_="id", attempt=attempt)

        first, again = start(1), start(1)
        await asyncio.sleep(0)
        second = start(2)
        await children.close()
        return first, again, second

    first, again, second = asyncio.run(main())
    assert first is again
    assert second is not None
    assert second is not first


def test_whoever_stops_a_try_knows_that_its_process_is_gone(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"{READ}open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"

    async def main() -> None:
        children = Children(CaptureAnswer, concurrent=1, command=(sys.executable, "-c", script))

        async def wanted() -> CaptureRequest:
            return request()

        children.start("a/b", "id", wanted, attempt=1, deadline_seconds=60, on_end=lambda: None)
        await asyncio.to_thread(eventually, lambda: pid.exists() and pid.read_text(), interval=0.05)
        assert await children.stop("a/b")
        assert not await children.stop("a/b"), "nothing is left to stop"

    asyncio.run(main())
    assert not Path(f"/proc/{pid.read_text()}").exists()
