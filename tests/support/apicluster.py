"""The API server of the cluster that a snapshot is of: what the scheduler saw, as it has it to list."""

import asyncio
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from support import kai
from support.apiserver import ApiServer, serving

Json = dict[str, Any]

PATHS = {
    "pods": "/api/v1/pods",
    "nodes": "/api/v1/nodes",
    "queues": "/apis/scheduling.run.ai/v2/queues",
    "podGroups": "/apis/scheduling.run.ai/v2alpha2/podgroups",
    "bindRequests": "/apis/scheduling.run.ai/v1alpha2/bindrequests",
    "priorityClasses": "/apis/scheduling.k8s.io/v1/priorityclasses",
    "configMaps": "/api/v1/configmaps",
    "persistentVolumes": "/api/v1/persistentvolumes",
    "persistentVolumeClaims": "/api/v1/persistentvolumeclaims",
    "csiStorageCapacities": "/apis/storage.k8s.io/v1/csistoragecapacities",
    "storageClasses": "/apis/storage.k8s.io/v1/storageclasses",
    "csiDrivers": "/apis/storage.k8s.io/v1/csidrivers",
    "resourceClaims": "/apis/resource.k8s.io/v1/resourceclaims",
    "resourceSlices": "/apis/resource.k8s.io/v1/resourceslices",
    "deviceClasses": "/apis/resource.k8s.io/v1/deviceclasses",
    "topologies": "/apis/kai.scheduler/v1alpha1/topologies",
    "nodeResourceTopologies": "/apis/topology.node.k8s.io/v1alpha2/noderesourcetopologies",
}
DEPLOYMENTS = "/apis/apps/v1/namespaces/kai-scheduler/deployments"
CONFIG_MAP = "/api/v1/namespaces/kai-scheduler/configmaps/kai-scheduler-default"
UNREAD = {
    "image": "registry.example.com/train:7",
    "command": ["python", "train.py"],
    "env": [
        {"name": "TOKEN", "value": "hunter2"},
        {"name": "MODE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ],
    "terminationMessagePolicy": "File",
}
"""What a container has besides, and the scheduler's snapshot has not."""


def document(archive: Path) -> Json:
    """What is in an archive."""
    with zipfile.ZipFile(archive) as file:
        found: Json = json.loads(file.read("snapshot.json"))
    return found


def api_server(snapshot: Json, *, args: list[str] | None = None, replicas: int = 0) -> ApiServer:
    """As it was when the scheduler's document was taken; its Deployment is scaled to 0."""
    lists = {
        path: [_whole(each) if name == "pods" else each for each in snapshot["rawObjects"][name] or ()]
        for name, path in PATHS.items()
    }
    server = ApiServer(lists={**lists, DEPLOYMENTS: [kai.deployment(replicas=replicas, args=args)]})
    server.lists["/api/v1/namespaces/kai-scheduler/pods"] = []
    resources = snapshot["discovery"]["resources"]
    said = {key: value for key, value in snapshot["config"].items() if key != "scenarioSearchBudgets"}
    server.objects |= {
        CONFIG_MAP: {"metadata": {"name": "kai-scheduler-default"}, "data": {"config.yaml": yaml.safe_dump(said)}},
        "/version": snapshot["discovery"]["serverVersion"],
        "/api/v1/namespaces/kube-system": {"metadata": {"name": "kube-system", "uid": "c1"}},
        "/api": aggregated([each for each in resources if "/" not in each["groupVersion"]]),
        "/apis": aggregated([each for each in resources if "/" in each["groupVersion"]]),
    }
    return server


@contextmanager
def kubeconfig_of(server: ApiServer, directory: Path) -> Iterator[Path]:
    """Lets it listen, on a thread of its own; a kubeconfig that leads to it."""
    ready, enough, loop = threading.Event(), asyncio.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        async with serving(server):
            ready.set()
            await enough.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    try:
        assert ready.wait(10)
        kubeconfig = {
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server.url}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        }
        path = directory / "kubeconfig"
        path.write_text(json.dumps(kubeconfig))
        yield path
    finally:
        loop.call_soon_threadsafe(enough.set)
        thread.join()
        loop.close()


def _whole(pod: Json) -> Json:
    """With what the scheduler does not keep of it."""
    containers = [each | UNREAD | {"env": [*each.get("env", ()), *UNREAD["env"]]} for each in pod["spec"]["containers"]]
    metadata = pod["metadata"] | {"managedFields": [{"manager": "kubelet"}]}
    return {**pod, "metadata": metadata, "spec": pod["spec"] | {"containers": containers}}


def aggregated(resources: list[Json]) -> Json:
    """The discovery of groups as one document, which is how the scheduler's client library asks for it."""
    groups: dict[str, list[Json]] = {}
    for each in resources:
        group, _, version = each["groupVersion"].rpartition("/")
        parents: dict[str, Json] = {}
        for kind in each["resources"]:
            response = {"group": kind.get("group", ""), "version": kind.get("version", ""), "kind": kind["kind"]}
            name, _, part = kind["name"].partition("/")
            if part:
                of = parents.setdefault(name, {"resource": name, "scope": "Namespaced", "subresources": []})
                of["subresources"].append({"subresource": part, "responseKind": response, "verbs": kind["verbs"]})
            else:
                parents[name] = {
                    "resource": name,
                    "responseKind": response,
                    "scope": "Namespaced" if kind["namespaced"] else "Cluster",
                    "singularResource": kind["singularName"],
                    "verbs": kind["verbs"],
                    **{key: kind[key] for key in ("shortNames", "categories") if key in kind},
                    "subresources": [],
                }
        groups.setdefault(group, []).append(
            {"version": version, "resources": list(parents.values()), "freshness": "Current"}
        )
    items = [{"metadata": {"name": name} if name else {}, "versions": found} for name, found in groups.items()]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}
