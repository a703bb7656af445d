"""What kstatus, Flux and Argo CD rely on, checked on any status a test sees (after Flux' conditions checker)."""

from typing import Any


def check(resource: dict[str, Any]) -> None:
    """Raises AssertionError naming the rule that is broken."""
    status = resource.get("status", {})
    generation = resource["metadata"]["generation"]
    observed = status.get("observedGeneration", -1)
    assert observed <= generation, "observedGeneration is ahead of the generation"
    if observed == -1:
        return
    conditions = {condition["type"]: condition for condition in status.get("conditions", [])}
    assert len(conditions) == len(status["conditions"]), "a condition type comes twice"
    assert "Ready" in conditions, "Ready is missing"
    ready = conditions["Ready"]["status"]
    for type_ in ("Reconciling", "Stalled"):
        assert conditions.get(type_, {"status": "True"})["status"] == "True", f"{type_} is there and not True"
    assert not {"Reconciling", "Stalled"} <= set(conditions), "Reconciling and Stalled at once"
    if "Reconciling" in conditions or "Stalled" in conditions:
        assert ready != "True", "Ready is True although work is under way or stalled"
    if ready == "Unknown":
        assert "Reconciling" in conditions, "Ready is Unknown and nothing is under way"
    for condition in conditions.values():
        assert condition["observedGeneration"] <= observed, f"{condition['type']} is ahead of the root"
        assert condition["reason"], f"{condition['type']} has no reason"
        assert len(condition.get("message", "")) <= 1024, f"{condition['type']} has a long message"


def kstatus(resource: dict[str, Any]) -> str:
    """Current, InProgress, Failed or Terminating, as kstatus computes it."""
    if resource["metadata"].get("deletionTimestamp"):
        return "Terminating"
    status = resource.get("status", {})
    if status.get("observedGeneration", resource["metadata"]["generation"]) != resource["metadata"]["generation"]:
        return "InProgress"
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions", [])}
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    return "Current" if conditions.get("Ready", "True") == "True" else "InProgress"
