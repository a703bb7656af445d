"""The scheduler is down: what it would serve is captured from the API server, said to be so, and replayed.

The cluster has two of KAI's kinds and a job that waits; no scheduler works on it.
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from stage.kube import Kube
from support.archives import InBucket
from support.eventually import eventually
from support.kaikinds import KINDS, missing, waiting_job
from support.kstatus import condition, verdict
from support.objects import capture, replay
from support.schedulers import Shard
from support.story import Story
from support.troubles import failed

RIGHTS = Path(__file__).parents[2] / "manifests" / "components" / "fallback" / "rbac.yaml"
NAMESPACE = "default"


@pytest.fixture
def down(shard: Callable[..., Shard], tag: str) -> Iterator[Shard]:
    """A shard whose scheduler is scaled to 0."""
    made = shard(f"down-{tag}", replicas=0)
    yield made
    made.kube.delete("deployment", made.deployment, "kai-scheduler", wait=False)


@pytest.fixture(scope="module")
def kinds(kube: Kube) -> Iterator[None]:
    """KAI's kinds, where the cluster does not have them."""
    story = Story(kube)
    for each in missing(kube):
        story.create(each)
    for plural, _, version, _ in KINDS:
        eventually(partial(kube.get_raw, f"/apis/scheduling.run.ai/{version}/{plural}"), what=plural)
    yield
    story.end()


@pytest.fixture
def job(kinds: None, story: Story, down: Shard, tag: str) -> str:
    """A job in its node pool, by its name."""
    story.create(*waiting_job(f"train-{tag}", pool=down.name, namespace=NAMESPACE))
    return f"train-{tag}"


def test_a_scheduler_that_is_scaled_to_0_is_captured_from_the_api_server(
    story: Story, down: Shard, job: str, bucket: InBucket, tag: str
) -> None:
    source = {**down.source, "fallback": "KubernetesAPI"}

    def spec(name: str) -> dict[str, object]:
        return capture(f"{name}-{tag}", storage=bucket.spec, source=source, retries=0)

    rule = 'It takes a ClusterRole with apiGroups [""], resources ["pods"], verbs ["list"]'
    refused = failed(story, story.create(spec("refused")), reason="Forbidden", says=rule)
    assert "NoSchedulerPod" in refused["status"]["history"][0]["message"]
    assert bucket.keys() == []

    story.apply(*yaml.safe_load_all(RIGHTS.read_text()))
    done = story.finished(story.create(spec("built")))
    ready = condition(done, "Ready")
    assert ready is not None
    assert (ready["status"], ready["reason"], verdict(done)) == ("True", "SucceededFromAPI", "Current")
    assert f"Deployment kai-scheduler/{down.deployment} is scaled to 0" in ready["message"]
    assert done["status"]["lastSuccessfulCapture"]["builtFromAPI"] is True
    (event,) = story.events(done, until="SucceededFromAPI")
    assert event["type"] == "Warning"

    archive, manifest = bucket.keys()
    told = bucket.document(manifest)
    assert told["builtFromAPI"]["because"]["reason"] == "NoSchedulerPod"
    assert {"pods", "nodes", "queues", "podGroups"} <= told["builtFromAPI"]["resourceVersions"].keys()
    assert told["scheduler"]["deployment"] == down.deployment
    assert [told["objectCounts"][name] for name in ("queues", "podGroups")] == [2, 1]
    with zipfile.ZipFile(io.BytesIO(bucket.read(archive))) as file:
        content = file.read("snapshot.json")
    assert b"hunter2" not in content
    assert json.loads(content)["schedulerParams"]["partitionParams"]["NodePoolLabelValue"] == down.name

    over = story.finished(
        story.create(replay(f"built-{tag}", of=f"built-{tag}", versions=None, engine="Simulator", repetitions=1))
    )
    assert over["status"]["outcome"] == "Succeeded", over["status"]
    (result,) = over["status"]["results"]
    decided = bucket.document(bucket.key(result["resultURI"]))
    assert [each["name"] for each in decided["waiting"]] == [f"{NAMESPACE}/{job}"]


def test_a_scheduler_that_hangs_is_not_waited_for_longer_than_the_capture_says(
    shard: Callable[..., Shard], story: Story, job: str, bucket: InBucket, tag: str
) -> None:
    hangs = shard(f"hangs-{tag}", behaviour="mute")
    story.apply(*yaml.safe_load_all(RIGHTS.read_text()))
    source = {**hangs.source, "fallback": "KubernetesAPI", "timeoutSeconds": 2}
    done = story.finished(story.create(capture(f"hangs-{tag}", storage=bucket.spec, source=source)))
    asked = hangs.requests()
    hangs.kube.delete("deployment", hangs.deployment, "kai-scheduler", wait=False)
    assert asked == 1
    ready = condition(done, "Ready")
    assert ready is not None
    assert ready["reason"] == "SucceededFromAPI"
    assert "SourceTimeout" in ready["message"]
    told = bucket.document(bucket.keys()[1])
    assert told["objectCounts"]["podGroups"] == 0, f"{job} is in another node pool"
