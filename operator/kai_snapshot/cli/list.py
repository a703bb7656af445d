"""`kai-snapshot list`: which archives a storage holds."""

import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

import orjson
import typer

from kai_snapshot.cli import storage_options as options
from kai_snapshot.runs.listing import Archive, Listing, listing

COLUMNS = ("CAPTURE", "ID", "CAPTURED", "SIZE", "NODES", "PODS", "PODGROUPS", "VERSION", "")


def list_archives(
    *,
    s3: options.S3 = None,
    endpoint: options.Endpoint = None,
    region: options.Region = None,
    path_style: options.PathStyle = False,
    ca_file: options.CaFile = None,
    directory: options.Directory = None,
    capture: options.Capture = None,
    output: Annotated[Literal["table", "json"], typer.Option("--output", "-o", help="How to print it.")] = "table",
) -> None:
    """Show which archives a storage holds, oldest first, as their manifests say.

    Exit status 1 if a manifest is damaged.
    """
    place = options.open_place(
        s3=s3, endpoint=endpoint, region=region, path_style=path_style, ca_file=ca_file, directory=directory
    )
    found = listing(place.store, options.folder(capture))
    if output == "json":
        sys.stdout.buffer.write(_document(found, place))
    else:
        typer.echo(table([COLUMNS, *(_row(archive) for archive in found.archives)]))
        for error in found.unreadable:
            typer.echo(f"{error.reason}: {error.message}", err=True)
    if found.unreadable:
        raise typer.Exit(1)


def _document(found: Listing, place: options.Place) -> bytes:
    archives = [
        {"key": item.key, "uri": place.uri(item.key), "manifest": item.manifest.dump()} for item in found.archives
    ]
    unreadable = [{"reason": error.reason, "message": error.message} for error in found.unreadable]
    document = {"archives": archives, "unreadable": unreadable}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _row(archive: Archive) -> Sequence[str]:
    manifest = archive.manifest
    counts = manifest.object_counts
    return (
        f"{manifest.capture.namespace}/{manifest.capture.name}",
        manifest.id,
        f"{manifest.captured_at:%Y-%m-%d %H:%M:%SZ}",
        size(manifest.size_bytes),
        *(str(counts.get(kind, "-")) for kind in ("nodes", "pods", "podGroups")),
        manifest.scheduler.version or "-",
        "config healed" if manifest.healed else "",
    )


def size(number: float) -> str:
    """`1.8 MB`: a number of bytes, for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def table(rows: Iterable[Sequence[str]]) -> str:
    """Rows with their columns one under the other, as kubectl prints them."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("   ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
