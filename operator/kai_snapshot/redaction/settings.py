"""What the scheduler and others were told to do."""

import re
from typing import Final

from kai_snapshot.kaiversions import ACTIONS, PLUGIN_ORDER
from kai_snapshot.redaction import words
from kai_snapshot.redaction.keyed import resource
from kai_snapshot.redaction.rules import DROPPED, Leaf, Rules, duration, name, number, one_of, text

_PLUGINS: Final = frozenset(PLUGIN_ORDER) | {"reflectjoborder", "numa"}
_VERSION: Final = re.compile(r"v?[0-9]{1,9}(?:\.[0-9]{1,9}){0,2}")
_POLICY: Final = one_of(
    "none", "best-effort", "restricted", "single-numa-node", "container", "pod", "None", "Static", "static"
)


def scheduler(rules: Rules, value: object) -> object:
    """The name of a scheduler."""
    return value if value in words.SCHEDULERS else name(rules, value)


def actions(rules: Rules, value: object) -> object:
    """The scheduler's actions."""
    if not isinstance(value, str):
        return DROPPED
    parts = re.split(r"([ ,]+)", value)
    return "".join(part if i % 2 or part in ACTIONS else rules.names.name(part) for i, part in enumerate(parts))


def plugin(rules: Rules, value: object) -> object:
    """A plugin of the scheduler."""
    return value if value in _PLUGINS else name(rules, value)


def arguments(rules: Rules, value: object) -> object:
    """The arguments of a plugin."""
    if not isinstance(value, dict):
        return DROPPED
    return {
        argument if argument in words.ARGUMENTS else rules.names.text(argument): _argument(rules, argument, said)
        for argument, said in value.items()
        if isinstance(said, str)
    }


def _argument(rules: Rules, argument: str, said: str) -> str:
    if argument == "ignoreList":  # resources that the plugin numa leaves alone
        return ",".join(str(resource(rules, each.strip())) if each.strip() else "" for each in said.split(","))
    known = words.ARGUMENTS.get(argument)
    return said if known is not None and known.fullmatch(said) else rules.names.text(said)


def depths(rules: Rules, value: object) -> object:
    """How many jobs each action looks at."""
    return _settings(rules, value, number)


def budgets(rules: Rules, value: object) -> object:
    """How long each action may search."""
    return _settings(rules, value, duration)


def _settings(rules: Rules, value: object, rule: Leaf) -> object:
    if not isinstance(value, dict):
        return rule(rules, value)
    return {
        of if of in words.SETTINGS else rules.names.name(of): _settings(rules, said, rule)
        for of, said in value.items()
        if said is not None
    }


def kubelet(rules: Rules, value: object) -> object:
    """How the kubelet is set to place pods within the machine; other attributes are of no matter."""
    if not isinstance(value, list):
        return DROPPED
    return [
        {"name": each["name"], "value": _POLICY(rules, each.get("value"))}
        for each in value
        if isinstance(each, dict) and each.get("name") in words.KUBELET
    ]


def version(rules: Rules, value: object) -> object:
    """A version, without what a maker adds to it."""
    found = _VERSION.match(value) if isinstance(value, str) else None
    return found[0] if found is not None else text(rules, value)
