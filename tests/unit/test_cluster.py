"""How the API server sees the operator."""

from kubernetes import client

from kai_snapshot.cluster import Cluster


def test_what_the_operator_writes_stands_under_its_own_name_in_managed_fields() -> None:
    api = client.ApiClient()
    Cluster(api)
    assert api.user_agent == "kai-snapshot-operator"
