"""What GitOps tools rely on: applying again changes nothing, nobody touches their fields, order does not matter."""

import json
import re

import pytest

from stage import stage
from stage.kube import Kube, KubectlError
from stage.stage import Cast
from support.archives import InBucket
from support.kstatus import condition, verdict
from support.objects import Object, capture, replay
from support.operatorpod import Operator
from support.story import Story

APPLICATION = {"app.kubernetes.io/instance": "clusters"}
TRACKING = {"argocd.argoproj.io/tracking-id": "clusters:kai-snapshot.io/SnapshotReplay:kai-snapshots/x"}
"""What Argo CD knows its own by. A child that has it is taken for one that nobody wants, and pruned."""


@pytest.fixture
def manifests(bucket: InBucket, tag: str) -> list[Object]:
    """As they lie in Git: the replay before the capture it is of."""
    gate: Object = {"expectations": {"maxTotalSlowdownPercent": 10000}, "baseline": "v0.14.7", "parallelism": 2}
    return [
        tracked(replay(f"replay-{tag}", of=f"once-{tag}", versions=["AsCaptured", "v0.14.7"], **gate)),
        tracked(capture(f"once-{tag}", storage=bucket.spec, deletionPolicy="Delete")),
        tracked(capture(f"yearly-{tag}", storage=bucket.spec, schedule={"cron": "@yearly"})),
    ]


@pytest.fixture
def applied(story: Story, manifests: list[Object]) -> list[Object]:
    """The same, applied in one go, when all is done that there is to do."""
    replay, once, scheduled = story.apply(*manifests)
    scheduled = story.until(scheduled, lambda seen: condition(seen, "Ready"))
    return [story.finished(replay), story.finished(once), scheduled]


def test_applying_the_same_again_changes_nothing_nor_does_an_operator_that_starts(
    story: Story,
    kube: Kube,
    operator: Operator,
    bucket: InBucket,
    manifests: list[Object],
    applied: list[Object],
    tag: str,
) -> None:
    assert [verdict(each) for each in applied] == ["Current"] * 3
    jobs = children(kube, "jobs", applied[0])
    for _ in range(10):
        assert versions(kube.apply(*manifests)) == versions(applied)

    operator.stop()
    operator.start()
    story.finished(story.create(capture(f"last-{tag}", storage=bucket.spec)))  # it has looked at the others before
    assert versions([story.see(each) for each in applied]) == versions(applied)
    assert names(children(kube, "jobs", applied[0])) == names(jobs)


FLUX = ("--server-side", "--force-conflicts", "--field-manager=kustomize-controller")
"""As kustomize-controller applies; Argo CD, by default, as `kubectl apply` without more."""


def test_all_of_manifests_and_its_samples_is_applied_ten_times_without_a_write(
    kube: Kube, players: Cast, story: Story
) -> None:
    everything = [*stage.operator_objects(kube, players), *map(yearly, stage.samples(kube))]
    ours = [each for each in everything if each["apiVersion"].startswith("kai-snapshot.io/")]
    created = story.apply(*ours)
    assert [verdict(story.finished(each)) for each in created if "schedule" not in each["spec"]] == ["Current"] * 3
    (hourly,) = [each for each in created if each["metadata"]["name"] == "hourly"]
    story.until(hourly, lambda seen: seen["status"].get("lastSuccessfulCapture"))

    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": everything})

    def applied(how: tuple[str, ...]) -> dict[str, str]:
        said = json.loads(kube.run("apply", *how, "--output=json", "--filename=-", input=listed))["items"]
        return {key(each): each["metadata"]["resourceVersion"] for each in said}

    jobs = names(kube.list("jobs", stage.NAMESPACE))
    for how in ((), FLUX):
        applied(how)  # once, so that each has its annotation, or its managed fields
        settled = applied(how)
        assert len(settled) == len(everything)
        for _ in range(10):
            assert applied(how) == settled
    assert names(kube.list("jobs", stage.NAMESPACE)) == jobs


def key(obj: Object) -> str:
    """Kind, namespace and name."""
    return f"{obj['kind']} {obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}"


