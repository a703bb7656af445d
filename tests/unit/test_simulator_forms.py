"""What is not of the form that the simulator reads is refused by name; nothing else than that comes of it."""

import copy
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.simulator.forms import Malformed, check, check_template
from kai_snapshot.simulator.simulate import load, simulate
from support.fuzz import fuzzed
from support.simulated import CORPUS, MINI, RECORDED_AT
from support.zips import archive

ARCHIVES = (
    CORPUS / "20-live-bindrequests" / "snapshot.zip",
    CORPUS / "18-gang+fraction+cpu+selector+taint+running+overq+prio+limit+elastic+three" / "snapshot.zip",
    *sorted(MINI.glob("*.zip"))[::9],
)
STRANGE: tuple[Any, ...] = (
    None, "", "x", "NaN", "1e9999", "-1", "٣", 0, -1, 2**31, 2**63, 2**70, 1e300, -0.5, True, [], {}, [None], [[]],
    [{}], {"": None}, {"x": {}}, {"x": "y"}, ["x"], [1], {"name": "x"}, [{"name": None}], "9" * 400,
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
)  # fmt: skip
Path_ = tuple[str | int, ...]


def document(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as reader:
        found: dict[str, Any] = json.loads(reader.read("snapshot.json"))
    return found


DOCUMENTS = [document(path) for path in ARCHIVES]


def places(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Every place in a document, but for the discovery, which nobody looks at here."""
    if path:
        yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        if path or key != "discovery":
            yield from places(member, (*path, key))


PLACES = [list(places(each)) for each in DOCUMENTS]


def with_put(found: dict[str, Any], path: Path_, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(found)
    parent: Any = changed
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    return changed


@fuzzed(400)
@given(chosen=st.data())
def test_whatever_stands_anywhere_there_is_a_result_or_a_reason(
    chosen: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    number = chosen.draw(st.integers(0, len(DOCUMENTS) - 1))
    place = chosen.draw(st.sampled_from(PLACES[number]))
    changed = with_put(DOCUMENTS[number], place, chosen.draw(st.sampled_from(STRANGE)))
    path = tmp_path_factory.mktemp("strange") / "snapshot.zip"
    path.write_bytes(archive(json.dumps(changed).encode()))
    try:
        result = simulate(load(path, not_after=RECORDED_AT), clock=time.perf_counter, now=RECORDED_AT)
    except TerminalError as error:
        assert error.reason in (Reason.INCOMPLETE_SNAPSHOT, Reason.CONFIG_NULL)  # noqa: PT017 - else it may pass
    else:
        assert result.outcome == "Succeeded" or result.message


META = {"metadata": {"name": "x"}}


@pytest.mark.parametrize(
    ("of", "value", "says"),
    [
        ("queues", "x", "an object of `queues` is not one of its kind: it is not an object"),
        ("queues", {}, "an object of `queues` is not one of its kind: `metadata` is not an object"),
        ("queues", {"metadata": {}}, "an object of `queues` is not one of its kind: `metadata.name` is not a name"),
        ("configMaps", {"metadata": {"name": ""}}, "`metadata.name` is not a name"),
        ("anyOtherList", {"metadata": {"name": 3}}, "`metadata.name` is not a name"),
        (
            "queues",
            {**META, "spec": {"resources": {"gpu": {"quota": "eight"}}}},
            "'x' of `queues` is not one of its kind: `spec.resources.gpu.quota` is not a number",
        ),
        ("podGroups", {**META, "spec": {"minMember": 2**31}}, "`spec.minMember` is not a whole number of 32 bits"),
        ("podGroups", {**META, "spec": {"minMember": True}}, "`spec.minMember` is not a whole number of 32 bits"),
        ("podGroups", {**META, "spec": {"subGroups": [META, {}]}}, "`spec.subGroups.0.name` is not a name"),
        ("nodes", {**META, "status": {"allocatable": [1]}}, "`status.allocatable` is not an object"),
        ("nodes", {**META, "status": {"allocatable": {"cpu": "many"}}}, "`status.allocatable.cpu` is not a quantity"),
        (
            "nodes",
            {**META, "status": {"allocatable": {"nvidia.com/gpu": "2G"}}},
            "`status.allocatable.nvidia.com/gpu` is not a number of GPUs that a node can have",
        ),
        ("nodes", {**META, "spec": {"taints": {}}}, "`spec.taints` is not a list"),
        ("pods", {"metadata": {"name": "x", "creationTimestamp": "today"}}, "`metadata.creationTimestamp` is not a"),
        ("config", {"tiers": [{"plugins": [{}]}]}, "`config` is not what it should be: `tiers.0.plugins.0.name`"),
        ("schedulerParams", [], "`schedulerParams` is not what it should be: it is not an object"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(of: str, value: object, says: str) -> None:
    with pytest.raises(Malformed) as caught:
        check(of, value)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"containers": "none"}, "'x' of `pods` is not one of its kind: `spec.containers` is not a list"),
        ({"tolerations": [{"key": 1}]}, "`spec.tolerations.0.key` is not text"),
        ({"containers": [{"resources": {"requests": {"cpu": "1e400"}}}]}, "`spec.containers.0.resources.requests.cpu`"),
    ],
)
def test_of_a_pods_template_too(spec: dict[str, Any], says: str) -> None:
    with pytest.raises(Malformed) as caught:
        check_template({**META, "spec": spec})
    assert says in str(caught.value)


@pytest.mark.parametrize("of", ["pods", "nodes", "queues", "podGroups", "bindRequests", "topologies"])
def test_what_is_not_there_is_not_missed(of: str) -> None:
    check(of, {**META, "spec": None, "status": {}})


def test_every_archive_passes() -> None:
    for each in DOCUMENTS:
        for name, values in each["rawObjects"].items():
            for value in values or []:
                check(name, value)
        check("config", each["config"])
        check("schedulerParams", each["schedulerParams"])
