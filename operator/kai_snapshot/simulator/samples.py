"""Several simulations of the same, each with another order of jobs: what is certain, and what is chance."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from kai_snapshot.api.result import ReplayResult
from kai_snapshot.repetition import combine
from kai_snapshot.simulator.collect import Collected
from kai_snapshot.simulator.simulate import simulate


def sample(
    collected: Collected, *, clock: Callable[[], float], now: datetime | None = None, samples: int
) -> ReplayResult:
    """The result of simulations with the seeds 1 to `samples`; of one, it is that without a seed.

    `runs.frequencies` says how often each element came; the lists are those of the most typical run, which is simulated
    twice: only one result is held at a time. Raises TerminalError(ConfigNull).
    """
    if samples == 1:
        return simulate(collected, clock=clock, now=now)
    runs = [partial(simulate, collected, clock=clock, now=now, seed=seed) for seed in range(1, samples + 1)]
    return combine(runs, wanted=samples)
