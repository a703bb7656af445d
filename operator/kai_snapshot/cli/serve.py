"""`kai-snapshot serve`: what the scheduler saw, for a browser and for programs."""

import asyncio
import os
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from kai_snapshot.api.source import Source
from kai_snapshot.cli import source_options
from kai_snapshot.cli import storage_options as options
from kai_snapshot.cli.compared_files import named_results
from kai_snapshot.runs.admit import admit
from kai_snapshot.runs.assemble import take_from_api
from kai_snapshot.runs.live import Live
from kai_snapshot.runs.look import InFile, Place, Stored
from kai_snapshot.runs.take import take, take_url
from kai_snapshot.runs.taken import Taken
from kai_snapshot.source import in_cluster_as_nobody
from kai_snapshot.source.kubeconfig import from_kubeconfig
from kai_snapshot.web.app import application
from kai_snapshot.web.gate import Admit
from kai_snapshot.web.server import LOOPBACK, listen, server, url_of


def serve(
    archive: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, metavar="ARCHIVE", help="A snapshot archive.")
    ] = None,
    results: Annotated[
        list[Path] | None,
        typer.Argument(
            exists=True,
            dir_okay=False,
            metavar="[RESULT...]",
            help="Results of it, to be shown side by side: result.json, or the output of `replay -o json`.",
        ),
    ] = None,
    *,
    s3: options.S3 = None,
    endpoint: options.Endpoint = None,
    region: options.Region = None,
    path_style: options.PathStyle = False,
    ca_file: options.CaFile = None,
    directory: options.Directory = None,
    capture: options.Capture = None,
    live: Annotated[bool, typer.Option("--live", help="Show what the scheduler sees now.")] = False,
    namespace: source_options.Namespace = source_options.NAMESPACE,
    scheduler: source_options.Scheduler = source_options.SCHEDULER,
    shard: source_options.Shard = source_options.SHARD,
    port: source_options.Port = None,
    url: source_options.Url = None,
    from_api: source_options.FromApi = False,
    kubeconfig: source_options.Kubeconfig = None,
    context: source_options.Context = None,
    timeout: source_options.Timeout = source_options.TIMEOUT,
    snapshot_endpoint: Annotated[
        bool,
        typer.Option(
            "--snapshot-endpoint",
            help="Answer /get-snapshot as well, as the scheduler does, with the archive itself, or the newest: for "
            "KAI's own tools. Without anything else to show, it is built from the API server as with --from-api.",
        ),
    ] = False,
    listen_on: Annotated[
        str,
        typer.Option("--listen", metavar="HOST:PORT", help="The address to serve on; port 0 is any that is free."),
    ] = "127.0.0.1:8080",
    allow_origin: Annotated[
        str,
        typer.Option(
            "--allow-origin",
            metavar="ORIGIN",
            help="Whose pages may read the API in your browser: `*` for anybody's, `none` for these pages only.",
        ),
    ] = "*",
    sign_in: Annotated[
        str | None,
        typer.Option(
            "--sign-in",
            metavar="NAMESPACE",
            help="Let in only who may list the SnapshotCaptures of this namespace: with a token of the cluster, as "
            "Bearer or on a sign-in page. Then no other site's pages may read the API.",
        ),
    ] = None,
    behind_tls: Annotated[
        bool,
        typer.Option(
            "--behind-tls",
            help="Browsers reach this over TLS only, as where an Ingress ends it: then the cookie of --sign-in is for "
            "TLS alone.",
        ),
    ] = False,
) -> None:
    """Show an archive, those of a storage, or what the scheduler sees now: as pages, and as the visualizer API.

    Nothing is changed, and neither data of ConfigMaps nor environment variables are shown, but by --snapshot-endpoint.
    Ctrl-C ends it.
    """
    stored = s3 is not None or directory is not None
    from_api = from_api or (snapshot_endpoint and archive is None and not stored and not live)
    if [archive is not None, stored, live or from_api].count(True) != 1:
        raise typer.BadParameter("say what to show: an archive, --s3, --dir, --live or --from-api")
    if from_api and url is not None:
        raise typer.BadParameter("say whom to ask: --url or --from-api")
    if behind_tls and sign_in is None:
        raise typer.BadParameter("it is about the cookie of --sign-in: give that too", param_hint="--behind-tls")
    place: Place
    if archive is not None:
        place = InFile(archive, {name: result for name, _, result in named_results(results or [])})
    elif not stored:
        source = source_options.source(namespace, scheduler, shard=shard, port=port, timeout=timeout)
        place = _at_url(source, url) if url is not None else _live(source, kubeconfig, context, from_api=from_api)
    else:
        where = options.open_place(
            s3=s3, endpoint=endpoint, region=region, path_style=path_style, ca_file=ca_file, directory=directory
        )
        place = Stored(where.store, options.folder(capture) if capture is not None else None)
    admitted = _admitted(sign_in, kubeconfig, context) if sign_in is not None else None
    host, number = _address(listen_on)
    local = host in ("localhost", "::1") or host.startswith("127.")
    if snapshot_endpoint and not local and admitted is None:
        raise typer.BadParameter(
            "a snapshot has all ConfigMaps: listen on 127.0.0.1, or let in only who may, with --sign-in",
            param_hint="--snapshot-endpoint",
        )
    with listen(host, number) as listener:
        address = url_of(listener)
        hosts = {*LOOPBACK, host} if local else None
        typer.echo(f"{address} shows it. Ctrl-C ends it.", err=True)
        if not local and admitted is None:
            typer.echo(f"Whoever reaches {listen_on} sees it: there is no sign-in.", err=True)
        origin = None if allow_origin == "none" or admitted is not None else allow_origin
        app = application(
            place,
            origin=origin,
            hosts=hosts,
            admit=admitted,
            tls=behind_tls,
            ahead=True,
            snapshot_endpoint=snapshot_endpoint,
        )
        server(app).run(sockets=[listener])


def _at_url(source: Source, url: str) -> Place:
    return Live(lambda path: asyncio.run(take_url(url, path, silence_seconds=source.timeout_seconds)))


def _live(source: Source, kubeconfig: Path | None, context: str | None, *, from_api: bool) -> Place:
    from_kubeconfig(kubeconfig, context=context)  # what is wrong with it is said at once

    def ask(path: Path) -> Taken:
        connection = from_kubeconfig(kubeconfig, context=context)  # anew: its credentials may last for minutes only
        return asyncio.run(
            take_from_api(connection, source.scheduler, path) if from_api else take(connection, source, path)
        )

    return Live(ask)


def _admitted(namespace: str, kubeconfig: Path | None, context: str | None) -> Admit:
    inside = kubeconfig is None and context is None and "KUBERNETES_SERVICE_HOST" in os.environ
    connection = in_cluster_as_nobody(os.environ) if inside else from_kubeconfig(kubeconfig, context=context)
    return partial(admit, connection, namespace=namespace)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise typer.BadParameter(f"{text!r} is not HOST:PORT", param_hint="--listen")
    return host.removeprefix("[").removesuffix("]"), int(port)
