"""Moving the times of a snapshot: which are times, what they look like afterwards, and that nothing else is touched."""

import json
from collections import defaultdict
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kai_snapshot.archive.clock import ANNOTATIONS, METADATA, TIMES, Mover, Newest

DAY = timedelta(days=1)
NOW = datetime(2026, 11, 30, 8, 30, tzinfo=UTC)
LISTS = [*TIMES, "configMaps", "priorityClasses", "topologies"]


def moved(name: str, value: Any, by: timedelta = DAY) -> Any:
    """A copy of an object of that list, its times moved."""
    changed = deepcopy(value)
    assert Mover(by).move(name, changed) == (changed != value)
    return changed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("2026-11-22T10:00:00Z", "2026-11-23T10:00:00Z"),
        ("2026-12-31T23:59:59Z", "2027-01-01T23:59:59Z"),
        ("2028-02-28T12:00:00Z", "2028-02-29T12:00:00Z"),
        ("2026-11-22T10:00:00.000001Z", "2026-11-23T10:00:00.000001Z"),
        ("2026-11-22T10:00:00.123456Z", "2026-11-23T10:00:00.123456Z"),
        ("2026-11-22T10:00:00.123456789Z", "2026-11-23T10:00:00.123456789Z"),
        ("2026-11-22T23:30:00+05:30", "2026-11-23T23:30:00+05:30"),
        ("2026-11-22T23:30:00-08:00", "2026-11-23T23:30:00-08:00"),
        ("0999-01-01T00:00:00Z", "0999-01-02T00:00:00Z"),
        ("0001-01-01T00:00:01Z", "0001-01-02T00:00:01Z"),
    ],
    ids=["seconds", "end of a year", "leap day", "a microsecond", "microseconds", "nanoseconds", "ahead of UTC",
         "behind UTC", "three digits", "nearly zero"],
)  # fmt: skip
def test_a_time_keeps_its_form(before: str, after: str) -> None:
    assert moved("pods", {"metadata": {"creationTimestamp": before}}) == {"metadata": {"creationTimestamp": after}}


@pytest.mark.parametrize(
    "value",
    [None, "", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z", "yesterday", "2026-11-22", "2026-11-22 10:00:00Z",
     "2026-02-30T10:00:00Z", "2026-11-22T25:00:00Z", "2026-11-22T24:00:00Z", "2026-11-22T10:00:60Z",
     "2026-11-22T10:00:00", "2026-11-22T10:00:00+99:00", " 2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z\n",
     "٢٠٢٦-11-22T10:00:00Z", "20261122T100000Z", 1795341600, 1.5, True, [], {}, ["2026-11-22T10:00:00Z"]],
)  # fmt: skip
def test_what_is_no_time_and_what_is_zero_stays(value: object) -> None:
    pod = {"metadata": {"creationTimestamp": value}}
    assert moved("pods", pod) == pod


@pytest.mark.parametrize(
    ("value", "by"),
    [
        ("9999-12-31T23:59:59Z", DAY),
        ("0001-01-01T12:00:00Z", -DAY),
        ("2026-11-22T10:00:00Z", timedelta(days=999999999)),
    ],
    ids=["after the year 9999", "before the year 1", "much too far"],
)
def test_a_time_that_would_leave_the_calendar_stays_and_is_named(value: str, by: timedelta) -> None:
    mover, pod = Mover(by), {"metadata": {"creationTimestamp": value}}
    assert not mover.move("pods", pod)
    assert pod == {"metadata": {"creationTimestamp": value}}
    assert (mover.beyond, mover.moved) == (value, False)


