"""Results of replays beside archives in a store, as the operator keeps them."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from kai_snapshot import compare
from kai_snapshot.api.decodedresult import DecodedResult
from kai_snapshot.api.replayplan import PlannedArchive, ReplayPlan
from kai_snapshot.runs.replayplan import store_plan
from kai_snapshot.stores import Store, layout
from support.results import recorded

NAME = "upgrade-1a2b3c4d"
VERSIONS = ("v0.14.7", "v0.17.0")


def replayed(store: Store, key: str, case: str, *, replay: str = "upgrade", names: Sequence[str] | None = None) -> None:
    """A replay of the archive at that key by two versions. `names`: of the versions, if they are compared already."""
    folder = layout.replay_folder(key, replay, uid="1a2b3c4d-0000")
    results = [recorded(case, version).dump() for version in VERSIONS]
    for index, result in enumerate(results):
        put(store, folder.result(index), result)
    if names is not None:
        found = [
            compare.findings(DecodedResult.model_validate(each), name=name)
            for each, name in zip(results, names, strict=False)
        ]
        missing = [compare.Findings(name=name, outcome="ImagePullFailed", message="no image") for name in names[2:]]
        put(store, folder.comparison, compare.compare(found[0], [*found, *missing]).dump())


def backtested(store: Store, archives: Mapping[str, str], *, compared: bool = True) -> None:
    """A replay of all these archives, keys with their cases; it lies beside the last of them."""
    folder = layout.replay_folder(list(archives)[-1], "backtest", uid="1a2b3c4d-0000")
    planned = [PlannedArchive(id=key.rpartition("/")[2], key=key, sha256="0" * 64, size_bytes=1) for key in archives]
    store_plan(store, folder, ReplayPlan(archives=tuple(planned)))
    backtest = compare.Backtest(["old", "new"], "old")
    for position, (archive, case) in enumerate(zip(planned, archives.values(), strict=True)):
        found = []
        for index, (name, version) in enumerate(zip(("old", "new"), VERSIONS, strict=True)):
            result = recorded(case, version)
            put(store, folder.of(position).result(index), result.dump())
            found.append(compare.findings(result, name=name))
        backtest.add(archive.id, found[0], found)
    if compared:
        put(store, folder.comparison, backtest.finish().dump())


def put(store: Store, key: str, document: Any) -> None:
    """A document in JSON."""
    store.put(key, io.BytesIO(orjson.dumps(document)))
