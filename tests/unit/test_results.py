"""What is read of a stored result: how much there is, and what can be compared; and that nothing else is taken."""

import json
from copy import deepcopy
from functools import partial
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kai_snapshot import compare
from kai_snapshot.api.result import ReplayResult
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.runs.results import summarize, to_compare

REPEATED = ReplayResult.model_validate(
    {
        "engine": {"version": "v0.17.0"},
        "archive": {"name": "20261122T090000Z", "sha256": "0" * 64},
        "outcome": "Succeeded",
        "durationsMs": {"total": 41, "actions": {"allocate": 30}},
        "placements": [{"pod": "ns/a", "node": "n1"}, {"pod": "ns/b", "node": "n2"}],
        "evictions": [{"pod": "ns/c", "action": "reclaim"}],
        "podGroups": [{"name": "ns/j", "outcome": "Unschedulable"}, {"name": "ns/k", "outcome": "Allocated"}],
        "errorCount": 3,
        "runs": {
            "count": 3,
            "outcomes": {"Succeeded": 3},
            "distinct": 2,
            "shown": 1,
            "durationsMs": [{"total": 41, "actions": {"allocate": 30}}],
            "frequencies": {
                "placements": {"ns/a": {"n1": 2, "n2": 1}},
                "evictions": {"ns/c": 3},
                "podGroups": {"ns/j": {"Unschedulable": 3}},
            },
        },
    }
)
VALID = orjson.loads(orjson.dumps(REPEATED.dump()))
STABLE = {**VALID, "runs": None}
TEXT = st.sampled_from(["", "3", "Succeeded", "n1"]) | st.text(max_size=5)
NUMBER = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


def test_lists_are_counted_and_nothing_by_name_is_kept() -> None:
    result, counts = summarize(orjson.dumps(REPEATED.dump()), where="it")
    assert counts.model_dump() == {"placements": 2, "evictions": 1, "pipelined": 0, "unschedulable": 1, "errors": 3}
    assert "ns/" not in result.model_dump_json()


def test_what_the_runs_had_in_common_is_kept() -> None:
    result, _ = summarize(orjson.dumps(REPEATED.dump()), where="it")
    assert result.runs is not None
    assert (result.runs.count, result.runs.distinct, result.outcome) == (3, 2, REPEATED.outcome)


def changed(path: str, value: object) -> bytes:
    """The valid result with another value at `a.b.0`."""
    document: Any = deepcopy(VALID)
    at = document
    *way, last = path.split(".")
    for step in way:
        at = at[int(step) if isinstance(at, list) else step]
    at[last] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("schemaVersion", [None, "kai-snapshot.io/replay-result/v2"]),
        ("message", [None, 5]),
        ("nodeName", [None, [1]]),
        ("archive", ["a.zip", {"sha256": "abc"}]),
        ("placements", [None, {}, "", [1], [{}], [{"pod": 1, "node": "n"}]]),
        ("placements.0.node", [None, 1, ["n"]]),
        ("runs.frequencies.placements", [None, [], {"p": None}, {"p": {"n": "x"}}]),
        ("runs.frequencies.evictions.ns/c", [0, -1, 4, 1.5, None]),
        ("runs.count", [0, 2, 2**70]),
        ("durationsMs.total", [-1, 2**63, 1e300]),
        ("durationsMs.actions", [{"a" * 64: 1}, {str(number): 1 for number in range(65)}]),
    ],
)
def test_a_result_with_something_else_in_it_is_refused(path: str, values: list[Any]) -> None:
    for value in values:
        assert_refused(changed(path, value))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b"[]", b"{}", b'{"runs": 1}', b'{"engine": {}, "outcome": "Succeeded"}', b"[" * 100_000],
    ids=["nothing", "cut off", "no text", "a list", "an empty object", "something else", "no lists", "far too deep"],
)
def test_what_is_no_result_is_refused(content: bytes) -> None:
    assert_refused(content)


def assert_refused(content: bytes) -> None:
    for read in (summarize, partial(to_compare, name="v0.17.0")):
        with pytest.raises(TerminalError, match=r"^0\.result\.json is not a replay result") as caught:
            read(content, where="0.result.json")
        assert caught.value.reason is Reason.INVALID_RESULT


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A result in which up to three things, wherever they stand, are gone or something else."""
    document = deepcopy(draw(st.sampled_from([VALID, STABLE])))
    for _ in range(draw(st.integers(1, 3))):
        at: Any = document
        while True:
            steps = list(at) if isinstance(at, dict) else list(range(len(at)))
            if not steps:
                break
            step = draw(st.sampled_from(steps))
            if isinstance(at[step], dict | list) and draw(st.booleans()):
                at = at[step]
                continue
            if draw(st.booleans()):
                at[step] = draw(JSON)
            else:
                del at[step]
            break
    return document


@given(damaged() | JSON)
@example({**STABLE, "engine": {"version": "v" + "9" * 5000 + ".0.0"}})
def test_whatever_is_handed_in_is_refused_or_can_be_compared(document: Any) -> None:
    content = orjson.dumps(document)
    try:
        summarize(content, where="it")
    except TerminalError as error:
        if error.reason is Reason.INVALID_RESULT:
            return
        raise
    one, other = (to_compare(content, name=name, where="it") for name in "ab")
    valid = to_compare(orjson.dumps(VALID), name="c", where="it")
    compared = compare.compare(valid, [valid, one, other])
    assert orjson.dumps(compared.dump())
    assert orjson.dumps(compare.brief(compared).dump())
    backtest = compare.Backtest(["c", "a"], "c")
    backtest.add("1", valid, [valid, one])
    assert orjson.dumps(backtest.finish().dump())
