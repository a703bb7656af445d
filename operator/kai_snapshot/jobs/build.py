"""What a replay's Job looks like: fetch, the engine, report, one after the other in one pod.

The engine is snapshot-tool, in upstream's image, unmodified, or the Simulator, in ours. The pod satisfies the
restricted Pod Security Standard and holds no credentials but a token for the transfer endpoint, which fetch and report
see, and not the engine.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from kai_snapshot.api.base import API_VERSION
from kai_snapshot.api.snapshotreplay import SnapshotReplay, SnapshotReplaySpec
from kai_snapshot.jobs import names
from kai_snapshot.jobs.images import target_version
from kai_snapshot.jobs.script import profile_arguments, simulator_command, tool_command

Manifest = dict[str, Any]
"""A Kubernetes object as the API server takes it."""

TRANSFER_ALLOWANCE_SECONDS: Final = 2100
"""What a pod may take besides the tool: five minutes to fetch, thirty to report."""
LONGEST_SECONDS: Final = 7 * 86400 - 3600
"""What an Indexed Job may take at the most: its pods still have to hand in with the token it was made with."""
_OURS: Final = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}}
_ENGINE: Final = {
    "requests": {"cpu": "500m", "memory": "256Mi", "ephemeral-storage": "1Gi"},
    # Archive, prepared copy and squeezed logs: a pod that needs more is evicted before it hurts its neighbours.
    "limits": {"ephemeral-storage": "16Gi"},
}


def job(
    replay: SnapshotReplay, *, index: int, attempt: int, image: str, operator_image: str, transfer_url: str
) -> Manifest:
    """The Job of one version; with many archives an Indexed one, of which each pod is about one of them.

    `image` is the engine's, `operator_image` ours, `transfer_url` the transfer endpoint's (scheme, host, port).
    """
    spec, source = replay.spec, replay.status.resolved_source
    many = source.archives if source is not None else None
    name = names.job_name(replay.metadata.name, index, attempt)
    labels = {
        names.MANAGED_BY: names.OPERATOR,
        names.COMPONENT: names.REPLAY_COMPONENT,
        names.REPLAY: replay.metadata.name,
        names.REPLAY_UID: replay.metadata.uid,
        names.INDEX: str(index),
        names.ATTEMPT: str(attempt),
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": replay.metadata.namespace,
            "labels": labels,
            "ownerReferences": [_owner(replay)],
        },
        "spec": {
            **(_once(spec) if many is None else _indexed(spec, many.count)),
            "template": {
                "metadata": {
                    "labels": {**spec.pod_template.metadata.labels, **labels},
                    "annotations": dict(spec.pod_template.metadata.annotations),
                },
                "spec": {
                    **({} if many is None else {"activeDeadlineSeconds": _pod_seconds(spec)}),
                    **_pod(
                        replay, name, index=index, image=image, operator_image=operator_image, transfer_url=transfer_url
                    ),
                },
            },
        },
    }


def _once(spec: SnapshotReplaySpec) -> Manifest:
    return {
        "backoffLimit": spec.backoff_limit,
        "activeDeadlineSeconds": _pod_seconds(spec),
        "podFailurePolicy": _pod_failure_policy(names.ENGINE_OF[spec.engine], "FailJob"),
    }


def _indexed(spec: SnapshotReplaySpec, count: int) -> Manifest:
    """No archive holds up the others: each has its own pods, tries and deadline."""
    parallelism = min(spec.parallelism, count)
    return {
        "completionMode": "Indexed",
        "completions": count,
        "parallelism": parallelism,
        "backoffLimitPerIndex": spec.backoff_limit,
        "activeDeadlineSeconds": min(-(-count // parallelism) * _pod_seconds(spec), LONGEST_SECONDS),
        "podFailurePolicy": _pod_failure_policy(names.ENGINE_OF[spec.engine], "FailIndex"),
    }


def _pod_seconds(spec: SnapshotReplaySpec) -> int:
    """What one pod may take. The kubelet counts from where it takes the pod on, so pulling images is in it."""
    tool = spec.repetitions * spec.active_deadline_seconds
    return spec.starting_deadline_seconds + tool + TRANSFER_ALLOWANCE_SECONDS


def transfer_secret(job: Mapping[str, Any], *, token: str, authorities: str) -> Manifest:
    """What the Job's pods need at the transfer endpoint: their token, and the authorities (PEM) that it is known by.

    It is made after the Job, whose UID it needs; the pods wait for it.
    """
    metadata = job["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "immutable": True,
        "metadata": {
            "name": names.secret_name(metadata["name"]),
            "namespace": metadata["namespace"],
            "labels": dict(metadata["labels"]),
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                    "controller": True,
                }
            ],
        },
        "stringData": {names.TOKEN_KEY: token, names.AUTHORITIES_KEY: authorities},
    }


def _pod_failure_policy(engine: str, give_up: Literal["FailJob", "FailIndex"]) -> Manifest:
    def on_exit(container: str, code: int) -> Manifest:
        return {"action": give_up, "onExitCodes": {"containerName": container, "operator": "In", "values": [code]}}

    return {
        "rules": [
            # Drained, preempted, node lost: no fault of anybody here, try again without counting.
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            # The engine's shell exits 0 whatever happens: 137 is the kernel's, out of memory, and would come again.
            on_exit(engine, 137),
            on_exit(names.FETCH, names.HOPELESS),
            on_exit(names.REPORT, names.HOPELESS),
            # Everything else counts against the backoff limit.
        ]
    }


def _owner(replay: SnapshotReplay) -> Manifest:
    """Without blockOwnerDeletion, which takes a right to the replay's finalizers where the API server checks that."""
    return {
        "apiVersion": API_VERSION,
        "kind": "SnapshotReplay",
        "name": replay.metadata.name,
        "uid": replay.metadata.uid,
        "controller": True,
    }


