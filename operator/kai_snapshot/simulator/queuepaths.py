"""Where two queues part in the tree."""

from kai_snapshot.simulator.model import Queue


def first_different(left: Queue, right: Queue) -> tuple[Queue, Queue]:
    """The queues on the ways to two, from the root, where the ways part."""
    for mine, other in zip(reversed(left.path), reversed(right.path), strict=False):
        if mine is not other:
            return mine, other
    return left, right
