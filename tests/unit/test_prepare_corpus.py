"""Every archive of the corpus, prepared: it keeps the structure of its format, and only what is listed is changed."""

import json
import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kai_snapshot.api.preparation import Patch, PatchTarget
from kai_snapshot.archive.check import inspect
from kai_snapshot.archive.prepare import Preparation, prepare

CORPUS = Path(__file__).parent.parent / "data" / "corpus"
CASES = sorted(path.parent.name for path in CORPUS.glob("*/snapshot.zip"))
CAPTURED, NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC), datetime(2026, 11, 30, 8, 30, 5, tzinfo=UTC)
AGE = NOW - CAPTURED
LOOKS_LIKE_A_TIME = re.compile(r"\d{4}-\d\d-\d\dT")
HEALED = {"actions": "allocate", "tiers": [{"plugins": [{"name": "predicates"}]}]}
PLUGINS = ["config: plugin sg-nodelocalgreedy is added", "config: plugin sg-multinodegang is added"]
MOVED = "clock: all times are moved on by 7 days, 20:30:05"


def document(path: Path) -> bytes:
    """The JSON in an archive, as another reader has it."""
    with zipfile.ZipFile(path) as reader:
        return reader.read("snapshot.json")


def flat(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], object]]:
    """Every value in its order, with the way to it; objects and lists as their types."""
    yield path, type(value) if isinstance(value, dict | list) else value
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield from flat(member, (*path, key))


def finding(path: Path) -> dict[str, object]:
    """All that is found about an archive but its bytes."""
    return {key: value for key, value in inspect(path).dump().items() if key not in ("sha256", "sizeBytes")}


def skeleton(data: bytes) -> bytes:
    """The document without what stands in quotes, its newlines being part of it."""
    return re.sub(rb'"[^"\\]*(?:\\.[^"\\]*)*"', b'""', data)


@pytest.mark.parametrize("case", CASES)
def test_shifting_the_clock_changes_times_by_one_constant_and_not_a_byte_else(case: str, tmp_path: Path) -> None:
    source, target = CORPUS / case / "snapshot.zip", tmp_path / "snapshot.zip"
    said = prepare(source, target, Preparation(config="Verbatim", captured_at=CAPTURED), now=NOW)
    assert said == [f"{MOVED}, from the capture (2026-11-22T12:00:00Z) to now"]
    old, new = document(source), document(target)
    assert len(old) == len(new)
    assert skeleton(old) == skeleton(new)
    before, after = list(flat(json.loads(old))), list(flat(json.loads(new)))
    assert [path for path, _ in before] == [path for path, _ in after]
    for (path, was), (_, is_) in zip(before, after, strict=True):
        # in this corpus all that looks like a time in an object is one
        if path[:1] == ("rawObjects",) and isinstance(was, str) and LOOKS_LIKE_A_TIME.match(was):
            assert isinstance(is_, str)
            assert datetime.fromisoformat(is_) - datetime.fromisoformat(was) == AGE
        else:
            assert is_ == was
    assert finding(target) == finding(source)


@pytest.mark.parametrize("case", CASES)
def test_shifting_there_and_back_is_the_same_document(case: str, tmp_path: Path) -> None:
    source, there, back = CORPUS / case / "snapshot.zip", tmp_path / "there.zip", tmp_path / "back.zip"
    prepare(source, there, Preparation(config="Verbatim", captured_at=CAPTURED), now=NOW)
    said = prepare(there, back, Preparation(config="Verbatim", captured_at=NOW), now=CAPTURED)
    assert document(back) == document(source)
    assert said[0].startswith("clock: all times are moved back by 7 days, 20:30:05")


@pytest.mark.parametrize("case", CASES)
def test_verbatim_is_the_same_file(case: str, tmp_path: Path) -> None:
    source, target = CORPUS / case / "snapshot.zip", tmp_path / "snapshot.zip"
    wanted = Preparation(config="Verbatim", clock="Verbatim", captured_version="v0.9.0", target_version="v0.17.0")
    assert prepare(source, target, wanted, now=NOW) == []
    assert target.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("case", CASES)
def test_all_together_change_what_they_list_and_nothing_else(case: str, tmp_path: Path) -> None:
    source, target = CORPUS / case / "snapshot.zip", tmp_path / "snapshot.zip"
    before = json.loads(document(source))
    raw = before["rawObjects"]
    priority, queue = raw["priorityClasses"][-1]["metadata"]["name"], raw["queues"][0]["metadata"]["name"]
    patches = (
        Patch(target=PatchTarget(kind="PriorityClass", name=priority), patch='[{op: remove, path: ""}]'),
        Patch(target=PatchTarget(kind="Queue", name=queue), patch="[{op: add, path: /spec/x, value: {y: [1]}}]"),
        Patch(target=PatchTarget(kind="SchedulerParams"), patch="[{op: add, path: /x, value: 1}]"),
    )
    wanted = Preparation(
        patches=patches,
        healed_config=HEALED,
        captured_version="v0.15.3",
        captured_at=CAPTURED,
        target_version="v0.17.0",
    )
    said = prepare(source, target, wanted, now=NOW)

    raw["priorityClasses"].pop()
    raw["queues"][0]["spec"]["x"] = {"y": [1]}
    before["schedulerParams"]["x"] = 1
    after = json.loads(document(target))
    config = after.pop("config")
    healed = before.pop("config") is None
    left, right = dict(flat(before)), dict(flat(after))
    assert list(left) == list(right)
    differ = [path for path in left if left[path] != right[path]]
    assert all(path[0] == "rawObjects" and LOOKS_LIKE_A_TIME.match(str(left[path])) for path in differ)
    assert "sg-multinodegang" in json.dumps(config)
    assert said[:3] == [
        f"patch 1: PriorityClass {priority} is removed",
        f"patch 2: Queue {queue} is changed: add /spec/x",
        "patch 3: SchedulerParams is changed: add /x",
    ]
    lacking = healed or case.startswith("23-")
    expected = ["config: the configuration of the scheduler's ConfigMap"] * healed + PLUGINS * lacking + [MOVED]
    assert len(said) == 3 + len(expected)
    assert all(line.startswith(start) for line, start in zip(said[3:], expected, strict=True))
    assert inspect(target).valid
