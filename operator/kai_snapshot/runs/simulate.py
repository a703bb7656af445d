"""The Simulator's container of a replay's pod: one run on the archive that fetch left."""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from kai_snapshot.api.problem import Problem
from kai_snapshot.api.result import ReplayResult
from kai_snapshot.api.transfer import Instructions
from kai_snapshot.errors import TerminalError
from kai_snapshot.jobs import names
from kai_snapshot.jobs.pods import hopeless
from kai_snapshot.simulator.simulate import load, simulate


def simulate_run(
    work: Path, run: int, *, now: datetime, clock: Callable[[], float] = time.perf_counter
) -> ReplayResult:
    """What came of that run, from 1. If there is to be only one, it takes jobs in the order of the archive.

    With the clock Shift it is the time of the capture, as far as it is known, else `now`. An archive that cannot be
    simulated is a result too. Raises OSError.
    """
    instructions = Instructions.model_validate_json((work / names.INSTRUCTIONS).read_bytes())
    shifted = instructions.prepare.clock == "Shift"
    try:
        return simulate(
            load(work / names.ARCHIVE, not_after=now),
            clock=clock,
            now=instructions.captured_at if shifted else now,
            seed=run if instructions.repetitions > 1 else None,
        )
    except TerminalError as error:
        found = hopeless(Problem.of(error))
        return ReplayResult(engine=instructions.what_runs, outcome=found.outcome, message=found.message)
