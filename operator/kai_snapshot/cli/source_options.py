"""The options that say which scheduler is asked, the same for every command that asks one."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from kai_snapshot.api.source import SchedulerSource, Source
from kai_snapshot.cli.storage_options import bad_parameter

_PANEL = "Which scheduler"

Namespace = Annotated[str, typer.Option("--namespace", "-n", help="The scheduler's namespace.", rich_help_panel=_PANEL)]
Scheduler = Annotated[str, typer.Option("--scheduler", help="The scheduler's name.", rich_help_panel=_PANEL)]
Shard = Annotated[str, typer.Option("--shard", help="The name of the SchedulingShard.", rich_help_panel=_PANEL)]
Port = Annotated[
    int | None,
    typer.Option(
        "--port",
        min=1,
        max=65535,
        help="The port of its plugin server. Default: as its arguments say, else 8081.",
        rich_help_panel=_PANEL,
    ),
]
Url = Annotated[
    str | None,
    typer.Option("--url", help="Ask this address, and not through the API server.", rich_help_panel=_PANEL),
]
FromApi = Annotated[
    bool,
    typer.Option(
        "--from-api",
        help="Do not ask the scheduler: build what it would serve from the API server's lists. For the hour when it is "
        "down; it takes the right to list pods, ConfigMaps and what else a snapshot holds.",
        rich_help_panel=_PANEL,
    ),
]
Kubeconfig = Annotated[
    Path | None, typer.Option("--kubeconfig", help="The kubeconfig, as for kubectl.", rich_help_panel=_PANEL)
]
Context = Annotated[
    str | None, typer.Option("--context", help="The context in it, as for kubectl.", rich_help_panel=_PANEL)
]
Timeout = Annotated[
    int,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        min=1,
        max=3600,
        help="The longest silence. Before v0.15 the scheduler is silent until all is built.",
        rich_help_panel=_PANEL,
    ),
]
NAMESPACE, SCHEDULER, SHARD, TIMEOUT = "kai-scheduler", "kai-scheduler", "default", 60
"""What they are if nothing is said."""


def source(namespace: str, scheduler: str, *, shard: str, port: int | None, timeout: int) -> Source:
    """The scheduler that the options name. Raises typer.BadParameter."""
    try:
        return Source(
            scheduler=SchedulerSource(namespace=namespace, name=scheduler, shard=shard, port=port),
            timeout_seconds=timeout,
        )
    except ValidationError as error:
        raise bad_parameter(error, {"name": "--scheduler"}) from error
