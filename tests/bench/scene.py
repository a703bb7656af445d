"""What captures are measured on: a cluster with a scheduler's stand-in in it, and an S3 server on this machine."""

import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection, create_server

import yaml

from stage import images, stage
from stage.kube import Kube
from support.eventually import eventually
from toolchain.places import BIN

CLUSTER = "kai-snapshot-bench"
KEYS = ("bench", "only-for-the-bench")
BUCKET = "bench"
CONTROL_PORT, PLUGIN_PORT = 8090, 8081


@dataclass(frozen=True)
class Scene:
    """A cluster, and the pod in it that serves snapshots."""

    kube: Kube
    kubeconfig: Path
    pod: str

    @contextmanager
    def endpoint(self) -> Iterator[str]:
        """The URL at which kubectl port-forward leads to the snapshot."""
        with self.kube.forward(f"pod/{self.pod}", stage.SCHEDULER_NAMESPACE, PLUGIN_PORT) as port:
            yield f"http://127.0.0.1:{port}/get-snapshot"

    def behave(self, behaviour: str) -> None:
        """From now on the pod answers so; see support.scheduler."""
        self._control("behaviour", behaviour.encode())

    def serve(self, archive: Path) -> None:
        """From now on the pod serves this archive."""
        self._control("archive", archive.read_bytes())
        self.behave("serve")

    def _control(self, path: str, body: bytes) -> None:
        with self.kube.forward(f"pod/{self.pod}", stage.SCHEDULER_NAMESPACE, CONTROL_PORT) as port:
            request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}", data=body, method="PUT")
            with urllib.request.urlopen(request, timeout=300) as response:
                response.read()


@contextmanager
def scene(directory: Path, report: images.Report) -> Iterator[Scene]:
    """Starts the cluster, and removes it in the end."""
    kubeconfig = directory / "kubeconfig"
    cluster = ("--name", CLUSTER, "--kubeconfig", str(kubeconfig))
    report("starting the cluster")
    subprocess.run([BIN / "kind", "create", "cluster", *cluster], check=True, capture_output=True)
    try:
        kube = Kube(BIN / "kubectl", kubeconfig)
        scheduler = images.scheduler()
        kube.apply(*({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in _NAMESPACES))
        images.load(kube, CLUSTER, kind=BIN / "kind", wanted=[scheduler], report=report)
        kube.apply(*(_standin(each, scheduler) for each in yaml.safe_load_all(_SCHEDULER.read_text())))
        kube.rolled_out("kai-scheduler-default", stage.SCHEDULER_NAMESPACE)
        (pod,) = kube.list("pods", stage.SCHEDULER_NAMESPACE, selector="app=kai-scheduler-default")
        yield Scene(kube, kubeconfig, pod["metadata"]["name"])
    finally:
        subprocess.run([BIN / "kind", "delete", "cluster", *cluster], check=True, capture_output=True)


_NAMESPACES = (stage.STAGE, stage.SCHEDULER_NAMESPACE)
_SCHEDULER = Path(stage.__file__).parent / "objects" / "scheduler.yaml"


def _standin(obj: dict[str, object], image: images.Image) -> dict[str, object]:
    return stage.standin_scheduler(obj, image) if obj["kind"] == "Deployment" else obj


@contextmanager
def s3_server(directory: Path) -> Iterator[str]:
    """The URL of an S3 server with an empty bucket; what it keeps is in the directory."""
    with create_server(("127.0.0.1", 0)) as socket:
        port = socket.getsockname()[1]
    buckets, attributes = directory / "buckets", directory / "attributes"
    for path in (buckets / BUCKET, attributes):
        path.mkdir(parents=True)
    keys = (f"--access={KEYS[0]}", f"--secret={KEYS[1]}")
    command = [str(BIN / "versitygw"), "--quiet", f"--port=127.0.0.1:{port}", *keys]
    with subprocess.Popen(
        [*command, "posix", f"--sidecar={attributes}", str(buckets)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            eventually(lambda: _listens(port), timeout=20, interval=0.1, what="the S3 server listens")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _listens(port: int) -> bool:
    try:
        create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionError:
        return False
    return True
