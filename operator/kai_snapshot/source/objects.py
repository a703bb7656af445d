"""The parts of Kubernetes objects that finding and judging a scheduler needs, as the API server writes them."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from pydantic import Field, RootModel

from kai_snapshot.api.base import ApiModel


class ObjectMeta(ApiModel):
    name: str
    namespace: str = ""
    uid: str = ""
    deletion_timestamp: datetime | None = None


class VolumeMount(ApiModel):
    name: str
    mount_path: str


class Container(ApiModel):
    name: str
    image: str = ""
    command: list[str] = Field(default_factory=list)
    args: list[str] = Field(default_factory=list)
    volume_mounts: list[VolumeMount] = Field(default_factory=list)


class ConfigMapVolume(ApiModel):
    name: str = ""


class Volume(ApiModel):
    name: str
    config_map: ConfigMapVolume | None = None


class PodSpec(ApiModel):
    containers: list[Container] = Field(min_length=1)
    volumes: list[Volume] = Field(default_factory=list)


class PodTemplate(ApiModel):
    spec: PodSpec


class LabelSelector(ApiModel):
    match_labels: dict[str, str] = Field(default_factory=dict)


class DeploymentSpec(ApiModel):
    replicas: int = 1
    selector: LabelSelector
    template: PodTemplate


class Deployment(ApiModel):
    metadata: ObjectMeta
    spec: DeploymentSpec


class PodCondition(ApiModel):
    type: str
    status: str
    reason: str = ""


class StateDetail(ApiModel):
    reason: str = ""


class ContainerState(ApiModel):
    waiting: StateDetail | None = None
    terminated: StateDetail | None = None


class ContainerStatus(ApiModel):
    name: str
    image_id: str = Field(default="", alias="imageID")
    state: ContainerState = Field(default_factory=ContainerState)


class PodStatus(ApiModel):
    phase: str = "Unknown"
    reason: str = ""
    conditions: list[PodCondition] = Field(default_factory=list)
    container_statuses: list[ContainerStatus] = Field(default_factory=list)


class Pod(ApiModel):
    metadata: ObjectMeta
    spec: PodSpec
    status: PodStatus = Field(default_factory=PodStatus)

    @property
    def running(self) -> bool:
        """Its containers were started and it is not being deleted."""
        return self.status.phase == "Running" and self.metadata.deletion_timestamp is None

    @property
    def ready(self) -> bool:
        """Running, and Kubernetes counts it among those that work."""
        return self.running and any(c.type == "Ready" and c.status == "True" for c in self.status.conditions)

    @property
    def state(self) -> str:
        """Its state in a word, the most telling there is: `CrashLoopBackOff`, `Unschedulable`, `Pending`."""
        return next(self._telling(), self.status.phase)

    def _telling(self) -> Iterator[str]:
        if self.metadata.deletion_timestamp is not None:
            yield "Terminating"
        for container in self.status.container_statuses:
            for detail in (container.state.waiting, container.state.terminated):
                if detail is not None and detail.reason:
                    yield detail.reason
        if self.status.reason:
            yield self.status.reason
        for condition in self.status.conditions:
            if condition.status == "False" and condition.reason:
                yield condition.reason


class LeaseSpec(ApiModel):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    renew_time: datetime | None = None


class Lease(ApiModel):
    metadata: ObjectMeta
    spec: LeaseSpec = Field(default_factory=LeaseSpec)

    def expired(self, now: datetime, *, skew: timedelta) -> bool:
        """Whether its holder has let it run out, `skew` being how far the clocks may differ."""
        if self.spec.renew_time is None or self.spec.lease_duration_seconds is None:
            return True
        return now > self.spec.renew_time + timedelta(seconds=self.spec.lease_duration_seconds) + skew


class ConfigMap(ApiModel):
    metadata: ObjectMeta
    data: dict[str, str] = Field(default_factory=dict)


class ServerVersion(ApiModel):
    git_version: str


class Namespace(ApiModel):
    metadata: ObjectMeta


class ListMeta(ApiModel):
    continue_: str = Field(default="", alias="continue")


Item = TypeVar("Item", bound=ApiModel)


class Page(ApiModel, Generic[Item]):
    """One page of a list; `metadata.continue_` asks for the next."""

    items: list[Item] | None = None
    metadata: ListMeta = Field(default_factory=ListMeta)


class RawObject(RootModel[dict[str, Any]]):
    """An object as the API server has it."""


class RawPage(ApiModel):
    """One page of a list of such objects."""

    items: list[dict[str, Any]] | None = None
    metadata: ListMeta = Field(default_factory=ListMeta)


class Status(ApiModel):
    """What the API server says when it refuses."""

    message: str = ""
    metadata: ListMeta = Field(default_factory=ListMeta)
    """Of a list that it has forgotten: how to go on nevertheless."""


class Access(ApiModel):
    """What the API server decided about a question."""

    allowed: bool = False


class AccessReview(ApiModel):
    """A question whether somebody may do something, with the answer."""

    status: Access
