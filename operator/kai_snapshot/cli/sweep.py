"""`kai-snapshot sweep`: the smallest quota of a queue with which a job runs."""

import math
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Annotated

import typer
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from kai_snapshot.api.quotasweep import QueueResource, QuotaSweep, QuotaTried
from kai_snapshot.cli import output
from kai_snapshot.cli import preparation_options as options
from kai_snapshot.cli.archivefile import identify
from kai_snapshot.cli.simulated import Loaded, Now
from kai_snapshot.simulator.sweep import Question
from kai_snapshot.simulator.sweep import sweep as find


def sweep(
    archive: options.Archive,
    *,
    job: Annotated[str, typer.Option("--job", metavar="NAMESPACE/NAME", help="The job that is to run.")],
    queue: Annotated[
        str | None,
        typer.Option("--queue", metavar="NAME", help="The queue that gets more quota. Default: the job's own."),
    ] = None,
    resource: Annotated[
        QueueResource, typer.Option("--resource", help="Of which resource: whole GPUs, cores, or GB (10^9 bytes).")
    ] = "gpu",
    raise_parents: Annotated[
        bool, typer.Option("--raise-parents", help="Give the queues above as much more, too.")
    ] = False,
    patch: options.PatchFiles = None,
    manifest: options.ManifestFile = None,
    config: options.Config = "TargetDefaults",
    now: Now = None,
    form: output.Format = "text",
) -> None:
    """Find the smallest quota with which a job runs, by simulating the archive with larger and larger ones.

    From the quota that the queue has to what its jobs ask for, or what the cluster has if that is less. The job runs
    if as many of its pods as must run together have a place when the cycle is over. Exit status 1 if no quota does;
    then it says why the job waits with the largest.
    """
    wanted = options.preparation(options.read_manifest(manifest), config=config, patch=patch)
    loaded = Loaded(archive, wanted, lists=frozenset({"queues"}))
    question = Question(job=job, queue=queue, resource=resource, raise_parents=raise_parents)
    with output.progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()) as progress:
        task = progress.add_task("simulating", total=None)

        def tell(tried: QuotaTried) -> None:
            progress.update(task, description=f"quota {_number(tried.quota)}: {tried.outcome}")

        found = find(loaded.patched(), question, clock=time.perf_counter, now=loaded.time(now), tell=tell)
    found = found.model_copy(update={"archive": identify(archive)})
    if form == "json":
        output.document(found.dump())
    else:
        typer.echo("".join(f"{line}\n" for line in _lines(found)), nl=False)
    raise typer.Exit(0 if found.found else output.FINDING_IS_BAD)


def _lines(found: QuotaSweep) -> Iterator[str]:
    yield from found.adaptations
    yield output.table([("QUOTA", "RUNS", "OUTCOME", "EVICTED"), *_rows(found.tried)])
    yield ""
    yield from _answer(found) if found.found else _why_not(found)
    yield from (f"not modelled: {each}" for each in found.unmodelled)


def _rows(tried: Sequence[QuotaTried]) -> Iterator[tuple[str, ...]]:
    """Neighbours with the same outcome together."""
    for (runs, outcome), group in groupby(tried, key=lambda each: (each.runs, each.outcome)):
        each = list(group)
        evictions = _span(str(min(one.evictions for one in each)), str(max(one.evictions for one in each)))
        yield _span(_number(each[0].quota), _number(each[-1].quota)), "yes" if runs else "no", outcome, evictions


def _span(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"


def _answer(found: QuotaSweep) -> Iterator[str]:
    if found.smallest == found.present:
        yield f"{found.job} runs with the quota that queue {found.queue} has: {_amount(found, found.present)}"
        return
    has = _number(found.present)
    yield f"{found.job} runs if queue {found.queue} has a quota of {_amount(found, found.smallest)}, not {has}"
    yield from _skipped(found)
    yield "more than that may not do: other jobs may come first then"
    yield "the change, for --patch and prepare.patches:"
    for patch in found.patches:
        yield f"- target: {{kind: {patch.target.kind}, name: {patch.target.name}}}"
        yield f"  patch: '{patch.patch}'"


def _why_not(found: QuotaSweep) -> Iterator[str]:
    last = found.tried[-1]
    has = f"queue {found.queue} has {_amount(found, found.present)}"
    if found.present is None:
        yield f"{found.job} does not run, and the quota of queue {found.queue} is unlimited: it does not lack quota"
    elif len(found.tried) == 1:
        yield f"{found.job} does not run, and {has}, as much as its jobs ask for or there is: it does not lack quota"
    else:
        yield f"{found.job} does not run with more quota: {has}, and was given up to {_number(last.quota)}"
        yield from _skipped(found)
    if last.message:
        yield f"why, with {_number(last.quota)}: {last.message}"
    if found.parents_would_help:
        yield "it does if the queues above get as much more: --raise-parents"


def _skipped(found: QuotaSweep) -> Iterator[str]:
    up_to = found.smallest if found.smallest is not None else found.tried[-1].quota
    quotas = math.floor(up_to or 0.0) - math.floor(found.present or 0.0) + 1
    if sum((each.quota or 0.0) <= (up_to or 0.0) for each in found.tried) < quotas:
        yield f"one in {found.step} quotas was tried: of those between, one may do"


def _amount(found: QuotaSweep, amount: float | None) -> str:
    return "unlimited" if amount is None else f"{_number(amount)} {found.unit}"


def _number(amount: float | None) -> str:
    return "unlimited" if amount is None else f"{amount:.9g}"
