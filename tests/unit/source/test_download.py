"""From the API server to the archive: an API server with canned objects, a stand-in for the scheduler, nothing else."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kai_snapshot.api.source import SchedulerSource
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.source import ApiConnection, KubernetesApi, Target, download, read_config, resolve
from kai_snapshot.source.diagnosis import REGISTERED
from support import kai
from support.apiserver import ApiServer, serving
from support.scheduler import PluginHandler, Server, StandIn

ARCHIVE = (Path(__file__).parents[2] / "data" / "corpus" / "01-gang" / "snapshot.zip").read_bytes()
NOW = datetime.fromisoformat(kai.NOW)
A, B = "kai-scheduler-default-7d9f-aaaaa", "kai-scheduler-default-7d9f-bbbbb"
DEPLOYMENTS = "/apis/apps/v1/namespaces/kai-scheduler/deployments"
PODS = "/api/v1/namespaces/kai-scheduler/pods"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kai-scheduler/leases/kai-scheduler"
CONFIG_MAP = "/api/v1/namespaces/kai-scheduler/configmaps/kai-scheduler-default"
CONFIG = "actions: allocate, reclaim\ntiers:\n- plugins:\n  - name: predicates\n"


@contextmanager
def stand_in(behaviour: str) -> Iterator[int]:
    standin = StandIn(ARCHIVE, behaviour)
    server = Server(("127.0.0.1", 0), PluginHandler, standin)
    server.start()
    try:
        yield server.port
    finally:
        standin.stopped.set()
        server.stop()


@dataclass
class Cluster:
    server: ApiServer
    api: KubernetesApi

    async def resolve(self, **source: Any) -> Target:
        return await resolve(self.api, SchedulerSource(**source), now=NOW)

    async def capture(self, *, silence_seconds: float = 5) -> bytes:
        received = bytearray()
        await download(self.api, await self.resolve(), silence_seconds=silence_seconds, sink=received.extend)
        return bytes(received)


@asynccontextmanager
async def cluster(behaviour: str = "serve") -> AsyncIterator[Cluster]:
    """One scheduler pod that behaves so."""
    with stand_in(behaviour) as port:
        server = ApiServer(
            lists={DEPLOYMENTS: [kai.deployment("binder", args=["--v=3"]), kai.deployment()], PODS: [kai.pod(A)]},
            objects={CONFIG_MAP: {"metadata": {"name": "kai-scheduler-default"}, "data": {"config.yaml": CONFIG}}},
            ports={(A, 8081): port},
        )
        async with serving(server), KubernetesApi.connect(ApiConnection(server=server.url)) as api:
            yield Cluster(server, api)


def test_an_archive_is_taken_from_the_only_pod() -> None:
    async def story() -> None:
        async with cluster() as it:
            assert await it.capture() == ARCHIVE
            assert f"GET {PODS}/{A}/portforward?ports=8081" in it.server.requests

    asyncio.run(story())


def test_of_two_replicas_the_leader_is_asked() -> None:
    async def story() -> None:
        async with cluster() as it:
            it.server.lists[DEPLOYMENTS] = [kai.deployment(replicas=2, args=kai.arguments("--leader-elect=true"))]
            it.server.lists[PODS] = [kai.pod(B), kai.pod(A), kai.pod("other", of="binder")]
            it.server.objects[LEASE] = kai.lease(f"{A}_0b3c")

            assert await it.capture() == ARCHIVE

    asyncio.run(story())


def test_a_single_replica_needs_no_lease() -> None:
    async def story() -> None:
        async with cluster() as it:
            await it.resolve()

            assert not any("leases" in request for request in it.server.requests)

    asyncio.run(story())


def test_a_large_archive_passes_the_port_forward_whole() -> None:
    async def story() -> None:
        size = 8 * 1024 * 1024 + 3
        async with cluster(f"blob:{size}") as it:
            assert len(await it.capture()) == size

    asyncio.run(story())


@pytest.mark.parametrize(
    ("behaviour", "error", "reason"),
    [
        pytest.param("standby", TransientError, Reason.NOT_LEADER, id="standby"),
        pytest.param("cut", TransientError, Reason.CONNECTION_CUT, id="cut"),
        pytest.param("mute", TransientError, Reason.SOURCE_TIMEOUT, id="mute"),
        pytest.param("silence", TransientError, Reason.SOURCE_TIMEOUT, id="silence"),
        pytest.param("error", TransientError, Reason.HTTP_STATUS, id="500"),
    ],
)
def test_each_trouble_has_its_reason_through_the_api_server(
    behaviour: str, error: type[SnapshotError], reason: Reason
) -> None:
    async def story() -> None:
        async with cluster(behaviour) as it:
            with pytest.raises(error) as caught:
                await it.capture(silence_seconds=0.3)
            assert caught.value.reason is reason
            assert f"kai-scheduler/{A}" in caught.value.message

    asyncio.run(story())


def test_a_port_where_nothing_listens_is_told() -> None:
    async def story() -> None:
        async with cluster() as it:
            it.server.ports = {(A, 9999): 1}
            with pytest.raises(TransientError) as caught:
                await it.capture()
            assert caught.value.reason is Reason.SOURCE_UNREACHABLE
            assert "--plugin-server-port" in caught.value.message

    asyncio.run(story())


def test_a_pod_that_is_gone_meanwhile_is_told() -> None:
    async def story() -> None:
        async with cluster() as it:
            it.server.ports = {}
            with pytest.raises(TransientError) as caught:
                await it.capture()
            assert caught.value.reason is Reason.NO_SCHEDULER_POD

    asyncio.run(story())


def test_without_the_right_to_forward_the_rule_that_is_missing_is_told() -> None:
    async def story() -> None:
        async with cluster() as it:
            it.server.statuses[f"{PODS}/{A}/portforward"] = 403
            with pytest.raises(TerminalError) as caught:
                await it.capture()
            assert caught.value.reason is Reason.FORBIDDEN
            assert 'resources ["pods/portforward"], verbs ["create", "get"]' in caught.value.message

    asyncio.run(story())


def test_a_plugin_that_is_off_is_explained_from_configuration_and_log() -> None:
    async def story() -> None:
        async with cluster("plugin-off") as it:
            with pytest.raises(TerminalError) as caught:
                await it.capture()
            assert caught.value.reason is Reason.PLUGIN_DISABLED
            assert "lacks `- name: snapshot`" in caught.value.message
            assert "kubectl patch schedulingshard default" in caught.value.message

            it.server.objects[CONFIG_MAP]["data"]["config.yaml"] = CONFIG + "  - name: snapshot\n"
            with pytest.raises(TerminalError, match="rollout restart"):
                await it.capture()

            it.server.texts[f"{PODS}/{A}/log"] = f"...\n2026-11-22\tINFO\t{REGISTERED}\n"
            with pytest.raises(TransientError, match="Try again"):
                await it.capture()

    asyncio.run(story())


def test_a_plugin_that_is_off_is_told_even_where_nothing_may_be_looked_at() -> None:
    async def story() -> None:
        async with cluster("plugin-off") as it:
            it.server.statuses |= {CONFIG_MAP: 403, f"{PODS}/{A}/log": 403}
            with pytest.raises(TerminalError) as caught:
                await it.capture()
            assert caught.value.reason is Reason.PLUGIN_DISABLED

    asyncio.run(story())


async def configuration(it: Cluster, target: Target) -> dict[str, Any] | None:
    return await read_config(it.api, target.namespace, target.config_map)


def test_the_configuration_is_read_from_the_config_map() -> None:
    async def story() -> None:
        async with cluster() as it:
            config = await configuration(it, await it.resolve())

            assert config == {"actions": "allocate, reclaim", "tiers": [{"plugins": [{"name": "predicates"}]}]}

    asyncio.run(story())


@pytest.mark.parametrize("content", [None, "", "just a text", "a: [unclosed", "- a list"])
def test_a_config_map_that_holds_no_configuration_gives_none(content: str | None) -> None:
    async def story() -> None:
        async with cluster() as it:
            it.server.objects[CONFIG_MAP]["data"] = {} if content is None else {"config.yaml": content}

            assert await configuration(it, await it.resolve()) is None

    asyncio.run(story())


def test_without_a_config_map_there_is_no_configuration() -> None:
    async def story() -> None:
        async with cluster() as it:
            target = await it.resolve()

            assert await configuration(it, replace(target, config_map="gone")) is None
            assert await configuration(it, replace(target, config_map=None)) is None

    asyncio.run(story())
