"""What people give names to: keys of labels and resources, with what stands under them, and selectors of these."""

import re
from collections.abc import Callable, Mapping
from typing import Final

import orjson

from kai_snapshot.redaction import words
from kai_snapshot.redaction.rules import (
    DROPPED,
    Leaf,
    Rules,
    integer,
    members,
    name,
    number,
    one_of,
    quantity,
    text,
    time,
)

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")
_HARDWARE: Final = re.compile(r"node-[0-9]{1,4}")
_OF_CLASS: Final = "deviceclass.resource.kubernetes.io/"
"""Below it is the resource that a class of devices has without saying so."""
_NUMA: Final = ("kai.scheduler/numa-placement-observed", "kai.scheduler/numa-placement-predicted")
SHARED_CONFIG_MAP: Final = "runai/shared-gpu-configmap"
_NAMES_IN_ANNOTATIONS: Final = (
    "pod-group-name",
    "volume.beta.kubernetes.io/storage-class",
    "volume.kubernetes.io/selected-node",
    "resource.kubernetes.io/pod-claim-name",
)
_TIMES_IN_ANNOTATIONS: Final = re.compile(r"(?:kai\.scheduler|run\.ai)/[a-z-]*timestamp")
_OPERATOR: Final = one_of("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Equal", "Equals")
_EFFECT: Final = one_of("NoSchedule", "PreferNoSchedule", "NoExecute")
_API: Final = re.compile(r"v[0-9]{1,3}(?:(?:alpha|beta)[0-9]{1,3})?")
_GROUPS: Final = frozenset({"", "apps", "autoscaling", "batch", "policy", "extensions"})


def key(rules: Rules, value: object) -> object:
    """The name of a label, an annotation, a taint, a condition: `[domain/]name`."""
    return _in_domain(rules, value, rules.names.label) if isinstance(value, str) else DROPPED


def _in_domain(rules: Rules, value: str, made: Callable[[str], str]) -> str:
    if value in words.PUBLIC_KEYS or words.MIG.fullmatch(value):
        return value
    if value.startswith(words.MIG_PREFIX):
        return words.MIG_PREFIX + rules.names.resource(value.removeprefix(words.MIG_PREFIX))
    domain, slash, rest = value.rpartition("/")
    if not slash:
        return made(value)
    if not (words.is_public_domain(domain) or domain in words.PUBLIC_KEYS):
        domain = rules.names.label(domain)
    return f"{domain}/{made(rest)}"


def resource(rules: Rules, value: object) -> object:
    """The name of a resource. Whether it ends with `gpu` is decided on."""
    if not isinstance(value, str) or words.RESOURCES.fullmatch(value):
        return value if isinstance(value, str) else DROPPED
    if value.startswith(_OF_CLASS):
        return _OF_CLASS + rules.names.device_class(value.removeprefix(_OF_CLASS))
    prefix = next(
        (known for known in ("hugepages-", "attachable-volumes-", "requests.") if value.startswith(known)), ""
    )
    return prefix + _in_domain(rules, value.removeprefix(prefix), rules.names.resource)


def device_class(rules: Rules, value: object) -> object:
    """A class of devices. Whether it has `gpu` in it is decided on."""
    return rules.names.device_class(value) if isinstance(value, str) else DROPPED


def condition(rules: Rules, value: object) -> object:
    """The type of a condition."""
    return value if isinstance(value, str) and value in words.CONDITIONS else key(rules, value)


def owner_kind(rules: Rules, value: object) -> object:
    """A kind."""
    return value if value in words.KINDS else text(rules, value)


def api_version(rules: Rules, value: object) -> object:
    """`[group/]version`."""
    return value if isinstance(value, str) and is_public_group(value) else text(rules, value)


def is_public_group(group_version: str) -> bool:
    """Whether `[group/]version` is of Kubernetes or KAI, or of those around them."""
    group, _, version = group_version.rpartition("/")
    return _API.fullmatch(version) is not None and (group in _GROUPS or words.is_public_domain(group))


def driver(rules: Rules, value: object) -> object:
    """Who makes volumes; where nobody does, Kubernetes says so."""
    if isinstance(value, str) and value.startswith("kubernetes.io/"):
        return key(rules, value)
    return name(rules, value)


