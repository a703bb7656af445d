"""Node selectors, taints and tolerations as aicr's options have them: `key=value`, `key=value:effect`, `key:effect`."""

from collections.abc import Sequence
from typing import Any, Final

from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.jobs.environment import EVERY_TAINT

EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def node_selector(texts: Sequence[str]) -> dict[str, str]:
    """Labels from `key=value`. Raises TerminalError(InvalidSpec)."""
    labels = {}
    for text in texts:
        key, given, value = text.partition("=")
        if not given or not key:
            raise TerminalError(Reason.INVALID_SPEC, f"The node selector {text!r} is not key=value.")
        labels[key] = value
    return labels


def tolerations(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Tolerations; of every taint if nothing is said. Raises TerminalError(InvalidSpec)."""
    if not texts:
        return [dict(each) for each in EVERY_TAINT]
    found = []
    for text in texts:
        parts = taint(text)
        value = parts.get("value")
        found.append({**parts, "operator": "Equal"} if value else {**parts, "operator": "Exists"})
    return found


def taint(text: str) -> dict[str, str]:
    """A taint: key, effect, and a value if one is given. Raises TerminalError(InvalidSpec)."""
    what, *effect = text.split(":")
    key, _, value = what.partition("=")
    if len(effect) != 1 or not key:
        raise TerminalError(Reason.INVALID_SPEC, f"{text!r} is neither key=value:effect nor key:effect.")
    if effect[0] not in EFFECTS:
        raise TerminalError(Reason.INVALID_SPEC, f"The effect in {text!r} is none of {', '.join(EFFECTS)}.")
    return {"key": key, "effect": effect[0], **({"value": value} if value else {})}
