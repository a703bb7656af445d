"""Gets a snapshot from a scheduler: finds the pod that leads, reaches it through the API server, takes what it serves.
Where no scheduler answers, `assemble` writes the same from the API server's lists.

async with KubernetesApi.connect(connection) as api:
    target = await resolve(api, source.scheduler, now=datetime.now(UTC))
    answer = await download(api, target, silence_seconds=source.timeout_seconds, sink=spool.write)
"""

from contextlib import suppress
from datetime import datetime

from kai_snapshot.api.source import SchedulerSource
from kai_snapshot.errors import Reason, SnapshotError
from kai_snapshot.source import diagnosis, direct, leader, portforward
from kai_snapshot.source.api import KubernetesApi
from kai_snapshot.source.assembly import Assembled, assemble
from kai_snapshot.source.configmap import read_config
from kai_snapshot.source.connection import ApiConnection, in_cluster, in_cluster_as_nobody
from kai_snapshot.source.endpoint import Answer, Endpoint, Sink, fetch
from kai_snapshot.source.installation import Installation, installation
from kai_snapshot.source.leader import Target

__all__ = [
    "Answer",
    "ApiConnection",
    "Assembled",
    "Installation",
    "KubernetesApi",
    "Target",
    "assemble",
    "download",
    "download_url",
    "find",
    "in_cluster",
    "in_cluster_as_nobody",
    "read_config",
    "resolve",
]


async def resolve(api: KubernetesApi, scheduler: SchedulerSource, *, now: datetime) -> Target:
    """The pod to ask for a shard's snapshot.

    Raises SnapshotError: SchedulerNotFound, NoSchedulerPod, NoLeader; APIUnreachable, Unauthorized, Forbidden.
    """
    deployment = leader.find_deployment(scheduler, await api.deployments(scheduler.namespace))
    pods = await api.pods(scheduler.namespace, labels=deployment.spec.selector.match_labels)
    flags = leader.election(deployment)
    lease = await api.lease(flags.namespace, flags.lease) if flags is not None else None
    return leader.target(scheduler, deployment, pods, lease=lease, now=now)


async def find(api: KubernetesApi, scheduler: SchedulerSource) -> Installation:
    """The scheduler of a shard, whether or not a pod of it runs.

    Raises SnapshotError: SchedulerNotFound; APIUnreachable, Unauthorized, Forbidden.
    """
    return installation(scheduler, leader.find_deployment(scheduler, await api.deployments(scheduler.namespace)))


async def download(api: KubernetesApi, target: Target, *, silence_seconds: float, sink: Sink) -> Answer:
    """Gives the archive that `target` serves to `sink`, piece by piece.

    Raises SnapshotError: SourceUnreachable, SourceTimeout, ConnectionCut, NoSchedulerPod, NotLeader, PluginDisabled,
    HTTPStatus; APIUnreachable, Unauthorized, Forbidden.
    """
    endpoint = Endpoint(
        name=f"Pod {target.namespace}/{target.pod}, port {target.port},",
        host=f"127.0.0.1:{target.port}",
        silence_seconds=silence_seconds,
    )
    try:
        async with portforward.forward(api, namespace=target.namespace, pod=target.pod, port=target.port) as stream:
            return await fetch(stream, endpoint, sink=sink)
    except SnapshotError as error:
        if error.reason is Reason.PLUGIN_DISABLED:
            raise await _why_disabled(api, target) from error
        raise


async def download_url(url: str, *, silence_seconds: float, sink: Sink) -> Answer:
    """Gives the archive served at `url` to `sink`; without a path in it, at `/get-snapshot`.

    Raises SnapshotError: InvalidSpec for what is no URL, SourceUnreachable, SourceTimeout, ConnectionCut, NotLeader,
    PluginDisabled, HTTPStatus.
    """
    address = direct.Address.parse(url)
    endpoint = Endpoint(
        name=address.authority, host=address.authority, path=address.path, silence_seconds=silence_seconds
    )
    async with direct.dial(address) as stream:
        return await fetch(stream, endpoint, sink=sink)


async def _why_disabled(api: KubernetesApi, target: Target) -> SnapshotError:
    """Looks where the cause must show; what may not be looked at is left out."""
    config, log = None, None
    with suppress(SnapshotError):
        config = await read_config(api, target.namespace, target.config_map)
    with suppress(SnapshotError):
        log = await api.log_tail(target.namespace, target.pod, container=target.container)
    return diagnosis.plugin_missing(target, config=config, log=log)
