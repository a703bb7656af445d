"""Deployments, pods and Leases of a KAI scheduler as the API server gives them, for tests."""

from typing import Any

NAMESPACE = "kai-scheduler"
NOW = "2026-11-22T10:15:00Z"

Json = dict[str, Any]


def arguments(*extra: str) -> list[str]:
    """Those KAI's operator gives a scheduler (v0.17.0, pkg/operator/operands/scheduler/resources_for_shard.go)."""
    return [
        "--scheduler-conf=/etc/config/config.yaml",
        "--scheduler-name=kai-scheduler",
        "--namespace=kai-scheduler",
        "--nodepool-label-key=kai.scheduler/node-pool",
        *extra,
    ]


def pod_spec(name: str, *, args: list[str], image: str) -> Json:
    return {
        "containers": [
            {
                "name": name,
                "image": image,
                "args": args,
                "volumeMounts": [
                    {"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
                    {"name": "config", "mountPath": "/etc/config/config.yaml", "subPath": "config.yaml"},
                ],
            }
        ],
        "volumes": [
            {"name": "config", "configMap": {"name": name}},
            {"name": "kube-api-access", "projected": {"sources": []}},
        ],
    }


def deployment(
    name: str = "kai-scheduler-default",
    *,
    replicas: int = 1,
    args: list[str] | None = None,
    image: str = "ghcr.io/kai-scheduler/kai-scheduler/scheduler:v0.17.0",
) -> Json:
    return {
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"spec": pod_spec(name, args=args or arguments(), image=image)},
        },
    }


def pod(
    name: str,
    *,
    of: str = "kai-scheduler-default",
    args: list[str] | None = None,
    image: str = "ghcr.io/kai-scheduler/kai-scheduler/scheduler:v0.17.0",
    phase: str = "Running",
    ready: bool = True,
    waiting: str = "",
    deleted: bool = False,
) -> Json:
    status = {
        "name": of,
        "ready": ready,
        "imageID": "ghcr.io/kai-scheduler/kai-scheduler/scheduler@sha256:0123",
        "state": {"waiting": {"reason": waiting}} if waiting else {"running": {}},
    }
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {"app": of}}
    return {
        "metadata": metadata | ({"deletionTimestamp": NOW} if deleted else {}),
        "spec": pod_spec(of, args=args or arguments(), image=image),
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [status],
        },
    }


def lease(holder: str | None, *, name: str = "kai-scheduler", renewed: str = "2026-11-22T10:14:58.123456Z") -> Json:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": renewed, "leaseTransitions": 3}
    return {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}
