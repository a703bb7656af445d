"""The document that is assembled from the API server's lists, beside the one that the real scheduler v0.17.0 served."""

import asyncio
import io
from pathlib import Path
from typing import Any

import orjson
import pytest

from kai_snapshot.api.source import SchedulerSource
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.source import ApiConnection, Assembled, KubernetesApi, assemble, find
from support import kai
from support.apicluster import CONFIG_MAP, DEPLOYMENTS, PATHS, api_server, document
from support.apiserver import ApiServer, serving

CORPUS = Path(__file__).parents[2] / "data" / "corpus"
LIVE = [document(CORPUS / name / "snapshot.zip") for name in ("19-live", "20-live-bindrequests")]
Json = dict[str, Any]


async def _assembled(server: ApiServer) -> tuple[bytes, Assembled]:
    out = io.BytesIO()
    async with serving(server), KubernetesApi.connect(ApiConnection(server=server.url)) as api:
        found = await assemble(api, await find(api, SchedulerSource()), out.write)
    return out.getvalue(), found


def assembled(server: ApiServer) -> tuple[Json, Assembled]:
    """The document as JSON, and what is known of it."""
    written, found = asyncio.run(_assembled(server))
    made: Json = orjson.loads(written)
    return made, found


def version(server: ApiServer, group_version: str) -> Json:
    """What the server says of it in its discovery."""
    name, _, wanted = group_version.partition("/")
    group = next(each for each in server.objects["/apis"]["items"] if each["metadata"]["name"] == name)
    return next(each for each in group["versions"] if each["version"] == wanted)


def comparable(snapshot: Json) -> Json:
    """Without what is chance in it: in which order the scheduler's maps gave the objects and the groups."""
    lists = {
        name: sorted(found or (), key=lambda each: (each["metadata"].get("namespace", ""), each["metadata"]["name"]))
        for name, found in snapshot["rawObjects"].items()
    }
    resources = sorted(snapshot["discovery"]["resources"], key=lambda each: str(each["groupVersion"]))
    return {**snapshot, "rawObjects": lists, "discovery": {**snapshot["discovery"], "resources": resources}}


@pytest.mark.parametrize("served", LIVE)
def test_it_is_what_the_real_scheduler_served_of_that_cluster(served: Json) -> None:
    made, found = assembled(api_server(served))
    assert comparable(made) == comparable(served)
    assert [list(each) for each in (made, made["rawObjects"])] == [
        list(each) for each in (served, served["rawObjects"])
    ]
    assert found.not_installed == ["nodeResourceTopologies"]
    assert set(found.resource_versions) == PATHS.keys() - {"nodeResourceTopologies"}


def test_objects_stand_on_lines_of_their_own_and_an_empty_list_is_null() -> None:
    written, _ = asyncio.run(_assembled(api_server(LIVE[0])))
    assert b'"bindRequests":null\n' in written
    assert written.count(b"\n,{") > 100
    assert b"hunter2" not in written
    assert b"registry.example.com" not in written


def test_neither_secrets_nor_anything_that_is_not_in_the_format_is_asked_for() -> None:
    server = api_server(LIVE[0])
    assembled(server)
    asked = {request.split()[1].partition("?")[0] for request in server.requests}
    assert not any("secrets" in path for path in asked)
    lists = asked - server.objects.keys() - {DEPLOYMENTS}
    assert lists == set(PATHS.values()) - {PATHS["nodeResourceTopologies"]}
    assert {request.split()[0] for request in server.requests} == {"GET"}


