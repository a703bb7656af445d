"""`kai-snapshot agreement`: the simulator beside results of snapshot-tool, on one archive."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from kai_snapshot import agreement as agreeing
from kai_snapshot.api.decodedresult import DecodedResult
from kai_snapshot.api.result import SIMULATED, Outcome, ReplayedArchive, ReplayResult
from kai_snapshot.archive.prepare import TIMES_MOVED
from kai_snapshot.cli import agreement_table, output
from kai_snapshot.cli import preparation_options as options
from kai_snapshot.cli.archivefile import identify
from kai_snapshot.cli.compared_files import read_file
from kai_snapshot.cli.sampling import sampled
from kai_snapshot.cli.simulated import Loaded, Now


def agreement(
    archive: options.Archive,
    results: Annotated[
        list[Path],
        typer.Argument(
            exists=True,
            dir_okay=False,
            metavar="RESULT",
            help="What snapshot-tool made of it: result.json, or the output of `replay` or `parse-log` with `-o json`.",
        ),
    ],
    *,
    patch: options.PatchFiles = None,
    manifest: options.ManifestFile = None,
    config: options.Config = "TargetDefaults",
    now: Now = None,
    samples: Annotated[
        int, typer.Option("--samples", min=1, max=100, metavar="K", help="Simulate with the seeds 1 to K; 1: without.")
    ] = 1,
    form: output.Format = "text",
) -> None:
    """Show how far the simulator agrees with snapshot-tool about an archive, by category, and where it does not.

    The tool does not decide the same each time: give several runs of it, as of `replay --repetitions 8`. --patch,
    --manifest and --config are as the replay had them. Exit status 1 if a fair share differs, or if the simulator lacks
    what all runs of the tool have.
    """
    _all_different(results)
    given = [_Given(path, result) for path in results for result in read_file(path)]
    versions = _versions(given)
    loaded = Loaded(archive, options.preparation(options.read_manifest(manifest), config=config, patch=patch))
    collected, captured, at = loaded.patched(), identify(archive), loaded.time(now)
    pods = {pod.name for pod in collected.pods}
    for each in given:
        _check(each, captured, pods)
    ours = sampled(collected, now=at, samples=samples)
    document = agreeing.document(
        ours,
        [each.result for each in given],
        archive=captured,
        now=at,
        doubts=[*_doubts(given, ours, captured, now=now), *_other_versions(versions)],
    )
    if form == "json":
        output.document(document.dump())
    else:
        typer.echo(agreement_table.text(document), nl=False)
    for sentence in document.doubts:
        typer.echo(f"kai-snapshot: warning: {sentence}", err=True)
    if not document.holds:
        raise typer.Exit(output.FINDING_IS_BAD)


@dataclass(frozen=True)
class _Given:
    """A result, and where it was read."""

    path: Path
    result: DecodedResult

    @property
    def changes(self) -> list[str]:
        """What was changed in the archive besides times, which are moved so that ages are those of the capture."""
        return [change for change in self.result.adaptations if not change.startswith("clock:")]

    @property
    def times_moved(self) -> bool:
        """Whether ages were those of the capture, and not of the tool's run."""
        return any(change.startswith(TIMES_MOVED) for change in self.result.adaptations)

    def is_of(self, archive: ReplayedArchive) -> bool:
        """Whether it is of that archive as it was captured, as far as is known."""
        return self.result.archive is None or self.result.archive.sha256 == archive.sha256


def _all_different(results: Sequence[Path]) -> None:
    """Raises typer.BadParameter for runs that would be counted twice, which would make what they have look certain."""
    seen: dict[str, Path] = {}
    for path in results:
        first = seen.setdefault(identify(path).sha256, path)
        if first is not path:
            raise typer.BadParameter(f"{path} is the same as {first}: give each run of the tool once")


def _versions(given: Sequence[_Given]) -> list[str]:
    """The one version that the results are of, and perhaps an empty one: unknown."""
    versions = list(dict.fromkeys(each.result.engine.version for each in given))
    if len(known := [version for version in versions if version]) > 1:
        raise typer.BadParameter(f"the results are of {', '.join(known)}: give those of one version")
    return versions


def _check(given: _Given, archive: ReplayedArchive, pods: set[str]) -> None:
    """Raises typer.BadParameter where a result cannot tell how the tool decides about the archive."""
    path, result = given.path, given.result
    if result.engine.name != "SnapshotTool":
        raise typer.BadParameter(f"{path} is of the {result.engine.name}: give results of snapshot-tool")
    if result.outcome is not Outcome.SUCCEEDED:
        raise typer.BadParameter(
            f"{path} is of a run that did not succeed, so what is missing in it tells nothing: "
            f"{result.outcome}{': ' if result.message else ''}{result.message}"
        )
    named = (each.pod for listed in (result.placements, result.evictions, result.pipelined) for each in listed)
    strange = next((pod for pod in named if pod not in pods), None)
    if strange is not None:
        raise typer.BadParameter(f"{path} is of another archive: {archive.name} has no pod {strange}")
    if not given.is_of(archive) and not result.adaptations:
        raise typer.BadParameter(f"{path} is of another archive: its SHA-256 is not that of {archive.name}")


def _other_versions(versions: Sequence[str]) -> Iterator[str]:
    for version in versions:
        if version != SIMULATED:
            of = f"of {version}" if version else "perhaps of another"
            yield f"the simulator has the rules of {SIMULATED}, the results are {of}: what differs may be theirs"


def _doubts(
    given: Sequence[_Given], ours: ReplayResult, archive: ReplayedArchive, *, now: datetime | None
) -> Iterator[str]:
    for each in given:
        if each.result.archive is None:
            yield f"{each.path} does not say of which archive it is: make sure that it is of {archive.name}"
        if now is None and not each.times_moved:
            yield (
                f"{each.path} was made with the times as they are in the archive: give the time at which the tool "
                "ran, --now, or ages differ"
            )
        if not each.is_of(archive):
            yield (
                f"{each.path} is not of {archive.name} as it was captured: all is well only if {archive.name} is what "
                "the tool got, as `replay --output-dir` keeps it"
            )
        elif each.changes != list(ours.adaptations):
            yield (
                f"{each.path} is of {archive.name} made ready otherwise: give --patch, --manifest and --config as the "
                f"replay had them. The tool had: {_listed(each.changes)}; the simulator: {_listed(ours.adaptations)}"
            )
    if len(given) == 1 and (given[0].result.runs is None or given[0].result.runs.count == 1):
        yield "a single run of the tool does not tell what it always decides: replay with --repetitions 8"
    if ours.message:
        yield f"the simulation did not succeed: {ours.message}"


def _listed(changes: Sequence[str]) -> str:
    return ", ".join(changes) or "nothing changed"
