"""`kai-snapshot get`: an archive from a storage into a file."""

from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from kai_snapshot.cli import output
from kai_snapshot.cli import storage_options as options
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.runs.download import download
from kai_snapshot.runs.listing import choose


def get(
    wanted: Annotated[str, typer.Argument(metavar="ID|KEY|latest", help="The archive, as `list` names it.")],
    *,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", metavar="OUT", help="Where to write it. Default: its own name, here.")
    ] = None,
    s3: options.S3 = None,
    endpoint: options.Endpoint = None,
    region: options.Region = None,
    path_style: options.PathStyle = False,
    ca_file: options.CaFile = None,
    directory: options.Directory = None,
    capture: options.Capture = None,
    form: output.Format = "text",
) -> None:
    """Download an archive and check it against its manifest.

    Exit status 1, and nothing left behind, if its SHA-256 is another one.
    """
    place = options.open_place(
        s3=s3, endpoint=endpoint, region=region, path_style=path_style, ca_file=ca_file, directory=directory
    )
    key, manifest = choose(place.store, wanted, options.folder(capture) if capture is not None else None)
    name = PurePosixPath(key).name
    target = Path(name) if file is None else file / name if file.is_dir() else file
    entry = place.store.stat(key)
    if entry is None:
        raise TerminalError(Reason.ARCHIVE_NOT_FOUND, f"There is no {place.uri(key)}: see `kai-snapshot list`.")
    with output.transfer_progress() as progress:
        task = progress.add_task(name, total=entry.size)
        written = download(
            place.store,
            key,
            target,
            sha256=manifest.sha256 if manifest is not None else None,
            progress=lambda size: progress.advance(task, size),
        )
    if form == "json":
        output.document(
            {
                "path": str(written.path),
                "sha256": written.sha256,
                "sizeBytes": written.size_bytes,
                "manifest": manifest.dump() if manifest is not None else None,
            }
        )
        return
    checked = "as its manifest says" if manifest is not None else "it has no manifest to check it against"
    typer.echo(f"{written.path}: {output.size(written.size_bytes)}, SHA-256 {written.sha256}, {checked}")
