"""Several simulations of one archive, for somebody who waits for them."""

import time
from datetime import datetime

from kai_snapshot.api.result import ReplayResult
from kai_snapshot.cli import output
from kai_snapshot.simulator.collect import Collected
from kai_snapshot.simulator.samples import sample


def sampled(collected: Collected, *, now: datetime, samples: int) -> ReplayResult:
    """The result of so many simulations; a terminal shows how far it is. Raises TerminalError(ConfigNull)."""
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    with output.progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()) as progress:
        task = progress.add_task("simulating", total=samples)
        return sample(collected, clock=time.perf_counter, now=now, samples=samples, tell=lambda: progress.advance(task))
