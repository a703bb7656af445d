"""How the API server sees the operator."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kubernetes import client

from kai_snapshot.cluster import Cluster


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
