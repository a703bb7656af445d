"""Observe: what there is to know of a replay besides the object - its source, its Jobs, the results in its storage."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from kai_snapshot.api.conditions import FINISHED, is_true
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.snapshotreplay import ResolvedSource, SnapshotReplay, VersionResult
from kai_snapshot.api.transfer import Profile
from kai_snapshot.errors import Reason, SnapshotError, TerminalError
from kai_snapshot.jobs import names
from kai_snapshot.jobs.read import JobFacts, job_facts
from kai_snapshot.reconcile import version
from kai_snapshot.reconcile.backtest import Collected
from kai_snapshot.reconcile.observed import Observed
from kai_snapshot.reconcile.verdict import needs_comparison
from kai_snapshot.runs.replayplan import load_plan
from kai_snapshot.runs.resolve import resolve
from kai_snapshot.runs.results import RESULT_BYTES, summarize
from kai_snapshot.runs.services import Services, now, store_for
from kai_snapshot.runs.sidebyside import side_by_side, totals
from kai_snapshot.stores import Store, layout, location, read

_LASTING: Final = frozenset((Reason.INVALID_RESULT, Reason.ARCHIVE_NOT_FOUND, Reason.PLAN_LOST))

Jobs = Mapping[tuple[int, int], JobFacts]
"""By the version's index and the attempt."""


def observe(services: Services, replay: SnapshotReplay) -> Observed:
    """What is known now. Raises SnapshotError if the API server fails; that the storage fails is part of the answer."""
    status = replay.status
    finished = is_true(status.conditions, FINISHED)
    if status.resolved_source is None:
        wanted = not finished and not replay.spec.suspend
        return Observed(resolution=resolve(services, replay) if wanted else None)
    jobs = _jobs(services, replay, status.resolved_source)
    if finished:
        return Observed(jobs=jobs)
    try:
        return _observe_storage(services, replay, status.resolved_source, jobs)
    except SnapshotError as error:
        return Observed(jobs=jobs, storage_problem=Problem.of(error))


def _jobs(services: Services, replay: SnapshotReplay, source: ResolvedSource) -> Jobs:
    namespace = replay.metadata.namespace
    selector = f"{names.JOB_SELECTOR},{names.REPLAY_UID}={replay.metadata.uid}"
    found = services.cluster.jobs(namespace, selector)
    if not found:
        return {}
    if source.archives is None:
        pods = services.cluster.pods(namespace, selector)
    else:  # a thousand pods may have ended: those at work, and of each Job some that failed for what they say
        pods = services.cluster.pods(namespace, selector, fields=names.LIVE_PODS)
        for one in found:
            of_job = f"{names.JOB_SELECTOR},{names.JOB_NAME}={one['metadata']['name']}"
            pods += services.cluster.pods(namespace, of_job, fields=names.FAILED_PODS, limit=names.FAILED_SHOWN)
    facts = (job_facts(one, pods, now=now()) for one in found)
    return {(fact.index, fact.attempt): fact for fact in facts}


def _observe_storage(services: Services, replay: SnapshotReplay, source: ResolvedSource, jobs: Jobs) -> Observed:
    """With the results that have arrived since the status was written. Raises SnapshotError if it cannot be known."""
    store = store_for(services, replay.metadata.namespace, source.storage)
    results = replay.status.results
    begun = bool(jobs) or any(result.outcome != "Pending" or result.attempt > 1 for result in results)
    folder = layout.replay_folder(source.key, replay.metadata.name, uid=replay.metadata.uid)
    if not begun:
        parsed = layout.parse(source.key)
        with services.locks.of(parsed.folder if parsed is not None else source.key):  # a removal may not know of it yet
            if not _is_there(store, folder, source):
                return Observed(archive_gone=True)
    if all(version.is_final(result) for result in results):
        if not needs_comparison(replay.spec, replay.status):
            return Observed(jobs=jobs)
        try:
            return Observed(jobs=jobs, compared=side_by_side(store, folder, replay, source))
        except TerminalError as error:
            return Observed(jobs=jobs, compared=_lasting(error))
    if source.archives is not None:
        return _observe_many(store, folder, replay, source, jobs)
    return _observe_one(store, folder, replay, source, jobs)


def _lasting(error: TerminalError) -> Problem:
    """What waiting does not mend. Wrong keys or a full bucket may be put right: that is raised again."""
    if error.reason not in _LASTING:
        raise error
    return Problem.of(error)


def _is_there(store: Store, folder: layout.ReplayFolder, source: ResolvedSource) -> bool:
    """Whether all that was pinned is still there."""
    if source.archives is None:
        return store.stat(source.key) is not None
    try:
        plan = load_plan(store, folder, digest=source.archives.digest)
    except TerminalError as error:
        _lasting(error)
        return False
    there = {entry.key for entry in store.list(source.key.rpartition("/")[0] + "/")}
    return all(archive.key in there for archive in plan.archives)


def _observe_one(
    store: Store, folder: layout.ReplayFolder, replay: SnapshotReplay, source: ResolvedSource, jobs: Jobs
) -> Observed:
    there = {entry.key for entry in store.list(folder.prefix)}
    results, refused = {}, {}
    for index, result in enumerate(replay.status.results):
        if version.is_final(result) or folder.result(index) not in there:
            continue
        try:
            results[index] = _result(store, source, folder, index, there, attempt=result.attempt)
        except TerminalError as error:
            refused[index] = _lasting(error)
    return Observed(jobs=jobs, results=results, refused=refused)


def _result(
    store: Store, source: ResolvedSource, folder: layout.ReplayFolder, index: int, there: set[str], *, attempt: int
) -> version.StoredResult:
    def newest(key_of: Callable[[int, int], str]) -> str | None:
        """Of the Jobs there were, the last one's."""
        keys = (key_of(index, tried) for tried in range(attempt, 0, -1))
        return next((location(source.storage, key) for key in keys if key in there), None)

    uri = location(source.storage, folder.result(index))
    result, counts = summarize(read(store, folder.result(index), limit=RESULT_BYTES), where=uri)
    return version.StoredResult(
        result,
        counts,
        result_uri=uri,
        log_uri=newest(folder.log),
        cpu_profile_uri=newest(partial(folder.profile, profile=Profile.CPU)),
        memory_profile_uri=newest(partial(folder.profile, profile=Profile.MEMORY)),
    )


def _observe_many(
    store: Store, folder: layout.ReplayFolder, replay: SnapshotReplay, source: ResolvedSource, jobs: Jobs
) -> Observed:
    """All results of a version are read once nothing of it runs any more."""
    done = folder.done(store.list(folder.prefix))
    collected, refused = {}, {}
    for index, result in enumerate(replay.status.results):
        if version.is_final(result):
            continue
        there = done.get(index, set())
        try:
            over = _is_over(result, jobs.get((index, result.attempt)), len(there))
            collected[index] = Collected(
                there, totals(store, folder, source, index=index, done=there) if over else None
            )
        except TerminalError as error:
            refused[index] = _lasting(error)
    return Observed(jobs=jobs, collected=collected, refused=refused)


def _is_over(result: VersionResult, job: JobFacts | None, done: int) -> bool:
    """Whether no Job is at work on it, nor will be."""
    ended = job.ended if job is not None else result.outcome == "Running"
    missing = result.archives is not None and done < result.archives.total
    return ended and (not missing or result.attempt >= version.ATTEMPTS)
