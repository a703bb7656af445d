"""From an archive to a result."""

from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path

from kai_snapshot.api.result import ReplayResult
from kai_snapshot.simulator import cycle
from kai_snapshot.simulator.cluster import build
from kai_snapshot.simulator.collect import Collected, collect


def load(path: Path, *, not_after: datetime, changeable: Collection[str] = ()) -> Collected:
    """What the archive at `path` holds, for any number of simulations.

    `changeable`: lists of `rawObjects` that patches will be for (`whatif.lists_of`, `whatif.EVERY_LIST`): their objects
    are kept as they are, too, which takes as much memory as they have bytes. Raises OSError, and TerminalError where an
    archive is not valid.
    """
    return collect(path, not_after=not_after, changeable=changeable)


def simulate(
    collected: Collected, *, clock: Callable[[], float], now: datetime | None = None, seed: int | None = None
) -> ReplayResult:
    """What the scheduler decides at `now`; at the time of the capture, as far as the archive tells, unless given.

    `clock` gives seconds, to say how long it took. Raises TerminalError(ConfigNull).
    """
    cluster = build(collected, now=now or collected.captured_at)
    result = cycle.run(cluster, seed=seed, clock=clock)
    return result.model_copy(update={"adaptations": collected.adaptations})
