"""What a scheduler keeps of a pod, by its version: the form that pods have in its snapshot.

From v0.16.2 on it holds no images, commands, probes and values of environment variables (cache/pod_transform.go).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kai_snapshot import kaiversions

Json = dict[str, Any]

CONTAINER_LISTS = ("containers", "initContainers", "ephemeralContainers")
CONTAINER_PARTS = ("name", "ports", "resources", "volumeMounts", "restartPolicy", "targetContainerName")


def left_out(version: str | None) -> str:
    """The field selector with which a scheduler asks for pods; empty for all."""
    return ",".join(f"status.phase!={phase}" for phase in kaiversions.left_out_phases(version))


def kept(pod: Json, version: str | None) -> Json:
    """The pod as the scheduler of that version has it; a mapping of its own where it differs."""
    if not kaiversions.compacts_pods(version):
        return pod
    metadata = {key: value for key, value in pod.get("metadata", {}).items() if key != "managedFields"}
    spec = dict(pod.get("spec", {}))
    for name in CONTAINER_LISTS:
        if name in spec:
            spec[name] = [_container(each) for each in spec[name]]
    return {**pod, "metadata": metadata, "spec": spec}


def _container(container: Json) -> Json:
    compact = {key: container[key] for key in CONTAINER_PARTS if key in container}
    for name, references in (("envFrom", _env_from), ("env", _env)):
        if found := list(references(container.get(name) or ())):
            compact[name] = found
    return compact


def _env_from(sources: Sequence[Mapping[str, Any]]) -> Iterator[Json]:
    """Which ConfigMaps it needs; that a Secret is needed leaves an empty entry, as the scheduler does it."""
    for source in sources:
        if "configMapRef" in source or "secretRef" in source:
            yield {key: source[key] for key in ("configMapRef",) if key in source}


def _env(variables: Sequence[Mapping[str, Any]]) -> Iterator[Json]:
    for variable in variables:
        source = variable.get("valueFrom") or {}
        if "configMapKeyRef" in source or "secretKeyRef" in source:
            reference = {key: source[key] for key in ("configMapKeyRef",) if key in source}
            yield {"name": variable.get("name", ""), "valueFrom": reference}
