"""Several simulations of the same, each with another order of jobs: what is certain, and what is chance."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from kai_snapshot.api.result import ReplayResult
from kai_snapshot.repetition import combine
from kai_snapshot.simulator.collect import Collected
from kai_snapshot.simulator.simulate import simulate


def sample(
    collected: Collected,
    *,
    clock: Callable[[], float],
    now: datetime | None = None,
    samples: int,
    tell: Callable[[], None] = lambda: None,
) -> ReplayResult:
    """The result of simulations with the seeds 1 to `samples`; of one, it is that without a seed.

    `runs.frequencies` says how often each element came; the lists are those of the most typical run, which is simulated
    twice: only one result is held at a time. `tell` is called after each simulation. Raises TerminalError(ConfigNull).
    """

    def run(seed: int | None) -> ReplayResult:
        result = simulate(collected, clock=clock, now=now, seed=seed)
        tell()
        return result

    if samples == 1:
        return run(None)
    return combine([partial(run, seed) for seed in range(1, samples + 1)], wanted=samples)
