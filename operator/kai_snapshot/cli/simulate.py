"""`kai-snapshot simulate`: what KAI would decide about an archive, computed here, without any image."""

import time
from datetime import datetime
from typing import Annotated

import typer

from kai_snapshot import compare as comparing
from kai_snapshot.api.result import Outcome, ReplayedArchive, ReplayResult
from kai_snapshot.api.whatif import WhatIf
from kai_snapshot.cli import job_page, output, samples_page, whatif_page
from kai_snapshot.cli import preparation_options as options
from kai_snapshot.cli.archivefile import identify
from kai_snapshot.cli.result_page import page
from kai_snapshot.cli.simulated import Loaded, Now
from kai_snapshot.simulator import simulate as simulator
from kai_snapshot.simulator.collect import Collected
from kai_snapshot.simulator.samples import sample


def simulate(
    archive: options.Archive,
    *,
    patch: options.PatchFiles = None,
    job: Annotated[
        str | None,
        typer.Option("--job", metavar="NAMESPACE/NAME", help="Show what becomes of this job only, and why it waits."),
    ] = None,
    manifest: options.ManifestFile = None,
    config: options.Config = "TargetDefaults",
    now: Now = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, help="Draw the order in which jobs are looked at. Default: that of the archive."),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            "--samples", min=2, max=100, metavar="K", help="Simulate with the seeds 1 to K, and show what is chance."
        ),
    ] = None,
    form: output.Format = "text",
) -> None:
    """Simulate a scheduling cycle of KAI v0.17.0 on an archive, at the time of the capture.

    With --patch, also with these changes, and show what they would change. The simulator is this project's own;
    snapshot-tool stays the authority: see `replay`. What of the archive it does not know, and what rests on a choice
    that the scheduler may make otherwise, is said. Exit status 1 if the configuration has the scheduler run no action.
    """
    if seed is not None and samples is not None:
        raise typer.BadParameter("--seed asks for one simulation, --samples for several: give one of them")
    if job is not None and form == "json":
        raise typer.BadParameter("--job is for people: -o json has every job, under `podGroups` and `waiting`")
    wanted = options.preparation(options.read_manifest(manifest), config=config, patch=patch)
    loaded, captured = Loaded(archive, wanted), identify(archive)
    at = loaded.time(now)
    unpatched = loaded.unpatched()
    before = _result(unpatched, captured, now=at, seed=seed, samples=samples)
    if not wanted.patches:
        _show_one(before, unpatched, job=job, form=form)
        return
    patched = loaded.patched()
    after = _result(patched, captured, now=at, seed=seed, samples=samples)
    if job is not None:
        typer.echo(
            f"before\n{job_page.text(before, job, unpatched)}\nafter\n{job_page.text(after, job, patched)}", nl=False
        )
    else:
        _show_both(before, after, form=form)
    _end(before, after)


def _result(
    collected: Collected, captured: ReplayedArchive, *, now: datetime, seed: int | None, samples: int | None
) -> ReplayResult:
    if samples is not None:
        result = sample(collected, clock=time.perf_counter, now=now, samples=samples)
    else:
        result = simulator.simulate(collected, clock=time.perf_counter, now=now, seed=seed)
    return result.model_copy(update={"archive": captured})


def _show_one(result: ReplayResult, collected: Collected, *, job: str | None, form: output.Format) -> None:
    if form == "json":
        output.document(result.dump())
    elif job is not None:
        typer.echo(job_page.text(result, job, collected), nl=False)
    else:
        adaptations = "".join(f"{each}\n" for each in result.adaptations)
        typer.echo(page(result) + adaptations + samples_page.text(result), nl=False)
    _end(result)


def _show_both(before: ReplayResult, after: ReplayResult, *, form: output.Format) -> None:
    baseline = comparing.findings(before, name="before")
    comparison = comparing.compare(baseline, [baseline, comparing.findings(after, name="after")])
    document = WhatIf(before=before, after=after, comparison=comparison)
    if form == "json":
        output.document(document.dump())
    else:
        typer.echo(whatif_page.text(document), nl=False)


def _end(*results: ReplayResult) -> None:
    if any(result.outcome is not Outcome.SUCCEEDED for result in results):
        raise typer.Exit(output.FINDING_IS_BAD)
