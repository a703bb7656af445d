"""Jobs on the nodes of a cluster, as one person's command makes them: created, followed, read, and removed again."""

from collections.abc import Mapping
from typing import Any, Final

from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.source.api import KubernetesApi
from kai_snapshot.source.request import Request

LOG_BYTES: Final = 16 << 20
FIELD_MANAGER: Final = "kai-snapshot"


def _jobs(namespace: str, verb: str, name: str = "") -> Request:
    return Request(
        path=f"/apis/batch/v1/namespaces/{namespace}/jobs{f'/{name}' if name else ''}",
        verbs=[verb],
        resource="jobs",
        group="batch",
        namespace=namespace,
        name=name,
    )


async def create(api: KubernetesApi, job: Mapping[str, Any]) -> None:
    """Makes a Job. Raises SnapshotError; InvalidSpec if there is no such namespace."""
    namespace = job["metadata"]["namespace"]
    if await api.create(_jobs(namespace, "create"), job) is None:
        raise TerminalError(Reason.INVALID_SPEC, f"There is no namespace {namespace}: create it, or name another.")


async def remove(api: KubernetesApi, namespace: str, name: str) -> None:
    """Removes a Job and its pods. Raises SnapshotError."""
    await api.delete(_jobs(namespace, "delete", name))


async def pod(api: KubernetesApi, namespace: str, job: str) -> dict[str, Any] | None:
    """The Job's pod, None while there is none. Raises SnapshotError."""
    request = Request(path=f"/api/v1/namespaces/{namespace}/pods", verbs=["list"], resource="pods", namespace=namespace)
    found = [each async for each in api.objects(request, labelSelector=f"batch.kubernetes.io/job-name={job}")]
    return found[0] if found else None


async def complaint(api: KubernetesApi, namespace: str, job: str) -> str | None:
    """Why the Job cannot make its pod, as its events say: a quota, Pod Security. Raises SnapshotError."""
    request = Request(
        path=f"/api/v1/namespaces/{namespace}/events", verbs=["list"], resource="events", namespace=namespace
    )
    about = f"involvedObject.kind=Job,involvedObject.name={job},reason=FailedCreate"
    events = [event async for event in api.objects(request, fieldSelector=about)]
    return str(events[-1].get("message", "")) if events else None


async def log(api: KubernetesApi, namespace: str, pod: str, *, container: str) -> str:
    """What a container has written, empty if nothing. Raises SnapshotError."""
    request = Request(
        path=f"/api/v1/namespaces/{namespace}/pods/{pod}/log",
        verbs=["get"],
        resource="pods/log",
        namespace=namespace,
        name=pod,
    )
    return await api.text(request, container=container, limitBytes=str(LOG_BYTES)) or ""


async def apply_config_map(api: KubernetesApi, config_map: Mapping[str, Any]) -> None:
    """Writes a ConfigMap by server-side apply. Raises SnapshotError; InvalidSpec if there is no such namespace."""
    namespace, name = config_map["metadata"]["namespace"], config_map["metadata"]["name"]
    request = Request(
        path=f"/api/v1/namespaces/{namespace}/configmaps/{name}",
        verbs=["patch", "create"],
        resource="configmaps",
        namespace=namespace,
        name=name,
    )
    if not await api.apply(request, config_map, field_manager=FIELD_MANAGER):
        raise TerminalError(Reason.INVALID_SPEC, f"There is no namespace {namespace}: create it, or name another.")
