"""How a shape is written, and what several kinds have in common."""

from collections.abc import Mapping
from typing import Any, Final

from kai_snapshot.redaction import keyed
from kai_snapshot.redaction import rules as of
from kai_snapshot.redaction.rules import DROPPED, Leaf, Rules, common, elements, members, one_of

Shape = Leaf | Mapping[str, "Shape"] | list["Shape"]
"""A rule, the members of an object, or the elements of a list."""
Members = Mapping[str, Shape]


def compiled(shape: Shape, where: str) -> Leaf:
    """The rule of a shape; `where` it stands is for people."""
    if isinstance(shape, list):
        each = compiled(shape[0], where)
        return lambda rules, value: elements(rules, each, value)
    if not isinstance(shape, Mapping):
        return shape
    known = {name: compiled(below, f"{where}.{name}") for name, below in shape.items()}

    def rule(rules: Rules, value: Any) -> object:
        return members(rules, known, value, where) if isinstance(value, dict) else DROPPED

    return rule


def in_common(shape: Shape, where: str) -> Leaf:
    """The rule of a part that is alike in many objects."""
    return common(compiled(shape, where))


def all_of(rule: Shape, *names: str) -> dict[str, Shape]:
    """Members of the same shape."""
    return dict.fromkeys(names, rule)


STATUS: Final = one_of("True", "False", "Unknown")
REFERENCE: Final[Members] = {"name": of.name, "key": of.text, "optional": of.number}
METADATA: Final[Members] = {
    **all_of(of.name, "name", "namespace"),
    "uid": of.uid,
    **all_of(of.integer, "resourceVersion", "generation", "deletionGracePeriodSeconds"),
    **all_of(of.time, "creationTimestamp", "deletionTimestamp"),
    **all_of(of.gone, "managedFields", "generateName", "selfLink"),
    "labels": keyed.labels,
    "annotations": keyed.annotations,
    "finalizers": [keyed.key],
    "ownerReferences": [
        {
            "apiVersion": keyed.api_version,
            "kind": keyed.owner_kind,
            "name": of.name,
            "uid": of.uid,
            **all_of(of.number, "controller", "blockOwnerDeletion"),
        }
    ],
}
CONDITIONS: Final[Shape] = [
    {
        "type": keyed.condition,
        "status": STATUS,
        "observedGeneration": of.number,
        **all_of(of.time, "lastTransitionTime", "lastProbeTime", "lastHeartbeatTime", "lastUpdateTime"),
        **all_of(of.gone, "message", "reason"),
    }
]
SELECTOR: Final[Shape] = {"matchLabels": keyed.labels, "matchExpressions": [keyed.expression]}
NODE_TERM: Final[Shape] = {"matchExpressions": [keyed.expression], "matchFields": [keyed.field]}
NODE_SELECTOR: Final[Shape] = {"nodeSelectorTerms": [NODE_TERM]}
