"""Devices (DRA) and the parts of machines, as far as they are decided on."""

from typing import Final

from kai_snapshot.redaction import keyed, settings
from kai_snapshot.redaction import rules as of
from kai_snapshot.redaction.rules import one_of
from kai_snapshot.redaction.shapes.common import METADATA, NODE_SELECTOR, Members, Shape, all_of

_SELECTORS: Final[Shape] = [{"cel": {"expression": of.verbatim}}]
_EXACT: Final[Members] = {
    "deviceClassName": keyed.device_class,
    "selectors": _SELECTORS,
    "allocationMode": one_of("All", "ExactCount"),
    **all_of(of.number, "count", "adminAccess"),
    "tolerations": [keyed.taint],
    "capacity": {"requests": of.verbatim},
}
"""From v1 on in a member of its own, before in the request itself."""
REQUEST: Final[Members] = {
    "name": of.part,
    **_EXACT,
    "exactly": _EXACT,
    "firstAvailable": [{"name": of.part, **_EXACT}],
}
_CLAIM_SPEC: Final[Shape] = {
    "devices": {
        "requests": [REQUEST],
        "constraints": [{"requests": [of.part], **all_of(of.verbatim, "matchAttribute", "distinctAttribute")}],
        "config": of.gone,
    }
}
ALLOCATION: Final[Shape] = {
    "devices": {
        "results": [
            {
                "request": of.part,
                "driver": of.verbatim,
                **all_of(of.name, "pool", "device"),
                "adminAccess": of.number,
                "tolerations": [keyed.taint],
                "shareID": of.name,
                "consumedCapacity": of.verbatim,
                **all_of(of.gone, "bindingConditions", "bindingFailureConditions"),
            }
        ],
        "config": of.gone,
    },
    "nodeSelector": NODE_SELECTOR,
    "allocationTimestamp": of.time,
}
RESOURCE_CLAIM: Final[Members] = {
    "spec": _CLAIM_SPEC,
    "status": {
        "allocation": ALLOCATION,
        "reservedFor": [{"apiGroup": keyed.api_version, "resource": one_of("pods"), "name": of.name, "uid": of.uid}],
        "devices": of.gone,
    },
}
_DEVICE: Final[Members] = {
    **all_of(of.verbatim, "attributes", "capacity"),
    "taints": [keyed.taint],
    "nodeName": of.name,
    "nodeSelector": NODE_SELECTOR,
    **all_of(of.number, "allNodes", "allowMultipleAllocations"),
    "consumesCounters": [{"counterSet": of.part, "counters": of.verbatim}],
    **all_of(of.gone, "bindsToNode", "bindingConditions", "bindingFailureConditions"),
}
RESOURCE_SLICE: Final[Members] = {
    "spec": {
        "driver": of.verbatim,
        "pool": {"name": of.name, **all_of(of.number, "generation", "resourceSliceCount")},
        "nodeName": of.name,
        "nodeSelector": NODE_SELECTOR,
        **all_of(of.number, "allNodes", "perDeviceNodeSelection"),
        "devices": [{"name": of.name, **_DEVICE, "basic": _DEVICE}],
        "sharedCounters": [{"name": of.part, "counters": of.verbatim}],
    }
}
DEVICE_CLASS: Final[Members] = {
    "metadata": {**METADATA, "name": keyed.device_class},
    "spec": {"selectors": _SELECTORS, "config": of.gone, "extendedResourceName": keyed.resource},
}
_FIGURES: Final = all_of(of.quantity, "capacity", "allocatable", "available")
NODE_RESOURCE_TOPOLOGY: Final[Members] = {
    "topologyPolicies": [
        one_of(
            "SingleNUMANode", "SingleNUMANodeContainerLevel", "SingleNUMANodePodLevel", "Restricted",
            "RestrictedContainerLevel", "RestrictedPodLevel", "BestEffort", "BestEffortContainerLevel",
            "BestEffortPodLevel", "None",
        )
    ],
    "zones": [
        {
            "name": keyed.zone,
            **all_of(keyed.zone, "parent"),
            "type": one_of("Node", "Socket", "Core"),
            "costs": [{"name": keyed.zone, "value": of.number}],
            "attributes": settings.kubelet,
            "resources": [{"name": keyed.resource, **_FIGURES}],
        }
    ],
    "attributes": settings.kubelet,
}  # fmt: skip
