"""Which scheduler a capture asks, and how long it may be silent."""

from typing import Literal

from pydantic import Field

from kai_snapshot.api.base import ApiModel

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"


class SchedulerSource(ApiModel):
    """A shard of a KAI Scheduler. Pod, port and leader are found from its Deployment, its Lease and its arguments."""

    namespace: str = Field(default="kai-scheduler", min_length=1, max_length=63, pattern=DNS_LABEL)
    """The namespace KAI Scheduler is installed in."""
    name: str = Field(default="kai-scheduler", min_length=1, max_length=63, pattern=DNS_SUBDOMAIN)
    """The scheduler's name, as pods have it in spec.schedulerName."""
    shard: str = Field(default="default", min_length=1, max_length=63, pattern=DNS_SUBDOMAIN)
    """The name of the SchedulingShard. Its Deployment is `<name>-<shard>`, before KAI v0.10 `scheduler`."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """The port of the scheduler's plugin server. Absent: as its arguments say, else 8081."""


class Source(ApiModel):
    """Where a snapshot comes from."""

    scheduler: SchedulerSource = Field(default_factory=SchedulerSource)
    """The scheduler to ask."""
    timeout_seconds: int = Field(default=60, ge=1, le=3600)
    """The longest silence of the scheduler, not the whole transfer. Before v0.15 it is silent until all is built."""
    fallback: Literal["KubernetesAPI"] | None = None
    """KubernetesAPI: if the scheduler does not answer, build the snapshot from the API server's lists. Absent: fail."""
