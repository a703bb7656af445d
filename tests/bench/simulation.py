"""How fast the simulator is, and in how much memory, beside snapshot-tool: as recorded, and where it is at hand."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import orjson

from bench.peak import launched, peak
from bench.sidebyside import ROUNDS, Comparison
from support.clusters import Kind, snapshot
from support.simulated import write


@dataclass(frozen=True)
class Recorded:
    """What the tool took once, verbosity 4, for a cluster of that kind, from its start to its end."""

    nodes: int
    seconds: float
    megabytes: int


RECORDED = (Recorded(50, 1.8, 119), Recorded(100, 3.2, 176), Recorded(200, 15.6, 264), Recorded(400, 278, 479))
TOOL = "snapshot-tool v0.17.0"
NODES = 200
WHAT = "simulating 200 nodes and 1,500 jobs"


class Used(NamedTuple):
    """What a process used."""

    seconds: float
    """Of processors."""
    megabytes: float
    """The largest resident set."""


def archive(directory: Path, nodes: int, jobs_per_node: float = 7.5) -> Path:
    """A made-up cluster of nodes with eight GPUs, nearly full."""
    return write(snapshot(Kind(nodes=nodes, jobs_per_node=jobs_per_node), 1), directory / f"simulation-{nodes}.zip")


def command(path: Path) -> list[str]:
    """The simulator, as a person runs it."""
    return [sys.executable, "-m", "kai_snapshot", "simulate", str(path), "-o", "json"]


def tool_command(tool: Path, path: Path) -> list[str]:
    """The tool on the same archive."""
    return [str(tool), "--filename", str(path), "--verbosity", "4"]


def recorded() -> Recorded:
    """What the tool took for a cluster of that size."""
    return next(each for each in RECORDED if each.nodes == NODES)


def measure(path: Path, tool: Path) -> tuple[Comparison, Comparison]:
    """The simulator and the tool in turns: from start to end, and of the same runs the actions alone, as both say."""
    runs = [(run(command(path)), run(tool_command(tool, path))) for _ in range(ROUNDS + 1)][1:]
    whole, actions = [
        Comparison(
            what=what, other=TOOL, ours=tuple(ours[i] for ours, _ in runs), theirs=tuple(each[i] for _, each in runs)
        )
        for i, what in enumerate((WHAT, f"{WHAT}, the actions alone"))
    ]
    return whole, actions


def run(wanted: Sequence[str]) -> tuple[float, float]:
    """The seconds from start to end, and those of the actions, as the simulator's result or the tool's summary says."""
    start = time.perf_counter()
    done = subprocess.run(wanted, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    took, said = time.perf_counter() - start, orjson.loads(done.stdout)
    actions = said["durationsMs"]["actions"] if "durationsMs" in said else said["action_durations_ms"]
    return took, sum(actions.values()) / 1000


def used(wanted: Sequence[str], output: Path = Path(os.devnull)) -> Used:
    """What a command uses; what it writes goes to `output`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with output.open("wb") as out:
        errors = subprocess.run(launched(wanted), check=True, stdout=out, stderr=subprocess.PIPE).stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Used(took, peak(errors) / 1_000_000)
