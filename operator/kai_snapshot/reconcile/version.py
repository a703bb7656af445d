"""What a version of a replay is now, by its result in the storage or else by its Job.

Pending -> Running -> a final outcome; Pending again, under another Job, once if a Job ended without a result.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kai_snapshot.api.conditions import shorten
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.result import ResultFacts
from kai_snapshot.api.snapshotreplay import (
    ActionDuration,
    ArchiveProgress,
    ReplayVersion,
    ResolvedSource,
    ResultCounts,
    SnapshotReplay,
    VersionResult,
)
from kai_snapshot.errors import Reason, SnapshotError
from kai_snapshot.jobs.pods import Finding
from kai_snapshot.jobs.read import JobFacts

ATTEMPTS: Final = 2
"""Jobs for one version at the most."""

ImageFor = Callable[[ReplayVersion, str], str]
"""(version, version that made the archive) -> image; raises SnapshotError when there is none."""


@dataclass(frozen=True)
class StoredResult:
    """A result in the storage."""

    result: ResultFacts
    """Without its lists by name."""
    counts: ResultCounts
    """How long those are."""
    result_uri: str
    log_uri: str | None
    cpu_profile_uri: str | None = None
    memory_profile_uri: str | None = None


def is_final(result: VersionResult) -> bool:
    """Whether nothing more can happen to the version."""
    return result.outcome not in ("Pending", "Running")


def first_result(
    version: ReplayVersion, source: ResolvedSource, image_for: ImageFor, *, compatibility: tuple[str, ...]
) -> VersionResult:
    """What it is when the archive is pinned: it waits for its turn, or there is no image for it."""
    archives = ArchiveProgress(total=source.archives.count) if source.archives is not None else None
    try:
        return VersionResult(
            name=version.name,
            image=image_for(version, source.scheduler_version),
            archives=archives,
            compatibility=compatibility,
        )
    except SnapshotError as error:
        return VersionResult(name=version.name, outcome="IncompatibleSnapshot", message=shorten(error.message))


def fold(
    replay: SnapshotReplay,
    result: VersionResult,
    job: JobFacts | None,
    now: datetime,
    *,
    stored: StoredResult | None,
    storage_known: bool,
) -> VersionResult:
    """What the version is now. While the storage cannot be read, no Job is taken to have ended without a result."""
    if is_final(result):
        return result
    seen = seen_on(result, job)
    if stored is not None:
        return _final(seen, stored)
    if job is None:
        lost = storage_known and seen.outcome == "Running"
        return _lost(seen, "its Job was deleted") if lost else seen
    if job.finding is not None:
        return find(seen, job.finding)
    if job.ended:
        return _lost(seen, job.message or "its Job ended") if storage_known else seen
    return running(replay, seen, job, now)


def seen_on(result: VersionResult, job: JobFacts | None) -> VersionResult:
    """With what the Job tells of image and node."""
    return result.model_copy(
        update={
            "image_id": (job.image_id if job else "") or result.image_id,
            "node_name": (job.node_name if job else "") or result.node_name,
        }
    )


def find(result: VersionResult, finding: Finding) -> VersionResult:
    """What it is by the pod alone."""
    return result.model_copy(update={"outcome": finding.outcome.value, "message": shorten(finding.message)})


def running(replay: SnapshotReplay, result: VersionResult, job: JobFacts, now: datetime) -> VersionResult:
    """What it is while its Job is at work; Failed if that could not begin for too long."""
    patience = timedelta(seconds=replay.spec.starting_deadline_seconds)
    if job.not_started_since is not None and now >= job.not_started_since + patience:
        message = f"the pod did not start within startingDeadlineSeconds: {job.message}"
        return refuse(result, Problem(reason=Reason.START_DEADLINE_EXCEEDED, message=message))
    return result.model_copy(update={"outcome": "Running", "message": shorten(job.message)})


def refuse(result: VersionResult, problem: Problem) -> VersionResult:
    """What it is when its Job cannot be created, or comes to nothing."""
    message = shorten(f"{problem.reason}: {problem.message}")
    return result.model_copy(update={"outcome": "Failed", "message": message})


def _lost(result: VersionResult, why: str) -> VersionResult:
    if result.attempt < ATTEMPTS:
        return again(result, why)
    message = f"{ATTEMPTS} Jobs ended without handing in a result, the last: {why}"
    return result.model_copy(update={"outcome": Reason.RESULT_LOST.value, "message": shorten(message)})


def again(result: VersionResult, why: str) -> VersionResult:
    """It waits for another Job."""
    return result.model_copy(
        update={"outcome": "Pending", "attempt": result.attempt + 1, "message": shorten(f"tried again: {why}")}
    )


def _final(result: VersionResult, stored: StoredResult) -> VersionResult:
    found = stored.result
    return result.model_copy(
        update={
            "outcome": found.outcome,
            "exit_code": found.exit_code,
            "runs": found.runs.count if found.runs is not None else None,
            "distinct": found.runs.distinct if found.runs is not None else None,
            "total_ms": found.durations_ms.total,
            "actions": tuple(ActionDuration(name=name, ms=ms) for name, ms in found.durations_ms.actions.items()),
            "counts": stored.counts,
            "message": shorten(found.message or ""),
            "log_uri": stored.log_uri,
            "cpu_profile_uri": stored.cpu_profile_uri,
            "memory_profile_uri": stored.memory_profile_uri,
            "result_uri": stored.result_uri,
        }
    )


def line(result: VersionResult) -> str:
    """Its outcome for people."""
    return f"{result.outcome} {timing(result)}".rstrip()


def timing(result: VersionResult) -> str:
    """How long it took, for people; empty if unknown."""
    return f"{result.total_ms} ms" if result.total_ms is not None else ""


def progress(result: VersionResult) -> str:
    """How far it has come with many archives, for people; empty with one."""
    return f"{result.archives.done}/{result.archives.total}" if result.archives is not None else ""
