"""How long a change to an archive that is loaded takes, beside the cycle that follows and beside reading it anew."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.sidebyside import ROUNDS
from kai_snapshot.api.preparation import Patch, PatchTarget
from kai_snapshot.simulator.simulate import load, simulate
from kai_snapshot.simulator.whatif import EVERY_LIST, patched
from support.clusters import Kind, snapshot
from support.simulated import CORPUS, write

NOW = datetime(2026, 11, 22, 12, 39, tzinfo=UTC)
LIMIT_MS = 25
NODES = 200


@dataclass(frozen=True)
class Measured:
    """Medians, in milliseconds."""

    nodes: int
    change: float
    """A queue's quota and a node fewer, with all pods on it."""
    cycle: float
    reading: float

    def __str__(self) -> str:
        return f"its cycle: {self.cycle:,.0f} ms; reading the archive anew: {self.reading:,.0f} ms"


def archives(directory: Path) -> tuple[Path, Path]:
    """One of the corpus, and of a made-up cluster of 200 nodes."""
    made = write(snapshot(Kind(nodes=NODES, jobs_per_node=7.5), 1), directory / "whatif.zip")
    return CORPUS / "10-gang+running" / "snapshot.zip", made


def measure(path: Path) -> Measured:
    """Of an archive."""
    loaded = load(path, not_after=NOW, changeable=EVERY_LIST)
    queue = next(each["metadata"]["name"] for each in loaded.queues if (each["spec"] or {}).get("parentQueue"))
    patches = (
        _patch("Queue", queue, "[{op: add, path: /spec/resources/gpu/quota, value: 3}]"),
        _patch("Node", loaded.nodes[-1].name, '[{op: remove, path: ""}]'),
    )
    return Measured(
        len(loaded.nodes),
        change=_ms(lambda: patched(loaded, patches)),
        cycle=_ms(lambda: simulate(patched(loaded, patches), clock=time.perf_counter, now=NOW)),
        reading=_ms(lambda: load(path, not_after=NOW)),
    )


def _patch(kind: str, name: str, text: str) -> Patch:
    return Patch(target=PatchTarget(kind=kind, name=name), patch=text)


def _ms(run: Callable[[], object]) -> float:
    run()
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds) * 1000
