"""Many archives of a capture, replayed at two versions: each once, whatever happens meanwhile."""

import json
import math
import statistics
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice

import pytest

from stage import stage
from stage.images import CORPUS
from stage.kube import Kube
from stage.stage import Cast
from support.archives import InBucket
from support.eventually import eventually
from support.kstatus import condition, verdict
from support.objects import Object, capture, replay
from support.operatorpod import Operator
from support.recordings import counts, differing, recorded, samples
from support.seeds import seed
from support.story import Story

VERSIONS = ("v0.14.7", "v0.17.0")
MANY, DAMAGED, PARALLELISM = 21, 9, 4
ENOUGH = 6
"""Results there are when the operator is killed."""
FIRST = datetime(2026, 11, 1, tzinfo=UTC)
ARCHIVES = [
    folder.name
    for folder in sorted(CORPUS.iterdir())
    if folder.name < "19" and all(samples(folder.name, version) == 1 for version in VERSIONS)
]
"""Those of which each version always makes the same."""


@pytest.fixture(autouse=True)
def known(players: Cast) -> None:
    """It is known what comes of the archives."""
    if not players.plays_back:
        pytest.skip("the real tool gives another result each time")


@pytest.fixture
def stored(kube: Kube, bucket: InBucket, story: Story, tag: str) -> list[tuple[str, str]]:
    """The ids of a capture's archives and their names in the corpus, oldest first."""
    names = list(islice(cycle(ARCHIVES), MANY))
    manifests = seed(kube, bucket, f"hourly-{tag}", names, first=FIRST)
    story.create(capture(f"hourly-{tag}", storage=bucket.spec, schedule={"cron": "@hourly"}, suspend=True))
    return [(manifest.id, name) for manifest, name in zip(manifests, names, strict=True)]


def many(name: str, reference: Object, *versions: str, parallelism: int = PARALLELISM) -> Object:
    """A replay of many archives."""
    of = {"captureRef": reference}
    return replay(name, of=of, versions=list(versions), repetitions=1, parallelism=parallelism)


def test_an_operator_that_is_killed_in_the_middle_replays_nothing_twice_that_is_stored(
    kube: Kube, operator: Operator, bucket: InBucket, story: Story, stored: list[tuple[str, str]], tag: str
) -> None:
    damaged = next(key for key in bucket if key.endswith(".zip") and stored[DAMAGED][0] in key)
    bucket.put(damaged, b"damaged")
    newest = {"name": f"hourly-{tag}", "select": "Last", "last": MANY}
    obj = story.create(many(f"all-{tag}", newest, *VERSIONS))

    def results() -> list[str]:
        return [key for key in bucket if f"/replays/all-{tag}-" in key and key.endswith("result.json")]

    eventually(lambda: len(results()) >= ENOUGH, timeout=120, what="some are replayed")
    before = {key: bucket.written(key) for key in results()}
    operator.crash()
    operator.ready()
    over = story.finished(obj, timeout=400)

    assert len(before) < 2 * MANY, "it was killed in the middle"
    assert {key: bucket.written(key) for key in before} == before
    assert len(results()) == 2 * MANY
    jobs = kube.list("jobs", stage.NAMESPACE, selector=f"kai-snapshot.io/replay-uid={obj['metadata']['uid']}")
    for job in jobs:
        spec = job["spec"]
        wanted = (spec["completionMode"], spec["completions"], spec["parallelism"], spec["backoffLimitPerIndex"])
        assert wanted == ("Indexed", MANY, PARALLELISM, 1)
    assert len(jobs) == len(VERSIONS), "a Job each, and no second one"
    started = tool_starts(kube, obj)
    assert set(started.values()) == {1}, "the tool was started once for each archive"
    assert len(started) == 2 * MANY

    status = over["status"]
    archives = status["resolvedSource"]["archives"]
    assert (archives["count"], archives["first"], archives["last"]) == (MANY, stored[0][0], stored[-1][0])
    assert verdict(over) == "Failed"
    ready = condition(over, "Ready")
    assert ready is not None
    assert ready["reason"] == "ReplayFailed"
    for told in status["results"]:
        assert told["outcome"] == "PartiallyFailed"
        assert told["archives"] == {"total": MANY, "done": MANY, "succeeded": MANY - 1, "failed": 1}
        assert stored[DAMAGED][0] in told["message"], "and the one that failed is named"
        assert "ChecksumMismatch" in told["message"]
    assert_aggregates(status, [recordings_of(name) for n, (_, name) in enumerate(stored) if n != DAMAGED])
    documents = [bucket.document(key) for key in results()]
    assert_times(status, [each for each in documents if each["outcome"] == "Succeeded"])
    changed = {id_ for id_, name in stored if any(differing(*recordings_of(name)).values())}
    assert changed.issuperset(status["comparison"]["versions"][0]["worstArchives"])
    assert len(json.dumps(status)) < 10_000, "the status does not grow with the archives"