def _pod(
    replay: SnapshotReplay, name: str, *, index: int, image: str, operator_image: str, transfer_url: str
) -> Manifest:
    wanted = replay.spec.pod_template.spec.dump()
    resources = _engine_resources(wanted.pop("resources", {}))
    work = {"name": "work", "mountPath": names.WORK}
    token = {"name": "token", "mountPath": names.TOKEN_FILE.rsplit("/", 1)[0], "readOnly": True}
    ours = {
        "image": operator_image,
        "env": [
            {"name": names.URL_VARIABLE, "value": transfer_url},
            {"name": names.NODE_VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
        "resources": _OURS,
        "volumeMounts": [work, token],
        "securityContext": _CONTAINER_SECURITY,
    }
    engine = {
        "name": names.ENGINE_OF[replay.spec.engine],
        "image": image,
        "command": _engine_command(replay, index),
        "resources": resources,
        "volumeMounts": [work],
        "securityContext": _CONTAINER_SECURITY,
    }
    wanted["affinity"] = _beside(wanted.get("affinity", {}), _first_node(replay))
    return {
        **{field: value for field, value in wanted.items() if value not in ({}, [])},
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 5,
        "securityContext": _POD_SECURITY,
        "initContainers": [{"name": names.FETCH, "command": _ours(names.FETCH), **ours}, engine],
        "containers": [{"name": names.REPORT, "command": _ours(names.REPORT), **ours}],
        "volumes": [
            {"name": "work", "emptyDir": {}},
            {"name": "token", "secret": {"secretName": names.secret_name(name), "defaultMode": 0o440}},
        ],
    }


def _first_node(replay: SnapshotReplay) -> str:
    """The node that a version has run on; empty if none has, or with many archives."""
    return next((result.node_name for result in replay.status.results if result.node_name), "")


def _beside(affinity: Mapping[str, Any], node: str) -> Manifest:
    """The affinity with a preference for that node: only times of one node compare."""
    if not node:
        return dict(affinity)
    of_nodes = affinity.get("nodeAffinity") or {}
    preferred = of_nodes.get("preferredDuringSchedulingIgnoredDuringExecution") or []
    match = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    term = {"weight": 100, "preference": match}
    return {
        **affinity,
        "nodeAffinity": {**of_nodes, "preferredDuringSchedulingIgnoredDuringExecution": [*preferred, term]},
    }


def _engine_command(replay: SnapshotReplay, index: int) -> list[str]:
    spec, source = replay.spec, replay.status.resolved_source
    if spec.engine == "Simulator":
        return simulator_command(names.WORK, limit_seconds=spec.active_deadline_seconds, repetitions=spec.repetitions)
    version = target_version(spec.planned_versions[index], captured_version=source.scheduler_version if source else "")
    return tool_command(
        names.WORK,
        verbosity=spec.verbosity,
        limit_seconds=spec.active_deadline_seconds,
        repetitions=spec.repetitions,
        profiles=profile_arguments(version) if spec.profile else [],
    )


def _engine_resources(wanted: Mapping[str, Mapping[str, int | str]]) -> Manifest:
    """What the replay says of a resource replaces all we say of it: a limit of its own may lie below our request."""
    told = {resource for amounts in wanted.values() for resource in amounts}
    return {
        kind: {resource: amount for resource, amount in amounts.items() if resource not in told}
        | dict(wanted.get(kind, {}))
        for kind, amounts in _ENGINE.items()
    }


def _ours(verb: str) -> list[str]:
    return ["kai-snapshot", "job", verb, names.WORK]


_POD_SECURITY: Final = {
    "runAsNonRoot": True,
    "runAsUser": names.NOBODY,
    "runAsGroup": names.NOBODY,
    "fsGroup": names.NOBODY,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_CONTAINER_SECURITY: Final = {
    "runAsNonRoot": True,
    "runAsUser": names.NOBODY,
    "runAsGroup": names.NOBODY,
    "seccompProfile": {"type": "RuntimeDefault"},
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
