"""What stands on top of the queues of a tree while jobs come one by one, in a random order."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from kai_snapshot.simulator.stock import Stock

Place = tuple[int, float]
"""The number of a queue, and where in its line a job stands; one between two jobs of the line stands half-way."""
_FIRST_LOOK = 32
"""Jobs of each queue; so many come before every queue has one, unless a queue has few."""


def arrivals(
    stock: Stock, besides: Sequence[Place], without: Sequence[int], chance: np.random.Generator
) -> Iterator[tuple[int, list[Place]]]:
    """Each queue when its first job comes, after those that have another first job than before, with that.

    `without`: the numbers of jobs of the stock that do not come. Jobs after the last queue are not told of.
    """
    queues = max((len(stock.lines), *(i + 1 for i, _ in besides)))
    order = chance.permutation(len(stock) + len(besides))
    of = np.concatenate([stock.queue_numbers, np.array([i for i, _ in besides], dtype=np.intp)])
    places = np.concatenate([stock.places, np.array([place for _, place in besides], dtype=np.float64)])
    comes = np.ones(len(order), dtype=np.bool_)
    comes[without] = False
    came, firsts = _until_all(order, comes, of, queues)
    of, places = of[came], places[came]
    tops = np.full(queues, np.inf)
    start = 0
    for first in firsts:
        before = tops.copy()
        np.minimum.at(tops, of[start : first + 1], places[start : first + 1])
        yield int(of[first]), [(i, float(tops[i])) for i in np.flatnonzero(tops != before).tolist()]
        start = first + 1


def _until_all(
    order: NDArray[np.int64], comes: NDArray[np.bool_], of: NDArray[np.intp], queues: int
) -> tuple[NDArray[np.int64], list[int]]:
    """The jobs that come until all queues have one, and which of them are the first of theirs."""
    look = _FIRST_LOOK * queues
    while True:
        came = order[:look]
        came = came[comes[came]]
        firsts = np.unique(of[came], return_index=True)[1]
        if len(firsts) == queues or look >= len(order):
            return came, np.sort(firsts).tolist()
        look *= 8
