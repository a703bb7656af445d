"""`kai-snapshot redact`: an archive without the names of its cluster, to be handed out."""

from pathlib import Path
from typing import Annotated

import typer

from kai_snapshot.api.manifest import Manifest
from kai_snapshot.cli import output
from kai_snapshot.cli import preparation_options as options
from kai_snapshot.cli.archivefile import identify
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.redaction.key import Key
from kai_snapshot.runs.redact import Redacted, named, redact_archive, redacted_manifest


def redact(
    archive: options.Archive,
    *,
    key_file: Annotated[
        Path,
        typer.Option(
            "--key-file",
            exists=True,
            dir_okay=False,
            help="32 random bytes or more: `head -c 32 /dev/urandom | base64`. Archives of the same key match.",
        ),
    ],
    table: Annotated[
        Path,
        typer.Option(
            "--table", dir_okay=False, metavar="OUT", help="Write what the pseudonyms stand for to this file. Keep it."
        ),
    ],
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            dir_okay=False,
            metavar="OUT",
            help="Write the redacted archive to this file. Default: `redacted-` and its own name, here.",
        ),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--manifest",
            exists=True,
            dir_okay=False,
            help="The archive's manifest: one for the redacted archive is written beside it, with the ending .json.",
        ),
    ] = None,
    form: output.Format = "text",
) -> None:
    """Replace the names in an archive, so that it can be handed out, and KAI decides as it does with the original.

    Names become pseudonyms that sort as the names do; images, variables, annotations and ConfigMaps are replaced; what
    is not known is left out, and said. Turn results back with `translate`. Exit status 1 if the archive is not whole.
    """
    target = file or Path(f"redacted-{archive.name}")
    if table.exists():
        raise typer.BadParameter(f"{table} is there, and may be all that has the names of an archive: see --table")
    _check([archive, key_file, *filter(None, [manifest])], target, table, with_manifest=manifest is not None)
    about = options.read_manifest(manifest)
    if about is not None:
        _check_is_of(about, archive)
    key = Key(key_file.read_bytes(), where=str(key_file))
    config = about.config if about is not None and isinstance(about.config, dict) else None
    made = redact_archive(archive, target, table, key, config=config)
    beside = target.with_suffix(".json") if about is not None else None
    if about is not None and beside is not None:
        beside.write_bytes(redacted_manifest(about, made, key).encode())
    _print(made, key, target, table, beside, form)
    if not made.inspection.valid and config is None:
        raise typer.Exit(output.FINDING_IS_BAD)


def _check(read: list[Path], target: Path, table: Path, *, with_manifest: bool) -> None:
    """One name for two files would be the end of one of them."""
    written = [target, table, *([target.with_suffix(".json")] if with_manifest else [])]
    paths = [path.resolve() for path in (*read, *written)]
    if len(set(paths)) < len(paths):
        raise typer.BadParameter("the files that are read and written need names of their own: see --file and --table")


def _check_is_of(about: Manifest, archive: Path) -> None:
    found = identify(archive).sha256
    if about.sha256 != found:
        message = f"The manifest is of an archive with the SHA-256 {about.sha256}, this one has {found}."
        raise TerminalError(Reason.CHECKSUM_MISMATCH, message)


def _print(made: Redacted, key: Key, target: Path, table: Path, beside: Path | None, form: output.Format) -> None:
    found = made.inspection
    if form == "json":
        output.document(
            {
                "path": str(target),
                "table": str(table),
                "manifest": str(beside) if beside is not None else None,
                "keyID": key.id,
                "sha256": found.sha256,
                "sizeBytes": found.size_bytes,
                "problems": [problem.dump() for problem in found.problems],
                "dropped": dict(sorted(made.dropped.items())),
            }
        )
        return
    typer.echo(f"{target}: {output.size(found.size_bytes)}, SHA-256 {found.sha256}, key {key.id}")
    typer.echo(f"{table}: what the pseudonyms stand for; keep it, and do not hand it out")
    for problem in found.problems:
        typer.echo(f"  {problem.reason}: {problem.message}", err=True)
    if made.dropped:
        typer.echo(
            f"Left out, because this release does not know it: {named(made.dropped)}. A newer KAI may decide on it.",
            err=True,
        )
