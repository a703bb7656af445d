"""`kai-snapshot environment nodes`: a Job on each of some nodes, and a document from each."""

import asyncio
import sys
from typing import Annotated

import typer

from kai_snapshot.api.environmentdocument import DEFAULT_UNITS
from kai_snapshot.cli import environment_target as to
from kai_snapshot.collectors import TIMEOUT_SECONDS
from kai_snapshot.jobs.environment import NodeLook
from kai_snapshot.jobs.scheduling import node_selector, tolerations
from kai_snapshot.runs.nodes import NodesWanted, of_nodes, operator_image
from kai_snapshot.source.kubeconfig import from_kubeconfig

_WHICH, _POD = "Which nodes", "Their pods"
NAMESPACE = "kai-snapshots"


def nodes(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NODE", help="Nodes by name. Default: those of --node-selector.")
    ] = None,
    *,
    selector: Annotated[
        list[str] | None,
        typer.Option("--node-selector", metavar="KEY=VALUE", help="Nodes with these labels.", rich_help_panel=_WHICH),
    ] = None,
    max_nodes: Annotated[
        int, typer.Option("--max-nodes", min=0, help="The first so many by name, all with 0.", rich_help_panel=_WHICH)
    ] = 0,
    kubeconfig: to.Kubeconfig = None,
    context: to.Context = None,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Where the Jobs are made.", rich_help_panel=_POD)
    ] = NAMESPACE,
    image: Annotated[
        str | None,
        typer.Option("--image", help="Default: that of the operator in --namespace.", rich_help_panel=_POD),
    ] = None,
    pull_secrets: Annotated[
        list[str] | None,
        typer.Option("--image-pull-secret", metavar="NAME", help="A Secret to pull it with.", rich_help_panel=_POD),
    ] = None,
    toleration: Annotated[
        list[str] | None,
        typer.Option(
            "--toleration",
            metavar="KEY[=VALUE]:EFFECT",
            help="A taint that is tolerated. Default: every one.",
            rich_help_panel=_POD,
        ),
    ] = None,
    privileged: Annotated[
        bool,
        typer.Option("--privileged", help="May see the host: os-release, systemd, nvidia-smi.", rich_help_panel=_POD),
    ] = False,
    runtime_class: Annotated[
        str | None,
        typer.Option(
            "--runtime-class", metavar="NAME", help="The RuntimeClass that brings nvidia-smi.", rich_help_panel=_POD
        ),
    ] = None,
    units: Annotated[
        list[str] | None,
        typer.Option("--unit", metavar="UNIT", help="A unit of systemd; several, in place of the default."),
    ] = None,
    parallelism: Annotated[
        int, typer.Option("--parallelism", min=1, max=100, help="Nodes at the same time.", rich_help_panel=_WHICH)
    ] = 5,
    timeout: Annotated[
        int, typer.Option("--timeout", metavar="SECONDS", min=1, help="Of one node.", rich_help_panel=_POD)
    ] = 300,
    collector_timeout: Annotated[
        float, typer.Option("--collector-timeout", metavar="SECONDS", min=0.1, help="Of one collector on a node.")
    ] = TIMEOUT_SECONDS,
    cleanup: Annotated[
        bool, typer.Option("--cleanup/--no-cleanup", help="Remove the Jobs at the end.", rich_help_panel=_POD)
    ] = True,
    debug: Annotated[
        bool, typer.Option("--debug", help="Say how each collector ended, and what the pods wrote, on standard error.")
    ] = False,
    require_gpu: to.RequireGpu = False,
    max_nodes_per_entry: to.MaxNodesPerEntry = 0,
    api_version: to.Header = to.DEFAULT_HEADER,
    template: to.Template = None,
    file: to.File = to.STDOUT,
    form: to.Form = "yaml",
) -> None:
    """Record what nodes of a cluster are: a Job on each, that holds no credentials and writes its document to its log.

    Without --privileged the pods meet the restricted Pod Security Standard, and see the kernel, its settings and
    modules, and the GPUs on the PCI bus. Exit status 3 if a node could not be looked at; the others' documents are
    written.
    """
    target = to.Target.of(file, form, template, kubeconfig, context)
    labels = node_selector(selector or ())
    if names and labels:
        raise typer.BadParameter("nodes are chosen by name or with --node-selector, not both")
    connection = from_kubeconfig(kubeconfig, context=context)
    wanted = NodesWanted(
        namespace=namespace,
        names=names or (),
        selector=",".join(f"{key}={value}" for key, value in labels.items()),
        max_nodes=max_nodes,
        parallelism=parallelism,
        timeout_seconds=timeout,
        cleanup=cleanup,
        max_nodes_per_entry=max_nodes_per_entry,
        api_version=api_version,
    )
    look = NodeLook(
        image=image or asyncio.run(operator_image(connection, namespace)),
        privileged=privileged,
        runtime_class_name=runtime_class,
        units=units or DEFAULT_UNITS,
        collector_seconds=collector_timeout,
        tolerations=tolerations(toleration or ()),
        image_pull_secrets=pull_secrets or (),
        debug=debug,
    )
    results = asyncio.run(of_nodes(connection, wanted, look, tell=_tell if debug or sys.stderr.isatty() else _nothing))
    documents = [each.document for each in results if each.document is not None]
    to.say_what_failed(documents, debug=debug)
    to.finish(documents, target, require=require_gpu, errors=[each.error for each in results if each.error is not None])


def _tell(line: str) -> None:
    typer.echo(line, err=True)


def _nothing(line: str) -> None:
    del line
