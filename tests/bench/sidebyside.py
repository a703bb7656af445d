"""Two ways to do one thing, measured in turns: whatever else the machine does, it does to both."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

ROUNDS = 5


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Seconds of each round of both sides."""

    what: str
    other: str
    """The other side, with its version."""
    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """How many times as fast as the other side: the ratio of the medians."""
        return statistics.median(self.theirs) / statistics.median(self.ours)

    def __str__(self) -> str:
        ours, theirs = (" ".join(f"{seconds:.2f}" for seconds in side) for side in (self.ours, self.theirs))
        return f"{self.what}: {self.ratio:.2f}x of {self.other} (seconds {ours} against {theirs})"


def in_turns(what: str, *, ours: Callable[[], object], other: str, theirs: Callable[[], object]) -> Comparison:
    """Runs both sides once unmeasured, then five times in turns."""
    ours()
    theirs()
    seconds = [(_seconds(ours), _seconds(theirs)) for _ in range(ROUNDS)]
    return Comparison(what=what, other=other, ours=tuple(s for s, _ in seconds), theirs=tuple(s for _, s in seconds))


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