class TestLists:
    def test_are_read_page_by_page(self) -> None:
        server = api_server(LIVE[0])
        server.page_size = 5
        made, found = assembled(server)
        assert made["rawObjects"]["pods"] == assembled(api_server(LIVE[0]))[0]["rawObjects"]["pods"]
        assert found.resource_versions["pods"] == ("100",)
        assert sum("/api/v1/pods?" in request for request in server.requests) == 9

    def test_that_are_forgotten_while_they_are_read_go_on_at_the_next_object(self) -> None:
        server = api_server(LIVE[0])
        server.page_size, server.forgets = 5, {PATHS["pods"]: 10}
        made, found = assembled(server)
        assert len({pod["metadata"]["uid"] for pod in made["rawObjects"]["pods"]}) == len(made["rawObjects"]["pods"])
        assert len(made["rawObjects"]["pods"]) == len(LIVE[0]["rawObjects"]["pods"])
        assert found.resource_versions["pods"] == ("100", "200")
        assert found.resource_versions["nodes"] == ("100",)

    def test_that_are_forgotten_for_good_may_be_had_another_time(self) -> None:
        server = api_server(LIVE[0])
        server.page_size, server.forgets, server.goes_on = 5, {PATHS["pods"]: 10}, False
        with pytest.raises(TransientError, match="forgot the list in the middle of `list pods`") as failure:
            assembled(server)
        assert failure.value.reason is Reason.API_UNREACHABLE

    def test_whose_kind_is_removed_while_they_are_read_are_not_taken_for_whole(self) -> None:
        server = api_server(LIVE[0])
        server.page_size, server.removed = 5, {PATHS["pods"]: 10}
        with pytest.raises(TransientError, match=r"in the middle of `list pods`.* removed .* Try again") as failure:
            assembled(server)
        assert failure.value.reason is Reason.API_UNREACHABLE

    def test_whose_kind_is_removed_before_they_are_read_are_told_to_be_not_installed(self) -> None:
        server = api_server(LIVE[0])
        server.removed = {PATHS["topologies"]: 0}
        made, found = assembled(server)
        assert made["rawObjects"]["topologies"] is None
        assert found.not_installed == ["topologies", "nodeResourceTopologies"]
        assert "topologies" not in found.resource_versions

    def test_are_asked_for_again_where_the_server_is_busy(self) -> None:
        server = api_server(LIVE[0])
        server.busy[PATHS["nodes"]] = 3
        made, _ = assembled(server)
        assert len(made["rawObjects"]["nodes"]) == len(LIVE[0]["rawObjects"]["nodes"])

    def test_of_a_server_that_stays_busy_may_be_had_another_time(self) -> None:
        server = api_server(LIVE[0])
        server.busy[PATHS["nodes"]] = 100
        with pytest.raises(TransientError, match="answered 429 to `list nodes`"):
            assembled(server)

    def test_that_may_not_be_read_name_the_rule_it_takes(self) -> None:
        server = api_server(LIVE[0])
        server.statuses[PATHS["queues"]] = 403
        rule = r'ClusterRole with apiGroups \["scheduling.run.ai"\], resources \["queues"\], verbs \["list"\]'
        with pytest.raises(TerminalError, match=rule) as failure:
            assembled(server)
        assert failure.value.reason is Reason.FORBIDDEN

    def test_of_kinds_that_are_not_installed_are_not_asked_for_and_null(self) -> None:
        server = api_server(LIVE[0])
        gone = ["queues", "podGroups", "bindRequests", "topologies", "nodeResourceTopologies"]
        groups = server.objects["/apis"]["items"]
        away = ("scheduling.run.ai", "kai.scheduler")
        server.objects["/apis"]["items"] = [each for each in groups if each["metadata"]["name"] not in away]
        for name in gone:
            server.statuses[PATHS[name]] = 403  # as an API server says it of what it does not know, without the right
        made, found = assembled(server)
        assert found.not_installed == gone
        assert [made["rawObjects"][name] for name in gone] == [None] * len(gone)

    def test_of_a_group_whose_server_is_away_are_not_taken_for_empty(self) -> None:
        server = api_server(LIVE[0])
        version(server, "scheduling.run.ai/v2")["freshness"] = "Stale"
        with pytest.raises(TransientError, match=r"does not reach the server of scheduling\.run\.ai/v2"):
            assembled(server)

    def test_that_are_none_are_said_to_be_none(self) -> None:
        server = api_server(LIVE[0])
        del server.lists[PATHS["nodes"]]
        server.texts[PATHS["nodes"]] = '{"metadata": {}, "items": ['
        with pytest.raises(TransientError, match="`list nodes` is not a list of Kubernetes, or is cut off"):
            assembled(server)

    def test_hold_no_pod_that_the_scheduler_does_not_see(self) -> None:
        server = api_server(LIVE[0])
        server.lists[PATHS["pods"]][0]["status"]["phase"] = "Succeeded"
        server.lists[PATHS["pods"]][1]["status"]["phase"] = "Failed"
        assert len(assembled(server)[0]["rawObjects"]["pods"]) == len(LIVE[0]["rawObjects"]["pods"]) - 2


