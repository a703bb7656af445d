"""Results: a `result.json` read for what a status says of it. One at a time: a large one takes memory."""

import threading
from typing import Final

import orjson
from pydantic import ValidationError

from kai_snapshot.api.result import JobOutcome, ReplayResult
from kai_snapshot.api.snapshotreplay import ResultCounts
from kai_snapshot.errors import Reason, TerminalError

RESULT_BYTES: Final = 64 << 20
_LISTS: Final = ("placements", "evictions", "pipelined", "podGroups")
_one_at_a_time = threading.Lock()


def summarize(content: bytes, *, where: str) -> tuple[ReplayResult, ResultCounts]:
    """The result without its lists by name, and how long they are; `where` is for messages.

    Raises TerminalError: InvalidResult.
    """
    with _one_at_a_time:
        try:
            document = orjson.loads(content)
            lists = {name: document.pop(name, []) for name in _LISTS}
            result = ReplayResult.model_validate(document)
            counts = ResultCounts(
                placements=len(lists["placements"]),
                evictions=len(lists["evictions"]),
                pipelined=len(lists["pipelined"]),
                unschedulable=sum(group["outcome"] == JobOutcome.UNSCHEDULABLE for group in lists["podGroups"]),
                errors=result.error_count,
            )
        except (ValidationError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise TerminalError(
                Reason.INVALID_RESULT,
                f"{where} is not a replay result of this release: it was damaged, or written by another release. "
                "Create the replay again.",
            ) from error
    return result, counts
