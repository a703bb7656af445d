"""The environment of a cluster, as one person's command collects it: a Job for each node, and the API server's word."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from kai_snapshot.api.environmentdocument import FULL_API_VERSION, ApiVersion, CollectorReport, EnvironmentDocument
from kai_snapshot.environment import frame
from kai_snapshot.environment.assemble import CLUSTER, assemble, in_cluster
from kai_snapshot.environment.cluster import ClusterFacts
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.jobs import names
from kai_snapshot.jobs.environment import ALLOWANCE_SECONDS, CONTAINER, NodeLook, job
from kai_snapshot.jobs.nodepod import PodPhase, state
from kai_snapshot.source import ApiConnection, KubernetesApi, clusterfacts, nodejobs

POLL_SECONDS: Final = 1.0
PODLESS_SECONDS: Final = 5.0
"""After that a Job without a pod is asked why."""
KEEP_SECONDS: Final = 600
"""How long a finished Job stays if nobody removes it: the command was killed, or told not to clean up."""
Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class NodesWanted:
    """Which nodes are looked at, from where, and for how long."""

    namespace: str
    names: Sequence[str] = ()
    """These, or those that the selector fits."""
    selector: str = ""
    max_nodes: int = 0
    """The first so many by name; 0 for all."""
    parallelism: int = 5
    timeout_seconds: int = 300
    """Of one node, from its Job's creation to its document."""
    cleanup: bool = True
    max_nodes_per_entry: int = 0
    api_version: ApiVersion = FULL_API_VERSION


@dataclass(frozen=True)
class NodeResult:
    """What came of a node: a document, or why there is none."""

    node: str
    document: EnvironmentDocument | None = None
    error: SnapshotError | None = None


async def of_cluster(
    connection: ApiConnection, *, api_version: ApiVersion, max_nodes_per_entry: int
) -> EnvironmentDocument:
    """What the API server knows, without any pod: K8s and NodeTopology. Raises SnapshotError if it answers nothing."""
    at = datetime.now(UTC)
    async with KubernetesApi.connect(connection) as api:
        await api.server_version()
        facts, reports = await clusterfacts.gather(api)
    document = assemble((), (), node_name=CLUSTER, at=at, api_version=api_version)
    return in_cluster(document, facts, reports, max_nodes_per_entry=max_nodes_per_entry)


async def of_nodes(connection: ApiConnection, wanted: NodesWanted, look: NodeLook, *, tell: Tell) -> list[NodeResult]:
    """Looks at the nodes, some at a time; a node that fails does not end the others. Results are by name.

    Raises SnapshotError: NodeNotFound, and what the API server says before the first Job is made.
    """
    async with KubernetesApi.connect(connection) as api:
        nodes = await _choose(api, wanted, tell)
        run, turns = secrets.token_hex(4), asyncio.Semaphore(wanted.parallelism)

        async def look_at(index: int, node: str) -> NodeResult:
            async with turns:
                try:
                    document = await _of_node(
                        api, wanted, look, tell, node=node, name=f"kai-snapshot-env-{run}-{index}"
                    )
                except SnapshotError as error:
                    tell(f"{node}: {error.reason}")
                    return NodeResult(node, error=error)
                tell(f"{node}: done")
                return NodeResult(node, document)

        async with asyncio.TaskGroup() as group:  # it waits for all, also when it is cancelled
            facts = group.create_task(clusterfacts.gather(api))
            looks = [group.create_task(look_at(index, node)) for index, node in enumerate(nodes)]
    known, reports = facts.result()
    return [_complete(each.result(), known, reports, wanted) for each in looks]


def _complete(
    result: NodeResult, facts: ClusterFacts, reports: Sequence[CollectorReport], wanted: NodesWanted
) -> NodeResult:
    if result.document is None:
        return result
    document = in_cluster(result.document, facts, reports, max_nodes_per_entry=wanted.max_nodes_per_entry)
    return NodeResult(result.node, document.with_header(wanted.api_version))


