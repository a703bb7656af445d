"""Sets the stage: all that a capture and a replay need, in a cluster that is there. Can be done again at once."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.config import Config

from stage import images
from stage.images import Image, Report
from stage.kube import Kube, Object
from toolchain.places import BIN

NAMESPACE = "kai-snapshots"
OTHER_NAMESPACE = "team-a"
"""Served as well, by manifests/components/namespace."""
SCHEDULER_NAMESPACE = "kai-scheduler"
STAGE = "stage"
OPERATOR = "kai-snapshot-operator"
BUCKET = "kai-snapshots"
S3_ENDPOINT = "http://s3.stage.svc:7070"
S3_KEYS = {"AWS_ACCESS_KEY_ID": "stage", "AWS_SECRET_ACCESS_KEY": "only-for-the-stage"}
S3_SECRET = "s3-credentials"
ARCHIVE = "13-gang+fraction+running+overq+prio+three"
"""What the scheduler serves, by its name in the corpus."""

_OBJECTS = Path(__file__).parent / "objects"
_CONTROL_PORT = 8090
_REAL_SCHEDULER_MAY_ALL = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "stage-scheduler"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"kind": "ServiceAccount", "name": "scheduler", "namespace": SCHEDULER_NAMESPACE}],
}


@dataclass(frozen=True)
class Cast:
    """The images that play. `scheduler` and `tool` are real ones where a person names them."""

    operator: Image
    s3_server: Image
    scheduler: Image | str
    tools: tuple[Image, ...] = ()
    tool: str | None = None
    """A name with `{version}` in it."""

    @property
    def standins(self) -> list[Image]:
        """Those to build and load."""
        scheduler = [self.scheduler] if isinstance(self.scheduler, Image) else []
        return [self.operator, self.s3_server, *scheduler, *self.tools]

    @property
    def scheduler_is_standin(self) -> bool:
        """Whether it is known what is served."""
        return isinstance(self.scheduler, Image)

    @property
    def plays_back(self) -> bool:
        """Whether it is known what a replay comes to: the real tool gives another result each time."""
        return self.scheduler_is_standin and self.tool is None

    @property
    def tool_template(self) -> str:
        """The operator's setting."""
        return self.tool or f"{self.tools[0].repository}:{{version}}"


def cast(*, scheduler_image: str | None = None, tool_image: str | None = None) -> Cast:
    """Stand-ins, but for those that are named."""
    tools = () if tool_image else tuple(images.snapshot_tool(version) for version in images.TOOL_VERSIONS)
    return Cast(images.operator(), images.s3_server(), scheduler_image or images.scheduler(), tools, tool_image)


def set_up(kube: Kube, cluster: str, players: Cast, report: Report) -> None:
    """Everything, and waits until it is ready."""
    surround(kube, cluster, players, report)
    report("starting the operator")
    kube.apply(*operator_objects(kube, players))
    kube.apply(*(secret(S3_SECRET, namespace, S3_KEYS) for namespace in (NAMESPACE, OTHER_NAMESPACE)))
    kube.apply(*(each for each in samples(kube) if each["kind"] == "PersistentVolumeClaim"))
    _volumes(kube, players, NAMESPACE)
    kube.rolled_out(OPERATOR, NAMESPACE)


def surround(kube: Kube, cluster: str, players: Cast, report: Report) -> None:
    """Everything but the operator, and waits until it is ready."""
    kube.apply(*map(_namespace, (STAGE, SCHEDULER_NAMESPACE, OTHER_NAMESPACE)))
    images.load(kube, cluster, kind=BIN / "kind", wanted=players.standins, report=report)
    report("starting the S3 server and the scheduler")
    kube.apply(*_with_images(_objects("s3.yaml"), {"s3": players.s3_server.reference}))
    kube.apply(*_scheduler(players))
    _volumes(kube, players, STAGE)
    kube.rolled_out("s3", STAGE)
    with s3(kube) as bucket:
        _ensure_bucket(bucket)
    kube.rolled_out("kai-scheduler-default", SCHEDULER_NAMESPACE)


def _volumes(kube: Kube, players: Cast, namespace: str) -> None:
    """The volume and the hand that makes it, or the look at it from the operator's namespace."""
    objects = [each for each in _objects("volumes.yaml") if each["metadata"].get("namespace", STAGE) == namespace]
    (pod,) = (each["metadata"]["name"] for each in objects if each["kind"] == "Pod")
    if kube.get("pod", pod, namespace) is None:  # pods cannot be changed
        kube.apply(*_with_images(objects, {"operator": players.operator.reference}))


def operator_objects(kube: Kube, players: Cast) -> list[Object]:
    """The operator as manifests/ installs it, with the image built here and where to find the tool's."""
    rendered = list(yaml.safe_load_all(kube.run("kustomize", str(Path(__file__).parent / "operator"))))
    deployment = next(each for each in rendered if each["kind"] == "Deployment")
    containers = deployment["spec"]["template"]["spec"]["containers"]
    for container in containers:
        container["image"] = players.operator.reference
    containers[0]["env"] += [
        {"name": "KAI_SNAPSHOT_TOOL_IMAGE", "value": players.tool_template},
        {"name": "KAI_SNAPSHOT_PRIVILEGED_NAMESPACES", "value": f"{NAMESPACE},{OTHER_NAMESPACE}"},
    ]
    return rendered


def _scheduler(players: Cast) -> list[Object]:
    objects = _objects("scheduler.yaml")
    if not isinstance(players.scheduler, Image):
        return [*_with_images(objects, {"scheduler": players.scheduler}), _REAL_SCHEDULER_MAY_ALL]
    return [standin_scheduler(each, players.scheduler) if each["kind"] == "Deployment" else each for each in objects]


def standin_scheduler(deployment: Object, image: Image, *, archive: str = ARCHIVE, behaviour: str = "serve") -> Object:
    """A scheduler's Deployment with the stand-in as its program."""
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["image"] = image.reference
    served = [f"--archive=/corpus/{archive}/snapshot.zip", f"--behaviour={behaviour}"]
    container["command"] = ["python3", "/scheduler.py", *served]
    container["ports"] = [{"name": "control", "containerPort": _CONTROL_PORT}]
    probe = {"httpGet": {"path": "/healthz", "port": "control"}, "periodSeconds": 1, "timeoutSeconds": 10}
    container["readinessProbe"] = probe
    return deployment


def samples(kube: Kube) -> list[Object]:
    """manifests/samples, with the stage's S3 server and volume."""
    return list(yaml.safe_load_all(kube.run("kustomize", str(Path(__file__).parent / "samples"))))


def secret(name: str, namespace: str, data: dict[str, str]) -> Object:
    """A Secret."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}


@contextmanager
def s3(kube: Kube) -> Iterator[Any]:
    """A boto3 client of the S3 server."""
    with kube.forward("service/s3", STAGE, 7070) as port:
        yield boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id=S3_KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=S3_KEYS["AWS_SECRET_ACCESS_KEY"],
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )


def _ensure_bucket(client: Any) -> None:
    if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
        client.create_bucket(Bucket=BUCKET)


def _namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _objects(file: str) -> list[Object]:
    return list(yaml.safe_load_all((_OBJECTS / file).read_text()))


def _with_images(objects: Sequence[Object], names: Mapping[str, str]) -> list[Object]:
    """The objects, with images for the words that stand for them."""
    for each in objects:
        pod = each["spec"] if each["kind"] == "Pod" else each.get("spec", {}).get("template", {}).get("spec", {})
        for container in pod.get("containers", ()):
            container["image"] = names[container["image"]]
    return list(objects)
