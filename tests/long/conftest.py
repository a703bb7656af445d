"""The long tests play on the stage of the e2e tests. What they measured is written into docs/ by the run itself."""

# ruff: noqa: F811 - a fixture is asked for by the name it has, here those of the e2e tests

from collections.abc import Callable, Iterator

import pytest
from pytest_kind.cluster import KindCluster

from e2e import conftest as e2e
from e2e.conftest import (  # noqa: F401 - pytest finds fixtures by their names
    kube,
    load,
    operator,
    players,
    s3,
    shard,
    tag,
    watch,
)
from long.chaospage import Told, page
from long.plays import NODE_LABEL
from stage import stage
from stage.kube import Kube
from stage.stage import Cast
from support.chaos import Chaos
from support.fakenode import fake_node
from support.nodearchive import snapshot
from support.operatorpod import Operator
from support.schedulers import Shard
from toolchain.places import BIN, CHECKOUT

DOCS = CHECKOUT / "docs"


def pytest_addoption(parser: pytest.Parser) -> None:
    e2e.pytest_addoption(parser)
    parser.addoption("--write-docs", action="store_true", help="write what was measured into docs/")
    parser.addoption("--sizes", default="100,1000,10000", help="test_scale.py: numbers of captures")


@pytest.fixture(scope="session")
def fake_kubelet(kube: Kube, kind_cluster: KindCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A node whose pods take nothing."""
    log = tmp_path_factory.mktemp("kwok") / "log"
    with fake_node(kube, kwok=BIN / "kwok", kubeconfig=kind_cluster.kubeconfig_path, log=log):
        yield


@pytest.fixture(scope="session")
def told(request: pytest.FixtureRequest) -> Iterator[Told]:
    """What the tests of chaos tell."""
    told = Told()
    yield told
    if request.config.option.write_docs and not request.session.testsfailed:
        (DOCS / "chaos.md").write_text(page(told))


@pytest.fixture(scope="session")
def chaos(kube: Kube, operator: Operator, players: Cast) -> Iterator[Chaos]:
    """The operator under the supervisor."""
    made = Chaos(kube, operator, players)
    made.set_up()
    yield made
    made.take_down()


@pytest.fixture(scope="session")
def real(shard: Callable[..., Shard], kube: Kube) -> Iterator[Shard]:
    """A scheduler whose snapshot has the cluster's node."""
    (node,) = (each["metadata"]["name"] for each in kube.list("nodes") if not each["spec"].get("taints"))
    made = shard("chaos")
    made.serve(snapshot({str(node): NODE_LABEL}))
    yield made
    made.kube.delete("deployment", made.deployment, stage.SCHEDULER_NAMESPACE, wait=False)
