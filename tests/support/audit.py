"""What an account was granted, by the manifests, and what it asked for, by the API server's audit log. No I/O."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from support.objects import Object


@dataclass(frozen=True, order=True)
class Grant:
    """A right, as small as it can be."""

    role: str
    verb: str
    group: str
    resource: str
    """With the subresource, if there is one."""
    name: str = ""
    """The only object it is for; empty: all."""
    namespace: str = ""
    """The only namespace it is for; empty: the whole cluster."""

    def __str__(self) -> str:
        what = f"{self.group}/{self.resource}".lstrip("/")
        return f"{self.role}: {self.verb} {what}{' ' if self.name else ''}{self.name}"

    def allows(self, request: "Request") -> bool:
        """Whether the request needs no more than this."""
        return (
            (self.verb, self.group, self.resource) == (request.verb, request.group, request.resource)
            and self.name in ("", request.name)
            and self.namespace in ("", request.namespace)
        )


@dataclass(frozen=True, order=True)
class Request:
    """What was asked of the API server, and whether it was allowed."""

    account: str
    verb: str
    group: str
    resource: str
    name: str
    namespace: str
    allowed: bool
    by: str
    """The API server's words for the binding that allowed it."""

    def __str__(self) -> str:
        what = f"{self.group}/{self.resource}".lstrip("/")
        return f"{self.account}: {self.verb} {what} {self.namespace}/{self.name}"


def grants(objects: Sequence[Object], account: str, namespace: str) -> Iterator[Grant]:
    """What the roles among the objects grant that service account."""
    roles = {_key(each["kind"], each): each for each in objects if each["kind"] in ("Role", "ClusterRole")}
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    for binding in objects:
        if binding["kind"] not in ("RoleBinding", "ClusterRoleBinding") or subject not in binding["subjects"]:
            continue
        where = binding["metadata"].get("namespace", "")
        role = roles[_key(binding["roleRef"]["kind"], {"metadata": {**binding["metadata"], **binding["roleRef"]}})]
        for rule in role["rules"]:
            yield from _of_rule(role["metadata"]["name"], rule, where)


def _key(kind: str, obj: Object) -> tuple[str, str, str]:
    meta = obj["metadata"]
    return kind, meta.get("namespace", "") if kind == "Role" else "", meta["name"]


def _of_rule(role: str, rule: Object, namespace: str) -> Iterator[Grant]:
    for verb in rule["verbs"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for name in rule.get("resourceNames", [""]):
                    yield Grant(role, verb, group, resource, name, namespace)


def requests(lines: Iterable[str], accounts: Iterable[str], *, namespace: str) -> Iterator[Request]:
    """What these service accounts of the namespace asked for, of objects; a log's last line may be cut off."""
    users = {f"system:serviceaccount:{namespace}:{account}": account for account in accounts}
    for line in lines:
        if not line.endswith("\n"):
            return
        event = json.loads(line)
        told, what = event.get("annotations", {}), event.get("objectRef")
        if event["user"]["username"] not in users or what is None or "resource" not in what:
            continue
        yield Request(
            account=users[event["user"]["username"]],
            verb=event["verb"],
            group=what.get("apiGroup", ""),
            resource="/".join(filter(None, (what["resource"], what.get("subresource")))),
            name=what.get("name", ""),
            namespace=what.get("namespace", ""),
            allowed=told.get("authorization.k8s.io/decision") == "allow",
            by=told.get("authorization.k8s.io/reason", ""),
        )
