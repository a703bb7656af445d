"""Results: a `result.json` read for what a status or a comparison needs. One at a time: a large one takes memory."""

import threading
from typing import Any, Final

import orjson
from pydantic import ValidationError

from kai_snapshot.api.result import JobOutcome, ReplayResult
from kai_snapshot.api.snapshotreplay import ResultCounts
from kai_snapshot.compare import Findings, findings
from kai_snapshot.errors import Reason, TerminalError

RESULT_BYTES: Final = 64 << 20
_LISTS: Final = ("placements", "evictions", "pipelined", "podGroups")
_one_at_a_time = threading.Lock()


def summarize(content: bytes, *, where: str) -> tuple[ReplayResult, ResultCounts]:
    """The result without what it has by name, and how much that is; `where` is for messages.

    Raises TerminalError: InvalidResult.
    """
    with _one_at_a_time:
        try:
            document = _document(content, where)
            lists = {name: document.pop(name, []) for name in _LISTS}
            (document.get("runs") or {}).pop("frequencies", None)
            result = ReplayResult.model_validate(document)
            counts = ResultCounts(
                placements=len(lists["placements"]),
                evictions=len(lists["evictions"]),
                pipelined=len(lists["pipelined"]),
                unschedulable=sum(group["outcome"] == JobOutcome.UNSCHEDULABLE for group in lists["podGroups"]),
                errors=result.error_count,
            )
        except (ValidationError, TypeError, KeyError, AttributeError) as error:
            raise _invalid(where) from error
    return result, counts


def to_compare(content: bytes, *, name: str, where: str) -> Findings:
    """What comparing needs of the result of the version `name`; `where` is for messages.

    Raises TerminalError: InvalidResult.
    """
    with _one_at_a_time:
        return findings(_document(content, where), name=name, where=where)


def _document(content: bytes, where: str) -> dict[str, Any]:
    try:
        document = orjson.loads(content)
    except ValueError as error:
        raise _invalid(where) from error
    if not isinstance(document, dict):
        raise _invalid(where)
    return document


def _invalid(where: str) -> TerminalError:
    return TerminalError(
        Reason.INVALID_RESULT,
        f"{where} is not a replay result of this release: it was damaged, or written by another release. "
        "Create the replay again.",
    )
