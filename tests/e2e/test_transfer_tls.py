"""Jobs speak to the operator that made them and to nobody else, also while its certificate is replaced."""

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kai_snapshot.jobs import names
from kai_snapshot.runs.certificates import SECRET
from kai_snapshot.transfer.certificates import LIFETIME, RENEWAL, Certificates, from_secret, make, to_secret
from stage import images, stage
from stage.images import Image
from stage.kube import Kube
from stage.stage import Cast
from support import impostor
from support.archives import InBucket
from support.eventually import eventually
from support.objects import Object, replay
from support.operatorpod import Operator
from support.seeds import upload
from support.story import Story

SERVICE = "kai-snapshot-transfer"
HOST = f"{SERVICE}.{stage.NAMESPACE}.svc"
GOOD = "v0.17.0"
DAY = timedelta(days=1)


@pytest.fixture
def man_in_the_middle(kube: Kube, players: Cast) -> Iterator[Callable[[], str]]:
    """The Service leads to an impostor with a certificate for its name; gives what that has printed."""
    meta = {"name": "impostor", "namespace": stage.NAMESPACE, "labels": {"app": "impostor"}}
    certificate = make(HOST, datetime.now(UTC))
    script = Path(impostor.__file__)
    files = {script.name: script.read_text(), "tls.pem": certificate.certificate + certificate.key}
    pod = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": names.NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "impostor",
                "image": players.operator.reference,
                "command": ["python", f"/files/{script.name}", "/files/tls.pem"],
                "ports": [{"name": "transfer", "containerPort": impostor.PORT}],
                "readinessProbe": {"tcpSocket": {"port": "transfer"}, "periodSeconds": 1},
                "volumeMounts": [{"name": "files", "mountPath": "/files"}],
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
        "volumes": [{"name": "files", "configMap": {"name": "impostor"}}],
    }
    kube.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": files},
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod},
    )
    kube.run("wait", "pod/impostor", "--for=condition=Ready", f"--namespace={stage.NAMESPACE}", "--timeout=60s")
    service = kube.get("service", SERVICE, stage.NAMESPACE)
    assert service is not None
    right = service["spec"]["selector"]
    lead_to(kube, dict.fromkeys(right) | {"app": "impostor"})
    yield lambda: kube.run("logs", "pod/impostor", f"--namespace={stage.NAMESPACE}")
    lead_to(kube, {"app": None} | right)
    for kind in ("pod", "configmap"):
        kube.delete(kind, "impostor", stage.NAMESPACE, now=kind == "pod")


def lead_to(kube: Kube, selector: Object) -> None:
    """Lets the Service lead there, and waits until it does."""
    kube.patch("service", SERVICE, stage.NAMESPACE, {"spec": {"selector": selector}})
    wanted = ",".join(f"{key}={value}" for key, value in selector.items() if value)

    def leads() -> bool:
        slices = kube.list("endpointslices", stage.NAMESPACE, selector=f"kubernetes.io/service-name={SERVICE}")
        ready = {each["targetRef"]["name"] for found in slices for each in found["endpoints"] or ()}
        return ready == {pod["metadata"]["name"] for pod in kube.list("pods", stage.NAMESPACE, selector=wanted)}

    eventually(leads, what=f"{SERVICE} leads to {wanted}")


def test_a_man_in_the_middle_is_told_nothing_and_the_replay_says_why(
    man_in_the_middle: Callable[[], str], story: Story, bucket: InBucket, tag: str
) -> None:
    source = upload(bucket, stage.ARCHIVE)
    over = story.finished(story.create(replay(f"watched-{tag}", of=source, versions=[GOOD], backoffLimit=0)))
    (result,) = over["status"]["results"]
    assert (result["outcome"], result["attempt"]) == ("ResultLost", 2)
    assert "TLSVerificationFailed: " in result["message"]
    assert f"who answers at https://{HOST}:8082 is not the operator that this Job was made by" in result["message"]
    said = man_in_the_middle()
    assert "came" in said
    assert "told" not in said


def test_a_job_that_runs_while_the_certificate_is_replaced_hands_in_its_result(
    kube: Kube, operator: Operator, story: Story, bucket: InBucket, load: Callable[[Image], Image], tag: str
) -> None:
    now = datetime.now(UTC)
    operator.stop()
    keep(kube, Certificates(make(HOST, now - LIFETIME + RENEWAL - DAY)))
    operator.start()
    due = kept(kube)
    assert due.following is not None, "the next was made"

    hang = {"name": "hang", "image": load(images.snapshot_tool(GOOD, behaviour="hang")).reference}
    source = upload(bucket, stage.ARCHIVE)
    obj = story.create(replay(f"rotated-{tag}", of=source, versions=[hang], activeDeadlineSeconds=20))
    story.until(obj, lambda seen: seen["status"].get("results", [{}])[0].get("imageID"))  # the archive is fetched
    operator.stop()
    keep(kube, Certificates(make(HOST, now - LIFETIME - DAY), due.following))
    operator.start()
    assert kept(kube) == Certificates(due.following), "and is served now"

    over = story.finished(obj)
    (result,) = over["status"]["results"]
    assert (result["outcome"], result["attempt"]) == ("DeadlineExceeded", 1)
    assert "logURI" in result


def keep(kube: Kube, certificates: Certificates) -> None:
    """Puts them where the operator finds them."""
    found = kube.get("secret", SECRET, stage.NAMESPACE)
    assert found is not None
    data = {key: base64.b64encode(text.encode()).decode() for key, text in to_secret(certificates).items()}
    kube.patch("secret", SECRET, stage.NAMESPACE, {"data": dict.fromkeys(found["data"]) | data})


def kept(kube: Kube) -> Certificates:
    """Those that the operator keeps."""
    found = kube.get("secret", SECRET, stage.NAMESPACE)
    assert found is not None
    certificates = from_secret({key: base64.b64decode(text) for key, text in found["data"].items()})
    assert certificates is not None
    return certificates
