"""The whole benchmark: ratios of medians of five, each beside another program in the same run.

    make bench
    make bench ARGS=--kai-tool=PATH     with a snapshot-tool v0.17.0 beside the simulator

Takes about nine minutes on two cores. Exit status 1 if a ratio is below what is wanted.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import (
    assembling,
    backtesting,
    download,
    inspection,
    looking,
    parselog,
    preparation,
    redaction,
    replayjob,
    simulation,
    whatif,
    wholecapture,
)
from bench.scene import s3_server, scene
from bench.sidebyside import ROUNDS, Comparison
from bench.versions import missing
from toolchain import debian

MEGABYTES = 150
SIZES = (MEGABYTES, 10 * MEGABYTES)
"""For memory, which must not grow."""
SIZES_TOLD = [f"{megabytes} MB" for megabytes in SIZES]
REDACTED = (MEGABYTES, 4 * MEGABYTES)
"""The same; it takes longer."""
MIB = 1 << 20
ARCHIVES = (50, 500)
PODS = (4_000, 40_000)
"""The same."""
PEAK_LIMIT, GROWTH_LIMIT = 128 * MIB, 8 * MIB
AROUND_LIMIT = 8
"""Seconds."""
GOAL = 10
"""How many times as fast as the tool's the simulator's actions are to be."""


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    what: str
    measured: str
    wanted: str
    met: bool
    beside: str = ""

    @classmethod
    def of(cls, comparison: Comparison, *, least: float) -> "Line":
        """Of two ways to do a thing: ours has to be `least` times as fast."""
        report(str(comparison))
        met = comparison.ratio >= least
        return cls(comparison.what, f"{comparison.ratio:.2f}x", f">= {least:g}x", met, comparison.other)


def main() -> int:
    """Measures everything and prints the table."""
    options = argparse.ArgumentParser(prog="make bench", description="Speed and memory, as ratios.")
    options.add_argument("--kai-tool", type=Path, help="a snapshot-tool v0.17.0 that runs here")
    tool = options.parse_args().kai_tool
    if packages := missing():
        report(f"installing {' '.join(packages)}")
        debian.install(packages)
    lines = [Line.of(inspection.measure(megabytes=MEGABYTES), least=2.5), Line.of(parselog.measure(), least=0.2)]
    with tempfile.TemporaryDirectory(prefix="kai-snapshot-bench-") as name:
        lines += preparations(Path(name))
        peaks = [backtesting.peak_memory(Path(name), archives=many) for many in ARCHIVES]
        lines += flat("comparing", *peaks, of=[f"{many} archives" for many in ARCHIVES])
        peaks = [assembling.peak_memory(Path(name), pods=many) for many in PODS]
        lines += flat("assembling", *peaks, of=[f"{many} pods" for many in PODS])
        lines += [what_if(whatif.measure(path)) for path in whatif.archives(Path(name))]
        lines += simulations(Path(name), tool)
        lines += look(looking.measure(Path(name)))
        lines += captures(Path(name))
    sys.stdout.write(table(lines))
    return 0 if all(line.met for line in lines) else 1


def preparations(directory: Path) -> list[Line]:
    """Archives made ready for a replay."""
    return [
        Line.of(preparation.measure(directory, megabytes=MEGABYTES), least=3),
        *flat("preparing", *(preparation.peak_memory(directory, megabytes=size) for size in SIZES)),
        Line.of(redaction.measure(directory, megabytes=MEGABYTES), least=0.1),
        *flat(
            "redacting",
            *(redaction.peak_memory(directory, megabytes=size) for size in REDACTED),
            of=[f"{megabytes} MB" for megabytes in REDACTED],
        ),
    ]


def flat(doing: str, peak: int, larger: int, *, of: Sequence[str] = SIZES_TOLD) -> list[Line]:
    """The peak of a process' memory, and how much higher it is with ten times as much."""
    grown = larger - peak
    met = grown <= GROWTH_LIMIT and larger <= PEAK_LIMIT
    what, limit = f"peak memory of the {doing} process, {of[0]}", f"<= {PEAK_LIMIT >> 20} MiB"
    return [
        Line(what, f"{peak / MIB:.0f} MiB", limit, peak <= PEAK_LIMIT),
        Line(f"more than that with {of[1]}", f"{grown / MIB:.1f} MiB", f"<= {GROWTH_LIMIT >> 20} MiB", met),
    ]


