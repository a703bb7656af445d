"""How the API server sees the operator."""

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
