"""What the operator needs to compare the results of a replay of many archives."""

import hashlib
import io
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from bench.peak import launched, peak
from kai_snapshot.api.ids import run_id
from kai_snapshot.api.replayplan import PlannedArchive, ReplayPlan
from kai_snapshot.api.result import Durations, Engine, Outcome, Placement, ReplayResult
from kai_snapshot.api.snapshotreplay import SnapshotReplay
from kai_snapshot.runs.replayplan import store_plan
from kai_snapshot.runs.sidebyside import side_by_side
from kai_snapshot.stores import layout
from kai_snapshot.stores.directory import DirectoryStore
from support.resources import replay

VERSIONS = ("v0.16.5", "v0.17.0")
PODS = 2000
FIRST = datetime(2026, 11, 1, tzinfo=UTC)
HOME = layout.ReplayFolder("home/")


def peak_memory(directory: Path, *, archives: int) -> int:
    """The largest resident set, in bytes, of a process that compares two versions with so many archives."""
    root = directory / f"backtest-{archives}"
    _fill(DirectoryStore(root, name="pvc://bench"), archives)
    command = [sys.executable, "-m", "bench.backtesting", str(root), str(archives)]
    return peak(subprocess.run(launched(command), check=True, capture_output=True).stderr)


def _fill(store: DirectoryStore, archives: int) -> None:
    store_plan(store, HOME, _plan(archives))
    for number in range(archives):
        for index, version in enumerate(VERSIONS):
            content = orjson.dumps(_result(version, moved=number * index).dump())
            store.put(HOME.of(number).result(index), io.BytesIO(content))


def _plan(archives: int) -> ReplayPlan:
    ids = [run_id(FIRST + timedelta(hours=number)) for number in range(archives)]
    return ReplayPlan(
        archives=tuple(PlannedArchive(id=id_, key=f"{id_}.zip", sha256="0" * 64, size_bytes=1) for id_ in ids)
    )


def _result(version: str, *, moved: int) -> ReplayResult:
    return ReplayResult(
        engine=Engine(version=version),
        outcome=Outcome.SUCCEEDED,
        durations_ms=Durations(total=150, actions={"allocate": 90}),
        placements=tuple(
            Placement(pod=f"team-{pod % 50}/train-{pod:05}-0", node=f"node-{(pod + moved) % 400:04}")
            for pod in range(PODS)
        ),
    )


def main(root: Path, archives: int) -> None:
    """Compares what is there."""
    store = DirectoryStore(root, name="pvc://bench")
    with store.open(HOME.plan) as stream:
        digest = hashlib.sha256(stream.read()).hexdigest()
    of_many = {"count": archives, "first": "a", "last": "z", "digest": digest, "planURI": "pvc://bench/home/plan.json"}
    source = {"id": "z", "storage": {"pvc": {"claimName": "bench"}}, "key": "z.zip", "uri": "pvc://bench/z.zip"}
    status = {"resolvedSource": {**source, "sha256": "0" * 64, "sizeBytes": 1, "archives": of_many}}
    versions = [{"name": version} for version in VERSIONS]
    asked = SnapshotReplay.model_validate(replay(status=status, versions=versions))
    assert asked.status.resolved_source is not None
    side_by_side(store, HOME, asked, asked.status.resolved_source)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
