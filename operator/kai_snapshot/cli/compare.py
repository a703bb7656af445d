"""`kai-snapshot compare`: results of several versions side by side."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from kai_snapshot import compare as comparing
from kai_snapshot import expectations
from kai_snapshot.api.comparison import ReplayComparison
from kai_snapshot.api.comparisondocument import ComparisonDocument
from kai_snapshot.api.expectations import Expectations
from kai_snapshot.api.result import Outcome, ReplayedArchive
from kai_snapshot.cli import compared_markdown, compared_table, output
from kai_snapshot.cli.archivefile import identify
from kai_snapshot.cli.compared_files import Replayed, read_results
from kai_snapshot.errors import Reason


def compare(
    results: Annotated[
        list[Path],
        typer.Argument(
            exists=True,
            dir_okay=False,
            metavar="RESULT",
            help="Results of one archive, in the order of versions: result.json, or the output of `replay -o json`.",
        ),
    ],
    *,
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", metavar="VERSION|N", help="What to compare with, by name or number. Default: 1."),
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option(
            "--archive", exists=True, dir_okay=False, metavar="ARCHIVE", help="The archive, to be named in Markdown."
        ),
    ] = None,
    max_total_slowdown: Annotated[
        int | None,
        typer.Option("--max-total-slowdown-percent", min=1, metavar="N", help="How much slower a cycle may be."),
    ] = None,
    max_action_slowdown: Annotated[
        int | None,
        typer.Option("--max-action-slowdown-percent", min=1, metavar="N", help="How much slower an action may be."),
    ] = None,
    form: Annotated[
        Literal["table", "tsv", "json", "markdown"],
        typer.Option(
            "--output", "-o", help="For people, for scripts (json has all by name), or to paste into an issue."
        ),
    ] = "table",
) -> None:
    """Show where versions differ: what they decide, apart from what only varies between runs of one, and their times.

    Exit status 1 if they differ, if one did not succeed, or if a limit is passed.
    """
    replayed = read_results(results)
    if len(replayed) < 2:
        raise typer.BadParameter("there is one result only: give two or more")
    reference = _baseline(replayed, baseline)
    document = comparing.compare(reference.findings, [each.findings for each in replayed])
    short = comparing.brief(document)
    given = identify(archive) if archive is not None else None
    _print(document, short, replayed, form, archive=given)
    for sentence in _doubts(document, given):
        typer.echo(f"kai-snapshot: warning: {sentence}", err=True)
    limits = Expectations(
        require_success="None",
        max_total_slowdown_percent=max_total_slowdown,
        max_action_slowdown_percent=max_action_slowdown,
    )
    outcomes = {each.name: each.outcome for each in document.versions}
    passed = expectations.judge(limits, outcomes, baseline=document.baseline, comparison=short)
    for sentence in passed:
        typer.echo(f"kai-snapshot: {Reason.EXPECTATIONS_NOT_MET}: {sentence}", err=True)
    if passed or not _alike(document):
        raise typer.Exit(output.FINDING_IS_BAD)


def _baseline(replayed: Sequence[Replayed], wanted: str | None) -> Replayed:
    by_name = {each.findings.name: each for each in replayed}
    if wanted is None:
        return replayed[0]
    if wanted in by_name:
        return by_name[wanted]
    if wanted.isdecimal() and 1 <= int(wanted) <= len(replayed):
        return replayed[int(wanted) - 1]
    raise typer.BadParameter(f"no result is {wanted!r}: give one of {', '.join(by_name)}, or its number")


def _doubts(document: ComparisonDocument, archive: ReplayedArchive | None) -> Iterator[str]:
    if len(document.archives) > 1:
        yield f"the results are of {len(document.archives)} different archives: what differs may be theirs"
    if archive is not None and document.archives and archive.sha256 not in document.archives:
        yield f"{archive.name} is not the archive that the results are of, as it was captured"


def _alike(document: ComparisonDocument) -> bool:
    return document.first_different is None and all(
        version.outcome == Outcome.SUCCEEDED and (version.baseline is None or not version.baseline.differing)
        for version in document.versions
    )


def _print(
    document: ComparisonDocument,
    short: ReplayComparison,
    replayed: Sequence[Replayed],
    form: Literal["table", "tsv", "json", "markdown"],
    *,
    archive: ReplayedArchive | None,
) -> None:
    if form == "json":
        output.document(document.dump())
    elif form == "tsv":
        typer.echo(compared_table.tsv(document), nl=False)
    elif form == "table":
        typer.echo(compared_table.text(document, short), nl=False)
    else:
        typer.echo(compared_markdown.page(document, short, replayed, archive=archive), nl=False)
