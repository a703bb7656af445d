"""How an environment ended, by its index."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from kai_snapshot.api.conditions import shorten
from kai_snapshot.api.environmentindex import EnvironmentIndex
from kai_snapshot.api.environmentspec import EnvironmentStatus, NodeCounts, NodeFailure
from kai_snapshot.errors import Reason
from kai_snapshot.reconcile.plan import Announce, normal, warning

EXAMPLES: Final = 3
"""Nodes that a status names."""


@dataclass(frozen=True)
class Concluded:
    """The index is written, and its digest is in the manifest."""

    index: EnvironmentIndex
    uri: str
    sha256: str


def finish(
    status: EnvironmentStatus, concluded: Concluded, now: datetime
) -> tuple[EnvironmentStatus, Iterator[Announce]]:
    """The status of an environment that is over, and what is announced of it."""
    index = concluded.index
    failed = [record for record in index.nodes if record.document is None]
    captured = len(index.nodes) - len(failed)
    incomplete = sum(bool(record.missing) for record in index.nodes)
    failures = tuple(
        NodeFailure(node=record.node, reason=record.problem.reason, message=shorten(record.problem.message)[:512])
        for record in failed
        if record.problem is not None
    )[:EXAMPLES]
    over = status.model_copy(
        update={
            **_verdict(index, captured, len(failed), incomplete, failures),
            "completion_time": now,
            "retry_time": None,
            "nodes": NodeCounts(
                matching=index.matching,
                total=len(index.nodes),
                captured=captured,
                incomplete=incomplete,
                failed=len(failed),
            ),
            "failures": failures,
            "uri": concluded.uri,
            "sha256": concluded.sha256,
            "drift": index.drift,
        }
    )
    return over, _news(over)


def _verdict(
    index: EnvironmentIndex, captured: int, failed: int, incomplete: int, failures: tuple[NodeFailure, ...]
) -> dict[str, object]:
    if index.mode != "ClusterOnly" and not index.nodes:
        message = "no node in the archive has the labels of environment.nodeSelector: only the cluster is recorded"
        return {"outcome": "PartiallyFailed", "reason": Reason.NODE_NOT_FOUND, "message": message}
    if not failed:
        lacks = f", {incomplete} of them without everything" if incomplete else ""
        message = f"{captured} nodes recorded{lacks}" if index.nodes else "the cluster is recorded"
        return {"outcome": "Succeeded", "reason": Reason.SUCCEEDED, "message": message}
    first = failures[0]
    message = shorten(f"{failed} of {failed + captured} nodes have no document: {first.node}: {first.message}")
    same = len({failure.reason for failure in failures}) == 1
    reason = first.reason if captured == 0 and same else Reason.PARTIALLY_FAILED
    return {"outcome": "PartiallyFailed" if captured else "Failed", "reason": reason, "message": message}


def _news(over: EnvironmentStatus) -> Iterator[Announce]:
    told = f"environment of run {over.id}: {over.message}"
    if over.outcome == "Succeeded":
        yield normal("EnvironmentCaptured", told)
    else:
        yield warning(over.reason, told)
    if over.drift is not None and over.drift.changes:
        drift = over.drift
        examples = "; ".join(drift.examples)
        yield warning(
            "EnvironmentDrift", f"{drift.changes} changes on {drift.nodes} nodes since {drift.since}: {examples}"
        )
