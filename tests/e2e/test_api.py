"""What the API server takes and what it refuses, with messages a person can act upon."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from stage import stage
from stage.kube import Kube, KubectlError
from support.examples import examples
from support.kstatus import verdict
from support.objects import Object, capture, replay
from support.story import Story

MANIFESTS = Path(__file__).parents[2] / "manifests"
SAMPLES = sorted(set((MANIFESTS / "samples").glob("*.yaml")) - {MANIFESTS / "samples" / "kustomization.yaml"})
BUCKET: Object = {"s3": {"bucket": "some-bucket", "prefix": "a/b"}}
CLAIM: Object = {"pvc": {"claimName": "some-claim"}}
HOURLY: Object = {"cron": "@hourly"}
IN_ARCHIVE: Object = {"archive": {"storage": BUCKET, "key": "x/y.zip"}}
MOMENT = "2026-11-22T10:15:00Z"


def scheduled(cron: str, **spec: Any) -> Object:
    return capture("x", storage=BUCKET, schedule={"cron": cron}, **spec)


def of(**reference: Any) -> Object:
    return replay("x", of={"captureRef": {"name": "x", **reference}}, versions=["v0.17.0"])


def at(*versions: str, **spec: Any) -> Object:
    return replay("x", of="x", versions=list(versions), **spec)


REFUSED: dict[str, tuple[Object, str]] = {
    "no storage": (capture("x", storage={}), "exactly one of s3 and pvc must be given"),
    "two storages": (capture("x", storage={**BUCKET, **CLAIM}), "exactly one of s3 and pvc must be given"),
    "a name for which no Job could be named": (capture("x" * 53, storage=BUCKET), "may have at most 52 characters"),
    "retention without schedule": (
        capture("x", storage=BUCKET, retention={"keepLast": 3}),
        "retention needs a schedule",
    ),
    "six fields": (scheduled("0 0 * * * *"), "cron takes five fields"),
    "a zone in the cron": (scheduled("TZ=Europe/Berlin 0 * * * *"), "the zone goes into timeZone"),
    "every": (scheduled("@every 1h"), "cron takes five fields"),
    "keep nothing": (scheduled("@hourly", retention={"keepLast": 0}), "greater than or equal to 1"),
    "a maximal age in days": (scheduled("@hourly", retention={"maxAge": "90d"}), "spec.retention.maxAge"),
    "a maximal age of a second": (scheduled("@hourly", retention={"maxAge": "1s"}), "maxAge must be at least 1m"),
    "a path that leads up": (capture("x", storage={"s3": {"bucket": "some-bucket", "prefix": "../b"}}), "prefix"),
    "a path from the root": (capture("x", storage={"pvc": {"claimName": "c", "subPath": "/b"}}), "subPath"),
    "a bucket that cannot be": (capture("x", storage={"s3": {"bucket": "Not_A_Bucket"}}), "bucket"),
    "an endpoint that is none": (capture("x", storage={"s3": {"bucket": "abc", "endpoint": "minio:9000"}}), "endpoint"),
    "a key without KMS": (
        capture("x", storage={"s3": {"bucket": "abc", "kmsKeyId": "k", "serverSideEncryption": "AES256"}}),
        "kmsKeyId needs serverSideEncryption: aws:kms",
    ),
    "an unknown policy": (capture("x", storage=BUCKET, deletionPolicy="Orphan"), '"Retain", "Delete"'),
    "no source": (replay("x", of={}, versions=["v0.17.0"]), "exactly one of captureRef and archive must be given"),
    "two sources": (
        replay("x", of={"captureRef": {"name": "x"}, **IN_ARCHIVE}, versions=["v0.17.0"]),
        "exactly one of captureRef and archive must be given",
    ),
    "no version": (replay("x", of="x", versions=[]), "at least 1 item"),
    "no version, of the tool": (replay("x", of="x", versions=None), "versions are missing"),
    "versions, of the Simulator": (
        replay("x", of="x", versions=["v0.17.0"], engine="Simulator"),
        "versions and profile are for snapshot-tool",
    ),
    "a profile of the Simulator": (
        replay("x", of="x", versions=None, engine="Simulator", profile=True),
        "versions and profile are for snapshot-tool",
    ),
    "a baseline without versions": (
        replay("x", of="x", versions=None, engine="Simulator", baseline="v0.17.0"),
        "baseline must be the name of one of the versions",
    ),
    "an expectation of one engine beside none": (
        replay("x", of="x", versions=None, engine="Simulator", expectations={"maxTotalSlowdownPercent": 25}),
        "need a second version to compare with",
    ),
    "an engine there is not": (replay("x", of="x", versions=None, engine="Crystal"), "Unsupported value"),
    "a version twice": (replay("x", of="x", versions=["v0.17.0", "v0.17.0"]), "Duplicate value"),
    "as of when": (of(select="AsOf"), "asOf goes with select: AsOf"),
    "a moment for the latest": (of(asOf=MOMENT), "asOf goes with select: AsOf"),
    "which id": (of(select="ID"), "id goes with select: ID"),
    "how many last": (of(select="Last"), "last goes with select: Last"),
    "some last of the latest": (of(last=20), "last goes with select: Last"),
    "more than a replay takes": (of(select="Last", last=1001), "less than or equal to 1000"),
    "a range without an end": (of(**{"select": "Range", "from": MOMENT}), "from and to go with select: Range"),
    "a range of the latest": (of(**{"from": MOMENT, "to": MOMENT}), "from and to go with select: Range"),
    "a baseline that is no version": (at("v0.17.0", baseline="v0.14.7"), "baseline must be the name of one of"),
    "more versions than a replay takes": (at(*(f"v0.17.{n}" for n in range(33))), "must have at most 32 items"),
    "no repetition": (at("v0.17.0", repetitions=0), "greater than or equal to 1"),
    "longer than a token is good for": (
        at("v0.17.0", repetitions=20, activeDeadlineSeconds=86400),
        "may be six and a half days (561600) together",
    ),
    "an expectation nobody knows": (
        at("v0.17.0", expectations={"unchanged": ["Pipelined"]}),
        '"Placements", "Evictions", "JobOutcomes"',
    ),
    "an expectation twice": (at("v0.17.0", expectations={"unchanged": ["Evictions"] * 2}), "Duplicate value"),
    "a gate that would fail by chance": (
        at("v0.16.5", "v0.17.0", expectations={"unchanged": ["Evictions"]}),
        "expectations.unchanged needs repetitions of 5 or more",
    ),
    "a gate with nothing to compare": (
        at("v0.17.0", expectations={"maxTotalSlowdownPercent": 25}),
        "need a second version to compare with",
    ),
    "a clock that runs backwards": (at("v0.17.0", prepare={"clock": "Rewind"}), '"Shift", "Verbatim"'),
    "a patch of nothing": (at("v0.17.0", prepare={"patches": [{"patch": "[]"}]}), "prepare.patches[0].target"),
    "a checksum that is none": (
        replay("x", of={"archive": {**IN_ARCHIVE["archive"], "sha256": "abc"}}, versions=["v0.17.0"]),
        "sha256",
    ),
    "a verbosity the tool does not have": (replay("x", of="x", versions=["v0.17.0"], verbosity=9), "verbosity"),
}


@pytest.mark.parametrize(("obj", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_and_the_message_says_why(kube: Kube, obj: Object, message: str) -> None:
    with pytest.raises(KubectlError, match="is invalid") as refusal:
        kube.create(obj, dry_run=True)
    assert message in str(refusal.value)


@pytest.mark.parametrize("cron", ["*/5 * * * *", "@daily", "0 9 * * MON-FRI", "15 10 L * *", "0 0 1 JAN ?"])
def test_the_usual_schedules_are_taken(kube: Kube, cron: str) -> None:
    kube.create(scheduled(cron), dry_run=True)


def test_a_replay_is_immutable_but_for_suspend(story: Story, kube: Kube, tag: str) -> None:
    waiting = replay(f"fixed-{tag}", of="never", versions=["v0.17.0", "v0.14.7"], startingDeadlineSeconds=600)
    created = story.create(waiting)

    def change(**spec: Any) -> None:
        kube.patch("snapshotreplay", created["metadata"]["name"], stage.NAMESPACE, {"spec": spec})

    changes: list[Object] = [
        {"verbosity": 6},
        {"engine": "Simulator", "versions": None},
        {"versions": [{"name": "v0.17.0"}]},
        {"versions": [{"name": "v0.14.7"}, {"name": "v0.17.0"}]},
        {"source": {"captureRef": {"name": "other"}}},
        {"podTemplate": {"spec": {"priorityClassName": "high"}}},
        {"baseline": "v0.14.7"},
        {"repetitions": 5},
        {"prepare": {"clock": "Verbatim"}},
        {"expectations": {"maxTotalSlowdownPercent": 25}},
    ]
    for spec in changes:
        with pytest.raises(KubectlError, match="a replay is immutable"):
            change(**spec)
    change(suspend=True)
    story.until(created, lambda seen: seen["metadata"]["generation"] == seen["status"]["observedGeneration"] == 2)


@pytest.mark.parametrize(
    ("schedule", "patch", "message"),
    [
        (HOURLY, {"schedule": None}, "one-shot or scheduled for life"),
        (None, {"schedule": HOURLY}, "one-shot or scheduled for life"),
        (None, {"source": {"scheduler": {"shard": "other"}}}, "source and storage of a one-shot capture are immutable"),
        (HOURLY, {"storage": {"s3": {"prefix": "elsewhere"}}}, "the storage location"),
        (HOURLY, {"storage": {"s3": {"endpoint": "https://elsewhere:9000"}}}, "the storage location"),
        (HOURLY, {"storage": {"s3": None, **CLAIM}}, "the storage location"),
    ],
    ids=["schedule away", "schedule added", "one-shot source", "prefix", "endpoint", "another kind of storage"],
)  # fmt: skip
def test_what_a_capture_is_about_is_immutable(
    story: Story, kube: Kube, tag: str, schedule: Object | None, patch: Object, message: str
) -> None:
    fixed: dict[str, Any] = {"schedule": schedule} if schedule else {}
    created = story.create(capture(f"fixed-{tag}", storage=BUCKET, suspend=True, **fixed))
    with pytest.raises(KubectlError, match=message):
        kube.patch("snapshotcapture", created["metadata"]["name"], stage.NAMESPACE, {"spec": patch})


def test_what_a_capture_may_use_is_not_immutable(story: Story, kube: Kube, tag: str) -> None:
    created = story.create(capture(f"open-{tag}", storage=BUCKET, schedule=HOURLY, suspend=True))
    changes = {"storage": {"s3": {"credentialsSecretRef": {"name": "renewed"}}}, "schedule": {"cron": "@daily"}}
    kube.patch("snapshotcapture", created["metadata"]["name"], stage.NAMESPACE, {"spec": changes})


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_the_samples_are_taken_by_the_api_server(kube: Kube, sample: Path, tag: str) -> None:
    for document in yaml.safe_load_all(sample.read_text()):
        assert document["metadata"]["namespace"] == stage.NAMESPACE
        document["metadata"]["name"] += f"-{tag}"  # the stage may have one of that name
        kube.create(document, dry_run=True)


def test_the_examples_of_the_documentation_are_taken_by_the_api_server(kube: Kube, tag: str) -> None:
    refused = {}
    for number, (page, example) in enumerate(examples()):
        metadata = {**example.get("metadata", {}), "name": f"example-{number}-{tag}", "namespace": stage.NAMESPACE}
        try:
            kube.create({**example, "metadata": metadata}, dry_run=True)
        except KubectlError as error:
            if "no matches for kind" not in str(error):  # of other projects, which are not installed here
                refused[page, number] = str(error)
    assert refused == {}


def test_an_object_nobody_has_looked_at_is_not_taken_for_ready(kube: Kube) -> None:
    unseen = kube.create(capture("unseen", storage=BUCKET), dry_run=True)
    assert unseen["status"] == {"observedGeneration": -1}
    assert verdict(unseen) == "InProgress"


@pytest.mark.parametrize(
    ("obj", "columns"),
    [
        (scheduled("@hourly", suspend=True), "NAME READY STATUS SCHEDULE LAST SUCCESS NEXT AGE"),
        (of(), "NAME READY STATUS OUTCOME SNAPSHOT SUMMARY AGE"),
    ],
    ids=["capture", "replay"],
)
def test_columns_tell_how_it_stands(story: Story, kube: Kube, tag: str, obj: Object, columns: str) -> None:
    created = story.create({**obj, "metadata": {**obj["metadata"], "name": f"table-{tag}"}})
    table = kube.run("get", created["kind"], created["metadata"]["name"], f"--namespace={stage.NAMESPACE}")
    assert " ".join(table.splitlines()[0].split()) == columns
