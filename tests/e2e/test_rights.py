"""The operator's rights, held against what it asked for in all the other stories: no more than it needs, and no less.

What it asked for says the API server's audit log, which only the local cluster writes. Rights that are not used have a
reason each, and are told when they are used after all.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pytest_kind.cluster import KindCluster

from localkube.places import Cluster
from stage import stage
from stage.kube import Kube
from stage.stage import Cast
from support import audit
from support.audit import Grant, Request

pytestmark = pytest.mark.looks_back

FALLBACK = Path(__file__).parents[2] / "manifests" / "components" / "fallback" / "rbac.yaml"

ACCOUNTS = (stage.OPERATOR, "kai-snapshot-viewer")
UNUSED = {
    "kai-snapshot-source: create pods/portforward": "asked for by the API server on its own, as it opens a WebSocket",
    "kai-snapshot-viewer: list kai-snapshot.io/snapshotcaptures": "the pages ask whether who signs in may, and do not",
}
"""Rights that no request has needed, and why they are granted."""
BUILT_IN = "system:"
"""Begins the names of the roles that Kubernetes gives everybody: to discover kinds, and to ask who one is."""
REFUSED = {
    stage.OTHER_NAMESPACE: "a story deletes the namespace, and the Role in it often goes first",
}
"""Namespaces in which something may be refused, and why; whether it is, is a matter of milliseconds."""


@pytest.fixture(scope="module")
def all_stories(request: pytest.FixtureRequest) -> None:
    """Skips unless all the other stories were told, and went well, since the operator was installed."""
    told = {item.path for item in request.session.items}
    options = request.config.option
    chosen = options.keyword or options.markexpr or any("::" in each for each in request.config.args)
    if chosen or told < set(Path(__file__).parent.glob("test_*.py")):
        pytest.skip("only some stories were told: what the others need is not known")
    if request.session.testsfailed:
        pytest.skip("a story failed: what it would have needed is not known")
    if options.keep_cluster:
        pytest.skip("a cluster that is kept may have been set up by another operator than this")


@pytest.fixture(scope="module")
def asked(kind_cluster: KindCluster) -> list[Request]:
    """What the operator, and who may see the pages, asked for."""
    log = Cluster(kind_cluster.name).audit_log
    if not log.exists():
        pytest.skip("this cluster's API server writes no audit log: tools/localkube's does")
    with log.open() as lines:
        return sorted(set(audit.requests(lines, ACCOUNTS, namespace=stage.NAMESPACE)))


@pytest.fixture(scope="module")
def granted(kube: Kube, players: Cast) -> dict[str, list[Grant]]:
    """What the manifests grant, by account."""
    objects = stage.operator_objects(kube, players)
    return {account: list(audit.grants(objects, account, stage.NAMESPACE)) for account in ACCOUNTS}


def test_whatever_was_asked_for_was_granted_by_the_manifests(
    all_stories: None, asked: list[Request], granted: dict[str, list[Grant]]
) -> None:
    fallback = {account: list(_of_fallback(account)) for account in granted}
    refused = [
        each for each in asked if not each.allowed and not any(grant.allows(each) for grant in fallback[each.account])
    ]
    assert [str(each) for each in refused if each.namespace not in REFUSED] == []
    may = {account: [*own, *fallback[account]] for account, own in granted.items()}
    by_others = [
        f"{each} by {each.by}"
        for each in asked
        if each.allowed and not any(grant.allows(each) for grant in may[each.account])
    ]
    assert [each for each in by_others if f'ClusterRole "{BUILT_IN}' not in each] == []


def _of_fallback(account: str) -> Iterator[Grant]:
    """What stories grant for a while, after one asked without it. Which lists are asked for depends on the kinds."""
    return audit.grants(list(yaml.safe_load_all(FALLBACK.read_text())), account, stage.NAMESPACE)


def test_whatever_was_granted_was_needed(
    all_stories: None, asked: list[Request], granted: dict[str, list[Grant]]
) -> None:
    used: set[str] = set()
    for account in ACCOUNTS:
        own = [each for each in asked if each.account == account and each.allowed]
        used |= {str(grant) for grant in granted[account] if any(grant.allows(each) for each in own)}
    unused = {str(grant) for grants in granted.values() for grant in grants} - used
    assert unused == set(UNUSED)
