"""The e2e tests: the operator from its image, on a cluster that pytest-kind starts, with everything around it for real.

KAI's own images can be neither pulled nor built everywhere, so stand-ins take their place (tests/standins,
tests/support/scheduler.py). Name the real ones and they are used instead:

    make e2e ARGS="--kai-tool-image=ghcr.io/kai-scheduler/kai-scheduler/snapshot-tool:{version}"
"""

import secrets
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from pytest_kind.cluster import KindCluster

from stage import images, stage
from stage.images import Image
from stage.kube import Kube
from stage.stage import Cast
from support import schedulers
from support.archives import Archives, InBucket, OnVolume
from support.faults import Faults
from support.operatorpod import Operator
from support.schedulers import Shard
from support.statuses import Recorder
from support.story import Story
from support.watch import Watch, watching
from toolchain.places import BIN


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("kai")
    group.addoption("--kai-tool-image", help="the real snapshot-tool, with {version} in the place of the tag")
    group.addoption(
        "--kai-scheduler-image", help="the real scheduler; its CRDs must be in the cluster (--keep-cluster)"
    )
    group.addoption(
        "--record-statuses", action="store_true", help="keep each kind of status that is new in tests/data/statuses"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What looks back at all other stories comes last."""
    items.sort(key=lambda item: item.get_closest_marker("looks_back") is not None)


@pytest.fixture(scope="session")
def players(request: pytest.FixtureRequest) -> Cast:
    """The images that play."""
    options = request.config.option
    return stage.cast(scheduler_image=options.kai_scheduler_image, tool_image=options.kai_tool_image)


@pytest.fixture(scope="session")
def kube(request: pytest.FixtureRequest, kind_cluster: KindCluster, players: Cast) -> Kube:
    """The cluster, with everything in it that the operator needs, and the operator itself."""
    kube = Kube(kind_cluster.kubectl_path, kind_cluster.kubeconfig_path)
    capture_manager = request.config.pluginmanager.getplugin("capturemanager")
    with capture_manager.global_and_fixture_disabled():  # it takes minutes the first time: say what is going on
        stage.set_up(kube, kind_cluster.name, players, report)
    return kube


def report(text: str) -> None:
    """Says what is being done, where pytest's own lines go."""
    sys.stderr.write(f"\n  {text}")
    sys.stderr.flush()


@pytest.fixture(scope="session")
def watch(request: pytest.FixtureRequest, kube: Kube) -> Iterator[Watch]:
    """Sees every status there is from now on."""
    tell = Recorder() if request.config.option.record_statuses else lambda _: None
    with watching(kube, tell) as watch:
        yield watch
    watch.complain()


@pytest.fixture(autouse=True)
def every_status_may_be(watch: Watch) -> Iterator[None]:
    """Fails where a status was wrong at any moment, if only for a moment and seen by no test."""
    yield
    watch.complain()


@pytest.fixture(scope="session")
def s3(kube: Kube) -> Iterator[Any]:
    """A boto3 client of the S3 server in the cluster."""
    with stage.s3(kube) as client:
        yield client


Load = Callable[[Image], Image]


@pytest.fixture(scope="session")
def load(kube: Kube, kind_cluster: KindCluster) -> Load:
    """Builds an image that only some tests need, and brings it into the cluster."""

    def load_one(image: Image) -> Image:
        images.load(kube, kind_cluster.name, kind=BIN / "kind", wanted=[image], report=report)
        return image

    return load_one


@pytest.fixture(scope="session")
def operator(kube: Kube) -> Operator:
    """The operator, to be stopped and crashed. Who stops it starts it again."""
    return Operator(kube)


@pytest.fixture(scope="session")
def shard(kube: Kube, load: Load) -> Callable[..., Shard]:
    """Makes a shard of a test's own; see support.schedulers.shard."""
    return partial(schedulers.shard, kube, load(images.scheduler()))


@pytest.fixture
def faults(kube: Kube, players: Cast) -> Iterator[Faults]:
    """A proxy in front of the S3 server."""
    proxy = Faults(kube)
    proxy.set_up(players.operator.reference)
    yield proxy
    proxy.clear()


@pytest.fixture
def story(kube: Kube) -> Iterator[Story]:
    """The test's objects."""
    story = Story(kube)
    yield story
    story.end()


@pytest.fixture
def tag() -> str:
    """Makes names of a test its own, also in a cluster that was kept."""
    return secrets.token_hex(2)


@pytest.fixture
def bucket(s3: Any, tag: str) -> InBucket:
    """A place in the bucket."""
    return InBucket(s3, f"e2e/{tag}")


@pytest.fixture
def volume(kube: Kube, tag: str) -> OnVolume:
    """A place on the volume."""
    return OnVolume(kube, f"e2e/{tag}")


@pytest.fixture(params=["bucket", "volume"])
def archives(request: pytest.FixtureRequest) -> Archives:
    """A place in the bucket, and then one on the volume."""
    place: Archives = request.getfixturevalue(request.param)
    return place
