"""The corpus, simulated, beside what the real tool made of it."""

import json
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from kai_snapshot.agreement import Category, Ensemble
from kai_snapshot.api.result import ReplayResult
from kai_snapshot.simulator.collect import Collected
from kai_snapshot.simulator.simulate import load, simulate
from support.zips import archive

CORPUS = Path(__file__).parent.parent / "data" / "corpus"
MINI = CORPUS / "mini"
RECORDED_AT = datetime(2026, 11, 22, 12, 39, tzinfo=UTC)
"""The tool looks at the clock: what it found stale then, a simulation must find stale too."""
CASES = sorted(path.parent.name for path in CORPUS.glob("*/v0.17.0.ensemble.json"))
MINI_CASES = sorted(path.stem for path in MINI.glob("*.zip"))
RANDOM = frozenset({"27-same_pg_name_two_namespaces", "45-queue_tie_random", "54-consolidation_random_subset"})
"""Where the tool itself gives now this, now that."""


@cache
def loaded(path: Path) -> Collected:
    """An archive of the corpus."""
    return load(path, not_after=RECORDED_AT)


def simulated(path: Path, *, seed: int | None = None) -> ReplayResult:
    """What the simulator makes of an archive of the corpus, at the time the tool was recorded."""
    return simulate(loaded(path), clock=time.perf_counter, now=RECORDED_AT, seed=seed)


def of_case(case: str, *, seed: int | None = None) -> ReplayResult:
    """Of one of the numbered clusters."""
    return simulated(CORPUS / case / "snapshot.zip", seed=seed)


def expected(case: str) -> dict[str, Any]:
    """One run of the tool, as an independent reader took it from the log."""
    found: dict[str, Any] = json.loads((CORPUS / case / "v0.17.0.expected.json").read_bytes())
    return found


def expected_mini(case: str) -> dict[str, Any]:
    """The same of a mini case."""
    found: dict[str, Any] = json.loads((MINI / f"{case}.expected.json").read_bytes())
    return found


def tool(case: str) -> Ensemble:
    """Twelve runs of the tool."""
    return as_ensemble(json.loads((CORPUS / case / "v0.17.0.ensemble.json").read_bytes()))


@cache
def made() -> dict[str, Any]:
    """Eight runs of the tool on each of the first made-up clusters (`support.clusters.drawn`), by number."""
    found: dict[str, Any] = json.loads((CORPUS.parent / "made-clusters.json").read_bytes())
    return found


def as_ensemble(found: dict[str, Any]) -> Ensemble:
    """Runs of the tool as they are written down."""
    return Ensemble(
        found["runs"],
        {
            Category.PLACEMENTS: {(pod, node): n for pod, each in found["bound"].items() for node, n in each.items()},
            Category.EVICTIONS: {(pod,): n for pod, n in found["evicted"].items()},
            Category.PIPELINED: {(pod,): n for pod, n in found["pipelined"].items()},
            Category.JOB_OUTCOMES: {(job, what): n for job, each in found["jobs"].items() for what, n in each.items()},
        },
    )


def write(document: dict[str, Any], path: Path) -> Path:
    """An archive of a document, as the scheduler writes one: an object a line."""
    objects = {
        kind: b"[" + b"\n,".join(orjson.dumps(each) for each in listed) + b"]"
        for kind, listed in document["rawObjects"].items()
    }
    raw = b",".join(orjson.dumps(kind) + b":" + listed for kind, listed in objects.items())
    head = [orjson.dumps(key) + b":" + orjson.dumps(document[key]) for key in ("config", "schedulerParams")]
    path.write_bytes(archive(b"{" + b",".join([*head, b'"rawObjects":{' + raw + b"}"]) + b"}"))
    return path
