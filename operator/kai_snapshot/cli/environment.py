"""`kai-snapshot environment`: what a machine, or the nodes of a cluster, are, as AICR's `Snapshot` documents."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from kai_snapshot.api.environmentdocument import DEFAULT_UNITS
from kai_snapshot.cli import environment_target as to
from kai_snapshot.cli.environment_diff import diff
from kai_snapshot.cli.environment_get import get
from kai_snapshot.cli.environment_nodes import nodes
from kai_snapshot.collectors import TIMEOUT_SECONDS
from kai_snapshot.collectors.host import Host
from kai_snapshot.environment.text import decode_all
from kai_snapshot.runs.environment import Look, collect, collect_in_cluster, of_archive
from kai_snapshot.runs.nodes import of_cluster
from kai_snapshot.source.kubeconfig import from_kubeconfig

app = typer.Typer(name="environment", add_completion=False, rich_markup_mode="markdown", invoke_without_command=True)
app.command("nodes")(nodes)
app.command("diff")(diff)
app.command("get")(get)
Units = Annotated[
    list[str] | None,
    typer.Option("--unit", metavar="UNIT", help="A unit of systemd; several, in place of the default."),
]


@app.callback()
def environment(
    ctx: typer.Context,
    *,
    host_root: Annotated[
        Path | None,
        typer.Option("--host-root", exists=True, file_okay=False, help="In a container: where the host's root is."),
    ] = None,
    units: Units = None,
    collector_timeout: Annotated[
        float, typer.Option("--collector-timeout", metavar="SECONDS", min=0.1, help="Of one collector.")
    ] = TIMEOUT_SECONDS,
    require_gpu: to.RequireGpu = False,
    debug: Annotated[bool, typer.Option("--debug", help="Say how each collector ended, on standard error.")] = False,
    kubeconfig: to.Kubeconfig = None,
    context: to.Context = None,
    max_nodes_per_entry: to.MaxNodesPerEntry = 0,
    api_version: to.Header = to.DEFAULT_HEADER,
    template: to.Template = None,
    file: to.File = to.STDOUT,
    form: to.Form = "yaml",
) -> None:
    """Record what this machine is: GPUs and driver, kernel, settings, modules, distribution, systemd.

    With --kubeconfig or --context also what its cluster is. The nodes of a cluster: `nodes`; what needs no pod:
    `cluster`, `derive`. The document is NVIDIA AICR's `Snapshot`; a collector that fails is said in it, and on standard
    error, and the rest is there.
    """
    if ctx.invoked_subcommand is not None:
        _refuse_lost_options(ctx, ctx.invoked_subcommand)
        return
    target = to.Target.of(file, form, template, kubeconfig, context)
    look = Look(
        host=Host.mounted(host_root) if host_root is not None else Host(),
        units=units or DEFAULT_UNITS,
        timeout_seconds=collector_timeout,
        api_version=api_version,
    )
    if kubeconfig is None and context is None:
        document = collect(look, os.environ)
    else:
        connection = from_kubeconfig(kubeconfig, context=context)
        document = collect_in_cluster(look, os.environ, connection, max_nodes_per_entry=max_nodes_per_entry)
    to.say_what_failed([document], debug=debug)
    to.finish([document], target, require=require_gpu)


def _refuse_lost_options(ctx: typer.Context, subcommand: str) -> None:
    """Options before a subcommand are this machine's, which then is not looked at. Raises typer.BadParameter."""
    given = [each for each in ctx.command.params if _is_given(ctx, each.name or "")]
    if given:
        options = ", ".join(max(each.opts, key=len) for each in given)
        raise typer.BadParameter(f"{options}: options of `{subcommand}` come after it, this would be lost")


def _is_given(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


@app.command("cluster")
def cluster(
    *,
    kubeconfig: to.Kubeconfig = None,
    context: to.Context = None,
    max_nodes_per_entry: to.MaxNodesPerEntry = 0,
    api_version: to.Header = to.DEFAULT_HEADER,
    template: to.Template = None,
    file: to.File = to.STDOUT,
    form: to.Form = "yaml",
) -> None:
    """Record what the API server knows, without a pod: version, images, ClusterPolicies, labels and taints of nodes."""
    target = to.Target.of(file, form, template, kubeconfig, context)
    connection = from_kubeconfig(kubeconfig, context=context)
    document = asyncio.run(of_cluster(connection, api_version=api_version, max_nodes_per_entry=max_nodes_per_entry))
    to.say_what_failed([document], debug=False)
    to.finish([document], target)


@app.command("derive")
def derive(
    archive: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, metavar="ARCHIVE", help="As `capture` and `get` write it.")
    ],
    *,
    node: Annotated[
        str | None, typer.Option("--node", metavar="NAME", help="The node that the document is about.")
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--manifest", exists=True, dir_okay=False, help="The archive's manifest: the time of the capture."
        ),
    ] = None,
    max_nodes_per_entry: to.MaxNodesPerEntry = 0,
    api_version: to.Header = to.DEFAULT_HEADER,
    template: to.Template = None,
    file: to.File = to.STDOUT,
    form: to.Form = "yaml",
    kubeconfig: to.Kubeconfig = None,
    context: to.Context = None,
) -> None:
    """Record what a stored snapshot says of its cluster: version, images, one node, labels and taints of all."""
    target = to.Target.of(file, form, template, kubeconfig, context)
    document = of_archive(
        archive, node=node, manifest=manifest, api_version=api_version, max_nodes_per_entry=max_nodes_per_entry
    )
    to.finish([document], target)


@app.command("export")
def export(
    documents: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="One document or several, in YAML or JSON."),
    ],
    *,
    kubeconfig: to.Kubeconfig = None,
    context: to.Context = None,
    api_version: to.Header = to.DEFAULT_HEADER,
    template: to.Template = None,
    file: to.File = to.STDOUT,
    form: to.Form = "yaml",
) -> None:
    """Write documents again: with another header, in another form, through a template, into a ConfigMap."""
    target = to.Target.of(file, form, template, kubeconfig, context)
    found = decode_all(documents.read_bytes(), where=str(documents))
    to.finish([each.with_header(api_version) for each in found], target)
