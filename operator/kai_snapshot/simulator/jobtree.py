"""The tree of queues that hands out jobs one by one.

Heaps all the way down, as in KAI: only the top of a heap is put in order again before it is looked at, so a queue
whose standing has changed since can stay where it is for a while.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush
from operator import itemgetter

import numpy as np

from kai_snapshot.simulator.model import NOTHING, Queue, Standing, Triple
from kai_snapshot.simulator.nexttasks import asked_next
from kai_snapshot.simulator.queueorder import standing, tied_before
from kai_snapshot.simulator.stock import Item, Member, Stock, item_of, queue_of
from kai_snapshot.simulator.victims import Victim


class _Branch:
    """A queue in the tree: a heap of queues, or jobs in their order."""

    __slots__ = ("at", "children", "dirty", "more", "parent", "popped", "queue", "standing", "stock", "top", "version")

    def __init__(self, queue: Queue, parent: "_Branch | None") -> None:
        self.queue = queue
        self.parent = parent
        self.children: list[_Branch] = []
        self.stock: Sequence[Item] = ()
        self.at = 0
        self.more: list[Item] = []
        """A heap of jobs besides the stock."""
        self.top: Item | None = None
        """The job it would hand out next."""
        self.dirty = True
        self.popped: Triple = NOTHING
        self.standing: Standing | None = None
        """As computed last, at that version of the queue; None if its top has changed."""
        self.version = -1

    def leaf(self) -> "_Branch":
        """The queue whose job it would hand out as things stand."""
        branch = self
        while branch.children:
            branch = branch.children[0]
        return branch


class JobTree:
    """Jobs of all queues: `pop` gives the one that is next.

    `victims`: who is served last comes first. `depth`: the most jobs of a queue, 0 for no limit. A `stock` comes in
    one go, without the jobs of which `without` has the `id()`; `chance` draws the order in which it would have come.
    """

    def __init__(
        self,
        jobs: Iterable[Member] = (),
        *,
        victims: bool = False,
        depth: int = 0,
        stock: Stock | None = None,
        without: frozenset[int] = frozenset(),
        chance: np.random.Generator | None = None,
    ) -> None:
        self._victims = victims
        self._depth = depth
        self._without = without
        self._roots: list[_Branch] = []
        self._branches: dict[str, _Branch] = {}
        self._linked: set[str] = set()
        if stock is not None and chance is not None:
            self._begin(stock, list(jobs), chance)
        else:
            for job in jobs:
                self.push(job)

    def __bool__(self) -> bool:
        return bool(self._roots)

    def push(self, job: Member) -> None:
        """Puts a job in, or back in. Jobs of queues that hold no jobs are dropped."""
        queue = queue_of(job)
        if queue is None:
            return
        leaf = self._branch(queue)
        heappush(leaf.more, item_of(job))
        if 0 < self._depth < len(leaf.more):
            leaf.more.pop()
        self._find_top(leaf)
        self._link(leaf)
        self._soil(leaf)

    def pop(self) -> Member:
        """Takes out the job that is next."""
        heap = self._roots
        while True:
            top = heap[0]
            while top.dirty:
                top.dirty = False
                self._sift_down(heap)
                top = heap[0]
            if not top.children:
                break
            heap = top.children
        job = self._take(top)
        if isinstance(job, Victim):
            held = job.held
            top.popped = top.popped[0] + held[0], top.popped[1] + held[1], top.popped[2] + held[2]
        self._trim(top)
        return job

    def _begin(self, stock: Stock, others: Sequence[Member], chance: np.random.Generator) -> None:
        """Links the queues of a stock, and of others, as if their jobs came one by one in a random order.

        What a queue has when another is linked decides where that one stands; the rest of it is there anyway.
        """
        leaves = [self._branch(queue) for queue in stock.queues]
        number = {id(leaf): i for i, leaf in enumerate(leaves)}
        besides: dict[tuple[int, float], Item] = {}
        for job in others:
            if (queue := queue_of(job)) is None:
                continue
            leaf, item = self._branch(queue), item_of(job)
            i = number.setdefault(id(leaf), len(leaves))
            if i == len(leaves):
                leaves.append(leaf)
            heappush(leaf.more, item)
            place = bisect_left(stock.lists[i], item[0], key=itemgetter(0)) - 0.5 if i < len(stock.lists) else 0.5
            besides[i, place] = min(besides.get((i, place), item), item, key=itemgetter(0))
        self._link_all(stock, leaves, besides, chance)
        for leaf, items in zip(leaves, stock.lists, strict=False):
            leaf.stock = items
        for leaf in leaves:
            self._find_top(leaf)
            self._soil(leaf)

    def _link_all(
        self,
        stock: Stock,
        leaves: Sequence[_Branch],
        besides: Mapping[tuple[int, float], Item],
        chance: np.random.Generator,
    ) -> None:
        of = np.concatenate([stock.queue_numbers, np.array([i for i, _ in besides], dtype=np.intp)])
        places = np.concatenate([stock.places, np.array([place for _, place in besides], dtype=np.float64)])
        order = chance.permutation(len(of))
        if left_out := stock.numbers(self._without):
            order = order[~np.isin(order, left_out)]
        of, places = of[order], places[order]
        tops = np.full(len(leaves), np.inf)
        start = 0
        for first in np.sort(np.unique(of, return_index=True)[1]).tolist():
            came, at = of[start : first + 1], places[start : first + 1]
            np.minimum.at(tops, came, at)
            for i in set(came.tolist()):
                place = float(tops[i])
                leaves[i].top = stock.lists[i][int(place)] if place.is_integer() else besides[i, place]
                self._soil(leaves[i])
            self._link(leaves[of[first]])
            start = first + 1

    def _branch(self, queue: Queue) -> _Branch:
        branch = self._branches.get(queue.name)
        if branch is None:
            parent = self._branch(queue.parent) if queue.parent is not None else None
            branch = self._branches[queue.name] = _Branch(queue, parent)
        return branch

    def _find_top(self, leaf: _Branch) -> None:
        stock, at, without = leaf.stock, leaf.at, self._without
        while at < len(stock) and without and id(stock[at][1]) in without:
            at += 1
        leaf.at = at
        leaf.top = stock[at] if at < len(stock) else None
        if leaf.more and (leaf.top is None or leaf.more[0][0] < leaf.top[0]):
            leaf.top = leaf.more[0]

    def _take(self, leaf: _Branch) -> Member:
        assert leaf.top is not None
        _, job = leaf.top
        if leaf.more and leaf.more[0] is leaf.top:
            heappop(leaf.more)
        else:
            leaf.at += 1
        self._find_top(leaf)
        return job

    def _link(self, branch: _Branch | None) -> None:
        while branch is not None and branch.queue.name not in self._linked:
            self._linked.add(branch.queue.name)
            heap = self._roots if branch.parent is None else branch.parent.children
            heap.append(branch)
            self._sift_up(heap)
            branch = branch.parent

    def _soil(self, branch: _Branch | None) -> None:
        while branch is not None:
            branch.dirty = True
            branch.standing = None
            branch = branch.parent

    def _trim(self, branch: _Branch | None) -> None:
        """Takes out queues that have no jobs any more."""
        while branch is not None and branch.top is None and not branch.children:
            heap = self._roots if branch.parent is None else branch.parent.children
            heap[0], heap[-1] = heap[-1], heap[0]
            heap.pop()
            if heap:
                self._sift_down(heap)
            self._linked.discard(branch.queue.name)
            branch = branch.parent
        self._soil(branch)

    def _before(self, left: _Branch, right: _Branch) -> bool:
        """Whether one queue stands over the other in a heap: with victims, the one that is served last."""
        mine, other = self._standing(left), self._standing(right)
        before = mine < other if mine != other else tied_before(left.queue, right.queue)
        return before != self._victims

    def _standing(self, branch: _Branch) -> Standing:
        queue = branch.queue
        if branch.standing is not None and branch.version == queue.version:
            return branch.standing
        leaf = branch.leaf()
        assert leaf.top is not None
        top = leaf.top[1]
        if isinstance(top, Victim):
            held = top.held
            taken = leaf.popped[0] + held[0], leaf.popped[1] + held[1], leaf.popped[2] + held[2]
            known = standing(queue, NOTHING, taken)
        else:
            asked = top.asked_cache or asked_next(top)
            found = queue.standing.get(asked)
            known = queue.standing[asked] = found if found is not None else standing(queue, asked)
        branch.standing, branch.version = known, queue.version
        return known

    def _sift_up(self, heap: list[_Branch]) -> None:
        at = len(heap) - 1
        while at > 0:
            above = (at - 1) // 2
            if not self._before(heap[at], heap[above]):
                return
            heap[at], heap[above] = heap[above], heap[at]
            at = above

    def _sift_down(self, heap: list[_Branch]) -> None:
        at = 0
        while (child := 2 * at + 1) < len(heap):
            if child + 1 < len(heap) and self._before(heap[child + 1], heap[child]):
                child += 1
            if not self._before(heap[child], heap[at]):
                return
            heap[at], heap[child] = heap[child], heap[at]
            at = child
