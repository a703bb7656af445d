"""The cluster as a picture: a tile for each node, a cell for each GPU, in few shapes however many there are.

All cells of one colour are one path, so that a thousand nodes are drawn as fast as ten; which cell is where follows
from a few numbers, which the page's script has too.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from kai_snapshot.api.visualizer import GPUSlot, NodeView, Occupant, QueueView
from kai_snapshot.views import Views
from kai_snapshot.views.queues import told_apart

By = Literal["queue", "job"]
COLOURS: Final = 10
"""That can be told apart; whoever has less than these has one together."""
OTHER: Final = COLOURS
CELL: Final = 12
"""With the space around it; so is all else."""
GAP: Final = 2
COLUMNS: Final = 8
"""Cells of a row of a tile."""
ROWS: Final = 4
"""Of cells in a tile, at most."""
LABEL: Final = 14
"""Above the cells: the node's name."""
MARGIN: Final = 8
IN_A_ROW: Final = ((30, 5), (120, 7))
"""Tiles, for up to so many nodes: the fewer, the larger they are shown."""
MOST_IN_A_ROW: Final = 10
ZOOM: Final = 2
"""At most, so that few nodes are not shown larger than the page's headings."""
GEOMETRY: Final = {"zoom": ZOOM, "cell": CELL, "gap": GAP, "label": LABEL, "columns": COLUMNS, "rows": ROWS}
"""What the page's script has to know of it."""
LETTERS: Final = 15
"""Of a name that fit above a tile."""

Owner = tuple[str, str]
"""Namespace and name of a pod."""


@dataclass(frozen=True)
class Entry:
    """A line of the legend."""

    colour: int
    id: str
    """Of the queue, or the job; empty for others."""
    name: str
    gpus: float


@dataclass(frozen=True)
class Label:
    """A node's name, above its tile."""

    x: int
    y: int
    text: str


@dataclass(frozen=True)
class Frame:
    """Where everything is, whatever colour it has. Paths are in SVG's language."""

    width: int
    height: int
    tile_width: int
    tile_height: int
    tiles_in_row: int
    labels: Sequence[Label]
    cells: str
    """The outlines of all."""
    closed: str
    """The tiles of nodes that are not ready, or cordoned."""
    places: Sequence[tuple[int, int, GPUSlot]]
    """The left upper corner of each GPU's cell."""
    beyond: int
    """GPUs that have no cell, because their node has more than fit into a tile."""


@dataclass(frozen=True)
class ClusterMap:
    """The picture. Paths are in SVG's language."""

    frame: Frame
    used: Mapping[int, str]
    """What is taken of cells, by colour."""
    fragmented: str
    """What is free and fits no pod that waits."""
    legend: Sequence[Entry]
    without: int
    """Nodes that have no GPU, and no tile."""


def cluster_map(views: Views, by: By, nodes: Sequence[NodeView] | None = None) -> ClusterMap:
    """The picture of a cluster, coloured by the queues or the jobs that GPUs are used by.

    `nodes`: as they are to be shown; as the scheduler saw them by default.
    """
    shown = views.nodes if nodes is None else nodes
    owner = _owners(views, by)
    legend = _legend(shown, owner, _names(views.queues) if by == "queue" else {})
    colours = {entry.id: entry.colour for entry in legend}
    found = frame(shown)
    used: dict[int, list[str]] = defaultdict(list)
    fragmented = []
    for x, y, slot in found.places:
        for pod, base, part in stacked(slot.occupants):
            used[colours.get(owner(pod), OTHER)].append(part_of_cell(x, y, base, part))
        if slot.fragmented:
            fragmented.append(part_of_cell(x, y, slot.used_fraction or 0.0, 1 - (slot.used_fraction or 0.0)))
    return ClusterMap(
        frame=found,
        used={colour: "".join(paths) for colour, paths in sorted(used.items())},
        fragmented="".join(fragmented),
        legend=legend,
        without=sum(not node.gpu_slots for node in shown),
    )


