"""What kinds the API server has, as a snapshot's `discovery` says it.

Asked for in one document, as the scheduler's client library does since Kubernetes 1.27, and put into the form that one
keeps: a list of kinds for each group and version.
"""

import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import Field

from kai_snapshot.api.base import ApiModel
from kai_snapshot.errors import Reason, TransientError
from kai_snapshot.source.api import KubernetesApi
from kai_snapshot.source.request import Request

VERSION: Final = Request(path="/version", verbs=["get"], resource="/version")
AGGREGATED: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
PLACES: Final = [Request(path=path, verbs=["get"], resource=path, accept=AGGREGATED) for path in ("/api", "/apis")]

logger = logging.getLogger(__name__)
Json = dict[str, Any]


class _Kind(ApiModel):
    group: str = ""
    version: str = ""
    kind: str = ""


class _Subresource(ApiModel):
    subresource: str
    response_kind: _Kind = Field(default_factory=_Kind)
    verbs: list[str] = Field(default_factory=list)


class _Resource(ApiModel):
    resource: str
    response_kind: _Kind = Field(default_factory=_Kind)
    scope: str
    singular_resource: str = ""
    verbs: list[str] = Field(default_factory=list)
    short_names: list[str] = Field(default_factory=list)
    categories: list[str] = Field(default_factory=list)
    subresources: list[_Subresource] = Field(default_factory=list)


class _Version(ApiModel):
    version: str
    resources: list[_Resource] = Field(default_factory=list)
    freshness: str = "Current"


class _Name(ApiModel):
    name: str = ""


class _Group(ApiModel):
    metadata: _Name
    versions: list[_Version] = Field(default_factory=list)


class _Groups(ApiModel):
    items: list[_Group]


@dataclass(frozen=True)
class Discovery:
    """The version and the kinds of an API server."""

    server_version: Json | None
    resources: list[Json]
    """An APIResourceList for each group and version."""

    @property
    def served(self) -> Mapping[str, frozenset[str]]:
        """The names of the resources by `group/version`, `v1` for the core group."""
        return {each["groupVersion"]: frozenset(kind["name"] for kind in each["resources"]) for each in self.resources}


async def discover(api: KubernetesApi, *, needed: Collection[str]) -> Discovery:
    """Asks for every group and version; a group whose own server is away is left out, unless it is `needed`.

    Raises SnapshotError.
    """
    version = await api.document(VERSION)
    resources: list[Json] = []
    for place in PLACES:
        for group in (await api.read(place, _Groups)).items:
            name = group.metadata.name
            for each in group.versions:
                group_version = f"{name}/{each.version}" if name else each.version
                if each.freshness == "Current":
                    kinds = [kind for resource in each.resources for kind in _kinds(resource)]
                    resources.append({"groupVersion": group_version, "resources": kinds})
                elif name in needed:
                    raise TransientError(
                        Reason.API_UNREACHABLE,
                        f"The API server does not reach the server of {group_version}, so which kinds it has is not "
                        "known. See its APIService.",
                    )
                else:
                    logger.warning("%s is left out of the discovery: its own server is away", group_version)
    return Discovery(version, resources)


def _kinds(resource: _Resource) -> Iterator[Json]:
    """The resource and its subresources."""
    common = {"singularName": resource.singular_resource, "namespaced": resource.scope == "Namespaced"}
    more = {"shortNames": resource.short_names, "categories": resource.categories}
    yield {
        "name": resource.resource,
        **common,
        **_response(resource.response_kind),
        "verbs": resource.verbs,
        **{key: value for key, value in more.items() if value},
    }
    for each in resource.subresources:
        name = f"{resource.resource}/{each.subresource}"
        yield {"name": name, **common, **_response(each.response_kind), "verbs": each.verbs}


def _response(kind: _Kind) -> Json:
    said = {key: value for key, value in (("group", kind.group), ("version", kind.version)) if value}
    return {**said, "kind": kind.kind}
