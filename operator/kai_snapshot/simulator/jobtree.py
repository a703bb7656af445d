"""The tree of queues that hands out jobs one by one.

Heaps all the way down, as in KAI: only the top of a heap is put in order again before it is looked at, so a queue
whose standing has changed since can stay where it is for a while.
"""

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from operator import itemgetter

import numpy as np

from kai_snapshot.simulator.arrival import arrivals
from kai_snapshot.simulator.model import NOTHING, Job, Queue, Standing, Triple
from kai_snapshot.simulator.nexttasks import asked_next
from kai_snapshot.simulator.queueorder import Ahead, standing, standing_with, tied_before
from kai_snapshot.simulator.stock import Item, Line, Member, Stock, item_of, queue_of
from kai_snapshot.simulator.victims import Victim


class _Branch:
    """A queue in the tree: a heap of queues, or jobs in their order."""

    __slots__ = ("at", "children", "dirty", "line", "more", "parent", "popped", "queue", "standing", "top", "version")

    def __init__(self, queue: Queue, parent: "_Branch | None") -> None:
        self.queue = queue
        self.parent = parent
        self.children: list[_Branch] = []
        self.line = Line(queue)
        """Of the stock."""
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

    def top_is_besides(self) -> bool:
        """Whether the job it would hand out next is none of the stock."""
        return bool(self.more) and self.top is self.more[0]


class JobTree:
    """Jobs of all queues: `pop` gives the one that is next.

    `victims`: who is served last comes first. `depth`: the most jobs of a queue, 0 for no limit. A `stock` comes in
    one go, without some of its jobs; `chance` draws the order in which it would have come.
    """

    def __init__(
        self,
        jobs: Iterable[Member] = (),
        *,
        victims: bool = False,
        depth: int = 0,
        stock: Stock | None = None,
        without: Sequence[Job] = (),
        chance: np.random.Generator | None = None,
    ) -> None:
        self._victims = victims
        self._depth = depth
        self._without = frozenset(map(id, without))
        self._roots: list[_Branch] = []
        self._branches: dict[str, _Branch] = {}
        self._linked: set[str] = set()
        if stock is not None and chance is not None:
            self._begin(stock, jobs, without, chance)
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
        return self._pop(self._path()[-1])

    def pop_besides(self) -> Member:
        """Takes out the next job that is none of the stock. Those of the stock that come before it are gone then."""
        path = self._path()
        while not path[-1].top_is_besides():
            self._pass(path)
            path = self._path()
        return self._pop(path[-1])

    def _path(self) -> list[_Branch]:
        """The queue whose job is next, after those it is in, from the root."""
        path: list[_Branch] = []
        heap = self._roots
        while heap:
            top = heap[0]
            while top.dirty:
                top.dirty = False
                self._sift_down(heap)
                top = heap[0]
            path.append(top)
            heap = top.children
        return path

    def _pop(self, leaf: _Branch) -> Member:
        job = self._take(leaf)
        if isinstance(job, Victim):
            held = job.held
            leaf.popped = leaf.popped[0] + held[0], leaf.popped[1] + held[1], leaf.popped[2] + held[2]
        self._trim(leaf)
        return job

    def _pass(self, path: Sequence[_Branch]) -> None:
        """Passes the job of the stock that is next, and those of its queue that come right after it.

        With a job that asks for no more than another, a queue stands no worse; so of those that follow only the ones
        are looked at that ask for more of anything than the one before.
        """
        leaf = path[-1]
        line, at = leaf.line, leaf.at + 1
        end = line.before(leaf.more[0][0]) if leaf.more else len(line)
        others = [(branch.queue, rival) for branch in path if (rival := self._rival(branch)) is not None]
        ahead = Ahead((queue, rival.queue, self._standing(rival)) for queue, rival in others)
        while at < end:
            if id(line.items[at][1]) in self._without:
                at += 1
            elif ahead.with_job(line.asked[at]):
                at = line.asks_more(at)
            else:
                break
        leaf.at = min(at, end)
        self._find_top(leaf)
        self._trim(leaf)

    def _rival(self, branch: _Branch) -> _Branch | None:
        """The queue that stands next to that one, which is on top of its heap."""
        heap = self._heap(branch)
        if len(heap) < 3:
            return heap[1] if len(heap) > 1 else None
        return heap[2] if self._before(heap[2], heap[1]) else heap[1]

    def _begin(
        self, stock: Stock, others: Iterable[Member], without: Sequence[Job], chance: np.random.Generator
    ) -> None:
        """Links the queues of a stock, and of others, as if their jobs came one by one in a random order.

        What a queue has when another is linked decides where that one stands; the rest of it is there anyway.
        """
        leaves = [self._branch(line.queue) for line in stock.lines]
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
            place = (stock.lines[i].before(item[0]) if i < len(stock.lines) else 1) - 0.5
            besides[i, place] = min(besides.get((i, place), item), item, key=itemgetter(0))
        for first, tops in arrivals(stock, list(besides), stock.numbers(without), chance):
            for i, place in tops:
                leaves[i].top = stock.lines[i].items[int(place)] if place.is_integer() else besides[i, place]
                self._soil(leaves[i])
            self._link(leaves[first])
        for leaf, line in zip(leaves, stock.lines, strict=False):
            leaf.line = line
        for leaf in leaves:
            self._find_top(leaf)
            self._soil(leaf)

    def _branch(self, queue: Queue) -> _Branch:
        branch = self._branches.get(queue.name)
        if branch is None:
            parent = self._branch(queue.parent) if queue.parent is not None else None
            branch = self._branches[queue.name] = _Branch(queue, parent)
        return branch

    def _find_top(self, leaf: _Branch) -> None:
        items, at, without = leaf.line.items, leaf.at, self._without
        while at < len(items) and without and id(items[at][1]) in without:
            at += 1
        leaf.at = at
        leaf.top = items[at] if at < len(items) else None
        if leaf.more and (leaf.top is None or leaf.more[0][0] < leaf.top[0]):
            leaf.top = leaf.more[0]

    def _take(self, leaf: _Branch) -> Member:
        assert leaf.top is not None
        _, job = leaf.top
        if leaf.top_is_besides():
            heappop(leaf.more)
        else:
            leaf.at += 1
        self._find_top(leaf)
        return job

    def _link(self, branch: _Branch | None) -> None:
        while branch is not None and branch.queue.name not in self._linked:
            self._linked.add(branch.queue.name)
            heap = self._heap(branch)
            heap.append(branch)
            self._sift_up(heap)
            branch = branch.parent

    def _heap(self, branch: _Branch) -> list[_Branch]:
        """The heap it is in, if it is in the tree."""
        return self._roots if branch.parent is None else branch.parent.children

    def _soil(self, branch: _Branch | None) -> None:
        while branch is not None:
            branch.dirty = True
            branch.standing = None
            branch = branch.parent

    def _trim(self, branch: _Branch | None) -> None:
        """Takes out queues that have no jobs any more."""
        while branch is not None and branch.top is None and not branch.children:
            heap = self._heap(branch)
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
            known = standing_with(queue, top.asked_cache or asked_next(top))
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
