"""How the simulator's time and memory grow with the cluster: writes `docs/simulator-speed.md`.

`make growth`, with `ARGS=--kai-tool=PATH` beside snapshot-tool v0.17.0, on the clusters it is measured with.
"""

import argparse
import math
import re
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench.simulation import RECORDED, TOOL, Used, archive, command, tool_command, used
from support.clusters import GPUS_OF_A_NODE

SIZES = ((50, 7.5), (100, 7.5), (200, 7.5), (400, 7.5), (1000, 7.5), (2000, 7.5), (5000, 9.0))
"""Nodes, and jobs on each."""
TOOL_SIZES = (50, 100, 200, 400)
_ENDED = re.compile(r"`(\w+)` for ")
SHORTEST, COLUMNS = 0.1, 20
"""The seconds of a bar without length, and how much longer it is for ten times as many."""
HEAD = f"""# Speed of the simulator

Made by `make growth`. Clusters of nodes with {GPUS_OF_A_NODE} GPUs, nearly full: most pods wait, queues reclaim what
others have beyond their share. Measured is the whole command, `kai-snapshot simulate ARCHIVE -o json`, with reading the
archive and finding out why each job waits: seconds of processor time (the simulator uses one processor, the tool
several), and the largest resident set. What is recorded of the tool is from its start to its end. `make bench` measures
200 nodes, with `ARGS=--kai-tool=PATH` in turns with a snapshot-tool that is at hand.

How long it takes depends on more than the size: each job that finds no place, and no victims that would do, costs a
search among all that run. KAI ends a search that goes on for long by the clock, the simulator by steps that it counts
([how](simulator.md#how-fast-it-is)); the column `ended` names the actions that came to that end.
"""


@dataclass(frozen=True)
class Size:
    """One cluster, and what it took."""

    nodes: int
    jobs: int
    pods: int
    running: int
    simulator: Used
    ended: tuple[str, ...]
    """Actions that came to the end of their search."""
    tool: Used | None
    """In the same run."""


def main() -> None:
    """Writes the page."""
    options = argparse.ArgumentParser()
    options.add_argument("target", type=Path)
    options.add_argument("--kai-tool", type=Path)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="kai-snapshot-growth-") as directory:
        sizes = [_measured(Path(directory), nodes, jobs, asked.kai_tool) for nodes, jobs in SIZES]
    lines = [
        HEAD,
        *_table(sizes),
        "",
        "Seconds; a bar grows by the same for each ten times as many:",
        "",
        "```text",
        *_chart(sizes),
        "```",
    ]
    asked.target.write_text("\n".join(lines) + "\n")


def _measured(directory: Path, nodes: int, jobs_per_node: float, tool: Path | None) -> Size:
    path = archive(directory, nodes, jobs_per_node)
    with zipfile.ZipFile(path) as stored:
        objects = orjson.loads(stored.read(stored.namelist()[0]))["rawObjects"]
    result = directory / "result.json"
    simulator = used(command(path), result)
    beside = used(tool_command(tool, path)) if tool is not None and nodes in TOOL_SIZES else None
    return Size(
        nodes=nodes,
        jobs=len(objects["podGroups"]),
        pods=len(objects["pods"]),
        running=sum("nodeName" in pod["spec"] for pod in objects["pods"]),
        simulator=simulator,
        ended=_ended(orjson.loads(result.read_bytes())["approximate"]),
        tool=beside,
    )


def _ended(approximate: Sequence[str]) -> tuple[str, ...]:
    return tuple(found[1] for text in approximate if (found := _ENDED.match(text)))


def _table(sizes: Sequence[Size]) -> Iterator[str]:
    recorded = {each.nodes: each for each in RECORDED}
    together = any(each.tool for each in sizes)
    columns = ["nodes", "jobs", "pods (running)", "seconds", "MB", "ended"]
    columns += [f"{TOOL}, same run: seconds", "MB"] if together else []
    columns += [f"{TOOL}, as recorded: seconds", "MB"]
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---:|" * len(columns)
    for each in sizes:
        cells = [f"{each.nodes:,}", f"{each.jobs:,}", f"{each.pods:,} ({each.running:,})", *_told(each.simulator)]
        cells.append(", ".join(each.ended))
        cells += (_told(each.tool) if each.tool else ["", ""]) if together else []
        before = recorded.get(each.nodes)
        cells += [f"{before.seconds:g}", f"{before.megabytes}"] if before else ["", ""]
        yield f"| {' | '.join(cells)} |"


def _told(used: Used) -> list[str]:
    return [f"{used.seconds:.1f}", f"{used.megabytes:.0f}"]


def _chart(sizes: Sequence[Size]) -> Iterator[str]:
    yield f"{'nodes':>6}  {'seconds':>8}"
    for each in sizes:
        bar = "#" * max(round(COLUMNS * math.log10(each.simulator.seconds / SHORTEST)), 0)
        yield f"{each.nodes:>6,}  {each.simulator.seconds:>8.1f}  {bar}"


if __name__ == "__main__":
    main()
