"""What happens where there is too little room for an archive, or the disk fails."""

import asyncio
import errno
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from kai_snapshot.errors import Reason, TransientError
from kai_snapshot.runs import spool
from kai_snapshot.runs.take import take_url


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_is_full_is_said_to_be_full(number: int, tmp_path: Path) -> None:
    with pytest.raises(TransientError, match=str(tmp_path)) as failure, spool.holding(tmp_path / "a.zip"):
        raise OSError(number, "full")
    assert failure.value.reason is Reason.SPOOL_FULL


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS, errno.ENOENT])
def test_another_failure_of_the_disk_is_said_with_the_directory(number: int, tmp_path: Path) -> None:
    with pytest.raises(TransientError, match=f"{tmp_path} .*broken") as failure, spool.holding(tmp_path / "a.zip"):
        raise OSError(number, "broken")
    assert failure.value.reason is Reason.SPOOL_FAILED


def test_a_directory_that_is_not_there_is_said_before_anything_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match=f"{tmp_path}/none .*No such file") as failure:
        spool.check_room(tmp_path / "none" / "a.zip")
    assert failure.value.reason is Reason.SPOOL_FAILED


def test_a_file_that_cannot_be_opened_is_not_taken_for_a_scheduler_that_is_away(tmp_path: Path) -> None:
    place = tmp_path / "a.zip"
    place.mkdir()
    with pytest.raises(TransientError, match=f"{tmp_path} .*Is a directory") as failure:
        asyncio.run(take_url("http://127.0.0.1:1", place, silence_seconds=1))
    assert failure.value.reason is Reason.SPOOL_FAILED


@pytest.mark.parametrize(("free", "begins"), [(spool.RESERVE, True), (spool.RESERVE - 1, False)])
def test_nothing_is_asked_for_without_room(
    free: int, begins: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    if begins:
        spool.check_room(tmp_path / "a.zip")
    else:
        with pytest.raises(TransientError, match="256 MiB must be free"):
            spool.check_room(tmp_path / "a.zip")


def test_room_for_a_file_of_known_size_is_asked_for_beside_the_reserve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=spool.RESERVE + (44 << 20)))
    spool.check_room(tmp_path / "a.zip", size=44 << 20)
    with pytest.raises(TransientError, match="300 MiB must be free") as failure:
        spool.check_room(tmp_path / "a.zip", size=(44 << 20) + 1)
    assert failure.value.reason is Reason.SPOOL_FULL
