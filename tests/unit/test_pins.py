"""Which archives of a capture unfinished replays still read."""

from typing import Any

import pytest

from kai_snapshot.api.storage import Storage
from kai_snapshot.runs.pins import pins
from kai_snapshot.stores import layout, location
from support.resources import replay

STORAGE = Storage.model_validate({"pvc": {"claimName": "archives"}})
FOLDER = layout.CaptureFolder("kai-snapshots", "hourly")
IDS = [f"20261122T1{hour}0000Z" for hour in range(6)]


def reading(
    newest: str, *, first: str | None = None, folder: layout.CaptureFolder = FOLDER, **status: Any
) -> dict[str, Any]:
    """A replay of the archive, or of all from `first` on."""
    archives = {"count": 2, "first": first, "last": newest, "digest": "0" * 64, "planURI": "pvc://archives/plan.json"}
    source = {"uri": location(STORAGE, folder.archive(newest, "ab" * 32)), **({"archives": archives} if first else {})}
    return replay(status={"resolvedSource": source, **status})


@pytest.mark.parametrize(
    ("replays", "expected"),
    [
        ([], []),
        ([replay()], []),
        ([reading(IDS[2])], [IDS[2]]),
        ([reading(IDS[4], first=IDS[2])], IDS[2:5]),
        ([reading(IDS[1], first=IDS[0]), reading(IDS[5])], [IDS[0], IDS[1], IDS[5]]),
        ([reading(IDS[4], first=IDS[2], completionTime="2026-11-22T18:00:00Z")], []),
        ([reading(IDS[2], folder=layout.CaptureFolder("kai-snapshots", "daily"))], []),
    ],
    ids=["no replay", "not resolved", "one archive", "many", "two replays", "finished", "another capture's"],
)
def test_an_archive_stays_while_a_replay_reads_it(replays: list[dict[str, Any]], expected: list[str]) -> None:
    pinned = pins(replays, STORAGE, FOLDER)
    assert [id_ for id_ in IDS if id_ in pinned] == expected


def test_what_its_environment_needs_stays_too() -> None:
    pinned = pins([reading(IDS[4])], STORAGE, FOLDER, also=(IDS[0], IDS[2]))
    assert [id_ for id_ in IDS if id_ in pinned] == [IDS[0], IDS[2], IDS[4]]


def test_a_run_requested_within_the_range_stays_too() -> None:
    pinned = pins([reading(IDS[4], first=IDS[2])], STORAGE, FOLDER)
    assert "20261122T123000Z-dd323bde" in pinned
    assert f"{IDS[1]}-dd323bde" not in pinned
