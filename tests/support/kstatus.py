"""How GitOps tools read a status, after fluxcd/cli-utils' kstatus, and what a status must be for that to work out."""

from typing import Any, Literal

from support import argocd

Object = dict[str, Any]
Verdict = Literal["InProgress", "Failed", "Current", "Terminating"]


def condition(obj: Object, type_: str) -> Object | None:
    """The condition of that type."""
    found = (each for each in obj.get("status", {}).get("conditions", ()) if each["type"] == type_)
    return next(found, None)


def is_true(obj: Object, type_: str) -> bool:
    """Whether the condition is there and True."""
    found = condition(obj, type_)
    return found is not None and found["status"] == "True"


def verdict(obj: Object) -> Verdict:
    """What `kstatus` computes, and Flux and `kubectl wait`-like tools act on."""
    if "deletionTimestamp" in obj["metadata"]:
        return "Terminating"
    status = obj.get("status", {})
    if status.get("observedGeneration", obj["metadata"]["generation"]) != obj["metadata"]["generation"]:
        return "InProgress"
    if is_true(obj, "Reconciling"):
        return "InProgress"
    if is_true(obj, "Stalled"):
        return "Failed"
    ready = condition(obj, "Ready")
    return "Current" if ready is None or ready["status"] == "True" else "InProgress"


HEALTH = {"Current": "Healthy", "Failed": "Degraded", "InProgress": "Progressing"}
"""What Argo CD is to show; an object that is being deleted it judges itself."""


def health(obj: Object) -> str:
    """What Argo CD is to show of an object that is there to stay: the same, but for a capture that keeps failing."""
    ready = condition(obj, "Ready")
    return "Degraded" if ready is not None and ready["reason"] == "CaptureFailing" else HEALTH[verdict(obj)]


def check(obj: Object) -> Object:
    """Asserts that the status may be as it is, at every moment, and returns the object.

    The rules are those of fluxcd/pkg's runtime/conditions/check, and that Argo CD reads it the same way.
    """
    status = obj.get("status", {})
    generation = obj["metadata"]["generation"]
    observed = status.get("observedGeneration")
    assert observed is not None, "the CRD sets observedGeneration: -1, so that nobody takes an unseen object for ready"
    assert observed <= generation, "observedGeneration is ahead of generation"
    if verdict(obj) != "Terminating":
        assert argocd.health(obj).status == health(obj), "Argo CD and kstatus read it differently"
    conditions = status.get("conditions", [])
    if observed == -1:
        assert not conditions, "conditions before the operator has looked"
        assert verdict(obj) in ("InProgress", "Terminating")
        return obj
    types = [each["type"] for each in conditions]
    assert len(types) == len(set(types)), f"a condition twice: {types}"
    assert "Ready" in types, "Ready must always be there once the object was looked at"
    for each in conditions:
        _check_condition(each, observed)
    ready = condition(obj, "Ready")
    assert ready is not None
    assert not (is_true(obj, "Reconciling") and is_true(obj, "Stalled")), "both Reconciling and Stalled"
    if is_true(obj, "Reconciling") or is_true(obj, "Stalled"):
        assert ready["status"] != "True", "Ready although Reconciling or Stalled"
    if ready["status"] == "Unknown":
        assert is_true(obj, "Reconciling"), "Ready is Unknown and nothing is under way"
    return obj


def _check_condition(each: Object, observed: int) -> None:
    assert each["reason"], f"{each['type']} has no reason"
    assert each.get("observedGeneration") == observed, f"{each['type']} was said of another generation than the status"
    if each["type"] in ("Reconciling", "Stalled"):
        assert each["status"] == "True", f"{each['type']} is there although it is {each['status']}"
    assert len(each.get("message", "")) <= 1024, f"the message of {each['type']} is too long for a status"