T = "2026-11-22T10:00:00Z"
LOOKALIKES: dict[str, Any] = {
    "metadata": {
        "labels": {"creationTimestamp": T},
        "annotations": {"kubernetes.io/config.seen": T, "creationTimestamp": T},
        "time": T,
        "managedFields": [{"fieldsV1": {"time": T, "f:metadata": {"creationTimestamp": T}}}],
    },
    "data": {"creationTimestamp": T, "since": T, T: T},
    "spec": {
        "creationTimestamp": T,
        "startTime": T,
        "containers": [{"name": T, "env": [{"name": "SINCE", "value": T}], "args": [T]}],
        "volumes": [{"ephemeral": {"volumeClaimTemplate": {"spec": {"volumeName": T}}}}],
    },
    "status": {"message": T, "conditions": [{"type": T, "message": T, "reason": T}], "phase": T},
    "lastTransitionTime": T,
}


@pytest.mark.parametrize("name", LISTS)
def test_what_only_looks_like_a_time_is_never_touched(name: str) -> None:
    assert moved(name, LOOKALIKES) == LOOKALIKES


@pytest.mark.parametrize("name", ["pods", "nodes", "configMaps"])
def test_annotations_of_pod_groups_are_times_on_pod_groups_only(name: str) -> None:
    group = {"metadata": {"annotations": dict.fromkeys(ANNOTATIONS["podGroups"], T)}}
    assert set(moved("podGroups", group)["metadata"]["annotations"].values()) == {"2026-11-23T10:00:00Z"}
    assert moved(name, group) == group


def holder(path: str, value: object) -> dict[str, Any]:
    """An object with that value at the path."""
    for step in reversed(path.split(".")):
        value = {step: value}
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("pods", "metadata.creationTimestamp"),
        ("pods", "metadata.deletionTimestamp"),
        ("pods", "status.startTime"),
        ("nodes", "metadata.deletionTimestamp"),
        ("persistentVolumes", "status.lastPhaseTransitionTime"),
        ("resourceClaims", "status.allocation.allocationTimestamp"),
        ("storageClasses", "metadata.creationTimestamp"),
        ("aListOfALaterVersion", "metadata.creationTimestamp"),
    ],
)
def test_fields_of_the_types_are_times(name: str, path: str) -> None:
    assert moved(name, holder(path, T)) == holder(path, "2026-11-23T10:00:00Z")


@pytest.mark.parametrize(
    ("name", "path", "element"),
    [
        ("pods", "metadata.managedFields", {"manager": "kubelet", "time": T}),
        ("pods", "status.conditions", {"type": "Ready", "lastTransitionTime": T}),
        ("pods", "status.conditions", {"type": "Ready", "lastProbeTime": T}),
        ("pods", "status.containerStatuses", {"state": {"running": {"startedAt": T}}}),
        ("pods", "status.initContainerStatuses", {"lastState": {"terminated": {"finishedAt": T}}}),
        ("pods", "spec.volumes", {"ephemeral": {"volumeClaimTemplate": {"metadata": {"creationTimestamp": T}}}}),
        ("nodes", "status.conditions", {"type": "Ready", "lastHeartbeatTime": T}),
        ("nodes", "spec.taints", {"key": "node.kubernetes.io/unreachable", "timeAdded": T}),
        ("queues", "status.conditions", {"lastTransitionTime": T}),
        ("podGroups", "status.conditions", {"lastTransitionTime": T}),
        ("podGroups", "status.schedulingConditions", {"lastTransitionTime": T}),
        ("bindRequests", "spec.resourceClaimAllocations", {"allocation": {"allocationTimestamp": T}}),
        ("persistentVolumeClaims", "status.conditions", {"lastProbeTime": T}),
        ("resourceClaims", "status.devices", {"conditions": [{"lastTransitionTime": T}]}),
        ("resourceSlices", "spec.devices", {"name": "gpu-0", "taints": [{"timeAdded": T}]}),
        ("resourceSlices", "spec.devices", {"name": "gpu-0", "basic": {"taints": [{"timeAdded": T}]}}),
    ],
)
def test_fields_of_the_types_are_times_in_each_element_of_a_list(name: str, path: str, element: Any) -> None:
    other = json.loads(json.dumps(element).replace(T, "2026-11-20T00:00:00Z"))
    text = json.dumps(holder(path, [element, other, {}, None]))
    expected = text.replace(T, "2026-11-23T10:00:00Z").replace("2026-11-20", "2026-11-21")
    assert moved(name, json.loads(text)) == json.loads(expected)


