"""The whole benchmark: ratios of medians of five, each beside another program in the same run.

    make bench

Takes about three minutes on two cores. Exit status 1 if a ratio is below what is wanted.
"""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import download, inspection, parselog, wholecapture
from bench.scene import s3_server, scene
from bench.sidebyside import Comparison
from bench.versions import missing
from toolchain import debian

MEGABYTES = 150
MIB = 1 << 20
PEAK_LIMIT, GROWTH_LIMIT = 128 * MIB, 8 * MIB


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
    if packages := missing():
        report(f"installing {' '.join(packages)}")
        debian.install(packages)
    lines = [Line.of(inspection.measure(megabytes=MEGABYTES), least=2.5), Line.of(parselog.measure(), least=0.2)]
    with tempfile.TemporaryDirectory(prefix="kai-snapshot-bench-") as name:
        lines += captures(Path(name))
    sys.stdout.write(table(lines))
    return 0 if all(line.met for line in lines) else 1


def captures(directory: Path) -> list[Line]:
    """What needs a cluster."""
    with scene(directory, report) as cluster, s3_server(directory) as s3:
        lines = [
            Line.of(download.measure(cluster), least=0.5),
            Line.of(wholecapture.measure(cluster, s3, directory, megabytes=MEGABYTES), least=2),
        ]
        peak, larger = (
            wholecapture.peak_memory(cluster, s3, directory, megabytes=size) for size in (MEGABYTES, 10 * MEGABYTES)
        )
    what = f"peak memory of the capturing process, {MEGABYTES} MB"
    return [
        *lines,
        Line(what, f"{peak / MIB:.0f} MiB", f"<= {PEAK_LIMIT >> 20} MiB", peak <= PEAK_LIMIT),
        Line(
            f"more than that with {10 * MEGABYTES} MB",
            f"{(larger - peak) / MIB:.1f} MiB",
            f"<= {GROWTH_LIMIT >> 20} MiB",
            larger - peak <= GROWTH_LIMIT and larger <= PEAK_LIMIT,
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
