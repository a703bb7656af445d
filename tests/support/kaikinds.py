"""KAI's kinds in a cluster that KAI is not installed in: as much of them as an API server needs to keep the objects."""

from collections.abc import Iterator

from stage.kube import Kube
from support.objects import Object

KINDS = (("queues", "Queue", "v2", "Cluster"), ("podgroups", "PodGroup", "v2alpha2", "Namespaced"))


def missing(kube: Kube) -> Iterator[Object]:
    """The CustomResourceDefinitions that the cluster does not have."""
    for plural, kind, version, scope in KINDS:
        name = f"{plural}.scheduling.run.ai"
        if kube.get("crd", name) is None:
            yield {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": name},
                "spec": {
                    "group": "scheduling.run.ai",
                    "names": {"plural": plural, "kind": kind},
                    "scope": scope,
                    "versions": [
                        {
                            "name": version,
                            "served": True,
                            "storage": True,
                            "schema": {
                                "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                            },
                        }
                    ],
                },
            }


def waiting_job(name: str, *, pool: str, namespace: str) -> list[Object]:
    """A job of one pod in a queue of its own, for the scheduler of a node pool: a queue tree, a pod group, the pod."""
    labels = {"kai.scheduler/node-pool": pool}
    share = {"quota": -1, "limit": -1, "overQuotaWeight": 1}
    resources = dict.fromkeys(("gpu", "cpu", "memory"), share)

    def queue(name: str, **spec: str) -> Object:
        return {
            "apiVersion": "scheduling.run.ai/v2",
            "kind": "Queue",
            "metadata": {"name": name, "labels": labels},
            "spec": {"resources": resources, **spec},
        }

    return [
        queue(f"{name}-top"),
        queue(name, parentQueue=f"{name}-top"),
        {
            "apiVersion": "scheduling.run.ai/v2alpha2",
            "kind": "PodGroup",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {"minMember": 1, "queue": name},
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {**labels, "kai.scheduler/queue": name},
                "annotations": {"pod-group-name": name},
            },
            "spec": {
                "schedulerName": "kai-scheduler",
                "containers": [
                    {
                        "name": "main",
                        "image": "registry.example.com/train:1",
                        "env": [{"name": "TOKEN", "value": "hunter2"}],
                        "resources": {"requests": {"cpu": "1"}},
                    }
                ],
            },
        },
    ]
