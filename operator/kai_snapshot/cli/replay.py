"""`kai-snapshot replay`: what snapshot-tool, at one or more versions, makes of an archive, on this machine."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.progress import DownloadColumn, SpinnerColumn, TextColumn, TimeElapsedColumn

from kai_snapshot.api.result import JobOutcome, Outcome, ReplayResult
from kai_snapshot.api.snapshotreplay import ReplayVersion
from kai_snapshot.cli import output
from kai_snapshot.cli import preparation_options as options
from kai_snapshot.cli.archivefile import identify
from kai_snapshot.jobs.images import image_for, target_version
from kai_snapshot.runs import local, localtool

COLUMNS = ("VERSION", "OUTCOME", "RUNS", "DISTINCT", "MS", "BOUND", "EVICTED", "PIPELINED", "UNSCHEDULABLE", "ERRORS")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")


def replay(
    archive: options.Archive,
    *,
    tool: Annotated[
        list[str] | None,
        typer.Option("--tool", metavar="[VERSION=]PATH", help="A snapshot-tool binary, and the version it is of."),
    ] = None,
    version: Annotated[
        list[str] | None,
        typer.Option(
            "--version", metavar="VERSION", help="A published image by its tag; or AsCaptured, with --manifest."
        ),
    ] = None,
    image: Annotated[
        list[str] | None,
        typer.Option("--image", metavar="VERSION=IMAGE", help="A snapshot-tool image, and the version it is of."),
    ] = None,
    engine: Annotated[
        Literal["docker", "podman", "nerdctl"] | None,
        typer.Option("--engine", help="What runs images. Default: the first of them that is installed."),
    ] = None,
    manifest: options.ManifestFile = None,
    config: options.Config = "TargetDefaults",
    clock: options.Clock = "Shift",
    patch: options.PatchFiles = None,
    verbosity: Annotated[
        int, typer.Option("--verbosity", "-v", min=0, max=8, help="The tool's log level; reasons need 6.")
    ] = 4,
    repetitions: Annotated[
        int,
        typer.Option(
            "--repetitions",
            min=1,
            max=20,
            help="How often each version runs: it may decide otherwise each time. Times are medians.",
        ),
    ] = 3,
    timeout: Annotated[float, typer.Option("--timeout", min=1, metavar="SECONDS", help="For each run.")] = 1800,
    profile: Annotated[
        bool,
        typer.Option(
            "--profile",
            help="Have the last run write a CPU and a memory profile, where the version can. With --output-dir.",
        ),
    ] = False,
    output_dir: Annotated[
        Path | None,
        typer.Option(
            "--output-dir",
            file_okay=False,
            metavar="DIR",
            help="Keep each version's logs, profiles and result, in DIR/VERSION.",
        ),
    ] = None,
    form: output.Format = "text",
) -> None:
    """Replay an archive with snapshot-tool at one or more versions, and show what each would do.

    Exit status 1 if the archive is not valid or a version did not succeed, 3 if a version could not be run at all.
    """
    if profile and output_dir is None:
        raise typer.BadParameter("--profile needs --output-dir, where the profiles are kept")
    about = options.read_manifest(manifest)
    captured = options.captured_version(about)
    tools = _tools(tool or (), version or (), image or (), engine=engine, captured=captured)
    request = local.LocalReplay(
        archive=archive,
        captured=identify(archive),
        preparation=options.preparation(about, config=config, clock=clock, patch=patch),
        verbosity=verbosity,
        limit_seconds=timeout,
        repetitions=repetitions,
        profile=profile,
    )
    with _directory(output_dir) as directory:
        results = _replay_all(request, tools, directory)
    _print(results, form)
    outcomes = {result.outcome for result in results}
    if Outcome.IMAGE_PULL_FAILED in outcomes:
        raise typer.Exit(output.COULD_NOT)
    raise typer.Exit(0 if outcomes == {Outcome.SUCCEEDED} else output.FINDING_IS_BAD)


def _tools(
    binaries: Sequence[str], versions: Sequence[str], images: Sequence[str], *, engine: str | None, captured: str
) -> list[localtool.Tool]:
    tools: list[localtool.Tool] = []
    for text in binaries:
        name, equals, path = text.partition("=")
        tools.append(localtool.Binary(version=name if equals else Path(text).name, path=Path(path if equals else text)))
    named = [(name, image_for(_version(name), captured_version=captured, template=None)) for name in versions]
    for text in images:
        name, _, image = text.partition("=")
        named.append((name, image))
    for name, image in named:
        version = target_version(_version(name), captured_version=captured)
        tools.append(localtool.Image(version=version, image=image, engine=localtool.find_engine(engine)))
    names = [tool.version for tool in tools]
    if not tools:
        raise typer.BadParameter("say what to replay with: --tool, --version or --image")
    if len(set(names)) < len(names):
        raise typer.BadParameter("every version may be given once; name a binary as VERSION=PATH")
    for name in names:
        _version(name)
    return tools


def _version(name: str) -> ReplayVersion:
    if _NAME.fullmatch(name) is None:
        raise typer.BadParameter(f"{name!r} is no name of a version: letters, digits, '.', '_' and '-'")
    return ReplayVersion(name=name)


def _replay_all(request: local.LocalReplay, tools: Sequence[localtool.Tool], directory: Path) -> list[ReplayResult]:
    results = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), DownloadColumn())
    with output.progress(*columns, TextColumn("of log")) as progress:
        for tool in tools:
            task = progress.add_task(f"replaying with {tool.version}", total=None)
            place = directory / tool.version
            place.mkdir(parents=True, exist_ok=True)
            results.append(local.replay(request, tool, place, progress=partial(progress.advance, task)))
            progress.remove_task(task)
    return results


@contextmanager
def _directory(wanted: Path | None) -> Iterator[Path]:
    if wanted is not None:
        yield wanted
        return
    with tempfile.TemporaryDirectory(prefix="kai-snapshot-") as name:
        yield Path(name)


def _print(results: Sequence[ReplayResult], form: output.Format) -> None:
    if form == "json":
        output.document([result.dump() for result in results])
        return
    typer.echo(output.table([COLUMNS, *map(_row, results)]))
    for result in results:
        for remark in (result.message, *result.adaptations):
            if remark:
                typer.echo(f"{result.engine.version}: {remark}")


def _row(result: ReplayResult) -> tuple[str, ...]:
    unschedulable = sum(group.outcome is JobOutcome.UNSCHEDULABLE for group in result.pod_groups)
    total = result.durations_ms.total
    counts = (len(result.placements), len(result.evictions), len(result.pipelined), unschedulable, result.error_count)
    runs = (result.runs.count, result.runs.distinct) if result.runs is not None else (int(result.ran), "-")
    return (result.engine.version, result.outcome, *map(str, (*runs, "-" if total is None else total, *counts)))
