"""Which nodes a pod may go to: selector, required node affinity, taints."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kai_snapshot.simulator.integer import integer

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Constraints:
    """The conditions of a pod on its node, as its `spec` has them."""

    selector: Labels
    terms: Sequence[Mapping[str, Any]] | None
    """Required node affinity: one of them must hold. None: no condition."""
    tolerations: Sequence[Mapping[str, Any]]
    selects: bool
    """Whether the pod has a node selector, even an empty one, or required node affinity."""

    def select(self, name: str, labels: Labels) -> bool:
        """Whether selector and affinity let the pod go to a node of that name and labels."""
        if any(labels.get(key) != value for key, value in self.selector.items()):
            return False
        return self.terms is None or any(_holds(term, name, labels) for term in self.terms)

    def tolerate(self, taints: Iterable[Mapping[str, Any]]) -> bool:
        """Whether the pod stands all taints that keep pods away."""
        return all(
            any(_tolerates(each, taint) for each in self.tolerations)
            for taint in taints
            if taint.get("effect") in ("NoSchedule", "NoExecute")
        )


def pod_constraints(spec: Mapping[str, Any]) -> Constraints:
    """The conditions of a pod of that `spec`."""
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    return Constraints(
        selector=spec.get("nodeSelector") or {},
        terms=None if affinity is None else affinity.get("nodeSelectorTerms") or (),
        tolerations=spec.get("tolerations") or (),
        selects="nodeSelector" in spec or affinity is not None,
    )


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    if toleration.get("operator") == "Exists":
        return True
    if toleration.get("operator") not in (None, "", "Equal"):
        return False
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


def _holds(term: Mapping[str, Any], name: str, labels: Labels) -> bool:
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    return all(_matches(each, labels) for each in expressions) and all(
        _matches(each, {"metadata.name": name}) for each in fields
    )


def _matches(expression: Mapping[str, Any], labels: Labels) -> bool:
    value = labels.get(str(expression.get("key")))
    values = expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return value in values if value is not None else False
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" as operator:
            return _compares(operator, value, values)
    return False


def _compares(operator: str, value: str | None, values: Sequence[str]) -> bool:
    left, right = integer(value), integer(values[0] if values else None)
    if left is None or right is None:
        return False
    return left > right if operator == "Gt" else left < right
