"""The operator's Job that records what one node is: its pod hands the document in, with a token for that node."""

from typing import Any, Final

from kai_snapshot.api.base import API_VERSION
from kai_snapshot.api.environmentspec import Environment
from kai_snapshot.api.snapshotcapture import SnapshotCapture
from kai_snapshot.jobs import names
from kai_snapshot.jobs.environment import RESOURCES, Manifest, NodeLook, pod_spec

TTL_SECONDS: Final = 3600
GRACE_SECONDS: Final = 60
"""What a Job may take beyond the node's time: the operator, which says more about why, ends it first."""
COLLECTORS_SHARE: Final = 0.5
"""The share of a node's time that its collectors have at the most, if that is less than they would have."""


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
                "metadata": {"labels": labels},
                "spec": _pod(wanted, name, node, operator_image=operator_image, transfer_url=transfer_url),
            },
        },
    }


def _pod(wanted: Environment, job: str, node: str, *, operator_image: str, transfer_url: str) -> Manifest:
    look = NodeLook(
        image=wanted.image or operator_image,
        privileged=wanted.privileged,
        runtime_class_name=wanted.runtime_class_name,
        collector_seconds=min(NodeLook.collector_seconds, wanted.timeout_seconds * COLLECTORS_SHARE),
        tolerations=wanted.tolerations,
        image_pull_secrets=[secret.name for secret in wanted.image_pull_secrets],
        resources=wanted.resources.dump() if wanted.resources is not None else RESOURCES,
        hand_in=True,
        require_gpu=wanted.require_gpu,
    )
    pod = pod_spec(look, node)
    (container,) = pod["containers"]
    token: dict[str, Any] = {
        "name": "token",
        "secret": {"secretName": names.secret_name(job), "defaultMode": 0o440},
    }
    mount = {"name": "token", "mountPath": names.TOKEN_FILE.rsplit("/", 1)[0], "readOnly": True}
    handing_in = {
        **container,
        "env": [*container["env"], {"name": names.URL_VARIABLE, "value": transfer_url}],
        "volumeMounts": [*container["volumeMounts"], mount],
    }
    return {
        **pod,
        "activeDeadlineSeconds": wanted.timeout_seconds,
        "securityContext": {**pod["securityContext"], "fsGroup": names.NOBODY},
        "containers": [handing_in],
        "volumes": [*pod["volumes"], token],
    }
