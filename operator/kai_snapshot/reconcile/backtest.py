"""What a version of a replay of many archives is now, by the results in the storage and its Indexed Job.

As with one archive: Pending -> Running -> a final outcome, and Pending again, under another Job, once. An archive whose
result is stored is never replayed again: a second Job passes it over.
"""

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime

from kai_snapshot.api.conditions import shorten
from kai_snapshot.api.snapshotreplay import ActionDuration, ArchiveProgress, SnapshotReplay, VersionResult
from kai_snapshot.errors import Reason
from kai_snapshot.jobs.read import JobFacts
from kai_snapshot.reconcile import version


@dataclass(frozen=True)
class Totals:
    """What all results of a version come to."""

    succeeded: int
    """Archives with the outcome Succeeded."""
    total_ms: int | None
    """The median."""
    actions: tuple[ActionDuration, ...]
    """Quantiles of each action."""
    first_failure: str
    """What became of the first archive that did not succeed, for people; empty if all did."""


@dataclass(frozen=True)
class Collected:
    """What the storage has of a version."""

    done: Set[int]
    """Completion indexes with a result."""
    totals: Totals | None = None
    """Read once nothing of it runs any more."""


def fold(
    replay: SnapshotReplay,
    result: VersionResult,
    job: JobFacts | None,
    now: datetime,
    *,
    collected: Collected | None,
) -> VersionResult:
    """What the version is now; `collected` is None while the storage cannot be read."""
    if version.is_final(result) or result.archives is None:
        return result
    seen = version.seen_on(result, job)
    if job is not None and job.finding is not None:
        return version.find(seen, job.finding)
    if collected is None:
        return seen
    seen = seen.model_copy(update={"archives": result.archives.model_copy(update={"done": len(collected.done)})})
    if job is not None and not job.ended:
        if collected.done or job.suspended:  # its pods may start late, but it is no request that nothing can fulfil
            return seen.model_copy(update={"outcome": "Running", "message": shorten(job.message)})
        return version.running(replay, seen, job, now)
    if job is None and seen.outcome == "Pending":
        return seen
    return _over(seen, job, result.archives.total, collected)


def _over(result: VersionResult, job: JobFacts | None, total: int, collected: Collected) -> VersionResult:
    """Its Job has ended, or is gone."""
    why = (job.message or "its Job ended") if job is not None else "its Job was deleted"
    if len(collected.done) < total and result.attempt < version.ATTEMPTS:
        return version.again(result, why)
    if collected.totals is None:
        return result
    return _final(result, total, collected.totals, why if len(collected.done) < total else "")


def _final(result: VersionResult, total: int, totals: Totals, trouble: str) -> VersionResult:
    failed = total - totals.succeeded
    outcome = Reason.SUCCEEDED if not failed else Reason.PARTIALLY_FAILED if totals.succeeded else Reason.FAILED
    told = totals.first_failure or trouble
    return result.model_copy(
        update={
            "outcome": outcome.value,
            "total_ms": totals.total_ms,
            "actions": totals.actions,
            "archives": ArchiveProgress(
                total=total,
                done=result.archives.done if result.archives else 0,
                succeeded=totals.succeeded,
                failed=failed,
            ),
            "message": shorten(f"{failed} of {total} archives: {told}") if failed else "",
        }
    )
