"""The pod that looks at one node and prints, or hands in, what it found: the least rights that each look takes.

Unprivileged it satisfies the restricted Pod Security Standard: kernel, settings, modules and the GPUs on the PCI bus
are in every container. Privileged it sees the host: the distribution and systemd through its files, read only; and,
unless a RuntimeClass gives the container nvidia-smi, the whole host and its devices, to run the host's nvidia-smi.
Either way its image can be root on the node: whoever is root at systemd's private socket has it start anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kai_snapshot.api.environmentdocument import DEFAULT_UNITS
from kai_snapshot.jobs import names

Manifest = dict[str, Any]

CONTAINER: Final = "environment"
HOST_ROOT: Final = "/host"
EVERY_TAINT: Final[tuple[Mapping[str, Any], ...]] = ({"operator": "Exists"},)
"""aicr's DefaultTolerations: a pod may go to every node."""
ALLOWANCE_SECONDS: Final = 15
"""What a pod takes beside its collectors: the interpreter, and handing in."""
RESOURCES: Final = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}


@dataclass(frozen=True, kw_only=True)
class NodeLook:
    """How a pod looks at its node."""

    image: str
    """Ours."""
    privileged: bool = False
    """Whether it may see the host."""
    runtime_class_name: str | None = None
    """The RuntimeClass that puts nvidia-smi into the container, usually `nvidia`."""
    units: Sequence[str] = DEFAULT_UNITS
    collector_seconds: float = 10
    """What one collector may take."""
    tolerations: Sequence[Mapping[str, Any]] = EVERY_TAINT
    image_pull_secrets: Sequence[str] = ()
    resources: Mapping[str, Any] = field(default_factory=lambda: dict(RESOURCES))
    debug: bool = False
    """Whether the pod's log says what each collector did."""
    hand_in: bool = False
    """Whether the document goes to the transfer endpoint, and not into the log."""
    require_gpu: bool = False
    """Whether a node without a GPU is a failure; only if the document is handed in, else its reader finds that out."""


def command(look: NodeLook) -> list[str]:
    """What the container runs: the document is printed as a frame, whatever else is in the log."""
    return [
        "kai-snapshot", "job", "environment",
        *(["--host-root", HOST_ROOT] if look.privileged else ["--no-host"]),
        *(part for unit in look.units for part in ("--unit", unit)),
        "--collector-timeout", f"{look.collector_seconds:g}",
        *(["--debug"] if look.debug else []),
        *(["--hand-in"] if look.hand_in else []),
        *(["--require-gpu"] if look.require_gpu else []),
    ]  # fmt: skip


def pod_spec(look: NodeLook, node: str) -> Manifest:
    """The pod for that node. It holds no credentials, and KAI does not schedule it."""
    whole_host = look.privileged and look.runtime_class_name is None
    mounts = [] if not look.privileged else _WHOLE if whole_host else _PARTS
    return {
        "restartPolicy": "Never",
        "schedulerName": "default-scheduler",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": _only(node)}},
        "tolerations": [dict(each) for each in look.tolerations],
        **({"runtimeClassName": look.runtime_class_name} if look.runtime_class_name else {}),
        **(
            {"imagePullSecrets": [{"name": name} for name in look.image_pull_secrets]}
            if look.image_pull_secrets
            else {}
        ),
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": CONTAINER,
                "image": look.image,
                "command": command(look),
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "env": [
                    {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                    *(_NVIDIA if look.runtime_class_name else ()),
                ],
                "resources": dict(look.resources),
                "securityContext": _security(look.privileged, whole_host),
                "volumeMounts": [
                    {"name": name, "mountPath": HOST_ROOT + path.rstrip("/"), **_READ_ONLY} for name, path, _ in mounts
                ],
            }
        ],
        "volumes": [{"name": name, "hostPath": {"path": path, "type": type_}} for name, path, type_ in mounts],
    }


def job(look: NodeLook, node: str, *, metadata: Manifest, timeout_seconds: int, keep_seconds: int) -> Manifest:
    """A Job for that node. Once it is over, or nobody looks after it any more, it goes after `keep_seconds`."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": timeout_seconds,
            "ttlSecondsAfterFinished": keep_seconds,
            "template": {"metadata": {"labels": metadata.get("labels", {})}, "spec": pod_spec(look, node)},
        },
    }


def _only(node: str) -> Manifest:
    """Through the scheduler, and not by `nodeName`: what the node has no room for is not forced onto it."""
    fields = [{"key": "metadata.name", "operator": "In", "values": [node]}]
    return {"nodeSelectorTerms": [{"matchFields": fields}]}


def _security(privileged: bool, whole_host: bool) -> Manifest:
    common = {"readOnlyRootFilesystem": True}
    if whole_host:  # the host's nvidia-smi needs the GPUs' device files, which no capability gives
        return {**common, "privileged": True, "runAsUser": 0, "runAsGroup": 0}
    user = 0 if privileged else names.NOBODY  # systemd talks to root
    return {
        **common,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsUser": user,
        "runAsGroup": user,
        "runAsNonRoot": not privileged,
    }


_WHOLE: Final = [("host", "/", "Directory")]
_PARTS: Final = [
    ("os-release", "/etc/os-release", "File"),
    ("systemd", "/run/systemd", "DirectoryOrCreate"),
    ("dbus", "/run/dbus", "DirectoryOrCreate"),
]
"""The sockets of collectors.systemd are in these. A node without them must not keep its pod waiting for ever."""
_READ_ONLY: Final = {"readOnly": True, "recursiveReadOnly": "IfPossible"}
"""Without the latter, which not every runtime can do, what is mounted below stays writable."""
_NVIDIA: Final = (
    {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"},
    {"name": "NVIDIA_DRIVER_CAPABILITIES", "value": "utility"},
)
"""What the NVIDIA runtime looks for: all GPUs to be seen, none of them to be had."""