def zone(rules: Rules, value: object) -> object:
    """A part of a machine."""
    return value if isinstance(value, str) and _HARDWARE.fullmatch(value) else name(rules, value)


def label(rules: Rules, of: str, value: object) -> object:
    """The value of a label or a taint, by its key."""
    if not isinstance(value, str):
        return DROPPED
    known = words.PUBLIC_VALUES.get(of)
    if known is not None and known.fullmatch(value):
        return value
    if of in rules.numbered and _INTEGER.fullmatch(value):
        return value
    return rules.names.name(value) if of in rules.queue_labels else rules.names.label(value)


def labels(rules: Rules, value: object) -> object:
    """Labels, or what a selector wants of them."""
    if not isinstance(value, dict):
        return DROPPED
    return {str(key(rules, of)): label(rules, of, said) for of, said in value.items() if isinstance(said, str)}


def annotations(rules: Rules, value: object) -> object:
    """Annotations."""
    if not isinstance(value, dict):
        return DROPPED
    return {str(key(rules, of)): _annotation(rules, of, said) for of, said in value.items() if isinstance(said, str)}


def _annotation(rules: Rules, of: str, said: str) -> str:
    if of in _NAMES_IN_ANNOTATIONS or of == SHARED_CONFIG_MAP:
        return rules.names.name(said)
    if _TIMES_IN_ANNOTATIONS.fullmatch(of):
        return str(time(rules, said))
    known = words.NUMBER if of.startswith(words.MIG_PREFIX) else words.PUBLIC_VALUES.get(of)
    if known is not None and known.fullmatch(said):
        return said
    return _numa(rules, said) if of in _NUMA else rules.names.text(said)


def _numa(rules: Rules, said: str) -> str:
    """Where on a machine the pod is, as JSON."""
    try:
        record = orjson.loads(said)
    except orjson.JSONDecodeError:
        return rules.names.text(said)
    return orjson.dumps(numa_zones(rules, record)).decode() if isinstance(record, list) else rules.names.text(said)


def numa_zones(rules: Rules, value: object) -> object:
    """Parts of a machine, and what a pod has of each."""
    if not isinstance(value, list):
        return DROPPED
    return [
        {"zone": zone(rules, each.get("zone")), "amount": amounts(rules, each.get("amount") or {})}
        for each in value
        if isinstance(each, dict) and isinstance(each.get("zone"), str)
    ]


def amounts(rules: Rules, value: object) -> object:
    """Resources."""
    if not isinstance(value, dict):
        return DROPPED
    return {str(resource(rules, of)): quantity(rules, amount) for of, amount in value.items() if amount is not None}


def data(rules: Rules, value: object) -> object:
    """What a ConfigMap holds."""
    if not isinstance(value, dict):
        return DROPPED
    return {rules.names.text(of): rules.names.text(said) for of, said in value.items() if isinstance(said, str)}


def taint(rules: Rules, value: object) -> object:
    """A taint or a toleration."""
    if not isinstance(value, dict):
        return DROPPED
    known: Mapping[str, Leaf] = {
        "key": key, "operator": _OPERATOR, "effect": _EFFECT, "timeAdded": time, "tolerationSeconds": number,
        "value": lambda rules, said: label(rules, str(value.get("key") or ""), said),
    }  # fmt: skip
    return members(rules, known, value, "taints")


def expression(rules: Rules, value: object) -> object:
    """A part of a selector."""
    if not isinstance(value, dict):
        return DROPPED
    of = str(value.get("key") or "")
    numeric = value.get("operator") in ("Gt", "Lt")

    def values(rules: Rules, said: object) -> object:
        if not isinstance(said, list):
            return DROPPED
        if numeric:
            return [integer(rules, each) for each in said]
        return [label(rules, of, each) for each in said if isinstance(each, str)]

    return members(rules, {"key": key, "operator": _OPERATOR, "values": values}, value, "matchExpressions")


def field(rules: Rules, value: object) -> object:
    """A part of a selector by the name of a node."""
    known: Mapping[str, Leaf] = {"key": one_of("metadata.name"), "operator": _OPERATOR, "values": _names}
    return members(rules, known, value, "matchFields") if isinstance(value, dict) else DROPPED


def _names(rules: Rules, value: object) -> object:
    return [name(rules, each) for each in value if isinstance(each, str)] if isinstance(value, list) else DROPPED
