"""Assembles the scheduler's document from the API server's lists, object by object: it is never held as a whole."""

from dataclasses import dataclass, field
from typing import Any

from kai_snapshot.archive.write import DocumentWriter, Write
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.source import podform, schedulerparams
from kai_snapshot.source.api import KubernetesApi
from kai_snapshot.source.apilists import API_LISTS, GROUPS, PODS, ApiList
from kai_snapshot.source.configmap import read_config
from kai_snapshot.source.discovery import discover
from kai_snapshot.source.installation import Installation
from kai_snapshot.source.listpages import Take, take_list


@dataclass
class Assembled:
    """What the document does not say of itself."""

    resource_versions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Which moment each list is of; of several, where the API server had forgotten the first before it was read."""
    not_installed: list[str] = field(default_factory=list)
    """The lists whose kind the cluster does not have."""


async def assemble(api: KubernetesApi, installation: Installation, write: Write) -> Assembled:
    """Writes the document that the shard's scheduler would serve, in the form of v0.17.0.

    Raises SnapshotError: ConfigNull if its configuration cannot be had; APIUnreachable, Unauthorized, Forbidden; and
    what `write` raises, which must not be an OSError.
    """
    config = await _config(api, installation)
    discovery = await discover(api, needed=GROUPS)
    assembled = Assembled()
    document = DocumentWriter(write)
    with document.section():
        document.member("config", config)
        document.member("schedulerParams", schedulerparams.scheduler_params(installation.flags))
        with document.section("rawObjects"):
            for wanted in API_LISTS:
                with document.elements(wanted.name) as element:
                    versions = None
                    if (request := wanted.request(discovery.served)) is not None:
                        take = _pods(element, installation) if wanted is PODS else element
                        versions = await take_list(api, request, take, **_selectors(wanted, installation))
                    if versions is None:
                        assembled.not_installed.append(wanted.name)
                    else:
                        assembled.resource_versions[wanted.name] = versions
        with document.section("discovery"):
            document.member("serverVersion", discovery.server_version)
            with document.elements("resources") as element:
                for each in discovery.resources:
                    element(each)
    return assembled


def _pods(element: Take, installation: Installation) -> Take:
    return lambda pod: element(podform.kept(pod, installation.version))


def _selectors(wanted: ApiList, installation: Installation) -> dict[str, str]:
    labels = schedulerparams.node_pool_selector(installation.flags) if wanted.pooled else ""
    fields = podform.left_out(installation.version) if wanted is PODS else ""
    return {"labelSelector": labels, "fieldSelector": fields}


async def _config(api: KubernetesApi, installation: Installation) -> dict[str, Any]:
    config = await read_config(api, installation.namespace, installation.config_map)
    complete = schedulerparams.complete_config(config, installation.version) if config is not None else None
    if complete is None:
        where = f"Deployment {installation.namespace}/{installation.deployment}"
        lacks = f"{where} mounts no ConfigMap to read the scheduler's configuration from"
        if installation.config_map is not None:
            lacks = (
                f"ConfigMap {installation.namespace}/{installation.config_map} has no config.yaml with the scheduler's "
                "`actions` and `tiers`"
            )
        raise TerminalError(Reason.CONFIG_NULL, f"{lacks}: no snapshot can do without. Mend that.")
    return complete
