"""What goes wrong at the storage ends in a reason of its own, says what to do, and leaves nothing half-written."""

import secrets
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from stage import stage
from stage.kube import Kube
from stage.stage import Cast
from support import documents
from support.archives import InBucket
from support.certificates import Authority
from support.faults import ENDPOINT, Faults
from support.kstatus import condition, is_true, verdict
from support.objects import Object, capture
from support.schedulers import Shard
from support.story import Story
from support.troubles import failed

TLS_ENDPOINT = f"https://s3-tls.{stage.STAGE}.svc:7070"
AUTHORITY = {"name": "trouble-authority"}
OTHER_AUTHORITY = {"name": "trouble-other-authority"}
PART = 8 << 20
"""Of a multipart upload."""


@dataclass(frozen=True)
class Trouble:
    """A storage, and what is to be said of it."""

    s3: Mapping[str, Any]
    """How it differs from the one that works."""
    reason: str
    says: str
    """What the message must hold: what to do."""
    keys: Mapping[str, str] | None = None
    """A Secret of its own."""


WRONG_KEY = "not-the-one"
REFUSED = {
    "the secret key is wrong": Trouble(
        {},
        "AccessDenied",
        "correct the keys in the Secret",
        keys={**stage.S3_KEYS, "AWS_SECRET_ACCESS_KEY": WRONG_KEY},
    ),
    "nobody has the access key": Trouble(
        {}, "AccessDenied", "correct the keys in the Secret", keys={**stage.S3_KEYS, "AWS_ACCESS_KEY_ID": "nobody"}
    ),
    "the bucket does not exist": Trouble(
        {"bucket": "no-such-bucket"}, "BucketNotFound", "create it, or correct its name"
    ),
    "the Secret does not exist": Trouble(
        {"credentialsSecretRef": {"name": "trouble-nowhere"}},
        "CredentialsNotFound",
        "Secret kai-snapshots/trouble-nowhere does not exist: create it with AWS_ACCESS_KEY_ID",
    ),
    "the Secret lacks a key": Trouble(
        {}, "CredentialsNotFound", "AWS_SECRET_ACCESS_KEY", keys={"AWS_ACCESS_KEY_ID": "stage"}
    ),
    "nobody knows the authority of its certificate": Trouble(
        {"endpoint": TLS_ENDPOINT}, "TLSVerificationFailed", "name the authority in caSecretRef"
    ),
    "its certificate is of another authority": Trouble(
        {"endpoint": TLS_ENDPOINT, "caSecretRef": OTHER_AUTHORITY},
        "TLSVerificationFailed",
        "name the authority in caSecretRef, or correct `endpoint`",
    ),
}


@pytest.fixture(scope="module")
def over_tls(kube: Kube, players: Cast) -> Iterator[None]:
    """One more S3 server, with TLS and the bucket; `AUTHORITY` vouches for it."""
    authority = Authority()
    certificate, key = authority.issue(TLS_ENDPOINT.removeprefix("https://").partition(":")[0])
    kube.apply(
        stage.secret("s3-tls", stage.STAGE, {"tls.crt": certificate, "tls.key": key}),
        stage.secret(AUTHORITY["name"], stage.NAMESPACE, {"ca.crt": authority.pem}),
        stage.secret(OTHER_AUTHORITY["name"], stage.NAMESPACE, {"ca.crt": Authority().pem}),
        *s3_over_tls(players),
    )
    kube.rolled_out("s3-tls", stage.STAGE)
    yield
    kube.delete("deployment", "s3-tls", stage.STAGE, wait=False)


