"""What the operator keeps of a stored result: how much there is, not who by name."""

import orjson
import pytest

from kai_snapshot.api.result import ReplayResult
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.runs.results import summarize

REPEATED = ReplayResult.model_validate(
    {
        "engine": {"version": "v0.17.0"},
        "outcome": "Succeeded",
        "placements": [{"pod": "ns/a", "node": "n1"}, {"pod": "ns/b", "node": "n2"}],
        "evictions": [{"pod": "ns/c", "action": "reclaim"}],
        "podGroups": [{"name": "ns/j", "outcome": "Unschedulable"}, {"name": "ns/k", "outcome": "Allocated"}],
        "errorCount": 3,
        "runs": {
            "count": 3,
            "outcomes": {"Succeeded": 3},
            "distinct": 2,
            "shown": 1,
            "frequencies": {"placements": {"ns/a": {"n1": 2, "n2": 1}}},
        },
    }
)


def test_lists_are_counted_and_nothing_by_name_is_kept() -> None:
    result, counts = summarize(orjson.dumps(REPEATED.dump()), where="it")
    assert counts.model_dump() == {"placements": 2, "evictions": 1, "pipelined": 0, "unschedulable": 1, "errors": 3}
    assert "ns/" not in result.model_dump_json()


def test_what_the_runs_had_in_common_is_kept() -> None:
    result, _ = summarize(orjson.dumps(REPEATED.dump()), where="it")
    assert result.runs is not None
    assert (result.runs.count, result.runs.distinct, result.outcome) == (3, 2, REPEATED.outcome)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"runs": 1}', b'{"podGroups": [{}]}'])
def test_what_is_no_result_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(TerminalError) as caught:
        summarize(content, where="s3://bucket/0.result.json")
    assert caught.value.reason is Reason.INVALID_RESULT
    assert "s3://bucket/0.result.json" in caught.value.message