async def _choose(api: KubernetesApi, wanted: NodesWanted, tell: Tell) -> list[str]:
    params = {"labelSelector": wanted.selector} if wanted.selector else {}
    found = sorted([node["metadata"]["name"] async for node in api.objects(clusterfacts.NODES, **params)])
    missing = sorted(set(wanted.names) - set(found))
    if missing:
        raise TerminalError(Reason.NODE_NOT_FOUND, f"There is no node {', '.join(missing)} in this cluster.")
    chosen = sorted(set(wanted.names)) or found
    if not chosen:
        fit = f" that has {wanted.selector}" if wanted.selector else ""
        raise TerminalError(Reason.NODE_NOT_FOUND, f"There is no node{fit} in this cluster: see kubectl get nodes.")
    if 0 < wanted.max_nodes < len(chosen):
        tell(f"{len(chosen)} nodes fit, the first {wanted.max_nodes} by name are looked at")
        return chosen[: wanted.max_nodes]
    return chosen


async def _of_node(
    api: KubernetesApi, wanted: NodesWanted, look: NodeLook, tell: Tell, *, node: str, name: str
) -> EnvironmentDocument:
    metadata = {
        "name": name,
        "namespace": wanted.namespace,
        "labels": {names.MANAGED_BY: "kai-snapshot", names.COMPONENT: names.ENVIRONMENT_COMPONENT},
    }
    manifest = job(
        look,
        node,
        metadata=metadata,
        timeout_seconds=wanted.timeout_seconds + ALLOWANCE_SECONDS,
        keep_seconds=KEEP_SECONDS,
    )
    try:
        await nodejobs.create(api, manifest)
        return await _document(api, wanted, node, name, tell)
    finally:
        # Ctrl-C cancels, and this is still done. What a kill leaves behind ends at its deadline, and goes after it.
        if wanted.cleanup:
            with suppress(SnapshotError):
                await nodejobs.remove(api, wanted.namespace, name)


async def _document(api: KubernetesApi, wanted: NodesWanted, node: str, name: str, tell: Tell) -> EnvironmentDocument:
    """Follows the pod to its end. An API server that is away for a while does not end it."""
    started, waits_for = time.monotonic(), "its pod has not started"
    while (elapsed := time.monotonic() - started) < wanted.timeout_seconds:
        try:
            pod = await nodejobs.pod(api, wanted.namespace, name)
            if (
                pod is None
                and elapsed > PODLESS_SECONDS
                and (why := await nodejobs.complaint(api, wanted.namespace, name))
            ):
                raise _failed(node, f"its pod cannot be made: {why}")
            if pod is not None:
                found = state(pod, now=datetime.now(UTC))
                if found.phase is PodPhase.SUCCEEDED:
                    return await _handed_in(api, wanted.namespace, pod, node, tell)
                if found.phase is PodPhase.FAILED:
                    raise _failed(node, found.message)
                waits_for = found.message or waits_for
        except TransientError as error:
            waits_for = error.message
        await asyncio.sleep(POLL_SECONDS)
    raise _failed(node, f"nothing came within {wanted.timeout_seconds} s: {waits_for}")


async def _handed_in(
    api: KubernetesApi, namespace: str, pod: dict[str, Any], node: str, tell: Tell
) -> EnvironmentDocument:
    name = pod["metadata"]["name"]
    log = await nodejobs.log(api, namespace, name, container=CONTAINER)
    for line in frame.beside(log).splitlines():
        tell(f"{node}: {line}")
    document = frame.decode(log, where=f"the log of Pod {namespace}/{name}")
    if document is None:
        raise _failed(node, f"the log of Pod {namespace}/{name} has no whole document")
    if document.source_node != node:
        raise _failed(node, f"the document of Pod {namespace}/{name} is about another node")
    return document


def _failed(node: str, why: str) -> TerminalError:
    return TerminalError(Reason.COLLECTION_FAILED, f"Node {node} could not be looked at: {why}")


async def operator_image(connection: ApiConnection, namespace: str) -> str:
    """The image of the operator in that namespace, which holds this command. Raises SnapshotError: InvalidSpec."""
    async with KubernetesApi.connect(connection) as api:
        for deployment in await api.deployments(namespace):
            if deployment.metadata.name == names.OPERATOR:
                return deployment.spec.template.spec.containers[0].image
    raise TerminalError(
        Reason.INVALID_SPEC, f"There is no operator in namespace {namespace} whose image could be used: give --image."
    )


async def apply_config_maps(connection: ApiConnection, config_maps: Sequence[Mapping[str, Any]]) -> None:
    """Writes them, or takes over those that there are. Raises SnapshotError."""
    async with KubernetesApi.connect(connection) as api:
        for each in config_maps:
            await nodejobs.apply_config_map(api, each)