def s3_over_tls(players: Cast) -> list[Object]:
    """The stage's S3 server again. To it a bucket is a directory."""
    objects = list(yaml.safe_load_all((Path(stage.__file__).parent / "objects" / "s3.yaml").read_text()))
    deployment, service = objects
    for each in objects:
        each["metadata"]["name"] = "s3-tls"
    pod = deployment["spec"]["template"]
    deployment["spec"]["selector"]["matchLabels"] = pod["metadata"]["labels"] = {"app": "s3-tls"}
    # with another certificate it is another pod
    pod["metadata"]["annotations"] = {"version": secrets.token_hex(4)}
    service["spec"]["selector"] = {"app": "s3-tls"}
    server = pod["spec"]["containers"][0]
    server["image"] = players.s3_server.reference
    server["args"] = ["--cert=/tls/tls.crt", "--key=/tls/tls.key", *server["args"]]
    mkdir = {
        "name": "bucket",
        "image": players.operator.reference,
        "command": ["mkdir", "-p", f"/data/buckets/{stage.BUCKET}"],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    server["volumeMounts"].append({"name": "tls", "mountPath": "/tls"})
    pod["spec"] |= {"initContainers": [mkdir], "containers": [server]}
    pod["spec"]["volumes"].append({"name": "tls", "secret": {"secretName": "s3-tls"}})
    return objects


@pytest.fixture(scope="module")
def captures(kube: Kube, s3: Any, over_tls: None) -> Iterator[Mapping[str, tuple[Object, InBucket]]]:
    """A capture to each storage that makes trouble, all at once."""
    story, tag = Story(kube), secrets.token_hex(2)
    made = {}
    for number, (what, trouble) in enumerate(REFUSED.items()):
        name, place = f"trouble-{tag}-{number}", InBucket(s3, f"e2e/{tag}/{number}")
        storage = differing(place, **trouble.s3)
        if trouble.keys is not None:
            story.create(stage.secret(name, stage.NAMESPACE, dict(trouble.keys)))
            storage = differing(place, **trouble.s3, credentialsSecretRef={"name": name})
        made[what] = story.create(capture(name, storage=storage, retries=0)), place
    yield made
    story.end()


def differing(place: InBucket, **s3: Any) -> Object:
    """As `storage` in a spec, not quite as it works."""
    return {"s3": {**place.spec["s3"], **s3}}


@pytest.mark.parametrize(("what", "trouble"), REFUSED.items(), ids=REFUSED)
def test_nothing_is_kept_and_it_says_what_to_do_when(
    what: str, trouble: Trouble, captures: Mapping[str, tuple[Object, InBucket]], story: Story
) -> None:
    obj, place = captures[what]
    over = failed(story, obj, reason=trouble.reason, says=trouble.says)
    assert not any(key in str(over["status"]) for key in (WRONG_KEY, stage.S3_KEYS["AWS_SECRET_ACCESS_KEY"]))
    assert place.keys() == []


@pytest.mark.usefixtures("over_tls")
def test_an_authority_of_ones_own_is_trusted_when_it_is_named(bucket: InBucket, story: Story, tag: str) -> None:
    storage = differing(bucket, endpoint=TLS_ENDPOINT, caSecretRef=AUTHORITY)
    done = story.finished(story.create(capture(f"trusted-{tag}", storage=storage)))
    assert verdict(done) == "Current", condition(done, "Ready")


@pytest.fixture(scope="module")
def large(kube: Kube, shard: Callable[..., Shard], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shard]:
    """A shard with an archive that is sent to S3 in three parts."""
    made = shard("large")
    archive = tmp_path_factory.mktemp("large") / "snapshot.zip"
    with (
        zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=0) as file,
        file.open("snapshot.json", "w", force_zip64=True) as member,
    ):
        documents.write_document(member, pods=documents.pods_for(2 * PART + PART // 2))
    with kube.forward(f"deployment/{made.deployment}", stage.SCHEDULER_NAMESPACE, 8090) as port:
        url = f"http://127.0.0.1:{port}/archive"
        put = urllib.request.Request(url, data=archive.read_bytes(), method="PUT")
        urllib.request.urlopen(put, timeout=60).close()
    yield made
    kube.delete("deployment", made.deployment, stage.SCHEDULER_NAMESPACE, wait=False)


@pytest.fixture
def proxied(s3: Any, tag: str) -> InBucket:
    """A place in the bucket, reached through the proxy."""
    return InBucket(s3, f"e2e/{tag}", endpoint=ENDPOINT)


@pytest.fixture
def busy(faults: Faults, proxied: InBucket) -> Faults:
    """The second part of what goes there is answered with 503, until the fault is cleared."""
    faults.fail(rf"PUT /{stage.BUCKET}/{proxied.prefix}/.*[?&]partNumber=2(&|$)")
    return faults


def test_a_503_in_the_middle_of_an_upload_that_stays_is_told_and_leaves_nothing_half_written(
    large: Shard, proxied: InBucket, busy: Faults, story: Story, tag: str
) -> None:
    obj = story.create(capture(f"busy-{tag}", storage=proxied.spec, source=large.source, retries=0))
    failed(story, obj, reason="StorageUnreachable", says="503 SlowDown")
    assert busy.seen() == 5, "the library tries five times"
    assert proxied.keys() == []
    assert unfinished_uploads(proxied) == []


def test_a_503_in_the_middle_of_an_upload_that_passes_is_got_over_by_the_next_try(
    large: Shard, proxied: InBucket, busy: Faults, story: Story, tag: str
) -> None:
    obj = story.create(capture(f"busy-{tag}", storage=proxied.spec, source=large.source))

    def is_tried_again(seen: Object) -> bool:
        told = condition(seen, "Reconciling")
        return told is not None and told["reason"] == "ProgressingWithRetry" and "503 SlowDown" in told["message"]

    story.until(obj, is_tried_again, timeout=180)
    busy.clear()
    done = story.finished(obj, timeout=180)
    assert verdict(done) == "Current", condition(done, "Ready")
    archive, manifest = proxied.keys()
    assert proxied.sha256(archive) == proxied.document(manifest)["sha256"]
    assert unfinished_uploads(proxied) == []


def unfinished_uploads(place: InBucket) -> list[str]:
    """What the bucket holds of uploads that were neither finished nor given up."""
    found = place.client.list_multipart_uploads(Bucket=stage.BUCKET, Prefix=f"{place.prefix}/")
    return [upload["Key"] for upload in found.get("Uploads", ())]


CLAIM = "trouble-full"
FILL = f"""
mkdir -p /volumes/{CLAIM}
busybox mountpoint -q /volumes/{CLAIM} || busybox mount -t tmpfs -o size=2m,mode=0777 tmpfs /volumes/{CLAIM}
head -c 2M /dev/zero >/volumes/{CLAIM}/other-data
"""


@pytest.fixture
def full_claim(kube: Kube) -> Iterator[Callable[[], None]]:
    """A claim of a volume of 2 MiB without any room left; what is yielded mounts it into the operator."""
    kube.execute("pod/node", stage.STAGE, "sh", "-ec", FILL)
    kube.apply(*volume_and_claim())

    def mount() -> None:
        patched(kube, {"persistentVolumeClaim": {"claimName": CLAIM}}, {"mountPath": f"/claims/{CLAIM}"})

    yield mount
    patched(kube, {"$patch": "delete"}, {"mountPath": f"/claims/{CLAIM}", "$patch": "delete"})
    kube.delete("persistentvolumeclaim", CLAIM, stage.NAMESPACE)
    kube.delete("persistentvolume", CLAIM)
    kube.execute("pod/node", stage.STAGE, "busybox", "umount", f"/volumes/{CLAIM}")


def patched(kube: Kube, volume: Object, mount: Object) -> None:
    """Changes what is mounted into the operator, as manifests/components/claim does, and waits until it is active."""
    name = f"claim-{CLAIM}"
    container = {"name": "operator", "volumeMounts": [{"name": name, **mount}]}
    spec = {"volumes": [{"name": name, **volume}], "containers": [container]}
    patch = yaml.safe_dump({"spec": {"template": {"spec": spec}}})
    kube.run(
        "patch", "deployment", stage.OPERATOR, f"--namespace={stage.NAMESPACE}", "--type=strategic", f"--patch={patch}"
    )
    kube.rolled_out(stage.OPERATOR, stage.NAMESPACE)


def volume_and_claim() -> list[Object]:
    """As the stage's own."""
    objects = yaml.safe_load_all((Path(stage.__file__).parent / "objects" / "volumes.yaml").read_text())
    volume = next(each for each in objects if each["kind"] == "PersistentVolume")
    volume["metadata"]["name"] = volume["spec"]["claimRef"]["name"] = CLAIM
    volume["spec"]["local"]["path"] = f"/run/local-volumes/{CLAIM}"
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": volume["spec"]["claimRef"],
        "spec": {
            "accessModes": volume["spec"]["accessModes"],
            "resources": {"requests": volume["spec"]["capacity"]},
            "storageClassName": "",
            "volumeName": CLAIM,
        },
    }
    return [volume, claim]


def test_a_claim_is_waited_for_until_it_is_mounted_and_a_full_volume_is_told(
    full_claim: Callable[[], None], kube: Kube, story: Story, tag: str
) -> None:
    storage = {"pvc": {"claimName": CLAIM, "subPath": f"e2e/{tag}"}}
    obj = story.create(capture(f"full-{tag}", storage=storage, retries=0))
    told = condition(story.until(obj, lambda seen: is_true(seen, "Stalled")), "Ready")
    assert told is not None
    assert told["reason"] == "ClaimNotMounted"
    assert "add it to the operator's Deployment with manifests/components/claim" in told["message"]

    full_claim()
    failed(story, obj, reason="NoSpaceLeft", says="enlarge the volume, or keep fewer archives")
    look = f"cd /volumes/{CLAIM} && find . -type f"
    assert kube.execute("pod/node", stage.STAGE, "sh", "-ec", look).split() == ["./other-data"]


def test_a_claim_is_of_the_operators_namespace(story: Story, tag: str) -> None:
    storage = {"pvc": {"claimName": "archives"}}
    obj = story.create(capture(f"elsewhere-{tag}", storage=storage, namespace=stage.OTHER_NAMESPACE))
    told = condition(story.until(obj, lambda seen: is_true(seen, "Stalled")), "Ready")
    assert told is not None
    assert told["reason"] == "ClaimNotMounted"
    assert "create the object there, or use s3" in told["message"]
