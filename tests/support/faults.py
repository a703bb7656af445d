"""The fault proxy in the cluster, and how a test uses it."""

import json
from pathlib import Path

from stage import stage
from stage.kube import Kube
from support.objects import Object

NAME = "fault-proxy"
ENDPOINT = f"http://{NAME}.{stage.STAGE}.svc:7070"
SCRIPT = Path(__file__).with_name("faultproxy.py")


class Faults:
    """A proxy in front of the stage's S3 server."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def set_up(self, image: str) -> None:
        """Starts it."""
        self._kube.apply(*_objects(image))
        self._kube.rolled_out(NAME, stage.STAGE)

    def fail(self, match: str) -> None:
        """Requests whose method and path match get a 503."""
        self._set(match, "fail")

    def hold(self, match: str) -> None:
        """Requests whose method and path match do not come through until `clear`."""
        self._set(match, "hold")

    def clear(self) -> None:
        """All pass."""
        self._set("", "pass")

    def seen(self) -> int:
        """How many requests met the fault."""
        return int(self._kube.get_raw(f"{self._control()}/seen"))

    def _set(self, match: str, do: str) -> None:
        self._kube.post_raw(f"{self._control()}/fault", json.dumps({"match": match, "do": do}))

    def _control(self) -> str:
        return f"/api/v1/namespaces/{stage.STAGE}/services/{NAME}:control/proxy"


def _objects(image: str) -> list[Object]:
    metadata = {"name": NAME, "namespace": stage.STAGE}
    labels = {"app": NAME}
    container = {
        "name": "proxy",
        "image": image,
        "command": ["python", "/script/faultproxy.py", f"--target={stage.S3_ENDPOINT}"],
        "ports": [{"name": "s3", "containerPort": 7070}, {"name": "control", "containerPort": 7071}],
        "readinessProbe": {"httpGet": {"path": "/seen", "port": "control"}, "periodSeconds": 1},
        "volumeMounts": [{"name": "script", "mountPath": "/script"}],
    }
    pod = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
        "volumes": [{"name": "script", "configMap": {"name": NAME}}],
    }
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {SCRIPT.name: SCRIPT.read_text()}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "strategy": {"type": "Recreate"},  # a fault is set in one pod
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": labels, "ports": [{"name": "s3", "port": 7070}, {"name": "control", "port": 7071}]},
        },
    ]
