"""What the API server says of a cluster's environment: its version, images, ClusterPolicies and nodes."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from kai_snapshot.api.environmentdocument import CollectorReport, CollectorStatus
from kai_snapshot.archive.read import FORM_ERRORS
from kai_snapshot.environment.cluster import ClusterFacts
from kai_snapshot.environment.kubernetes import CLUSTER_POLICY
from kai_snapshot.errors import SnapshotError
from kai_snapshot.source.api import KubernetesApi
from kai_snapshot.source.discovery import VERSION
from kai_snapshot.source.request import Request

K8S_SECONDS: Final = 60.0
TOPOLOGY_SECONDS: Final = 90.0
"""What the two collectors may take, as in aicr."""
NODES: Final = Request(path="/api/v1/nodes", verbs=["list"], resource="nodes")
_PODS: Final = Request(path="/api/v1/pods", verbs=["list"], resource="pods")
_GROUPS: Final = Request(path="/apis", verbs=["get"], resource="/apis")


async def gather(
    api: KubernetesApi, *, k8s_seconds: float = K8S_SECONDS, topology_seconds: float = TOPOLOGY_SECONDS
) -> tuple[ClusterFacts, list[CollectorReport]]:
    """The facts, and how their two collectors ended. What fails is reported, and what it had found stays."""
    facts = ClusterFacts()
    reports = await asyncio.gather(
        _timed("k8s", _k8s(api, facts), k8s_seconds), _timed("topology", _topology(api, facts), topology_seconds)
    )
    return facts, list(reports)


async def _timed(name: str, work: Awaitable[list[str]], seconds: float) -> CollectorReport:
    started = time.monotonic()
    status, message = CollectorStatus.SUCCEEDED, ""
    try:
        message = "; ".join(await asyncio.wait_for(work, seconds))
    except TimeoutError:
        status, message = CollectorStatus.TIMED_OUT, f"it took longer than {seconds:g} s"
    except SnapshotError as error:
        status, message = CollectorStatus.FAILED, f"{error.reason}: {error.message}"
    took = round(time.monotonic() - started, 3)
    return CollectorReport(name=name, status=status, duration_seconds=took, message=message or None)


async def _k8s(api: KubernetesApi, facts: ClusterFacts) -> list[str]:
    """Its parts are collected on their own: who may not list pods still learns the version. Raises if all fail."""
    parts = (_version(api, facts), _images(api, facts), policies(api, facts))
    failed = [each for each in await asyncio.gather(*map(_part, parts)) if each is not None]
    if len(failed) == len(parts):
        raise failed[0]
    return [f"{error.reason}: {error.message}" for error in failed]


async def _part(work: Awaitable[None]) -> SnapshotError | None:
    try:
        await work
    except SnapshotError as error:
        return error
    return None


@contextmanager
def _told(facts: ClusterFacts, subtype: str) -> Iterator[None]:
    """What fails, or is cut off, is not complete: it must not look like what is not there."""
    facts.lacks[subtype] = "the API server did not answer in time"
    try:
        yield
    except SnapshotError as error:
        facts.lacks[subtype] = f"{error.reason}: {error.message}"
        raise
    del facts.lacks[subtype]


async def _version(api: KubernetesApi, facts: ClusterFacts) -> None:
    with _told(facts, "server"):
        facts.server_version = await api.document(VERSION)


async def _images(api: KubernetesApi, facts: ClusterFacts) -> None:
    with _told(facts, "image"):
        await _each(api.objects(_PODS), facts.add_pod)


async def _topology(api: KubernetesApi, facts: ClusterFacts) -> list[str]:
    await _each(api.objects(NODES), facts.add_node)
    return []


async def policies(api: KubernetesApi, facts: ClusterFacts) -> None:
    """Every ClusterPolicy of every API group, in the group's preferred version."""
    with _told(facts, "policy"):
        await _policies(api, facts)


async def _policies(api: KubernetesApi, facts: ClusterFacts) -> None:
    found: list[dict[str, Any]] = []
    failed: list[SnapshotError] = []
    facts.policies = found
    groups = await api.document(_GROUPS) or {}
    for group in groups.get("groups") or ():
        version = group["preferredVersion"]["groupVersion"]
        error = await _part(_policies_of(api, group["name"], version, found))
        failed += [error] if error is not None else []
    if failed:
        raise failed[0]


async def _policies_of(api: KubernetesApi, group: str, version: str, found: list[dict[str, Any]]) -> None:
    """Those of one API group; a group whose server is away does not hide the others."""
    path = f"/apis/{version}"
    resources = await api.document(Request(path=path, verbs=["get"], resource=path)) or {}
    for resource in resources.get("resources") or ():
        if resource.get("kind") == CLUSTER_POLICY and "/" not in resource["name"]:
            request = Request(path=f"{path}/{resource['name']}", verbs=["list"], resource=resource["name"], group=group)
            await _each(api.objects(request), found.append)


async def _each(objects: AsyncIterator[dict[str, Any]], take: Callable[[Any], None]) -> None:
    """What is not an object of its kind is passed over: an API server has none."""
    async for each in objects:
        try:
            take(each)
        except FORM_ERRORS:
            continue
