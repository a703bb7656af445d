"""A shard's scheduler as its Deployment describes it, whether or not a pod of it runs."""

from collections.abc import Mapping
from dataclasses import dataclass

from kai_snapshot.api.source import SchedulerSource
from kai_snapshot.source.flags import config_map, image_tag, parse_flags, scheduler_container, words
from kai_snapshot.source.objects import Deployment


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What a scheduler would be started with."""

    namespace: str
    deployment: str
    shard: str
    image: str
    version: str | None
    """The image's tag; None for an image named by its digest only."""
    flags: Mapping[str, str]
    """Its arguments."""
    config_map: str | None
    """Where its configuration comes from; None if it is not mounted from a ConfigMap."""


def installation(scheduler: SchedulerSource, deployment: Deployment) -> Installation:
    """What the Deployment of that shard says."""
    pod = deployment.spec.template.spec
    container = scheduler_container(pod)
    flags = parse_flags(words(container))
    return Installation(
        namespace=scheduler.namespace,
        deployment=deployment.metadata.name,
        shard=scheduler.shard,
        image=container.image,
        version=image_tag(container.image),
        flags=flags,
        config_map=config_map(pod, container, flags.get("scheduler-conf", "")),
    )
