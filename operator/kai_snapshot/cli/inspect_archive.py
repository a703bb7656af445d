"""`kai-snapshot inspect`: whether an archive is a whole snapshot, what it holds, what versions will make of it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from kai_snapshot import compatibility, kaiversions
from kai_snapshot.api.compatibility import Severity, VersionCompatibility
from kai_snapshot.api.inspection import Inspection
from kai_snapshot.api.manifest import Manifest
from kai_snapshot.archive.check import inspect
from kai_snapshot.cli import output
from kai_snapshot.compatibility import SnapshotFacts
from kai_snapshot.errors import Reason, TerminalError


def inspect_archive(
    archive: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, metavar="ARCHIVE", help="A file, as `capture` and `get` write it."),
    ],
    *,
    versions: Annotated[
        list[str] | None,
        typer.Option(
            "--for",
            metavar="VERSION",
            help="Say what a replay at this version will get wrong or lose; or AsCaptured, with --manifest.",
        ),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--manifest",
            exists=True,
            dir_okay=False,
            help="The archive's manifest: the version that made it, a healed config.",
        ),
    ] = None,
    form: output.Format = "text",
) -> None:
    """Check that an archive is a whole snapshot, count the objects in it, and say how well versions can replay it.

    Exit status 1 if it is not whole, or one of the versions cannot replay it at all.
    """
    about = Manifest.decode(manifest.read_bytes(), where=str(manifest)) if manifest is not None else None
    targets = [_target(name, about) for name in versions or ()]
    found = _watched(archive) if sys.stderr.isatty() else inspect(archive)
    facts = _facts(found, about)
    reports = [
        VersionCompatibility(version=name, findings=compatibility.report(facts, target, config="TargetDefaults"))
        for name, target in zip(versions or (), targets, strict=True)
    ]
    if form == "json":
        asked = {"compatibility": [report.dump() for report in reports]} if reports else {}
        output.document(found.dump() | asked)
    else:
        typer.echo("\n".join([_text(found), *map(_compatibility_text, reports, targets)]))
    if not found.valid or any(finding.severity is Severity.BLOCKING for each in reports for finding in each.findings):
        raise typer.Exit(output.FINDING_IS_BAD)


def _target(name: str, about: Manifest | None) -> str:
    from kai_snapshot.api.snapshotreplay import AS_CAPTURED  # noqa: PLC0415 - all its models, for one name

    if not name:
        raise typer.BadParameter("--for needs the name of a version, such as v0.17.0")
    if name != AS_CAPTURED:
        return name
    captured = about.scheduler.version if about is not None else None
    if not captured:
        raise typer.BadParameter("AsCaptured is the version in the manifest: give --manifest, or name a version")
    return captured


def _facts(found: Inspection, about: Manifest | None) -> SnapshotFacts:
    if about is not None and about.sha256 != found.sha256:
        message = f"The manifest is of an archive with the SHA-256 {about.sha256}, this one has {found.sha256}."
        raise TerminalError(Reason.CHECKSUM_MISMATCH, message)
    return SnapshotFacts.of_inspection(found, about)


def _watched(archive: Path) -> Inspection:
    with output.transfer_progress() as bar:
        task = bar.add_task(archive.name, total=archive.stat().st_size)
        return inspect(archive, progress=lambda size: bar.update(task, completed=size))


def _text(found: Inspection) -> str:
    """For a person: the finding, what it is a snapshot of, what is in it."""
    of = (
        ("built from", "the API server, no scheduler served it" if found.built_from_api else ""),
        ("scheduler", found.scheduler_name),
        ("node pool", found.node_pool),
        ("Kubernetes", found.kubernetes_version),
        ("actions", ", ".join(name or '""' for name in found.actions)),
    )
    size = f"{output.size(found.size_bytes)}, {output.size(found.uncompressed_bytes)} uncompressed"
    lines = ["valid" if found.valid else "not valid"]
    lines += [f"  {problem.reason}: {problem.message}" for problem in found.problems]
    lines += [
        "",
        output.table([("size", size), ("SHA-256", found.sha256), *((name, text) for name, text in of if text)]),
    ]
    if found.object_counts:
        lines += [
            "",
            output.table([("objects", ""), *((name, str(many)) for name, many in found.object_counts.items())]),
        ]
    return "\n".join(lines)


def _compatibility_text(report: VersionCompatibility, target: str) -> str:
    remark = "" if kaiversions.release(target) else ", which is no release and judged as the newest"
    lines = [f"  {finding.severity} {finding.code}: {finding.message}" for finding in report.findings]
    return "\n".join(["", f"for {report.version}{remark}", *(lines or ["  nothing to report"])])
