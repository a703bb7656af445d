"""Side by side: the results of a replay read from its storage one at a time, compared, and written down there."""

import io
from collections.abc import Set

import orjson

from kai_snapshot import compare
from kai_snapshot.api.backtestdocument import BacktestDocument
from kai_snapshot.api.comparison import ReplayComparison
from kai_snapshot.api.comparisondocument import ComparisonDocument
from kai_snapshot.api.result import Outcome
from kai_snapshot.api.snapshotreplay import ActionDuration, ResolvedSource, SnapshotReplay, VersionResult
from kai_snapshot.compare import Findings
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.reconcile.backtest import Totals
from kai_snapshot.reconcile.verdict import baseline
from kai_snapshot.runs.replayplan import load_plan
from kai_snapshot.runs.results import RESULT_BYTES, to_compare
from kai_snapshot.stores import Store, layout, location, read


def side_by_side(
    store: Store, folder: layout.ReplayFolder, replay: SnapshotReplay, source: ResolvedSource
) -> ReplayComparison:
    """How the versions differ, in short; `comparison.json` then has everything. All versions are over.

    Raises SnapshotError of the store, and TerminalError: InvalidResult, PlanLost.
    """
    document: ComparisonDocument | BacktestDocument
    if source.archives is None:
        document = _one_archive(store, folder, replay)
    else:
        document = _many_archives(store, folder, replay, digest=source.archives.digest)
    store.put(folder.comparison, io.BytesIO(orjson.dumps(document.dump())))
    return compare.brief(document).model_copy(update={"uri": location(source.storage, folder.comparison)})


def _one_archive(store: Store, folder: layout.ReplayFolder, replay: SnapshotReplay) -> ComparisonDocument:
    results = replay.status.results
    first = [result.name for result in results].index(baseline(replay.spec))
    base = _findings(store, folder, first, results[first])
    versions = (
        base if index == first else _findings(store, folder, index, result) for index, result in enumerate(results)
    )
    return compare.compare(base, versions)


def _findings(store: Store, folder: layout.ReplayFolder, index: int, result: VersionResult) -> Findings:
    """Of a version that handed in no result, what the status knows."""
    if result.result_uri is None:
        return Findings(name=result.name, outcome=result.outcome, message=result.message, node_name=result.node_name)
    return _read(store, folder, index, name=result.name)


def _read(store: Store, folder: layout.ReplayFolder, index: int, *, name: str) -> Findings:
    key = folder.result(index)
    return to_compare(read(store, key, limit=RESULT_BYTES), name=name, where=key)


def _many_archives(
    store: Store, folder: layout.ReplayFolder, replay: SnapshotReplay, *, digest: str
) -> BacktestDocument:
    names = [version.name for version in replay.spec.planned_versions]
    first = names.index(baseline(replay.spec))
    plan = load_plan(store, folder, digest=digest)
    done = folder.done(store.list(folder.prefix))
    backtest = compare.Backtest(names, names[first])

    def found(number: int, index: int) -> Findings:
        if number not in done.get(index, ()):
            return Findings(name=names[index], outcome=Reason.RESULT_LOST)
        return _of_many(store, folder.of(number), index, name=names[index])

    for number, archive in enumerate(plan.archives):
        base = found(number, first)
        versions = (base if index == first else found(number, index) for index in range(len(names)))
        backtest.add(archive.id, base, versions)
    return backtest.finish()


def _of_many(store: Store, folder: layout.ReplayFolder, index: int, *, name: str) -> Findings:
    """One that was damaged in the storage is that archive's failure, and no one else's."""
    try:
        return _read(store, folder, index, name=name)
    except TerminalError as error:
        if error.reason is not Reason.INVALID_RESULT:
            raise
        return Findings(name=name, outcome=Outcome.FAILED, message=error.message)


def totals(store: Store, folder: layout.ReplayFolder, source: ResolvedSource, *, index: int, done: Set[int]) -> Totals:
    """What the results of one version come to, of the archives that have one.

    Raises SnapshotError of the store, and TerminalError: PlanLost.
    """
    assert source.archives is not None
    plan = load_plan(store, folder, digest=source.archives.digest)
    name = str(index)
    backtest = compare.Backtest([name], name)
    failure = ""
    for number in sorted(done):
        found = _of_many(store, folder.of(number), index, name=name)
        backtest.add(str(number), found, [found])
        if not failure and found.outcome != Outcome.SUCCEEDED:
            failure = f"{plan.archives[number].id} {found.outcome}: {found.message}".rstrip(": ")
    (summed,) = backtest.finish().versions
    return Totals(
        succeeded=summed.succeeded,
        total_ms=summed.total.p50_ms if summed.total is not None else None,
        actions=tuple(
            ActionDuration(name=each.name, ms=each.p50_ms, p90_ms=each.p90_ms, max_ms=each.max_ms)
            for each in summed.actions
        ),
        first_failure=failure,
    )
