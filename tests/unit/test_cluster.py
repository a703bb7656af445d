"""How the API server sees the operator."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from kai_snapshot.cluster import REPLAYS, Cluster
from kai_snapshot.errors import TransientError
from support.objects import Object


def test_what_the_operator_writes_stands_under_its_own_name_in_managed_fields() -> None:
    api = client.ApiClient()
    Cluster(api)
    assert api.user_agent == "kai-snapshot-operator"


def test_pods_are_asked_for_by_labels_fields_and_number(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def list_pods(_: client.CoreV1Api, namespace: str, **query: Any) -> client.V1PodList:
        asked.append({"namespace": namespace, **query})
        return client.V1PodList(items=[])

    monkeypatch.setattr(client.CoreV1Api, "list_namespaced_pod", list_pods)
    cluster = Cluster(client.ApiClient())
    assert cluster.pods("kai-snapshots", "a=b") == []
    assert cluster.pods("kai-snapshots", "a=b", fields="status.phase=Failed", limit=10) == []
    for one, fields, limit in zip(asked, (None, "status.phase=Failed"), (None, 10), strict=True):
        assert (one["label_selector"], one["field_selector"], one["limit"]) == ("a=b", fields, limit)


def test_why_a_job_has_no_pod_is_what_its_controller_said_last(monkeypatch: pytest.MonkeyPatch) -> None:
    said = ["exceeded quota", "violates PodSecurity"]

    def list_events(_: client.CoreV1Api, namespace: str, **query: Any) -> client.CoreV1EventList:
        assert (namespace, query["field_selector"]) == ("kai-snapshots", "involvedObject.uid=u1,reason=FailedCreate")
        moment = datetime(2026, 11, 22, tzinfo=UTC)
        involved = client.V1ObjectReference(uid="u1")
        items = [
            client.CoreV1Event(
                involved_object=involved, metadata=client.V1ObjectMeta(), message=message,
                last_timestamp=moment + timedelta(seconds=-number),
            )
            for number, message in enumerate(reversed(said))
        ]  # fmt: skip
        return client.CoreV1EventList(items=items)

    monkeypatch.setattr(client.CoreV1Api, "list_namespaced_event", list_events)
    cluster = Cluster(client.ApiClient())
    assert cluster.why_no_pod("kai-snapshots", "u1") == "violates PodSecurity"
    said.clear()
    assert cluster.why_no_pod("kai-snapshots", "u1") == ""


class Replays:
    """The API server, for lists of replays: whether from its memory or from etcd, and what is written meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.there: list[Object] = []
        self.read: Object = {}
        self.memory_is_behind = self.fails = False

        def listed(_: client.CustomObjectsApi, *of: str, resource_version: str = "", **query: Any) -> Object:
            assert (of[3], query["field_selector"]) == (REPLAYS, "status.outcome=")
            assert query.get("resource_version_match") == ("NotOlderThan" if resource_version else None)
            self.asked.append(resource_version or "now")
            if self.fails:
                raise ApiException(500, "etcdserver: leader changed")
            if resource_version and self.memory_is_behind:
                raise ApiException(504, "Timeout: Too large resource version")
            return {"items": self.there}

        def replaced(_: client.CustomObjectsApi, *of: Any, **__: Any) -> Object:
            written = of[-1]
            return {**written, "metadata": {**written["metadata"], "resourceVersion": written["status"]["as"]}}

        def got(*_: Any, **__: Any) -> Object:
            return self.read

        monkeypatch.setattr(client.CustomObjectsApi, "list_namespaced_custom_object", listed)
        monkeypatch.setattr(client.CustomObjectsApi, "get_namespaced_custom_object", got)
        monkeypatch.setattr(client.CustomObjectsApi, "replace_namespaced_custom_object_status", replaced)


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> Replays:
    """None are there."""
    return Replays(monkeypatch)


def _replay(version: str) -> Object:
    return {"metadata": {"namespace": "kai-snapshots", "name": "after", "resourceVersion": version}}


def test_unfinished_replays_are_as_new_as_what_was_read_and_written_and_come_from_memory(replays: Replays) -> None:
    cluster = Cluster(client.ApiClient())
    replays.there = [_replay("98"), _replay("101")]
    assert cluster.unfinished_replays("kai-snapshots") == replays.there
    replays.there = []
    assert cluster.unfinished_replays("kai-snapshots") == []
    cluster.replace_status(REPLAYS, _replay("90"), {"as": "1002"})
    cluster.replace_status("snapshotcaptures", _replay("90"), {"as": "5000"})
    cluster.unfinished_replays("kai-snapshots")
    cluster.replace_status(REPLAYS, _replay("90"), {"as": "999"})  # by another thread, and heard of later
    cluster.unfinished_replays("kai-snapshots")
    assert replays.asked == ["now", "101", "1002", "1002"]


def test_what_was_written_before_the_first_list_is_asked_for_as_well(replays: Replays) -> None:
    cluster = Cluster(client.ApiClient())
    cluster.replace_status(REPLAYS, _replay("90"), {"as": "95"})
    cluster.unfinished_replays("kai-snapshots")
    cluster.unfinished_replays("kai-snapshots")
    assert replays.asked == ["now", "95"]


def test_the_first_list_of_each_namespace_has_all_that_another_operator_wrote(replays: Replays) -> None:
    cluster = Cluster(client.ApiClient())
    for namespace in ("kai-snapshots", "team-a", "team-a"):
        cluster.unfinished_replays(namespace)
    assert replays.asked == ["now", "now", "0"]


def test_a_list_that_failed_was_none(replays: Replays) -> None:
    cluster = Cluster(client.ApiClient())
    replays.fails = True
    with pytest.raises(TransientError):
        cluster.unfinished_replays("kai-snapshots")
    replays.fails = False
    cluster.unfinished_replays("kai-snapshots")
    assert replays.asked == ["now", "now"]


def test_a_write_whose_answer_was_lost_is_known_once_the_replay_is_read(replays: Replays) -> None:
    cluster = Cluster(client.ApiClient())
    cluster.unfinished_replays("kai-snapshots")
    replays.read = _replay("77")
    assert cluster.get(REPLAYS, "kai-snapshots", "after") == replays.read
    cluster.unfinished_replays("kai-snapshots")
    assert replays.asked == ["now", "77"]


def test_unfinished_replays_are_asked_for_anew_where_the_memory_is_behind(replays: Replays) -> None:
    cluster = Cluster(client.ApiClient())
    cluster.unfinished_replays("kai-snapshots")
    replays.memory_is_behind = True
    assert cluster.unfinished_replays("kai-snapshots") == []
    assert replays.asked == ["now", "0", "now"]
