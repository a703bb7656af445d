"""The API server for thousands of objects at once, and what it counts."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from kai_snapshot.source.kubeconfig import from_kubeconfig
from stage.kube import Kube
from support.objects import API_VERSION, Object

AT_ONCE = 16
WRITES = ("POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION")
OURS = ("snapshotcaptures", "snapshotreplays", "jobs", "secrets", "events")
"""What the operator may write, but for its Lease, which it renews all the time."""


class Crowd:
    """Makes many objects, and watches them."""

    def __init__(self, session: aiohttp.ClientSession, server: str, **transport: Any) -> None:
        self._session, self._server, self._transport = session, server, transport

    async def make(self, plural: str, objects: Iterable[Object]) -> None:
        """Creates objects of ours, and then their statuses, those that have one."""

        async def one(obj: Object) -> None:
            made = await self.ask("POST", self._path(plural, obj), json={**obj, "status": None})
            if "status" in obj:
                await self.ask("PUT", f"{self._path(plural, made)}/{made['metadata']['name']}/status",
                               json={**made, "status": obj["status"]})  # fmt: skip

        await self.all_of(one(obj) for obj in objects)

    async def all_of(self, tasks: Iterable[Awaitable[object]]) -> None:
        """Awaits all, some at a time."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(task: Awaitable[object]) -> None:
            async with slots:
                await task

        await asyncio.gather(*(one(task) for task in tasks))

    async def ask(self, method: str, path: str, *, patch: Object | None = None, **given: Any) -> Object:
        """One request, and the object that is the answer."""
        if patch is not None:
            given |= {"data": json.dumps(patch), "headers": {"Content-Type": "application/merge-patch+json"}}
        async with self._session.request(method, self._server + path, **given, **self._transport) as answer:
            said: Object = await answer.json()
            assert answer.ok, said
            return said

    async def watch(self, path: str, tell: Callable[[float, Object], None], *, seconds: int) -> None:
        """Tells of each change from now on, and when it was heard of, by this process' monotonic clock."""
        version = (await self.ask("GET", path, params={"limit": 1}))["metadata"]["resourceVersion"]
        query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": str(seconds)}
        async with self._session.get(self._server + path, params=query, **self._transport) as answer:
            async for line in answer.content:
                tell(time.monotonic(), json.loads(line)["object"])

    @staticmethod
    def _path(plural: str, obj: Object) -> str:
        return f"/apis/{API_VERSION}/namespaces/{obj['metadata']['namespace']}/{plural}"


@asynccontextmanager
async def crowd(kubeconfig: Path) -> AsyncIterator[Crowd]:
    """The cluster of that kubeconfig."""
    connection = from_kubeconfig(kubeconfig, context=None)
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=600), read_bufsize=1 << 24, connector=aiohttp.TCPConnector(limit=64)
    ) as session:
        yield Crowd(session, connection.server, ssl=connection.ssl_context())


def writes(kube: Kube) -> Counter[str]:
    """How often what was written, since the API server started."""
    counted: Counter[str] = Counter()
    for sample in samples(kube.get_raw("/metrics"), "apiserver_request_total"):
        verb, resource = sample.labels["verb"], sample.labels["resource"]
        if verb in WRITES and resource in OURS:
            counted[f"{verb} {'/'.join(filter(None, (resource, sample.labels['subresource'])))}"] += int(sample.value)
    return counted


def samples(text: str, name: str) -> list[Any]:
    """The samples of that name among metrics in Prometheus' format."""
    lines = "\n".join(
        line for line in text.splitlines() if line.startswith((name, f"# TYPE {name.removesuffix('_total')}"))
    )
    return [
        sample
        for family in text_string_to_metric_families(lines + "\n")
        for sample in family.samples
        if sample.name == name
    ]