def yearly(obj: Object) -> Object:
    """The object, without a run that is due while the test looks."""
    if "schedule" in obj.get("spec", {}):
        obj["spec"]["schedule"]["cron"] = "@yearly"
    return obj


def test_the_operator_owns_the_status_and_its_finalizer_and_nothing_else(kube: Kube, applied: list[Object]) -> None:
    owned = {each["metadata"]["name"].partition("-")[0]: ownership(kube, each) for each in applied}
    assert {name: managers.pop("kai-snapshot-operator") for name, managers in owned.items()} == {
        "replay": {"f:status"},
        "once": {"f:status", "f:metadata"},
        "yearly": {"f:status"},
    }
    assert [list(managers) for managers in owned.values()] == [["kubectl"]] * 3


def test_what_marks_an_object_as_somebodys_is_not_on_what_is_made_for_it(kube: Kube, applied: list[Object]) -> None:
    made = [child for kind in ("jobs", "pods", "secrets") for child in children(kube, kind, applied[0])]
    assert len(made) == 3 * 2, "of each one for each version"
    for child in made:
        assert not APPLICATION.keys() & child["metadata"]["labels"].keys()
        assert not TRACKING.keys() & child["metadata"].get("annotations", {}).keys()


def test_a_replay_waits_for_its_capture_and_goes_on_when_that_is_let_go(
    story: Story, kube: Kube, bucket: InBucket, tag: str
) -> None:
    suspended = capture(f"once-{tag}", storage=bucket.spec, suspend=True)
    waiting, _ = story.apply(replay(f"replay-{tag}", of=f"once-{tag}", versions=["AsCaptured"]), suspended)
    seen = story.until(waiting, lambda seen: condition(seen, "SourceResolved"))
    resolved = condition(seen, "SourceResolved")
    assert resolved is not None
    assert (resolved["status"], resolved["reason"]) == ("False", "WaitingForCapture")
    assert verdict(seen) == "InProgress"

    kube.apply({**suspended, "spec": {**suspended["spec"], "suspend": False}})
    assert story.finished(waiting)["status"]["outcome"] == "Succeeded"


def test_a_commit_that_edits_a_replay_is_refused_and_says_what_to_do(
    story: Story, kube: Kube, manifests: list[Object], applied: list[Object]
) -> None:
    edited = {**manifests[0], "spec": {**manifests[0]["spec"], "verbosity": 6}}
    with pytest.raises(
        KubectlError, match=re.escape("a replay is immutable (but for suspend): create a new SnapshotReplay")
    ):
        kube.apply(edited)
    assert versions([story.see(applied[0])]) == versions(applied[:1])


def tracked(obj: Object) -> Object:
    """The object as Argo CD applies it."""
    metadata = obj["metadata"]
    return {**obj, "metadata": {**metadata, "labels": APPLICATION, "annotations": TRACKING}}


def versions(objects: list[Object]) -> dict[str, str]:
    """The version of each: another one after each write."""
    return {each["metadata"]["name"]: each["metadata"]["resourceVersion"] for each in objects}


def names(objects: list[Object]) -> list[str]:
    """How they are called."""
    return sorted(each["metadata"]["name"] for each in objects)


def children(kube: Kube, kind: str, replay: Object) -> list[Object]:
    """What was made for a replay."""
    return kube.list(kind, stage.NAMESPACE, selector=f"kai-snapshot.io/replay-uid={replay['metadata']['uid']}")


def ownership(kube: Kube, obj: Object) -> dict[str, set[str]]:
    """Who owns what of the object, at the top level."""
    meta = obj["metadata"]
    plural = f"{obj['kind'].lower()}s"
    path = f"/apis/{obj['apiVersion']}/namespaces/{meta['namespace']}/{plural}/{meta['name']}"
    owned: dict[str, set[str]] = {}
    for entry in json.loads(kube.get_raw(path))["metadata"]["managedFields"]:
        owned.setdefault(entry["manager"], set()).update(entry["fieldsV1"])
    return owned
