"""More schedulers: a shard of a test's own, whose behaviour is nobody else's business."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from stage import stage
from stage.images import Image
from stage.kube import Kube
from support.objects import Object

_OBJECTS = Path(stage.__file__).parent / "objects" / "scheduler.yaml"


@dataclass(frozen=True)
class Shard:
    """A shard, served by the stand-in."""

    kube: Kube
    name: str

    @property
    def source(self) -> Object:
        """As `source` in a spec."""
        return {"scheduler": {"shard": self.name}}

    @property
    def deployment(self) -> str:
        """The name of its Deployment."""
        return f"kai-scheduler-{self.name}"

    def pods(self) -> list[Object]:
        """Its pods."""
        return self.kube.list("pods", stage.SCHEDULER_NAMESPACE, selector=f"app={self.deployment}")

    def behave(self, behaviour: str) -> None:
        """From now on."""
        for pod in self.pods():
            path = f"/api/v1/namespaces/{stage.SCHEDULER_NAMESPACE}/pods/{pod['metadata']['name']}:8090/proxy/behaviour"
            self.kube.post_raw(path, behaviour)

    def requests(self) -> int:
        """How often its pods were asked for a snapshot."""
        paths = (
            f"/api/v1/namespaces/{stage.SCHEDULER_NAMESPACE}/pods/{pod['metadata']['name']}:8090/proxy/requests"
            for pod in self.pods()
        )
        return sum(int(self.kube.get_raw(path)) for path in paths)


def shard(
    kube: Kube,
    image: Image,
    name: str,
    *,
    archive: str = stage.ARCHIVE,
    behaviour: str = "serve",
    replicas: int = 1,
    config_map: bool = True,
) -> Shard:
    """Starts, or changes, the shard, and waits until its pods are Ready. Several replicas elect a leader."""
    deployment = next(each for each in yaml.safe_load_all(_OBJECTS.read_text()) if each["kind"] == "Deployment")
    made = Shard(kube, name)
    deployment["metadata"] |= {"name": made.deployment, "labels": {"app": made.deployment}}
    spec = deployment["spec"]
    spec |= {"replicas": replicas, "selector": {"matchLabels": {"app": made.deployment}}}
    spec["template"]["metadata"]["labels"] = {"app": made.deployment}
    container = spec["template"]["spec"]["containers"][0]
    container["args"].append(f"--partition-label-value={name}")
    if replicas > 1:
        container["args"].append("--leader-elect=true")
    if not config_map:
        container["volumeMounts"], spec["template"]["spec"]["volumes"] = [], []
    kube.apply(stage.standin_scheduler(deployment, image, archive=archive, behaviour=behaviour))
    kube.rolled_out(made.deployment, stage.SCHEDULER_NAMESPACE)
    return made
