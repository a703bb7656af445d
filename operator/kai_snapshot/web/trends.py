"""How numbers went from archive to archive, as lines."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kai_snapshot.api.visualizer import ClusterSummary, QueueGPUs
from kai_snapshot.runs.listing import Archive
from kai_snapshot.views.queues import told_apart

WIDTH: Final = 1000
HEIGHT: Final = 60
QUEUES: Final = 12
"""That have a picture of their own: those that were granted, or had, the most."""


@dataclass(frozen=True)
class Line:
    """A number through time, with its ends in numbers."""

    path: str
    """In SVG's language: earlier to the left, more further up, zero at the bottom."""
    first: float
    last: float
    most: float


@dataclass(frozen=True)
class Trend:
    """A picture of one number, or of two with the same scale: the first, and what it may be."""

    id: str
    name: str
    line: Line
    beside: Line | None = None


@dataclass(frozen=True)
class Computed:
    """What an archive's summary tells."""

    allocated_gpus: int
    fragmented_gpus: float
    pending: int
    queues: Sequence[QueueGPUs]


def computed(summary: ClusterSummary) -> Computed:
    """The numbers that the page shows."""
    return Computed(
        summary.allocated_gpus,
        summary.fragmented_gpus or 0.0,
        summary.job_counts.get("Pending", 0),
        summary.queue_gpus or (),
    )


def trends(archives: Sequence[Archive], known: Mapping[str, Computed]) -> list[Trend]:
    """What manifests tell of archives, oldest first, and summaries by the archive's key; nothing of fewer than two."""
    found = [known.get(each.key) for each in archives]
    series: list[tuple[str, str, list[float | None]]] = []
    for id_, name, of_summary in _OF_SUMMARIES:
        series.append((id_, name, [of_summary(each) if each is not None else None for each in found]))
    for id_, name, of_manifest in _OF_MANIFESTS:
        series.append((id_, name, [of_manifest(each) for each in archives]))
    moments = [_at(each) for each in archives]
    return [
        Trend(id_, name, _line(moments, numbers, _most(numbers))) for id_, name, numbers in series if _several(numbers)
    ]


def queue_trends(archives: Sequence[Archive], known: Mapping[str, Computed]) -> list[Trend]:
    """GPUs that queues had, and beside them their fair share."""
    found: list[Mapping[str, QueueGPUs]] = [
        {queue.id: queue for queue in known[each.key].queues} if each.key in known else {} for each in archives
    ]
    names = told_apart({queue.id: queue.name for each in found for queue in each.values()})
    moments = [_at(each) for each in archives]
    pictures = []
    for id_, name in names.items():
        listed = [each.get(id_) for each in found]
        had = [queue.allocated if queue is not None else None for queue in listed]
        granted = [queue.fair_share if queue is not None else None for queue in listed]
        most = max(_most(had), _most(granted))
        if _several(had) and _several(granted):
            trend = Trend(id_, name, _line(moments, had, most), _line(moments, granted, most))
            pictures.append(((-most, id_), trend))
    pictures.sort(key=lambda each: each[0])
    return [trend for _, trend in pictures[:QUEUES]]


def _line(moments: Sequence[float], numbers: Sequence[float | None], most: float) -> Line:
    """With a gap where nothing is known."""
    begin, end = moments[0], moments[-1]
    path, drawing = [], False
    for moment, number in zip(moments, numbers, strict=True):
        if number is not None:
            x, y = WIDTH * (moment - begin) / ((end - begin) or 1), HEIGHT * (1 - number / (most or 1))
            path.append(f"{'L' if drawing else 'M'}{x:.1f} {y:.1f}" + ("" if drawing else "h0"))  # so that one is a dot
        drawing = number is not None
    known = [number for number in numbers if number is not None]
    return Line("".join(path), known[0], known[-1], max(known))


def _several(numbers: Sequence[float | None]) -> bool:
    return sum(number is not None for number in numbers) > 1


def _most(numbers: Sequence[float | None]) -> float:
    return max((number for number in numbers if number is not None), default=0.0)


def _at(archive: Archive) -> float:
    return archive.manifest.captured_at.timestamp()


_OF_MANIFESTS: Final[Sequence[tuple[str, str, Callable[[Archive], float | None]]]] = (
    ("nodes", "Nodes", lambda each: each.manifest.object_counts.get("nodes")),
    ("pods", "Pods", lambda each: each.manifest.object_counts.get("pods")),
    ("podGroups", "Jobs", lambda each: each.manifest.object_counts.get("podGroups")),
    ("sizeBytes", "Archive, bytes", lambda each: each.manifest.size_bytes),
)
_OF_SUMMARIES: Final[Sequence[tuple[str, str, Callable[[Computed], float]]]] = (
    ("pending", "Pending jobs", lambda each: each.pending),
    ("allocatedGPUs", "GPUs in use", lambda each: each.allocated_gpus),
    ("fragmentedGPUs", "Fragmented GPUs", lambda each: each.fragmented_gpus),
)
