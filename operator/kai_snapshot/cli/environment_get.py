"""`kai-snapshot environment get`: the documents beside a stored archive."""

from typing import Annotated

import typer

from kai_snapshot.cli import environment_target as to
from kai_snapshot.cli import storage_options as options
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.runs.environmentdownload import documents
from kai_snapshot.runs.listing import choose
from kai_snapshot.stores import layout


def get(
    wanted: Annotated[str, typer.Argument(metavar="ID|KEY|latest", help="The archive, as `list` names it.")],
    *,
    nodes: Annotated[
        list[str] | None, typer.Option("--node", metavar="NAME", help="Only this node; several. Default: all.")
    ] = None,
    s3: options.S3 = None,
    endpoint: options.Endpoint = None,
    region: options.Region = None,
    path_style: options.PathStyle = False,
    ca_file: options.CaFile = None,
    directory: options.Directory = None,
    capture: options.Capture = None,
    api_version: to.Header = to.DEFAULT_HEADER,
    template: to.Template = None,
    file: to.File = to.STDOUT,
    form: to.Form = "yaml",
    kubeconfig: to.Kubeconfig = None,
    context: to.Context = None,
) -> None:
    """Get what the operator recorded beside an archive, checked against the archive's manifest.

    Where no node was recorded, that is the document of the cluster.
    """
    target = to.Target.of(file, form, template, kubeconfig, context)
    place = options.open_place(
        s3=s3, endpoint=endpoint, region=region, path_style=path_style, ca_file=ca_file, directory=directory
    )
    key, manifest = choose(place.store, wanted, options.folder(capture) if capture is not None else None)
    parsed = layout.parse(key)
    if manifest is None or parsed is None:
        message = f"{place.uri(key)} has no manifest, and so no environment: see `kai-snapshot list`."
        raise TerminalError(Reason.ARCHIVE_NOT_FOUND, message)
    found = documents(place.store, parsed.folder, manifest, nodes=nodes or ())
    to.finish([each.with_header(api_version) for each in found], target)
