"""How a number went from archive to archive, as a line."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kai_snapshot.runs.listing import Archive

WIDTH: Final = 1000
HEIGHT: Final = 60


@dataclass(frozen=True)
class Trend:
    """A line through time, with its ends in numbers."""

    name: str
    path: str
    """In SVG's language: earlier to the left, more further up, zero at the bottom."""
    first: int
    last: int
    most: int


_SERIES: Final[Sequence[tuple[str, Callable[[Archive], int | None]]]] = (
    ("Nodes", lambda each: each.manifest.object_counts.get("nodes")),
    ("Pods", lambda each: each.manifest.object_counts.get("pods")),
    ("Jobs", lambda each: each.manifest.object_counts.get("podGroups")),
    ("Archive, bytes", lambda each: each.manifest.size_bytes),
)


def trends(archives: Sequence[Archive]) -> list[Trend]:
    """What manifests tell of archives, oldest first; nothing of fewer than two."""
    return [trend for name, value in _SERIES for trend in _trend(name, archives, value)]


def _trend(name: str, archives: Sequence[Archive], value: Callable[[Archive], int | None]) -> Iterator[Trend]:
    points = [
        (each.manifest.captured_at.timestamp(), number) for each in archives if (number := value(each)) is not None
    ]
    if len(points) < 2:
        return
    begin, end = points[0][0], points[-1][0]
    most = max(number for _, number in points)
    steps = (
        f"{WIDTH * (moment - begin) / ((end - begin) or 1):.1f} {HEIGHT * (1 - number / (most or 1)):.1f}"
        for moment, number in points
    )
    yield Trend(name, "M" + "L".join(steps), points[0][1], points[-1][1], most)
