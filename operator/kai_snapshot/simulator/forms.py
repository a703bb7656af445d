"""The form of what the simulator reads: the fields that it looks at, with the types that KAI and Kubernetes give them.

What does not pass here the scheduler could not read either: no API server lets it in, so it comes of a patch or of a
damaged archive. Fields that nobody looks at are not looked at here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import starmap
from typing import Final

from kai_snapshot.archive.content import CONFIG, PARAMS
from kai_snapshot.simulator.duration import duration
from kai_snapshot.simulator.quantity import quantity
from kai_snapshot.simulator.request import GPU_NAMES
from kai_snapshot.simulator.status import parse_time


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """What a value may be, besides absent and null."""

    name: str
    """For people."""
    holds: Callable[[object], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """Of values under any names."""

    form: "Form"
    some: "Mapping[str, Form]" = field(default_factory=dict)
    """Of those under these."""


Form = Kind | Named | Mapping[str, "Form"] | tuple["Form"]
"""A value; values under any names; the members of an object; the elements of a list."""
MOST_GPUS: Final = 1 << 16
"""Of a node. More would only be there to make somebody count them."""


def _whole(bits: int) -> Kind:
    least, most = -(1 << bits - 1), (1 << bits - 1) - 1
    return Kind(f"a whole number of {bits} bits", lambda value: type(value) is int and least <= value <= most)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and type(value) is not bool and -_MOST < value < _MOST


def _quantity(name: str, most: float) -> Kind:
    def holds(value: object) -> bool:
        if not isinstance(value, str | int | float) or type(value) is bool:
            return False
        try:
            return abs(quantity(value)) <= most
        except ValueError:
            return False

    return Kind(name, holds)


_MOST: Final = 2.0**63
TEXT = Kind("text", lambda value: type(value) is str)
FLAG = Kind("true or false", lambda value: type(value) is bool)
OBJECT = Kind("an object", lambda value: type(value) is dict)
NAME = Kind("a name", lambda value: type(value) is str and value != "")
"""Which nothing is without."""
INT32, INT64 = _whole(32), _whole(64)
NUMBER = Kind("a number", _is_number)
QUANTITY = _quantity("a quantity", _MOST)
GPUS = _quantity("a number of GPUs that a node can have", MOST_GPUS)
DURATION = Kind("a duration", lambda value: value == "" or duration(value) is not None)
TIME = Kind("a time", lambda value: value == "" or parse_time(value) is not None)
TEXTS, AMOUNTS = Named(TEXT), Named(QUANTITY)
OFFERED = Named(QUANTITY, dict.fromkeys(GPU_NAMES, GPUS))

_METADATA: Form = {
    "name": NAME,
    "namespace": TEXT,
    "uid": TEXT,
    "creationTimestamp": TIME,
    "deletionTimestamp": TIME,
    "labels": TEXTS,
    "annotations": TEXTS,
}
_CONSTRAINT: Form = {"topology": TEXT, "requiredTopologyLevel": TEXT, "preferredTopologyLevel": TEXT}
_GANG: Mapping[str, Form] = {"minMember": INT32, "minSubGroup": INT32, "topologyConstraint": _CONSTRAINT}
_REFERENCE: Form = {"name": TEXT, "optional": FLAG}
_TAINT: Mapping[str, Form] = {"key": TEXT, "value": TEXT, "effect": TEXT}
_EXPRESSIONS: Form = ({"key": TEXT, "operator": TEXT, "values": (TEXT,)},)
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_BETWEEN_PODS: Form = {_REQUIRED: ({"namespaces": (TEXT,), "namespaceSelector": OBJECT},)}
_CONTAINERS: Form = (
    {
        "restartPolicy": TEXT,
        "resources": {"requests": AMOUNTS},
        "volumeMounts": ({"name": TEXT},),
        "env": ({"valueFrom": {"configMapKeyRef": _REFERENCE}},),
        "envFrom": ({"configMapRef": _REFERENCE},),
        "ports": ({"hostPort": INT32},),
    },
)
_OF_ONE_POD: Form = {"nodeName": TEXT, "schedulerName": TEXT, "schedulingGates": (OBJECT,)}
_OF_MANY_PODS: Form = {
    "nodeSelector": TEXTS,
    "affinity": {
        "nodeAffinity": {
            _REQUIRED: {"nodeSelectorTerms": ({"matchExpressions": _EXPRESSIONS, "matchFields": _EXPRESSIONS},)}
        },
        "podAffinity": _BETWEEN_PODS,
        "podAntiAffinity": _BETWEEN_PODS,
    },
    "tolerations": ({**_TAINT, "operator": TEXT},),
    "containers": _CONTAINERS,
    "initContainers": _CONTAINERS,
    "overhead": AMOUNTS,
    "volumes": ({"name": TEXT, "configMap": _REFERENCE, "projected": {"sources": ({"configMap": _REFERENCE},)}},),
    "resourceClaims": (OBJECT,),
    "topologySpreadConstraints": ({"labelSelector": OBJECT},),
}
_QUEUE_RESOURCE: Form = {"quota": NUMBER, "limit": NUMBER, "overQuotaWeight": NUMBER}
_FORMS: Mapping[str, Mapping[str, Form]] = {
    CONFIG: {
        "actions": TEXT,
        "tiers": ({"plugins": ({"name": NAME, "arguments": TEXTS},)},),
        "queueDepthPerAction": Named(INT64),
        "usageDBConfig": OBJECT,
        "scenarioSearchBudgets": OBJECT,
    },
    PARAMS: {
        "schedulerName": TEXT,
        "partitionParams": {"NodePoolLabelKey": TEXT, "NodePoolLabelValue": TEXT},
        "restrictSchedulingNodes": FLAG,
        "useSchedulingSignatures": FLAG,
        "fullHierarchyFairness": FLAG,
        "allowConsolidatingReclaim": FLAG,
        "maxNumberConsolidationPreemptees": INT64,
        "globalDefaultStalenessGracePeriod": DURATION,
        "stuckInReleasingThreshold": DURATION,
    },
    "pods": {"spec": _OF_ONE_POD, "status": {"phase": TEXT, "nominatedNodeName": TEXT}},
    "nodes": {
        "spec": {"taints": (_TAINT,), "unschedulable": FLAG},
        "status": {
            "allocatable": Named(QUANTITY, dict.fromkeys(GPU_NAMES, GPUS)),
            "conditions": ({"type": TEXT, "status": TEXT},),
        },
    },
    "queues": {
        "spec": {
            "parentQueue": TEXT,
            "priority": INT64,
            "resources": {"cpu": _QUEUE_RESOURCE, "memory": _QUEUE_RESOURCE, "gpu": _QUEUE_RESOURCE},
            "reclaimMinRuntime": DURATION,
            "preemptMinRuntime": DURATION,
        },
        "status": {"allocated": AMOUNTS},
    },
    "podGroups": {
        "spec": {
            **_GANG,
            "queue": TEXT,
            "priorityClassName": TEXT,
            "preemptibility": TEXT,
            "subGroups": ({**_GANG, "name": NAME, "parent": TEXT},),
            "stalenessGracePeriod": DURATION,
            "preemptionDelay": DURATION,
            "schedulingBackoff": INT32,
        },
        "status": {"schedulingConditions": ({"transitionID": TEXT, "nodePool": TEXT},)},
    },
    "bindRequests": {
        "spec": {"podName": TEXT, "selectedNode": TEXT, "selectedGPUGroups": (TEXT,), "backoffLimit": INT32},
        "status": {"phase": TEXT, "failedAttempts": INT32},
    },
    "priorityClasses": {"value": INT32, "globalDefault": FLAG},
    "topologies": {"spec": {"levels": ({"nodeLabel": NAME, "alias": TEXT},)}},
    "resourceSlices": {"spec": {"driver": TEXT}},
    "deviceClasses": {"spec": {"extendedResourceName": TEXT}},
}
"""By part of a snapshot, or by list of its objects."""


class Malformed(ValueError):  # noqa: N818 - an adjective, as those of the errors that become of it
    """What is not one of its kind; the message is for people."""


def check(of: str, value: object) -> None:
    """Of a part of a snapshot, or of an object of the list `of`. Raises Malformed."""
    if of in (CONFIG, PARAMS):
        if found := _fault(_FORMS[of], value, ""):
            raise Malformed(f"`{of}` is not what it should be: {found}")
    else:
        _check_object(of, value, {"metadata": _METADATA, **_FORMS.get(of, {})})


def check_template(pod: object) -> None:
    """Of what pods made from one template have in common; `check` leaves it out. Raises Malformed."""
    _check_object("pods", pod, {"spec": _OF_MANY_PODS})


def _check_object(of: str, value: object, form: Form) -> None:
    if found := _fault(form, value, ""):
        raise Malformed(f"{_called(value)} of `{of}` is not one of its kind: {found}")


def _called(value: object) -> str:
    metadata = value.get("metadata") if type(value) is dict else None
    name = metadata.get("name") if type(metadata) is dict else None
    return repr(name) if NAME.holds(name) else "an object"


def _fault(form: Form, value: object, path: str) -> str:
    """`path` leads to the value."""
    if isinstance(form, Kind):
        return "" if form.holds(value) else f"`{path}` is not {form.name}"
    if isinstance(form, tuple):
        if type(value) is not list:
            return f"`{path}` is not a list"
        return next(filter(None, (_fault(form[0], each, f"{path}.{i}") for i, each in enumerate(value))), "")
    if type(value) is not dict:
        return f"`{path}` is not an object" if path else "it is not an object"
    if isinstance(form, Named):
        each = ((form.some.get(name, form.form), member, f"{path}.{name}") for name, member in value.items())
        return next(filter(None, starmap(_fault, each)), "")
    for name, of in form.items():
        member = value.get(name)
        if member is None and of is not NAME and of is not _METADATA:
            continue
        if found := _fault(of, member, f"{path}.{name}" if path else name):
            return found
    return ""
