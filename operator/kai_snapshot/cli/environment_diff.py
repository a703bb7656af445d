"""`kai-snapshot environment diff`: what changed between two documents."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from kai_snapshot.api.environmentdocument import EnvironmentDocument
from kai_snapshot.cli import output
from kai_snapshot.environment import drift_text
from kai_snapshot.environment.diff import diff as compare
from kai_snapshot.environment.text import decode_all


def diff(
    baseline: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, metavar="A", help="The baseline: a document in YAML or JSON.")
    ],
    target: Annotated[
        Path | None,
        typer.Argument(exists=True, dir_okay=False, metavar="B", help="The target. Default: the second document in A."),
    ] = None,
    *,
    ignored: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="PATTERN", help="Paths not to look at, such as 'K8s.image.*'."),
    ] = None,
    fail_on_drift: Annotated[bool, typer.Option("--fail-on-drift", help="Exit status 1 if anything changed.")] = False,
    form: Annotated[
        Literal["table", "json", "markdown"], typer.Option("--output", "-o", help="For people, scripts, or an issue.")
    ] = "table",
) -> None:
    """Show what changed between two captures, or two nodes. What changes by itself is not looked at."""
    before, after = _two(baseline, target)
    drift = compare(
        before,
        after,
        baseline_source=_name(before, baseline),
        target_source=_name(after, target or baseline),
        ignored=ignored or (),
    )
    match form:
        case "json":
            output.document(drift.dump())
        case "markdown":
            typer.echo(drift_text.markdown(drift), nl=False)
        case "table":
            if drift.changes:
                typer.echo(output.table(drift_text.table(drift)) + "\n")
            typer.echo(drift_text.summary(drift))
    if fail_on_drift and drift.summary.total:
        raise typer.Exit(output.FINDING_IS_BAD)


def _two(baseline: Path, target: Path | None) -> tuple[EnvironmentDocument, EnvironmentDocument]:
    found = decode_all(baseline.read_bytes(), where=str(baseline))
    if target is not None:
        found += decode_all(target.read_bytes(), where=str(target))
    if len(found) != 2:
        given = "in A and B together" if target is not None else "in A, without a B"
        raise typer.BadParameter(f"two documents are compared, and {len(found)} are {given}")
    return found[0], found[1]


def _name(document: EnvironmentDocument, path: Path) -> str:
    return f"{path} ({document.source_node})" if document.source_node else str(path)
