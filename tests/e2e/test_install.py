"""What manifests/ installs: as little as it takes, and all of it works."""

import pytest

from stage import stage
from stage.kube import Kube, KubectlError
from support.archives import InBucket
from support.eventually import eventually
from support.kstatus import verdict
from support.objects import capture, replay
from support.operatorpod import Operator
from support.story import Story

OPERATOR, VIEWER = stage.OPERATOR, "kai-snapshot-viewer"


def test_one_more_namespace_is_served_in_full_and_names_may_be_as_long_as_they_may(
    story: Story, bucket: InBucket, tag: str
) -> None:
    there = stage.OTHER_NAMESPACE
    once, again = (f"{name}-{tag}".ljust(52, "x") for name in ("once", "replay"))
    story.create(capture(once, storage=bucket.spec, namespace=there))
    finished = story.finished(story.create(replay(again, of=once, versions=["v0.17.0"], namespace=there)))
    assert verdict(finished) == "Current"
    assert all(key.startswith(f"{there}/{once}/") for key in bucket)


def test_what_the_restricted_standard_forbids_is_forbidden_where_the_operator_runs(kube: Kube) -> None:
    container = {"name": "x", "image": "x", "securityContext": {"privileged": True}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "namespace": stage.NAMESPACE}}
    with pytest.raises(KubectlError, match='violates PodSecurity "restricted'):
        kube.create({**pod, "spec": {"containers": [container]}}, dry_run=True)


MAY = [
    ("get", "/secrets", stage.NAMESPACE),
    ("create", "batch/jobs", stage.NAMESPACE),
    ("create", "batch/jobs", stage.OTHER_NAMESPACE),
    ("update", "kai-snapshot.io/snapshotreplays/status", stage.NAMESPACE),
    ("create", "/pods/portforward", stage.SCHEDULER_NAMESPACE),
]
MAY_NOT = [
    ("list", "/secrets", stage.NAMESPACE),
    ("get", "/secrets", stage.SCHEDULER_NAMESPACE),
    ("get", "/secrets", "default"),
    ("create", "batch/jobs", "default"),
    ("create", "/pods", stage.NAMESPACE),
    ("create", "/pods/exec", stage.NAMESPACE),
    ("create", "/pods/portforward", stage.NAMESPACE),
    ("update", "kai-snapshot.io/snapshotreplays", stage.NAMESPACE),
    ("patch", "kai-snapshot.io/snapshotreplays", stage.NAMESPACE),
    ("get", "/secrets", "kube-system"),
    ("update", "/secrets", stage.NAMESPACE),
    ("update", "apps/deployments", stage.SCHEDULER_NAMESPACE),
    ("list", "/namespaces", ""),
    ("list", "apiextensions.k8s.io/customresourcedefinitions", ""),
    # The pages beside it ask in the name of who looks at them.
    ("create", "authentication.k8s.io/tokenreviews", ""),
    ("create", "authorization.k8s.io/subjectaccessreviews", ""),
    ("impersonate", "/serviceaccounts", stage.NAMESPACE),
]
VIEWER_MAY = [("list", "kai-snapshot.io/snapshotcaptures", stage.NAMESPACE)]
VIEWER_MAY_NOT = [
    ("list", "kai-snapshot.io/snapshotcaptures", stage.OTHER_NAMESPACE),
    ("get", "kai-snapshot.io/snapshotcaptures", stage.NAMESPACE),
    ("create", "kai-snapshot.io/snapshotcaptures", stage.NAMESPACE),
    ("list", "/pods", stage.NAMESPACE),
    ("get", "/secrets", stage.NAMESPACE),
]


@pytest.mark.parametrize(
    ("who", "verb", "what", "namespace", "allowed"),
    [
        *((OPERATOR, *each, True) for each in MAY),
        *((OPERATOR, *each, False) for each in MAY_NOT),
        *((VIEWER, *each, True) for each in VIEWER_MAY),
        *((VIEWER, *each, False) for each in VIEWER_MAY_NOT),
    ],
)
def test_the_operator_and_who_may_see_the_pages_may_do_what_they_need_and_no_more(
    kube: Kube, who: str, verb: str, what: str, namespace: str, allowed: bool
) -> None:
    group, resource, *subresource = what.split("/")
    attributes = {"verb": verb, "group": group, "resource": resource, "subresource": "".join(subresource)}
    review = kube.create(
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": f"system:serviceaccount:{stage.NAMESPACE}:{who}",
                "resourceAttributes": {**attributes, "namespace": namespace},
            },
        }
    )
    assert review["status"]["allowed"] is allowed


def test_metrics_tell_of_a_capture_and_the_same_after_a_restart(
    story: Story, kube: Kube, operator: Operator, bucket: InBucket, tag: str
) -> None:
    name = f"counted-{tag}"
    story.finished(story.create(capture(name, storage=bucket.spec)))
    before = eventually(lambda: gauges(kube, operator, name), what="the capture's gauges")
    assert before["kai_snapshot_capture_ready"] == before["kai_snapshot_capture_archives"] == 1
    assert before["kai_snapshot_capture_consecutive_failures"] == 0
    operator.stop()
    operator.start()
    eventually(lambda: gauges(kube, operator, name) == before, what="the same gauges")


def gauges(kube: Kube, operator: Operator, capture: str) -> dict[str, float]:
    """The gauges of a capture, as Prometheus finds them."""
    text = kube.get_raw(f"/api/v1/namespaces/{stage.NAMESPACE}/pods/{operator.pod_name()}:8080/proxy/metrics")
    own = (line for line in text.splitlines() if f'name="{capture}"' in line and not line.startswith("#"))
    found = (line.rpartition(" ") for line in own)
    return {series.partition("{")[0]: float(value) for series, _, value in found if "_runs_" not in series}
