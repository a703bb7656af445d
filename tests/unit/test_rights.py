"""How the e2e tests compare what the operator may do with what it does."""

import json
from typing import Any

from support.audit import Grant, Request, grants, requests

SERVED = {
    "kind": "Role",
    "metadata": {"name": "served", "namespace": "ns"},
    "rules": [{"apiGroups": ["", "batch"], "resources": ["jobs", "jobs/status"], "verbs": ["get", "list"]}],
}
NAMED = {
    "kind": "ClusterRole",
    "metadata": {"name": "named"},
    "rules": [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a", "b"], "verbs": ["get"]}],
}


def bound(role: dict[str, Any], account: str = "operator") -> dict[str, Any]:
    subjects = [{"kind": "ServiceAccount", "name": account, "namespace": "ns"}]
    reference = {"kind": role["kind"], "name": role["metadata"]["name"]}
    return {"kind": f"{role['kind']}Binding", "metadata": role["metadata"], "roleRef": reference, "subjects": subjects}


def line(verb: str = "get", *, user: str = "operator", decision: str = "allow", **what: str) -> str:
    event = {
        "user": {"username": f"system:serviceaccount:ns:{user}"},
        "verb": verb,
        "objectRef": {"resource": "jobs", "namespace": "ns", "apiGroup": "batch", **what},
        "annotations": {"authorization.k8s.io/decision": decision},
    }
    return json.dumps(event) + "\n"


def read(*lines: str) -> list[Request]:
    return list(requests(lines, ["operator"], namespace="ns"))


def test_a_rule_is_a_right_for_each_verb_group_resource_and_name() -> None:
    found = list(grants([SERVED, bound(SERVED), NAMED, bound(NAMED)], "operator", "ns"))
    assert len(found) == len(set(found)) == 8 + 2
    assert Grant("served", "list", "batch", "jobs/status", namespace="ns") in found
    assert Grant("named", "get", "", "secrets", name="b") in found


def test_what_is_bound_to_another_is_no_right() -> None:
    assert list(grants([SERVED, bound(SERVED, "other")], "operator", "ns")) == []


def test_a_request_needs_the_right_for_just_that() -> None:
    (request,) = read(line(name="j"))
    for may in (
        Grant("r", "get", "batch", "jobs"),
        Grant("r", "get", "batch", "jobs", "j", "ns"),
    ):
        assert may.allows(request)
    for may_not in (
        Grant("r", "list", "batch", "jobs"),
        Grant("r", "get", "", "jobs"),
        Grant("r", "get", "batch", "jobs/status"),
        Grant("r", "get", "batch", "jobs", "other"),
        Grant("r", "get", "batch", "jobs", namespace="other"),
    ):
        assert not may_not.allows(request)


def test_requests_of_others_and_of_no_object_are_passed_over() -> None:
    nothing = json.loads(line())
    del nothing["objectRef"]
    found = read(line(user="other"), json.dumps(nothing) + "\n", line("list"), line()[:-9])
    assert [request.verb for request in found] == ["list"]


def test_what_was_refused_is_told_apart() -> None:
    assert [request.allowed for request in read(line(), line(decision="forbid"))] == [True, False]


def test_a_subresource_is_a_resource_of_its_own() -> None:
    assert [request.resource for request in read(line(subresource="status"), line())] == ["jobs/status", "jobs"]
