"""What goes wrong at the scheduler ends in a reason of its own, says what to do, and leaves nothing that is not good.

A scheduler for each trouble, all at the same time.
"""

import io
import json
import secrets
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from stage import stage
from stage.kube import Kube
from support.archives import InBucket
from support.kstatus import condition, verdict
from support.objects import Object, capture, replay
from support.schedulers import Shard
from support.story import Story
from support.troubles import failed


@dataclass(frozen=True)
class Trouble:
    """A scheduler, and what is to be said of it."""

    behaviour: str
    reason: str
    says: str
    """What the message must hold: what to do."""
    scheduler: Mapping[str, Any] = field(default_factory=dict)
    """How it differs otherwise."""
    source: Mapping[str, Any] = field(default_factory=dict)
    """How the capture asks, where that differs."""
    retries: int = 0


REFUSED = {
    "the plugin is off": Trouble(
        "plugin-off",
        "PluginDisabled",
        "kubectl patch schedulingshard {shard} --type merge",
        scheduler={"config_map": False},
    ),
    "the plugin was put into the ConfigMap without a restart": Trouble(
        "plugin-off", "PluginDisabled", "kubectl -n kai-scheduler rollout restart deployment {deployment}"
    ),
    "only a standby is there": Trouble("standby", "NotLeader", "it is a standby, or has had no scheduling cycle yet"),
    "it is scaled to 0": Trouble("serve", "NoSchedulerPod", "scale it up to capture", scheduler={"replicas": 0}),
    "config is null for ever, without a ConfigMap": Trouble(
        "config-null",
        "ConfigNull",
        "it mounts no ConfigMap to read the configuration from: upgrade KAI to v0.16.5 or later",
        scheduler={"config_map": False},
    ),
    "a valid ZIP with cut JSON": Trouble("cut-json", "InvalidJSON", "Capture it again"),
    "the connection is cut": Trouble("cut", "ConnectionCut", "See whether the pod was restarted"),
    "it falls silent": Trouble("silence", "SourceTimeout", "source.timeoutSeconds", source={"timeoutSeconds": 2}),
    "it fails": Trouble("error", "HTTPStatus", "See the scheduler's log"),
    "not a ZIP": Trouble("not-a-zip", "NotAZip", "Is it the answer of /get-snapshot?"),
    "a ZIP bomb": Trouble("bomb", "ArchiveTooLarge", "a ZIP bomb, not a snapshot"),
}
KEPT = {
    "config is null once": Trouble("config-null:1", "Succeeded", "", retries=2),
    "config is null for ever, with a ConfigMap": Trouble("config-null", "SucceededHealed", "", retries=2),
}


@dataclass(frozen=True)
class Case:
    """A trouble on the stage."""

    shard: Shard
    capture: Object
    place: InBucket


Cases = Callable[[str], Case]


@pytest.fixture(scope="module")
def cases(kube: Kube, s3: Any, shard: Callable[..., Shard]) -> Iterator[Cases]:
    """All troubles at once: a shard each, and a capture of it."""
    story, tag = Story(kube), secrets.token_hex(2)

    def put_on(numbered: tuple[int, Trouble]) -> Case:
        number, trouble = numbered
        made = shard(f"trouble-{number}-{tag}", behaviour=trouble.behaviour, **trouble.scheduler)
        place = InBucket(s3, f"e2e/{tag}/{number}")
        source = {**made.source, **trouble.source}
        obj = capture(made.name, storage=place.spec, source=source, retries=trouble.retries)
        return Case(made, story.create(obj), place)

    troubles = {**REFUSED, **KEPT}
    with ThreadPoolExecutor(4) as pool:
        made = dict(zip(troubles, pool.map(put_on, enumerate(troubles.values())), strict=True))
    yield made.__getitem__
    story.end()
    for case in made.values():
        kube.delete("deployment", case.shard.deployment, stage.SCHEDULER_NAMESPACE, wait=False)


@pytest.mark.parametrize(("what", "trouble"), REFUSED.items(), ids=REFUSED)
def test_nothing_is_kept_and_it_says_what_to_do_when(what: str, trouble: Trouble, cases: Cases, story: Story) -> None:
    case = cases(what)
    says = trouble.says.format(shard=case.shard.name, deployment=case.shard.deployment)
    failed(story, case.capture, reason=trouble.reason, says=says)
    assert case.place.keys() == []


@pytest.mark.parametrize(("what", "trouble"), KEPT.items(), ids=KEPT)
def test_an_archive_is_kept_as_it_was_served_when(what: str, trouble: Trouble, cases: Cases, story: Story) -> None:
    case = cases(what)
    done = story.finished(case.capture)
    ready = condition(done, "Ready")
    assert ready is not None
    assert (ready["status"], ready["reason"], verdict(done)) == ("True", trouble.reason, "Current"), ready["message"]

    archive, manifest = case.place.keys()
    healed = trouble.reason == "SucceededHealed"
    served, told = document(case.place.read(archive)), case.place.document(manifest)
    stored = done["status"]["lastSuccessfulCapture"]
    assert (served["config"] is None) == healed
    assert case.place.sha256(archive) == stored["sha256"] == told["sha256"]
    assert stored.get("healed", False) == told["healed"] == healed
    assert ("config" in told) == healed


def test_a_replay_puts_in_the_configuration_that_the_snapshot_lacks(cases: Cases, story: Story, tag: str) -> None:
    case = cases("config is null for ever, with a ConfigMap")
    name = story.finished(case.capture)["metadata"]["name"]
    finished = story.finished(story.create(replay(f"healed-{tag}", of=name, versions=["AsCaptured"])))
    (told,) = finished["status"]["results"]
    assert finished["status"]["resolvedSource"]["healed"] is True
    assert (finished["status"]["outcome"], told["outcome"]) == ("Succeeded", "Succeeded"), told.get("message")
    listed = case.place.document(case.place.key(told["resultURI"]))["adaptations"]
    assert any("the scheduler's ConfigMap is put in where the snapshot says null" in line for line in listed), listed


def document(archive: bytes) -> Object:
    """What is in an archive."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return dict(json.loads(file.read("snapshot.json")))
