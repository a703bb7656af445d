"""A node without a machine, by kwok: pods there run until they are told that they have ended, and take nothing."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from stage.kube import Kube
from support.eventually import eventually
from support.objects import Object

NAME: Final = "fake-node"
STAGES: Final = Path(__file__).with_name("kwok.yaml")
ENDED: Final = {"metadata": {"annotations": {"ended": "true"}}}
"""The patch that lets a pod end well."""
THERE: Final[Object] = {
    "nodeSelector": {"kubernetes.io/hostname": NAME},
    "tolerations": [{"key": NAME, "operator": "Exists"}],
}
"""In a pod's spec: runs there, and only there."""


@contextmanager
def fake_node(kube: Kube, *, kwok: Path, kubeconfig: Path, log: Path) -> Iterator[None]:
    """The node, while kwok plays its kubelet."""
    kube.apply(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": NAME,
                "labels": {"kubernetes.io/hostname": NAME},
                "annotations": {"kwok.x-k8s.io/node": "fake"},
            },
            "spec": {"taints": [{"key": NAME, "effect": "NoSchedule"}]},
        }
    )
    command = [
        str(kwok), f"--kubeconfig={kubeconfig.absolute()}", f"--config={STAGES}", f"--manage-single-node={NAME}",
        "--node-ip=10.250.0.2", "--node-lease-duration-seconds=40", "--server-address=127.0.0.1:0",
    ]  # fmt: skip
    # an etcd of Debian's age cannot stream lists
    environment = {**os.environ, "KUBE_FEATURE_WatchListClient": "false"}
    with log.open("w") as said, subprocess.Popen(command, env=environment, stdout=said, stderr=said) as process:
        try:
            eventually(lambda: _is_ready(kube, process), what=f"{NAME} is Ready; see {log}")
            yield
        finally:
            process.terminate()
    kube.delete("node", NAME)


def _is_ready(kube: Kube, process: "subprocess.Popen[bytes]") -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"kwok ended with {process.returncode}")
    node = kube.get("node", NAME)
    conditions = (node or {}).get("status", {}).get("conditions", ())
    return any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)
