"""The operator is killed between two steps, and what it had begun is neither lost nor done twice."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stage import stage
from stage.kube import Kube, KubectlError
from support.archives import InBucket
from support.eventually import eventually
from support.faults import ENDPOINT, Faults
from support.objects import Object, capture, replay
from support.operatorpod import Operator
from support.schedulers import Shard
from support.story import Story

NEVER: Object = {"cron": "0 0 29 2 *"}


@pytest.fixture
def no_progress_told(kube: Kube, story: Story, tag: str) -> Iterator[Callable[[], None]]:
    """The API server refuses every status of a replay `torn-<tag>` that says that a version is running."""
    name = f"no-progress-{tag}"
    rules = {"apiGroups": ["kai-snapshot.io"], "apiVersions": ["v1alpha1"], "operations": ["UPDATE"]}
    policy: Object = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [{**rules, "resources": ["snapshotreplays/status"]}]},
            "matchConditions": [{"name": "torn", "expression": f"object.metadata.name.startsWith('torn-{tag}')"}],
            "validations": [
                {
                    "expression": "!object.status.?results.orValue([]).exists(r, r.outcome == 'Running')",
                    "message": "torn",
                }
            ],
        },
    }
    binding = {**policy, "kind": "ValidatingAdmissionPolicyBinding"}
    binding["spec"] = {"policyName": name, "validationActions": ["Deny"]}
    kube.apply(policy, binding)
    probe = story.create(replay(f"torn-{tag}-probe", of="never", versions=["v0.17.0"], suspend=True))
    running = {"status": {"observedGeneration": 1, "results": [{"name": "v0.17.0", "outcome": "Running"}]}}

    def refused() -> bool:
        try:
            kube.patch(
                "snapshotreplay",
                probe["metadata"]["name"],
                stage.NAMESPACE,
                running,
                subresource="status",
                dry_run=True,
            )
        except KubectlError as error:
            return "torn" in str(error)
        return False

    eventually(refused, what="the policy is in force")

    def lift() -> None:
        kube.delete("validatingadmissionpolicybinding", name)
        kube.delete("validatingadmissionpolicy", name)

    yield lift
    lift()


def test_killed_after_the_job_was_created_and_before_the_status_said_so_it_creates_no_second_job(
    story: Story, kube: Kube, operator: Operator, bucket: InBucket, no_progress_told: Callable[[], None], tag: str
) -> None:
    once = story.finished(story.create(capture(f"once-{tag}", storage=bucket.spec)))
    torn = story.create(replay(f"torn-{tag}", of=once["metadata"]["name"], versions=["v0.17.0"]))

    def jobs() -> list[tuple[str, str]]:
        uid = torn["metadata"]["uid"]
        found = kube.list("jobs", stage.NAMESPACE, selector=f"kai-snapshot.io/replay-uid={uid}")
        return [(job["metadata"]["name"], job["metadata"]["uid"]) for job in found]

    only = eventually(jobs, what="the Job is created")
    assert story.see(torn)["status"]["results"][0]["outcome"] == "Pending", "and the status does not know"
    operator.crash()
    no_progress_told()
    operator.ready()
    finished = story.finished(torn)
    assert jobs() == only
    (result,) = finished["status"]["results"]
    assert (result["outcome"], result["attempt"]) == ("Succeeded", 1)


def test_killed_between_archive_and_manifest_it_captures_the_slot_again_and_prunes_the_orphan(
    story: Story, operator: Operator, faults: Faults, s3: Any, shard: Callable[..., Shard], tag: str
) -> None:
    place = InBucket(s3, f"e2e/{tag}", endpoint=ENDPOINT)
    scheduler = shard("torn", archive="01-gang")
    name = f"torn-{tag}"
    faults.hold(rf"PUT .*/{name}/.*\.json")
    created = story.create(
        capture(name, storage=place.spec, source=scheduler.source, schedule={**NEVER, "immediate": True})
    )
    eventually(lambda: faults.seen() > 0, what="the manifest is on its way")
    (orphan,) = place.keys()
    operator.crash()
    shard("torn", archive="02-gang+fraction")  # what the scheduler sees has changed meanwhile
    faults.clear()
    operator.ready()

    seen = story.until(created, lambda seen: seen["status"].get("lastSuccessfulCapture"))
    (run,) = seen["status"]["history"]
    assert run["outcome"] == "Succeeded"
    archive, manifest = place.keys()
    assert manifest.endswith(f"{run['id']}.json")
    assert archive.rpartition("-")[0] == orphan.rpartition("-")[0], "the same slot"
    assert archive != orphan
    assert place.document(manifest)["archive"] == archive.rpartition("/")[2]
    assert place.sha256(archive) == place.document(manifest)["sha256"]