def frame(nodes: Sequence[NodeView]) -> Frame:
    """A tile for each node that has GPUs, a cell for each GPU."""
    shown = [node for node in nodes if node.gpu_slots]
    most = max((len(node.gpu_slots) for node in shown), default=0)
    rows = min(max(-(-most // COLUMNS), 1), ROWS)
    columns = min(max(most, 1), COLUMNS)
    tile_width = max(columns * CELL + MARGIN, 8 * CELL + MARGIN)
    tile_height = LABEL + rows * CELL + MARGIN
    in_row = next((tiles for most_nodes, tiles in IN_A_ROW if len(shown) <= most_nodes), MOST_IN_A_ROW)
    cells, closed, places = [], [], []
    for number, node in enumerate(shown):
        left, top = number % in_row * tile_width, number // in_row * tile_height
        if node.status != "Ready" or node.unschedulable:
            closed.append(_box(left, top, tile_width - 2, tile_height - 2))
        for slot in node.gpu_slots[: COLUMNS * ROWS]:
            x, y = left + slot.id % COLUMNS * CELL + GAP, top + LABEL + slot.id // COLUMNS * CELL
            cells.append(outline(x, y))
            places.append((x, y, slot))
    return Frame(
        width=in_row * tile_width,
        height=max(-(-len(shown) // in_row), 1) * tile_height,
        tile_width=tile_width,
        tile_height=tile_height,
        tiles_in_row=in_row,
        labels=list(_labels(shown, in_row, tile_width, tile_height)),
        cells="".join(cells),
        closed="".join(closed),
        places=places,
        beyond=sum(max(len(node.gpu_slots) - COLUMNS * ROWS, 0) for node in shown),
    )


def _owners(views: Views, by: By) -> Callable[[Occupant], str]:
    known: dict[Owner, str] = {}
    for job in views.jobs:
        id_ = job.queue if by == "queue" else f"{job.namespace}/{job.name}"
        known.update(((job.namespace, task.name), id_) for task in job.tasks)
    return lambda pod: known.get((pod.namespace, pod.pod), "")


def _names(queues: Iterable[QueueView]) -> Mapping[str, str]:
    names = {}
    waiting = list(queues)
    while waiting:
        queue = waiting.pop()
        names[queue.id or queue.name] = queue.name
        waiting.extend(queue.children)
    return told_apart(names)


def _legend(nodes: Sequence[NodeView], owner: Callable[[Occupant], str], names: Mapping[str, str]) -> list[Entry]:
    """Who uses most has a colour, the same for equal use by id; pods without a job are others."""
    use: Counter[str] = Counter()
    for node in nodes:
        for slot in node.gpu_slots:
            for pod in slot.occupants or ():
                use[owner(pod)] += pod.portion  # type: ignore[assignment] # a sum of parts
    ranked = sorted((id_ for id_ in use if id_), key=lambda id_: (-use[id_], id_))[:COLOURS]
    entries = [Entry(colour, id_, names.get(id_, id_), round(use[id_], 2)) for colour, id_ in enumerate(ranked)]
    rest = sum(use.values()) - sum(use[id_] for id_ in ranked)
    return [*entries, Entry(OTHER, "", "", round(rest, 2))] if rest > 0 else entries


def stacked(occupants: Iterable[Occupant] | None) -> Iterator[tuple[Occupant, float, float]]:
    """The pods on a GPU one upon the other: where each begins, and how much it has."""
    base = 0.0
    for pod in occupants or ():
        yield pod, base, min(pod.portion, 1 - base)
        base = min(base + pod.portion, 1.0)


def outline(x: float, y: float) -> str:
    """A whole cell."""
    return _box(x, y, CELL - GAP, CELL - GAP)


def part_of_cell(x: float, y: float, base: float, part: float, *, half: Literal["", "left", "right"] = "") -> str:
    """A part of a cell, from its floor up; on one half of it, if not on all."""
    size = CELL - GAP
    height = round(part * size, 2)
    left = x + size / 2 if half == "right" else x
    return _box(left, round(y + size * (1 - base) - height, 2), size / 2 if half else size, height)


def _box(x: float, y: float, width: float, height: float) -> str:
    return f"M{x:g} {y:g}h{width:g}v{height:g}h{-width:g}z"


def _labels(nodes: Sequence[NodeView], in_row: int, width: int, height: int) -> Iterator[Label]:
    for number, node in enumerate(nodes):
        text = node.name if len(node.name) <= LETTERS else node.name[: LETTERS - 6] + "…" + node.name[-5:]
        yield Label(number % in_row * width + GAP, number // in_row * height + LABEL - 4, text)
