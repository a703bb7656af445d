"""The options that say where archives are, the same for every command that reads or writes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from kai_snapshot.api.storage import S3Storage, Storage
from kai_snapshot.errors import SnapshotError
from kai_snapshot.stores import Store, layout, location, open_store
from kai_snapshot.stores.directory import DirectoryStore

_PANEL = "Where archives are"

S3 = Annotated[
    str | None,
    typer.Option(
        "--s3",
        metavar="s3://BUCKET[/PREFIX]",
        help="A bucket of S3, with your own AWS credentials (environment, profile, instance).",
        rich_help_panel=_PANEL,
    ),
]
Endpoint = Annotated[
    str | None,
    typer.Option("--endpoint", metavar="URL", help="Address of an S3-compatible server.", rich_help_panel=_PANEL),
]
Region = Annotated[str | None, typer.Option("--region", help="Region of the bucket.", rich_help_panel=_PANEL)]
PathStyle = Annotated[
    bool, typer.Option("--path-style", help="Write the bucket into the path of the URL.", rich_help_panel=_PANEL)
]
CaFile = Annotated[
    Path | None,
    typer.Option(
        "--ca-file",
        exists=True,
        dir_okay=False,
        help="Certificates in PEM that vouch for the endpoint.",
        rich_help_panel=_PANEL,
    ),
]
Directory = Annotated[
    Path | None,
    typer.Option("--dir", metavar="PATH", file_okay=False, help="A directory.", rich_help_panel=_PANEL),
]
Capture = Annotated[
    str | None,
    typer.Option("--capture", metavar="NAMESPACE/NAME", help="Only archives of this SnapshotCapture."),
]


@dataclass(frozen=True)
class Place:
    """Where archives are."""

    store: Store
    uri: Callable[[str], str]
    """Where a key is, for people: s3://bucket/prefix/key or a path."""


def open_place(
    *,
    s3: str | None,
    endpoint: str | None = None,
    region: str | None = None,
    path_style: bool = False,
    ca_file: Path | None = None,
    directory: Path | None = None,
) -> Place:
    """The place that the options name. Raises typer.BadParameter on what they cannot mean, and SnapshotError."""
    if (s3 is None) == (directory is None):
        raise typer.BadParameter("say where archives are: either --s3 or --dir")
    if directory is not None:
        root = directory
        return Place(DirectoryStore(root), uri=lambda key: str(root / key))
    storage = _storage(s3 or "", endpoint, region, path_style=path_style)
    ca = ca_file.read_bytes() if ca_file is not None else None
    store = open_store(storage, credentials=None, ca=ca, claims_root=Path())
    return Place(store, uri=lambda key: location(storage, key))


def folder(capture: str) -> layout.CaptureFolder:
    """The folder of the capture that the option names. Raises typer.BadParameter."""
    namespace, _, name = capture.partition("/")
    try:
        return layout.CaptureFolder(namespace, name)
    except SnapshotError as error:
        raise typer.BadParameter(f"{capture!r} is not NAMESPACE/NAME", param_hint="--capture") from error


def bad_parameter(error: ValidationError, names: Mapping[str, str]) -> typer.BadParameter:
    """The error of usage that the first finding of a model is; `names` are options not called as their field is."""
    first = error.errors(include_url=False)[0]
    field = str(first["loc"][-1])
    return typer.BadParameter(f"{first['input']!r}: {first['msg']}", param_hint=names.get(field, f"--{field}"))


def _storage(url: str, endpoint: str | None, region: str | None, *, path_style: bool) -> Storage:
    scheme, _, rest = url.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3":
        raise typer.BadParameter(f"{url!r} does not begin with s3://", param_hint="--s3")
    try:
        return Storage(
            s3=S3Storage(
                bucket=bucket,
                prefix=prefix.rstrip("/") or None,
                endpoint=endpoint,
                region=region,
                force_path_style=path_style,
            )
        )
    except ValidationError as error:
        raise bad_parameter(error, {"bucket": "--s3", "prefix": "--s3"}) from error
