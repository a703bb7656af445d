"""One job of a simulation, for a person: what becomes of it, why it waits, what would help."""

import typer

from kai_snapshot.api.result import ReplayResult
from kai_snapshot.cli.waiting_text import waiting_lines
from kai_snapshot.simulator.collect import Collected


def text(result: ReplayResult, job: str, collected: Collected) -> str:
    """Raises typer.BadParameter if the archive has no such job."""
    jobs = {f"{each['metadata'].get('namespace', '')}/{each['metadata']['name']}" for each in collected.pod_groups}
    if job not in jobs:
        raise typer.BadParameter(f"the archive has no job (PodGroup) {job!r}: give it as NAMESPACE/NAME")
    outcome = next((each.outcome.value for each in result.pod_groups if each.name == job), "not tried")
    waiting = list(waiting_lines([each for each in result.waiting if each.name == job]))
    lines = [f"{job}: {outcome}", *(waiting or ["no pod of it waits"])]
    return "".join(f"{line}\n" for line in lines)
