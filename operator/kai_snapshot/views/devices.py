"""GPUs that pods claim through dynamic resource allocation (DRA), in the forms v1 and v1beta1."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]
_EXTENDED = "resource.kubernetes.io/extended-resource-claim"
"""The annotation of claims that stand for `nvidia.com/gpu`, which the pod's request counts already."""
_NUMBER = re.compile(r"gpu-(\d+)")


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim for GPUs."""

    name: str
    """namespace/name."""
    count: int
    """GPUs."""
    pods: frozenset[str]
    """The pods that it is kept for, as it says: namespace/name."""
    allocated: tuple["DeviceKey", ...]
    """The devices it got."""


DeviceKey = tuple[str, str, str]
"""Driver, pool and name of a device."""


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU that a driver offers."""

    key: DeviceKey
    node: str
    index: int | None
    """Its number on the node, where that is known."""
    uuid: str


def claim_of(claim: Object) -> Iterator[Claim]:
    """The claim, if it is one for GPUs."""
    metadata, spec, status = claim["metadata"], claim.get("spec") or {}, claim.get("status") or {}
    if (metadata.get("annotations") or {}).get(_EXTENDED) == "true":
        return
    requests = (spec.get("devices") or {}).get("requests") or ()
    count = sum(_gpus(each) for each in requests)
    if count <= 0:
        return
    namespace = metadata.get("namespace") or ""
    owners = [each for each in metadata.get("ownerReferences") or () if each.get("kind") == "Pod"]
    users = [each for each in status.get("reservedFor") or () if each.get("resource") == "pods"]
    results = ((status.get("allocation") or {}).get("devices") or {}).get("results") or ()
    yield Claim(
        name=f"{namespace}/{metadata['name']}",
        count=count,
        pods=frozenset(f"{namespace}/{each['name']}" for each in (*owners, *users)),
        allocated=tuple((str(each["driver"]), str(each["pool"]), str(each["device"])) for each in results),
    )


def claims_named(pod: Object) -> tuple[str, ...]:
    """The claims that a pod names itself, or that were made for it from a template: namespace/name."""
    namespace = pod["metadata"].get("namespace") or ""
    direct = (pod.get("spec") or {}).get("resourceClaims") or ()
    made = (pod.get("status") or {}).get("resourceClaimStatuses") or ()
    names = {each.get("resourceClaimName") for each in (*direct, *made)}
    return tuple(sorted(f"{namespace}/{name}" for name in names if name))


def devices_of(resource_slice: Object) -> Iterator[Device]:
    """The GPUs of a node that a slice lists."""
    spec = resource_slice.get("spec") or {}
    driver, node = str(spec.get("driver") or ""), spec.get("nodeName")
    if not node or "gpu" not in driver.lower():
        return
    pool = str((spec.get("pool") or {}).get("name") or "")
    for device in spec.get("devices") or ():
        attributes = (device.get("basic") or device).get("attributes") or {}
        if _attribute(attributes, "type") not in (None, "gpu"):  # a part of one that is listed too
            continue
        name = str(device["name"])
        numbered = _NUMBER.fullmatch(name)
        index = next((each for key in ("index", "minor") if isinstance(each := _attribute(attributes, key), int)), None)
        yield Device(
            key=(driver, pool, name),
            node=str(node),
            index=int(numbered[1]) if index is None and numbered else index,
            uuid=str(_attribute(attributes, "uuid") or ""),
        )


def _gpus(request: Object) -> int:
    exact = request.get("exactly") or next(iter(request.get("firstAvailable") or ()), request)
    if "gpu" not in str(exact.get("deviceClassName") or "").lower():
        return 0
    if exact.get("allocationMode") == "All":
        return 1
    return max(int(exact.get("count") or 1), 1)


def _attribute(attributes: Object, name: str) -> object:
    """The value of an attribute, whatever domain and type it has."""
    for key, value in attributes.items():
        if key.rpartition("/")[2] == name:
            return next(iter(value.values()), None)
    return None
