"""`kai-snapshot capture`: what the scheduler sees now, into a file or a storage."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from kai_snapshot.api.ids import run_id
from kai_snapshot.api.manifest import CaptureIdentity, Manifest
from kai_snapshot.api.source import Source
from kai_snapshot.cli import output, source_options
from kai_snapshot.cli import storage_options as options
from kai_snapshot.runs.assemble import take_from_api
from kai_snapshot.runs.capture import check_ours, commit, describe, identify
from kai_snapshot.runs.take import take, take_url
from kai_snapshot.runs.taken import Progress, Taken
from kai_snapshot.source import ApiConnection
from kai_snapshot.source.kubeconfig import from_kubeconfig


def capture(
    *,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", "-f", metavar="OUT", help="Write the archive to this file. Default: under its own name, here."
        ),
    ] = None,
    s3: options.S3 = None,
    endpoint: options.Endpoint = None,
    region: options.Region = None,
    path_style: options.PathStyle = False,
    ca_file: options.CaFile = None,
    directory: options.Directory = None,
    name: Annotated[
        str,
        typer.Option("--capture", metavar="NAMESPACE/NAME", help="The name that a bucket or directory keeps it under."),
    ] = "command/manual",
    namespace: source_options.Namespace = source_options.NAMESPACE,
    scheduler: source_options.Scheduler = source_options.SCHEDULER,
    shard: source_options.Shard = source_options.SHARD,
    port: source_options.Port = None,
    url: source_options.Url = None,
    from_api: source_options.FromApi = False,
    kubeconfig: source_options.Kubeconfig = None,
    context: source_options.Context = None,
    timeout: source_options.Timeout = source_options.TIMEOUT,
    form: output.Format = "text",
) -> None:
    """Take a snapshot from the scheduler's leader, check it, and keep it.

    Nothing is kept, and the exit status is 1, if what came is not a whole snapshot. Where the scheduler is down,
    `--from-api` builds the same from the API server.
    """
    place = None
    if s3 is not None or directory is not None:
        if file is not None:
            raise typer.BadParameter("say where to keep it once: --file, --s3 or --dir")
        place = options.open_place(
            s3=s3, endpoint=endpoint, region=region, path_style=path_style, ca_file=ca_file, directory=directory
        )
    if from_api and url is not None:
        raise typer.BadParameter("say whom to ask: --url or --from-api")
    folder = options.folder(name)
    source = source_options.source(namespace, scheduler, shard=shard, port=port, timeout=timeout)
    connection = from_kubeconfig(kubeconfig, context=context) if url is None else None
    identity = CaptureIdentity(namespace=folder.namespace, name=folder.capture)
    if place is not None:
        if connection is not None:
            identity = asyncio.run(identify(connection, folder.namespace, folder.capture))
        check_ours(place.store, folder, identity)
    target = file or Path()
    into = None if place is not None else target if target.is_dir() else target.parent
    with tempfile.TemporaryDirectory(prefix="kai-snapshot-", dir=into) as spool:
        now = datetime.now(UTC)
        take_it = _asks(connection, source, url=url, from_api=from_api)
        taken = _watched(take_it, Path(spool) / "snapshot.zip")
        manifest = describe(identity, taken, run_id(now), now, "Command")
        if place is not None:
            manifest = commit(place.store, folder, taken.path, manifest)
            where = place.uri(folder.prefix + manifest.archive)
        else:
            where = str(_keep(taken, target, manifest))
    _print(manifest, where, form)


def _asks(
    connection: ApiConnection | None, source: Source, *, url: str | None, from_api: bool
) -> Callable[[Path, Progress], Awaitable[Taken]]:
    """Whom the options say to ask."""
    if connection is None:
        assert url is not None
        return lambda spool, told: take_url(url, spool, silence_seconds=source.timeout_seconds, progress=told)
    if from_api:
        return lambda spool, told: take_from_api(connection, source.scheduler, spool, progress=told)
    return lambda spool, told: take(connection, source, spool, progress=told)


def _watched(ask: Callable[[Path, Progress], Awaitable[Taken]], spool: Path) -> Taken:
    with output.transfer_progress() as bar:
        task = bar.add_task("snapshot", total=None)

        async def watched() -> Taken:
            return await ask(spool, lambda received: bar.update(task, completed=received))

        return asyncio.run(watched())


def _keep(taken: Taken, target: Path, manifest: Manifest) -> Path:
    """Moves the archive to its place; beside it goes what it cannot say: a configuration, what it was built of."""
    file = target / manifest.archive if target.is_dir() else target
    taken.path.replace(file)
    beside = file.with_suffix(".json")
    if manifest.healed or manifest.built_from_api is not None:
        beside.write_bytes(manifest.encode())
    if manifest.healed:
        typer.echo(
            f"The snapshot says config: null. The scheduler's configuration is in {beside}: replay it with --manifest.",
            err=True,
        )
    return file


def _print(manifest: Manifest, where: str, form: output.Format) -> None:
    if form == "json":
        output.document({"uri": where, "manifest": manifest.dump()})
        return
    built = ", built from the API server" if manifest.built_from_api is not None else ""
    counts = ", ".join(f"{count} {kind}" for kind, count in manifest.object_counts.items() if count)
    version = f" from {manifest.scheduler.version}" if manifest.scheduler.version else ""
    typer.echo(f"{where}: {output.size(manifest.size_bytes)}{version}{built}, SHA-256 {manifest.sha256}")
    typer.echo(f"  {counts}")
