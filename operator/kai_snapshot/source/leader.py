"""Decides which pod of a scheduler to ask for a snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kai_snapshot.api.source import SchedulerSource
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.source.flags import (
    SchedulerFlags,
    config_map,
    image_tag,
    is_scheduler,
    read_flags,
    scheduler_container,
)
from kai_snapshot.source.objects import Deployment, Lease, Pod

DEPLOYMENT_BEFORE_SHARDS = "scheduler"
"""The only Deployment up to KAI v0.9; since v0.10 each shard has one of its own."""
CLOCK_SKEW = timedelta(seconds=30)
"""How far the clock of the scheduler's node may be behind before a Lease that is renewed looks expired."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The pod that answers for a shard, and what is known of it beforehand."""

    namespace: str
    deployment: str
    shard: str
    pod: str
    container: str
    port: int
    image: str
    image_id: str
    """The image that really runs, with its digest; empty if the kubelet has not said yet."""
    version: str | None
    """The image's tag; None for an image named by its digest only."""
    partition: str
    """The value of the node pool label the shard is limited to; empty for the nodes without it."""
    config_map: str | None
    """Where the scheduler's configuration comes from; None if it is not mounted from a ConfigMap."""


def find_deployment(scheduler: SchedulerSource, deployments: Sequence[Deployment]) -> Deployment:
    """The Deployment of a shard among all of its namespace.

    Raises TerminalError (SchedulerNotFound), naming the schedulers there are.
    """
    by_name = {deployment.metadata.name: deployment for deployment in deployments}
    wanted = f"{scheduler.name}-{scheduler.shard}"
    names = [wanted, DEPLOYMENT_BEFORE_SHARDS] if scheduler.shard == "default" else [wanted]
    for name in names:
        if name in by_name:
            return by_name[name]
    there = sorted(name for name, found in by_name.items() if is_scheduler(found.spec.template.spec))
    hint = (
        f"The schedulers there are {', '.join(there[:5])}: correct name or shard."
        if there
        else "No KAI scheduler is there: correct the namespace, or install KAI Scheduler."
    )
    raise TerminalError(
        Reason.SCHEDULER_NOT_FOUND,
        f"There is no Deployment {' or '.join(names)} in namespace {scheduler.namespace}. {hint}",
    )


def election(deployment: Deployment) -> SchedulerFlags | None:
    """The flags that name the Lease of a Deployment whose replicas elect a leader; None if they do not."""
    flags = read_flags(scheduler_container(deployment.spec.template.spec))
    return flags if flags.elects or deployment.spec.replicas > 1 else None


def target(
    scheduler: SchedulerSource, deployment: Deployment, pods: Sequence[Pod], *, lease: Lease | None, now: datetime
) -> Target:
    """The pod to ask: the Lease's holder, without a Lease the only one that is Ready.

    Raises TransientError: NoSchedulerPod or NoLeader.
    """
    if lease is None or (lease.expired(now, skew=CLOCK_SKEW) and not any(pod.ready for pod in pods)):
        pod = _only_ready(deployment, pods)  # where no pod works, their state says more than the Lease they left
    else:
        pod = _holder(deployment, pods, lease, now=now)
    container = scheduler_container(pod.spec)
    flags = read_flags(container)
    statuses = {status.name: status for status in pod.status.container_statuses}
    return Target(
        namespace=scheduler.namespace,
        deployment=deployment.metadata.name,
        shard=scheduler.shard,
        pod=pod.metadata.name,
        container=container.name,
        port=scheduler.port or flags.port,
        image=container.image,
        image_id=statuses[container.name].image_id if container.name in statuses else "",
        version=image_tag(container.image),
        partition=flags.partition,
        config_map=config_map(pod.spec, container, flags.config_file),
    )


def _holder(deployment: Deployment, pods: Sequence[Pod], lease: Lease, *, now: datetime) -> Pod:
    name = f"Lease {lease.metadata.namespace}/{lease.metadata.name}"
    holder = (lease.spec.holder_identity or "").split("_", 1)[0]
    if not holder:
        raise _no_leader(
            f"Nobody holds the {name}: the replicas of Deployment {deployment.metadata.name} elect a leader."
        )
    if lease.expired(now, skew=CLOCK_SKEW):
        raise _no_leader(
            f"The {name} has expired: its holder {holder} has stopped renewing it and no other pod has taken it."
        )
    pod = next((pod for pod in pods if pod.metadata.name == holder), None)
    if pod is None:
        raise _no_leader(
            f"{holder} holds the {name}, but is no pod of Deployment {deployment.metadata.name} (any more)."
        )
    if not pod.running:
        raise _no_leader(f"{holder} holds the {name}, but is not running: {pod.state}.")
    return pod


def _no_leader(what: str) -> SnapshotError:
    return TransientError(
        Reason.NO_LEADER, f"{what} Try again when a scheduler pod leads; if none ever does, see the log of its pods."
    )


def _only_ready(deployment: Deployment, pods: Sequence[Pod]) -> Pod:
    name = f"Deployment {deployment.metadata.namespace}/{deployment.metadata.name}"
    ready = [pod for pod in pods if pod.ready]
    if len(ready) == 1:
        return ready[0]
    if ready:
        raise _no_leader(f"{len(ready)} pods of {name} are Ready, and no Lease says which one leads.")
    if deployment.spec.replicas == 0:
        raise TransientError(Reason.NO_SCHEDULER_POD, f"{name} is scaled to 0: scale it up to capture.")
    states = ", ".join(f"{pod.metadata.name} is {pod.state}" for pod in pods[:3]) or "it has no pods"
    raise TransientError(Reason.NO_SCHEDULER_POD, f"No pod of {name} is Ready: {states}. See `kubectl describe` of it.")
