"""More schedulers: a shard of a test's own, whose behaviour is nobody else's business."""

import urllib.request
from dataclasses import dataclass
from pathlib import Path

import yaml

from stage import stage
from stage.images import Image
from stage.kube import Kube
from support.objects import Object

CONTROL_PORT = 8090
"""Where the stand-in is told what to do."""
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
            self.kube.post_raw(_control(pod, "behaviour"), behaviour)

    def serve(self, archive: bytes) -> None:
        """What it serves from now on."""
        for pod in self.pods():
            target = f"pod/{pod['metadata']['name']}"
            with self.kube.forward(target, stage.SCHEDULER_NAMESPACE, CONTROL_PORT) as port:
                request = urllib.request.Request(f"http://127.0.0.1:{port}/archive", data=archive, method="PUT")
                with urllib.request.urlopen(request, timeout=30) as response:
                    assert response.status == 200

    def requests(self) -> int:
        """How often its pods were asked for a snapshot."""
        return sum(int(self.kube.get_raw(_control(pod, "requests"))) for pod in self.pods())


def _control(pod: Object, what: str) -> str:
    """The path of the API server that leads there."""
    name = f"{pod['metadata']['name']}:{CONTROL_PORT}"
    return f"/api/v1/namespaces/{stage.SCHEDULER_NAMESPACE}/pods/{name}/proxy/{what}"


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
