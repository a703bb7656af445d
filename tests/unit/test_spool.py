"""What happens where there is too little room for an archive."""

import errno
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from kai_snapshot.errors import Reason, TransientError
from kai_snapshot.runs import spool


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_is_full_is_said_to_be_full(number: int, tmp_path: Path) -> None:
    with pytest.raises(TransientError, match=str(tmp_path)) as failure, spool.writing(tmp_path / "a.zip"):
        raise OSError(number, "full")
    assert failure.value.reason is Reason.SPOOL_FULL


def test_another_failure_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="broken"), spool.writing(tmp_path / "a.zip"):
        raise OSError(errno.EIO, "broken")


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
