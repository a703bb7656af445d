"""What kinds the API server has, as a snapshot's `discovery` says it."""

import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kai_snapshot.errors import TransientError
from kai_snapshot.source.api import KubernetesApi
from kai_snapshot.source.request import Request

VERSION: Final = Request(path="/version", verbs=["get"], resource="/version")
GROUPS: Final = Request(path="/apis", verbs=["get"], resource="/apis")
CORE: Final = "v1"
NOT_TOLD: Final = "storageVersionHash"
"""Which newer clients, and so the scheduler, are not told."""

logger = logging.getLogger(__name__)
Json = dict[str, Any]


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

    def dump(self) -> Json:
        """As a snapshot has it."""
        return {"serverVersion": self.server_version, "resources": self.resources}


async def discover(api: KubernetesApi, *, needed: Collection[str]) -> Discovery:
    """Asks for every group and version; a group whose own server is away is left out, unless it is `needed`.

    Raises SnapshotError.
    """
    version = await api.document(VERSION)
    resources: list[Json] = []
    for group, group_version in [("", CORE), *_group_versions(await api.document(GROUPS) or {})]:
        try:
            resources += await _resources(api, group_version)
        except TransientError as error:
            if group in needed:
                raise
            logger.warning("the kinds of %s are left out of the discovery: %s", group_version, error.message)
    return Discovery(version, resources)


def _group_versions(groups: Json) -> Iterator[tuple[str, str]]:
    for group in groups.get("groups") or ():
        for version in group.get("versions") or ():
            yield group["name"], version["groupVersion"]


async def _resources(api: KubernetesApi, group_version: str) -> list[Json]:
    """The APIResourceList; nothing if it has just gone."""
    path = f"/api/{CORE}" if group_version == CORE else f"/apis/{group_version}"
    found = await api.document(Request(path=path, verbs=["get"], resource=path))
    if found is None:
        return []
    resources = found.get("resources") or ()
    told = [{key: value for key, value in each.items() if key != NOT_TOLD} for each in resources]
    return [{"groupVersion": group_version, "resources": told}]