PATHS = {
    name: [path.split(".") for path in (*METADATA, *TIMES.get(name, ()))]
    + [["metadata", "annotations", key] for key in ANNOTATIONS.get(name, ())]
    for name in LISTS
}
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2300, 1, 1))  # noqa: DTZ001 - the zone is in the form
ZONES = st.sampled_from(["Z", "+00:00", "-07:30"])
PRECISIONS = st.sampled_from(["seconds", "microseconds"])
REAL = st.builds(lambda at, precision, zone: at.isoformat(timespec=precision) + zone, MOMENTS, PRECISIONS, ZONES)
ODD = st.sampled_from([None, "0001-01-01T00:00:00Z", "", "2026-02-30T00:00:00Z", "soon", 7])
SHIFTS = st.integers(-(10**9), 10**9).map(lambda seconds: timedelta(seconds=seconds))


def shape(paths: list[list[str]]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with times at some of these paths, and beside them what only looks like one."""
    below: dict[str, list[list[str]]] = defaultdict(list)
    for first, *rest in paths:
        below[first].append(rest)
    members = {
        name: REAL | ODD if rests == [[]] else shape(rests) | st.lists(shape(rests) | ODD, max_size=2)
        for name, rests in below.items()
    }
    return st.fixed_dictionaries({}, optional=members | {"note": REAL, "data": st.dictionaries(REAL, REAL, max_size=1)})


OBJECTS = st.sampled_from(LISTS).flatmap(lambda name: st.tuples(st.just(name), shape(PATHS[name])))


def leaves(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Each value that holds no others, and the names on the way to it."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from leaves(member, (*path, key))
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each, path)
    else:
        yield path, value


def instant(value: object) -> datetime | None:
    """The time that a text says, None if it says none or zero."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return None if moment.tzinfo is None or moment.year == 1 else moment


@settings(deadline=None)
@given(OBJECTS, SHIFTS)
def test_only_typed_times_move_all_of_them_and_by_one_constant(named: tuple[str, Any], by: timedelta) -> None:
    name, value = named
    before, after = list(leaves(value)), list(leaves(moved(name, value, by)))
    assert [path for path, _ in before] == [path for path, _ in after]
    for (path, old), (_, new) in zip(before, after, strict=True):
        moment = instant(old) if list(path) in PATHS[name] else None
        if moment is None:
            assert new == old
        else:
            assert instant(new) == moment + by
            assert len(str(new)) == len(str(old))


@settings(deadline=None)
@given(OBJECTS, SHIFTS)
def test_moving_there_and_back_changes_nothing(named: tuple[str, Any], by: timedelta) -> None:
    name, value = named
    assert moved(name, moved(name, value, by), -by) == value


@settings(deadline=None)
@given(OBJECTS)
def test_the_newest_time_is_that_of_something_that_has_happened(named: tuple[str, Any]) -> None:
    name, value = named
    newest, before = Newest(not_after=NOW), deepcopy(value)
    newest.element(("rawObjects", name), value, (0, 0))
    past = (
        moment
        for path, text in leaves(value)
        if list(path) in PATHS[name] and "deletionTimestamp" not in path and (moment := instant(text)) is not None
    )
    assert newest.found == max((moment for moment in past if moment <= NOW), default=None)
    assert value == before


def test_the_newest_time_is_not_that_of_a_pod_that_will_be_gone_in_half_a_minute() -> None:
    newest = Newest(not_after=NOW)
    for metadata in (
        {"creationTimestamp": T, "deletionTimestamp": "2026-11-22T10:05:30Z"},
        {"creationTimestamp": "no"},
    ):
        newest.element(("rawObjects", "pods"), {"metadata": metadata}, (0, 0))
    newest.element(("discovery", "resources"), {"metadata": {"creationTimestamp": "2026-11-23T00:00:00Z"}}, (0, 0))
    newest.element(("rawObjects", "pods"), None, (0, 0))
    assert newest.found == datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