def what_if(measured: whatif.Measured) -> Line:
    """A change to what is loaded, besides the cycle."""
    what, met = f"a change to a loaded archive of {measured.nodes} nodes", measured.change <= whatif.LIMIT_MS
    return Line(what, f"{measured.change:.1f} ms", f"<= {whatif.LIMIT_MS} ms", met, str(measured))


def simulations(directory: Path, tool: Path | None) -> list[Line]:
    """The simulator beside what was recorded of the tool, and beside the tool."""
    path, recorded = simulation.archive(directory, simulation.NODES), simulation.recorded()
    beside = f"{simulation.TOOL}, as recorded"
    took = statistics.median(simulation.run(simulation.command(path))[0] for _ in range(ROUNDS))
    megabytes = simulation.used(simulation.command(path)).megabytes
    lines = [
        Line(simulation.WHAT, f"{took:.2f} s", f"< {recorded.seconds} s", took < recorded.seconds, beside),
        _memory(megabytes, recorded.megabytes, beside),
    ]
    if tool is None:
        return lines
    of_tool = simulation.used(simulation.tool_command(tool, path)).megabytes
    whole, actions = simulation.measure(path, tool)
    return [*lines, Line.of(whole, least=1), Line.of(actions, least=GOAL), _memory(megabytes, of_tool, simulation.TOOL)]


def _memory(megabytes: float, most: float, beside: str) -> Line:
    return Line("peak memory of it", f"{megabytes:.0f} MB", f"< {most:.0f} MB", megabytes < most, beside)


def look(measured: looking.Measured) -> list[Line]:
    """The pages, in a browser."""
    soon, smooth = measured.first <= looking.FIRST_VIEW_SECONDS, measured.longest <= looking.LONGEST_TASK_MS
    what, within = f"the first view of {looking.NODES} nodes", f"<= {looking.FIRST_VIEW_SECONDS} s"
    return [
        Line(what, f"{measured.first:.2f} s", within, soon, str(measured)),
        Line(
            "the longest task while scrolling there",
            f"{measured.longest:.0f} ms",
            f"<= {looking.LONGEST_TASK_MS} ms",
            smooth,
        ),
    ]


def captures(directory: Path) -> list[Line]:
    """What needs a cluster."""
    with scene(directory, report) as cluster, s3_server(directory) as s3:
        lines = [
            Line.of(download.measure(cluster), least=0.5),
            Line.of(wholecapture.measure(cluster, s3, directory, megabytes=MEGABYTES), least=2),
        ]
        peaks = [wholecapture.peak_memory(cluster, s3, directory, megabytes=size) for size in SIZES]
        around, tool = replayjob.measure(cluster, report)
    return [
        *lines,
        *flat("capturing", *peaks),
        Line(
            "a replay Job around the tool itself",
            f"{around:.1f} s",
            f"<= {AROUND_LIMIT} s",
            around <= AROUND_LIMIT,
            f"the tool's stand-in by itself: {tool:.1f} s",
        ),
    ]


def table(lines: Sequence[Line]) -> str:
    """As columns; what was not met is marked."""
    rows = [
        ("", "measured", "wanted", "", "beside"),
        *((line.what, line.measured, line.wanted, "" if line.met else "MISSED", line.beside) for line in lines),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join("  ".join(map(str.ljust, row, widths)).rstrip() + "\n" for row in rows)


def report(text: str) -> None:
    """What is going on, as it goes on."""
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
