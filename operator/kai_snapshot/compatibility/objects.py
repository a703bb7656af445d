"""Findings about the objects of a snapshot: what a version's tool does not load, or takes for something else."""

from collections.abc import Iterator

from kai_snapshot import kaiversions
from kai_snapshot.api.compatibility import Code, Finding
from kai_snapshot.compatibility.facts import SnapshotFacts

VOLUMES, CLAIMS, TOPOLOGIES = "persistentVolumes", "persistentVolumeClaims", "topologies"
NODE_TOPOLOGIES, NODE_TOPOLOGY_GROUP = "nodeResourceTopologies", "topology.node.k8s.io"
RESOURCE_CLAIMS = "resourceClaims"


def findings(facts: SnapshotFacts, target: str) -> Iterator[Finding]:
    """About what the tool of `target` will see of the objects."""
    if kaiversions.within(target, kaiversions.HANGS_ON_NODE_TOPOLOGIES) and (
        NODE_TOPOLOGY_GROUP in facts.api_groups or facts.counts.get(NODE_TOPOLOGIES)
    ):
        yield Finding.of(
            Code.HANGS_ON_NODE_TOPOLOGIES,
            f"The cluster serves {NODE_TOPOLOGY_GROUP}, and the tool of {target} waits for ever to read it: take "
            "v0.17.0 or later, or one before v0.16.0.",
        )
    ignored = [name for name, count in facts.counts.items() if count and not kaiversions.loads(target, name)]
    if TOPOLOGIES in ignored and kaiversions.has_plugin(target, "topology"):
        ignored.remove(TOPOLOGIES)
        yield Finding.of(
            Code.TOPOLOGIES_NOT_LOADED,
            f"{target} decides by topologies, but its tool does not load the {_many(facts, TOPOLOGIES)}: jobs with a "
            "topology constraint come out wrong; take v0.9.13, v0.10.4, v0.12.0 or later.",
        )
    if facts.counts.get(CLAIMS) and (VOLUMES in ignored or VOLUMES not in facts.counts):
        yield _no_volumes(facts, target)
        ignored = [name for name in ignored if name != VOLUMES]
    yield from _resource_claims(facts, target)
    if ignored:
        yield Finding.of(
            Code.LIST_IGNORED,
            f"The tool of {target} does not know {', '.join(_many(facts, name) for name in ignored)} of the snapshot, "
            "and decides without.",
        )


def _no_volumes(facts: SnapshotFacts, target: str) -> Finding:
    if VOLUMES in facts.counts:
        what = f"The tool of {target} does not load the {_many(facts, VOLUMES)}"
        remedy = "take v0.14.1 or later"
    else:
        what = "The snapshot has no persistentVolumes, which only v0.14.1 and later write"
        remedy = "upgrade the scheduler and capture it again"
    return Finding.of(
        Code.VOLUMES_MISSING,
        f"{what}: pods with one of the {_many(facts, CLAIMS)} that is bound find no node, with the false reason "
        f"`pvc(s) bound to non-existent pv(s)`; {remedy}.",
    )


def _resource_claims(facts: SnapshotFacts, target: str) -> Iterator[Finding]:
    if not facts.counts.get(RESOURCE_CLAIMS):
        return
    needs_discovery = kaiversions.within(target, kaiversions.CLAIMS_NEED_DISCOVERY)
    old_form = facts.dra_form == "v1beta1"
    if not kaiversions.within(target, kaiversions.CLAIMS_COUNT) or (needs_discovery and facts.discovery is False):
        why = " with a snapshot that has no `discovery`" if needs_discovery else ""
        remedy = "no tool makes use of claims of v1beta1" if old_form else "take v0.14.0 or later"
        yield Finding.of(
            Code.CLAIMS_IGNORED,
            f"The tool of {target} takes the cluster{why} for one without dynamic resource allocation: pods with one "
            f"of the {_many(facts, RESOURCE_CLAIMS)} are never placed; {remedy}.",
        )
    elif old_form and kaiversions.dra_form(target) == "v1":
        yield Finding.of(
            Code.CLAIMS_UNREADABLE,
            f"The {_many(facts, RESOURCE_CLAIMS)} have the form of resource.k8s.io/v1beta1, which the tool of {target} "
            "cannot read: it panics at a pending pod whose claim is not allocated yet, and else loses what claims ask "
            "for; earlier tools ignore claims: capture from v0.10.0 or later.",
        )


def _many(facts: SnapshotFacts, name: str) -> str:
    """`12 topologies`."""
    return f"{facts.counts[name]} {name}"
