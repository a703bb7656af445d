"""What Kubernetes objects say of a cluster and a node. Objects are as the API server, or a snapshot, has them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

from kai_snapshot.api.environmentdocument import Measurement, MeasurementType, Reading, Subtype
from kai_snapshot.environment.readings import go_text

Object = Mapping[str, Any]

PROVIDERS: Final = {"aws": "eks", "gce": "gke", "azure": "aks", "oci": "oke"}
"""The managed Kubernetes that a cloud's provider id stands for."""
CLUSTER_POLICY: Final = "ClusterPolicy"
"""The kind, in whatever API group: the GPU operator's, and Kyverno's."""


def measurement(
    *,
    server_version: Object | None,
    images: Mapping[str, str] | None,
    policies: Iterable[Object] | None,
    node: Subtype | None,
) -> Measurement:
    """The measurement K8s; None for a part that could not be had, which then is empty."""
    return Measurement(
        type=MeasurementType.K8S,
        subtypes=(
            server(server_version or {}),
            Subtype(subtype="image", data=dict(images or {})),
            policy(policies or ()),
            node or Subtype(subtype="node"),
        ),
    )


def server(version: Object) -> Subtype:
    """`server`, from what the API server answers at /version."""
    fields = {"version": "gitVersion", "platform": "platform", "goVersion": "goVersion"}
    return Subtype(
        subtype="server", data={key: str(version[field]) for key, field in fields.items() if version.get(field)}
    )


def images_of(pod: Object) -> Iterator[tuple[str, str]]:
    """The images of all containers of a pod, by their last path segment, each with its tag."""
    spec = pod.get("spec") or {}
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        for container in spec.get(kind) or ():
            reference = str(container.get("image") or "")
            name, tagged, tag = reference.rpartition("/")[2].partition("@")[0].rpartition(":")
            if name or tag:
                yield (name, tag) if tagged else (tag, "latest")


def policy(policies: Iterable[Object]) -> Subtype:
    """`policy`: the specs of all ClusterPolicies, flat, every value as text."""
    data: dict[str, Reading] = {}
    for each in policies:
        spec = each.get("spec")
        if isinstance(spec, Mapping):
            data.update(_flat(spec, ""))
    return Subtype(subtype="policy", data=data)


def of_node(node: Object) -> Subtype:
    """`node`: who provides a node and what runs on it."""
    info = (node.get("status") or {}).get("nodeInfo") or {}
    provider_id = str((node.get("spec") or {}).get("providerID") or "")
    runtime = str(info.get("containerRuntimeVersion") or "")
    runtime_name, separated, runtime_version = runtime.partition("://")
    data: dict[str, str] = {
        "source-node": node["metadata"]["name"],
        "provider": provider(provider_id),
        "provider-id": provider_id,
        "container-runtime-id": runtime,
        "container-runtime-name": runtime_name if separated else "",
        "container-runtime-version": runtime_version,
        "kubelet-version": str(info.get("kubeletVersion") or ""),
        "kernel-version": str(info.get("kernelVersion") or ""),
        "operating-system": str(info.get("operatingSystem") or ""),
        "os-image": str(info.get("osImage") or ""),
    }
    return Subtype(subtype="node", data={key: value for key, value in data.items() if value})


def provider(provider_id: str) -> str:
    """Whose node it is: `eks` for `aws:///eu-central-1a/i-0abc`, the prefix itself where that is not known."""
    prefix = provider_id.partition("://")[0].strip().lower()
    return PROVIDERS.get(prefix, prefix)


def _flat(spec: Object, prefix: str) -> Iterator[tuple[str, Reading]]:
    for key, value in spec.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}.")
        elif isinstance(value, list):
            if value:
                yield path, orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
        else:
            yield path, go_text(value)
