"""`kai-snapshot serve --live`: what the scheduler sees now, asked for as one person with a kubeconfig does."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial

import pytest
from pytest_kind.cluster import KindCluster

from kai_snapshot.runs.live import FRESH_SECONDS
from stage import images, stage
from support.eventually import eventually
from support.schedulers import Shard
from support.served import Site, serving
from support.viewed import SCHEMAS, documents, views_of

ARCHIVE = "18-gang+fraction+cpu+selector+taint+running+overq+prio+limit+elastic+three"
VISUALIZER = "/api/v1/visualizer"


@pytest.fixture(scope="module")
def looked_at(shard: Callable[..., Shard]) -> Shard:
    """A shard that nobody else asks."""
    return shard("looked-at", archive=ARCHIVE)


Live = Callable[[], AbstractContextManager[Site]]


@pytest.fixture(scope="module")
def live(kind_cluster: KindCluster, looked_at: Shard) -> Live:
    """Serves it live, as long as a block lasts."""
    scheduler = ("--namespace", stage.SCHEDULER_NAMESPACE, "--shard", looked_at.name)
    return partial(serving, "--live", "--kubeconfig", kind_cluster.kubeconfig_path, *scheduler)


@pytest.fixture(scope="module")
def site(live: Live) -> Iterator[Site]:
    """It is live."""
    with live() as site:
        yield site


@pytest.mark.parametrize("name", SCHEMAS)
def test_it_shows_what_the_scheduler_sees(site: Site, name: str) -> None:
    answer = site.ask(f"{VISUALIZER}/{name}")
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    SCHEMAS[name].validate(answer.document)
    found, expected = answer.document, documents(views_of(images.CORPUS / ARCHIVE / "snapshot.zip"))[name]
    if name == "summary":
        assert (found.pop("source")["kind"], expected.pop("source")["kind"]) == ("live", "file")
    assert found == expected


def test_many_who_look_at_once_ask_the_scheduler_once(live: Live, looked_at: Shard) -> None:
    before, begun = looked_at.requests(), time.monotonic()
    with live() as site, ThreadPoolExecutor(8) as people:
        statuses = list(people.map(lambda name: site.ask(f"{VISUALIZER}/{name}").status, list(SCHEMAS) * 8))
    # What is a few seconds old is not what the scheduler sees now: on a slow machine it is asked again.
    most = 1 + (time.monotonic() - begun) // FRESH_SECONDS
    assert statuses == [200] * 32
    assert 1 <= looked_at.requests() - before <= most


def test_what_is_seconds_old_is_asked_for_again(site: Site, looked_at: Shard) -> None:
    def asked_again() -> bool:
        site.ask(f"{VISUALIZER}/summary")
        return looked_at.requests() > before

    assert site.ask(f"{VISUALIZER}/summary").status == 200
    before = looked_at.requests()
    eventually(asked_again, timeout=60)


def test_a_scheduler_that_does_not_answer_is_said_in_words(site: Site, looked_at: Shard) -> None:
    def reason() -> object:
        return site.ask(f"{VISUALIZER}/summary").document.get("reason")

    looked_at.behave("plugin-off")
    try:
        eventually(lambda: reason() == "PluginDisabled")
    finally:
        looked_at.behave("serve")
    eventually(lambda: reason() is None)
