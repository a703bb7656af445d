"""Two replicas, of which one acts: when that one goes or stands still, the other finishes what it had begun."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from stage import stage
from stage.kube import Kube
from support.archives import InBucket
from support.eventually import eventually
from support.faults import ENDPOINT, Faults
from support.objects import Object, capture, replay
from support.operatorpod import Operator
from support.story import Story

LEASE = "kai-snapshot-operator"
LEADS = 'leader_election_master_status{name="kai-snapshot-operator"} '


@pytest.fixture(scope="module")
def two(operator: Operator) -> Iterator[Operator]:
    """The operator with a second replica."""
    operator.scale(2)
    yield operator
    operator.scale(1)


def test_the_component_adds_one_and_a_budget_for_both(kube: Kube, tmp_path: Path) -> None:
    manifests = os.path.relpath(Path(stage.__file__).parents[2] / "manifests", tmp_path)
    overlay = {"resources": [manifests], "components": [f"{manifests}/components/standby"]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    how = ["--server-side", "--force-conflicts", "--dry-run=server", "--output=json", "--filename=-"]
    said = json.loads(kube.run("apply", *how, input=kube.run("kustomize", str(tmp_path))))["items"]
    found = {each["kind"]: each["spec"] for each in said if each["kind"] in ("Deployment", "PodDisruptionBudget")}
    assert found["Deployment"]["replicas"] == 2
    assert found["Deployment"]["strategy"]["type"] == "RollingUpdate"
    assert found["PodDisruptionBudget"]["maxUnavailable"] == 1


def test_both_are_ready_one_acts_and_the_service_leads_to_that_one(two: Operator, kube: Kube) -> None:
    active = acting(two)
    lease = kube.get("lease", LEASE, stage.NAMESPACE)
    assert lease is not None
    assert lease["spec"]["holderIdentity"] == active["metadata"]["name"]
    said = {pod: line for pod in pods(kube) for line in metrics(kube, pod) if line.startswith(LEADS)}
    assert {pod: line.removeprefix(LEADS) for pod, line in said.items()} == {
        pod: "1.0" if pod == active["metadata"]["name"] else "0.0" for pod in pods(kube)
    }
    assert endpoints(kube) == [active["status"]["podIP"]]


def test_when_the_one_that_acts_is_drained_the_other_finishes_what_it_began(
    two: Operator, story: Story, kube: Kube, bucket: InBucket, tag: str
) -> None:
    once = story.finished(story.create(capture(f"once-{tag}", storage=bucket.spec)))
    created = story.create(replay(f"drained-{tag}", of=once["metadata"]["name"], versions=["v0.17.0"]))
    (job,) = eventually(lambda: jobs(kube, created), what="the Job")
    first = acting(two)
    kube.delete("pod", first["metadata"]["name"], stage.NAMESPACE, wait=False)
    second = eventually(lambda: other(two, first), what="the other acts")
    finished = story.finished(created)
    assert finished["status"]["results"][0]["attempt"] == 1
    assert jobs(kube, created) == [job]
    assert endpoints(kube) == [second["status"]["podIP"]]


def test_one_that_stood_still_finds_the_lease_taken_and_ends_and_nothing_is_done_twice(
    two: Operator, story: Story, kube: Kube, faults: Faults, s3: Any, tag: str
) -> None:
    place = InBucket(s3, f"e2e/{tag}", endpoint=ENDPOINT)
    faults.hold(rf"PUT .*/frozen-{tag}/.*\.json")
    created = story.create(capture(f"frozen-{tag}", storage=place.spec))
    eventually(lambda: faults.seen() > 0, what="the manifest is on its way")
    first = acting(two)
    restarts = restarted(kube, first)
    with two.frozen(first):
        eventually(lambda: other(two, first), what="the other acts")
        faults.clear()
        finished = story.finished(created)
    eventually(lambda: restarted(kube, first) > restarts, what="who had stood still ended")
    assert other(two, first), "and does not act again"
    assert len(finished["status"]["history"]) == 1
    archive, manifest = place.keys()
    assert place.document(manifest)["archive"] == archive.rpartition("/")[2]
    after = story.see(created)
    story.finished(story.create(capture(f"later-{tag}", storage=place.spec)))
    assert story.see(created)["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]


def acting(operator: Operator) -> Object:
    """The pod that acts."""
    return eventually(operator.active, what="one acts")


def other(operator: Operator, first: Object) -> Object | None:
    """The pod that acts, if it is another one."""
    active = operator.active()
    return active if active is not None and active["metadata"]["uid"] != first["metadata"]["uid"] else None


def pods(kube: Kube) -> list[str]:
    """The operator's."""
    found = kube.list("pods", stage.NAMESPACE, selector="app.kubernetes.io/component=operator")
    return [pod["metadata"]["name"] for pod in found]


def metrics(kube: Kube, pod: str) -> list[str]:
    """The lines that Prometheus finds."""
    return kube.get_raw(f"/api/v1/namespaces/{stage.NAMESPACE}/pods/{pod}:8080/proxy/metrics").splitlines()


def endpoints(kube: Kube) -> list[str]:
    """Where the Service of the transfer endpoint leads."""
    slices = kube.list("endpointslices", stage.NAMESPACE, selector="kubernetes.io/service-name=kai-snapshot-transfer")
    found = [each for slice_ in slices for each in slice_["endpoints"] or () if each["conditions"].get("ready")]
    return [address for each in found for address in each["addresses"]]


def jobs(kube: Kube, replay: Object) -> list[str]:
    """UIDs of the Jobs made for a replay."""
    found = kube.list("jobs", stage.NAMESPACE, selector=f"kai-snapshot.io/replay-uid={replay['metadata']['uid']}")
    return [job["metadata"]["uid"] for job in found]


def restarted(kube: Kube, pod: Object) -> int:
    """How often the operator in the pod was started again."""
    found = kube.get("pod", pod["metadata"]["name"], stage.NAMESPACE)
    assert found is not None
    statuses = {each["name"]: each for each in found["status"]["containerStatuses"]}
    return int(statuses["operator"]["restartCount"])