@pytest.mark.parametrize("path", [DEPLOYMENTS, CONFIG_MAP, "/version", "/api", "/apis"])
def test_what_stands_before_the_lists_is_asked_for_again_where_the_server_is_busy(path: str) -> None:
    server = api_server(LIVE[0])
    server.busy[path] = 3
    assert assembled(server)[0] == assembled(api_server(LIVE[0]))[0]
    assert sum(request.split()[1].partition("?")[0] == path for request in server.requests) == 4


def test_kinds_of_a_group_that_the_snapshot_does_not_need_may_be_missing_in_the_discovery() -> None:
    server = api_server(LIVE[0])
    version(server, "batch/v1")["freshness"] = "Stale"
    versions = {each["groupVersion"] for each in assembled(server)[0]["discovery"]["resources"]}
    assert "apps/v1" in versions
    assert "batch/v1" not in versions


def test_resource_claims_of_an_older_cluster_have_the_form_it_has() -> None:
    server = api_server(LIVE[0])
    version(server, "resource.k8s.io/v1")["version"] = "v1beta2"
    server.lists["/apis/resource.k8s.io/v1beta2/resourceclaims"] = [{"metadata": {"name": "a"}}]
    server.lists |= {f"/apis/resource.k8s.io/v1beta2/{name}": [] for name in ("resourceslices", "deviceclasses")}
    assert assembled(server)[0]["rawObjects"]["resourceClaims"] == [{"metadata": {"name": "a"}}]


@pytest.mark.parametrize(
    ("value", "seen"),
    [("", ["nowhere"]), ("a", ["in-a"])],
)
def test_a_shard_sees_the_nodes_queues_and_pod_groups_of_its_pool_and_everything_else(
    value: str, seen: list[str]
) -> None:
    server = api_server(LIVE[0], args=kai.arguments(f"--partition-label-value={value}"))
    three = [
        {"metadata": {"name": name, "uid": name, "labels": labels}, "spec": {"containers": []}}
        for name, labels in (
            ("nowhere", {}),
            ("in-a", {"kai.scheduler/node-pool": "a"}),
            ("in-b", {"kai.scheduler/node-pool": "b"}),
        )
    ]
    for name in ("nodes", "queues", "podGroups", "pods", "configMaps"):
        server.lists[PATHS[name]] = three
    made, _ = assembled(server)
    names = {name: [each["metadata"]["name"] for each in made["rawObjects"][name] or ()] for name in PATHS}
    assert names["nodes"] == names["queues"] == names["podGroups"] == seen
    assert names["pods"] == names["configMaps"] == ["nowhere", "in-a", "in-b"]
    assert made["schedulerParams"]["partitionParams"]["NodePoolLabelValue"] == value


class TestTheConfiguration:
    @pytest.mark.parametrize(
        "content", ["", "actions: allocate\n", "tiers: []\nactions: allocate", "- a", "a: [", "actions: !!binary aGk="]
    )
    def test_that_cannot_be_had_is_no_snapshot(self, content: str) -> None:
        server = api_server(LIVE[0])
        server.objects[CONFIG_MAP]["data"] = {"config.yaml": content}
        with pytest.raises(
            SnapshotError, match=r"has no config.yaml with the scheduler's `actions` and `tiers`"
        ) as failure:
            assembled(server)
        assert failure.value.reason is Reason.CONFIG_NULL

    def test_that_is_not_in_a_config_map_is_no_snapshot(self) -> None:
        server = api_server(LIVE[0])
        server.lists[DEPLOYMENTS][0]["spec"]["template"]["spec"]["volumes"] = []
        with pytest.raises(SnapshotError, match="Deployment kai-scheduler/kai-scheduler-default mounts no ConfigMap"):
            assembled(server)


def test_a_deployment_of_another_name_is_to_be_mended() -> None:
    server = api_server(LIVE[0])
    server.lists[DEPLOYMENTS] = [kai.deployment("other")]
    with pytest.raises(TerminalError) as failure:
        assembled(server)
    assert failure.value.reason is Reason.SCHEDULER_NOT_FOUND
