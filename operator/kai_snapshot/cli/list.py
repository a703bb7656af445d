"""`kai-snapshot list`: which archives a storage holds."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import typer

from kai_snapshot.api.manifest import Manifest
from kai_snapshot.cli import output
from kai_snapshot.cli import storage_options as options
from kai_snapshot.runs.listing import Archive, Listing, listing

COLUMNS: Final = ("CAPTURE", "ID", "CAPTURED", "SIZE", "NODES", "PODS", "PODGROUPS", "VERSION", "")


def list_archives(
    *,
    s3: options.S3 = None,
    endpoint: options.Endpoint = None,
    region: options.Region = None,
    path_style: options.PathStyle = False,
    ca_file: options.CaFile = None,
    directory: options.Directory = None,
    capture: options.Capture = None,
    form: output.Format = "text",
) -> None:
    """Show which archives a storage holds, oldest first, as their manifests say.

    Exit status 1 if a manifest is damaged.
    """
    place = options.open_place(
        s3=s3, endpoint=endpoint, region=region, path_style=path_style, ca_file=ca_file, directory=directory
    )
    found = listing(place.store, options.folder(capture) if capture is not None else None)
    if form == "json":
        output.document(_document(found, place))
    else:
        typer.echo(output.table([COLUMNS, *(_row(archive) for archive in found.archives)]))
        for error in found.unreadable:
            output.complain(error)
    if found.unreadable:
        raise typer.Exit(output.FINDING_IS_BAD)


def _document(found: Listing, place: options.Place) -> dict[str, Any]:
    archives = [
        {"key": item.key, "uri": place.uri(item.key), "manifest": item.manifest.dump()} for item in found.archives
    ]
    unreadable = [{"reason": error.reason, "message": error.message} for error in found.unreadable]
    return {"archives": archives, "unreadable": unreadable}


def _row(archive: Archive) -> Sequence[str]:
    manifest = archive.manifest
    counts = manifest.object_counts
    return (
        f"{manifest.capture.namespace}/{manifest.capture.name}",
        manifest.id,
        f"{manifest.captured_at:%Y-%m-%d %H:%M:%SZ}",
        output.size(manifest.size_bytes),
        *(str(counts.get(kind, "-")) for kind in ("nodes", "pods", "podGroups")),
        manifest.scheduler.version or "-",
        ", ".join(_besides(manifest)),
    )


def _besides(manifest: Manifest) -> Iterator[str]:
    if manifest.built_from_api is not None:
        yield "from the API server"
    if manifest.healed:
        yield "config healed"
    if manifest.environment is not None:
        nodes = manifest.environment.documents
        yield f"environment of {nodes} node{'' if nodes == 1 else 's'}" if nodes else "environment of the cluster"