def test_a_range_is_all_there_is_from_one_moment_to_another(
    bucket: InBucket, story: Story, stored: list[tuple[str, str]], tag: str
) -> None:
    first, last = FIRST + timedelta(hours=3), FIRST + timedelta(hours=5, minutes=59)
    between = {"name": f"hourly-{tag}", "select": "Range", "from": stamp(first), "to": stamp(last)}
    over = story.finished(story.create(many(f"range-{tag}", between, "v0.17.0")))
    assert verdict(over) == "Current"
    archives = over["status"]["resolvedSource"]["archives"]
    assert (archives["count"], archives["first"], archives["last"]) == (3, stored[3][0], stored[5][0])
    plan = bucket.document(bucket.key(archives["planURI"]))
    assert [each["id"] for each in plan["archives"]] == [id_ for id_, _ in stored[3:6]]
    (told,) = over["status"]["results"]
    assert told["archives"] == {"total": 3, "done": 3, "succeeded": 3, "failed": 0}


@pytest.mark.usefixtures("stored")
def test_a_replay_that_is_suspended_holds_its_pods_back_and_goes_on_where_it_was(
    kube: Kube, bucket: InBucket, story: Story, tag: str
) -> None:
    newest = {"name": f"hourly-{tag}", "select": "Last", "last": 4}
    obj = story.create(many(f"held-{tag}", newest, "v0.17.0", parallelism=1))

    def suspend(value: bool) -> None:
        kube.patch("snapshotreplay", obj["metadata"]["name"], stage.NAMESPACE, {"spec": {"suspend": value}})

    def at_work() -> list[Object]:
        uid = obj["metadata"]["uid"]
        pods = kube.list("pods", stage.NAMESPACE, selector=f"kai-snapshot.io/replay-uid={uid}")
        return [pod for pod in pods if pod["status"]["phase"] in ("Pending", "Running")]

    def results() -> dict[str, tuple[str, datetime]]:
        return {key: bucket.written(key) for key in bucket if key.endswith("result.json")}

    eventually(results, what="one is replayed")
    suspend(True)
    held = story.until(obj, lambda seen: (condition(seen, "Ready") or {}).get("reason") == "Suspended")
    assert verdict(held) == "InProgress"
    eventually(lambda: not at_work(), what="no pod is at work")
    before = results()
    assert 0 < len(before) < 4
    suspend(False)
    over = story.finished(obj)
    (told,) = over["status"]["results"]
    assert told["archives"] == {"total": 4, "done": 4, "succeeded": 4, "failed": 0}
    assert {key: results()[key] for key in before} == before


def recordings_of(name: str) -> tuple[Object, Object]:
    """What the two versions made of an archive."""
    baseline, other = (recorded(name, version) for version in VERSIONS)
    return baseline, other


def assert_aggregates(status: Object, made: list[tuple[Object, Object]]) -> None:
    """The comparison counts over all archives what a few lines count over the recordings."""
    (other,) = status["comparison"]["versions"]
    differences = [differing(*both) for both in made]
    assert {what: other[what]["differing"] for what in counts([])} == counts(differences)
    assert other["changedArchives"] == sum(any(each.values()) for each in differences)


def assert_times(status: Object, results: list[Object]) -> None:
    """Quantiles are of the results in the store."""
    for told in status["results"]:
        mine = [each["durationsMs"] for each in results if each["engine"]["version"] == told["name"]]
        assert told["totalMs"] == statistics.median_low(each["total"] for each in mine)
        for action in told["actions"]:
            times = sorted(each["actions"][action["name"]] for each in mine)
            assert action["ms"] == statistics.median_low(times)
            assert action["p90Ms"] == times[math.ceil(0.9 * len(times)) - 1]
            assert action["maxMs"] == times[-1]


def tool_starts(kube: Kube, obj: Object) -> Counter[tuple[str, str]]:
    """In how many pods it came to the tool, by Job and index."""
    pods = kube.list("pods", stage.NAMESPACE, selector=f"kai-snapshot.io/replay-uid={obj['metadata']['uid']}")
    return Counter(
        (labels["batch.kubernetes.io/job-name"], labels["batch.kubernetes.io/job-completion-index"])
        for labels, status in ((pod["metadata"]["labels"], pod["status"]) for pod in pods)
        for container in status["initContainerStatuses"]
        if container["name"] == "snapshot-tool" and "terminated" in container["state"]
    )


def stamp(moment: datetime) -> str:
    """As a spec has it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
