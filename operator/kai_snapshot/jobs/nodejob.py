"""What the Job looks like that records what one node is.

Its pod is bound to the node by the default scheduler, so that it is no part of what KAI decides, and holds no credentials
but a token for the transfer endpoint. It satisfies the restricted Pod Security Standard unless `privileged` is asked for.
"""

from typing import Any, Final

from kai_snapshot.api.base import API_VERSION
from kai_snapshot.api.environmentspec import Environment
from kai_snapshot.api.snapshotcapture import SnapshotCapture
from kai_snapshot.jobs import names
from kai_snapshot.jobs.build import CONTAINER_SECURITY, POD_SECURITY, Manifest

TTL_SECONDS: Final = 3600
GRACE_SECONDS: Final = 60
"""What a Job may take beyond the node's time: the operator, which says more about why, ends it first."""
_RESOURCES: Final = {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "512Mi"}}
_HOST: Final = "/host"
_PRIVILEGED: Final = {"privileged": True, "runAsUser": 0, "runAsGroup": 0, "readOnlyRootFilesystem": True}


def node_job(
    capture: SnapshotCapture, wanted: Environment, *, run: str, node: str, operator_image: str, transfer_url: str
) -> Manifest:
    """The Job of one node, beside the archive of `run`."""
    meta = capture.metadata
    name = names.node_job_name(meta.name, uid=meta.uid, run=run, node=node)
    labels = {
        names.MANAGED_BY: names.OPERATOR,
        names.COMPONENT: names.ENVIRONMENT_COMPONENT,
        names.CAPTURE: meta.name,
        names.CAPTURE_UID: meta.uid,
        names.RUN: run,
    }
    owner = {
        "apiVersion": API_VERSION,
        "kind": "SnapshotCapture",
        "name": meta.name,
        "uid": meta.uid,
        "controller": True,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": meta.namespace,
            "labels": labels,
            "annotations": {names.NODE: node},
            "ownerReferences": [owner],
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": wanted.timeout_seconds + GRACE_SECONDS,
            "ttlSecondsAfterFinished": TTL_SECONDS,
            "podFailurePolicy": {
                "rules": [
                    # Preempted, or ended with its node: no fault of anybody here, try again within the deadline.
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
                ]
            },
            "template": {
                "metadata": {"labels": labels, "annotations": {names.NODE: node}},
                "spec": _pod(wanted, name, node, operator_image=operator_image, transfer_url=transfer_url),
            },
        },
    }


def _pod(wanted: Environment, job: str, node: str, *, operator_image: str, transfer_url: str) -> Manifest:
    container = {
        "name": names.COLLECT,
        "image": wanted.image or operator_image,
        "command": _command(wanted),
        "env": _variables(wanted, transfer_url),
        "resources": wanted.resources.dump() if wanted.resources is not None else _RESOURCES,
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own
            {"name": "token", "mountPath": names.TOKEN_FILE.rsplit("/", 1)[0], "readOnly": True},
            *([{"name": "host", "mountPath": _HOST, "readOnly": True}] if wanted.privileged else []),
        ],
        "securityContext": _PRIVILEGED if wanted.privileged else CONTAINER_SECURITY,
    }
    return {
        "schedulerName": "default-scheduler",
        "affinity": _on(node),
        "tolerations": list(wanted.tolerations),
        **({"runtimeClassName": wanted.runtime_class_name} if wanted.runtime_class_name else {}),
        **_pull_secrets(wanted),
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "activeDeadlineSeconds": wanted.timeout_seconds,
        "terminationGracePeriodSeconds": 5,
        **({} if wanted.privileged else {"securityContext": POD_SECURITY}),
        "containers": [container],
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
            {"name": "token", "secret": {"secretName": names.secret_name(job), "defaultMode": 0o440}},
            *([{"name": "host", "hostPath": {"path": "/", "type": "Directory"}}] if wanted.privileged else []),
        ],
    }


def _command(wanted: Environment) -> list[str]:
    return ["kai-snapshot", "job", names.COLLECT]


def _variables(wanted: Environment, transfer_url: str) -> list[Manifest]:
    return [
        {"name": names.URL_VARIABLE, "value": transfer_url},
        {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
    ]


def _on(node: str) -> Manifest:
    """By its name, and by the scheduler: `nodeName` would pass over taints and what is left of the node."""
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


def _pull_secrets(wanted: Environment) -> dict[str, Any]:
    secrets = [secret.dump() for secret in wanted.image_pull_secrets]
    return {"imagePullSecrets": secrets} if secrets else {}
