"""Results: a `result.json` read for what a status or a comparison needs. One at a time: a large one takes memory."""

import threading
from typing import Final

from kai_snapshot.api.decodedresult import DecodedResult
from kai_snapshot.api.result import JobOutcome, ResultFacts
from kai_snapshot.api.snapshotreplay import ResultCounts
from kai_snapshot.compare import Findings, findings

RESULT_BYTES: Final = 64 << 20
_one_at_a_time = threading.Lock()


def summarize(content: bytes, *, where: str) -> tuple[ResultFacts, ResultCounts]:
    """The result without what it has by name, and how much that is; `where` is for messages.

    Raises TerminalError: InvalidResult. What passes here can be compared.
    """
    with _one_at_a_time:
        result = DecodedResult.decode(content, where=where)
        return result.facts, ResultCounts(
            placements=len(result.placements),
            evictions=len(result.evictions),
            pipelined=len(result.pipelined),
            unschedulable=sum(job.outcome == JobOutcome.UNSCHEDULABLE for job in result.pod_groups),
            errors=result.error_count,
        )


def to_compare(content: bytes, *, name: str, where: str) -> Findings:
    """What comparing needs of the result of the version `name`; `where` is for messages.

    Raises TerminalError: InvalidResult.
    """
    with _one_at_a_time:
        return findings(DecodedResult.decode(content, where=where), name=name)
