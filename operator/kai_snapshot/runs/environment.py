"""This machine's environment, from the collectors to the document."""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from kai_snapshot.api.environmentdocument import (
    DEFAULT_UNITS,
    FULL_API_VERSION,
    ApiVersion,
    CollectorReport,
    EnvironmentDocument,
)
from kai_snapshot.api.manifest import Manifest
from kai_snapshot.collectors import TIMEOUT_SECONDS, Running, of_node
from kai_snapshot.collectors.host import Host, node_name
from kai_snapshot.environment import cluster
from kai_snapshot.environment.assemble import CLUSTER, assemble, in_cluster
from kai_snapshot.environment.cluster import ClusterFacts
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.source import ApiConnection, KubernetesApi, clusterfacts


@dataclass(frozen=True, kw_only=True)
class Look:
    """What to look at, and how long."""

    host: Host = field(default_factory=Host)
    units: Sequence[str] = DEFAULT_UNITS
    timeout_seconds: float = TIMEOUT_SECONDS
    """Of one collector."""
    api_version: ApiVersion = FULL_API_VERSION


def collect(look: Look, environment: Mapping[str, str]) -> EnvironmentDocument:
    """The document of this machine: GPU, OS and SystemD. Takes `timeout_seconds` at most.

    A collector that fails, or hangs, is reported in the document, and its measurement is missing. The node's name is
    the environment's, else that of the machine.
    """
    at, running = datetime.now(UTC), _start(look)
    return _assemble(look, environment, at, running)


def collect_in_cluster(
    look: Look, environment: Mapping[str, str], connection: ApiConnection, *, max_nodes_per_entry: int
) -> EnvironmentDocument:
    """The same with K8s and NodeTopology, which are collected from the API server meanwhile."""
    at, running = datetime.now(UTC), _start(look)
    facts, reports = asyncio.run(_facts(connection))
    document = _assemble(look, environment, at, running)
    return in_cluster(document, facts, reports, max_nodes_per_entry=max_nodes_per_entry)


async def _facts(connection: ApiConnection) -> tuple[ClusterFacts, list[CollectorReport]]:
    async with KubernetesApi.connect(connection) as api:
        return await clusterfacts.gather(api)


def _start(look: Look) -> Running:
    collectors = of_node(look.host, units=look.units, timeout_seconds=look.timeout_seconds)
    return Running(collectors, timeout_seconds=look.timeout_seconds)


def _assemble(look: Look, environment: Mapping[str, str], at: datetime, running: Running) -> EnvironmentDocument:
    outcomes = list(running.outcomes())
    return assemble(
        [each.measurement for each in outcomes if each.measurement is not None],
        [each.report for each in outcomes],
        node_name=node_name(environment) or socket.gethostname(),
        at=at,
        api_version=look.api_version,
    )


def of_archive(
    archive: Path, *, node: str | None, manifest: Path | None, api_version: ApiVersion, max_nodes_per_entry: int
) -> EnvironmentDocument:
    """What a stored snapshot says: K8s and NodeTopology, as of the manifest's time, else the file's.

    Raises OSError; TerminalError: InvalidManifest, NodeNotFound, and where the archive is not valid.
    """
    facts = cluster.of_archive(archive)
    if node is not None and node not in facts.nodes:
        raise TerminalError(Reason.NODE_NOT_FOUND, f"The snapshot in {archive} has no node {node}.")
    at = datetime.fromtimestamp(archive.stat().st_mtime, UTC)
    if manifest is not None:
        at = Manifest.decode(manifest.read_bytes(), where=str(manifest)).captured_at
    document = assemble((), (), node_name=node or CLUSTER, at=at, api_version=api_version)
    return in_cluster(document, facts, (), max_nodes_per_entry=max_nodes_per_entry)
