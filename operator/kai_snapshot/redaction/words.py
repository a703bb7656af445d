"""What stays: words of Kubernetes and KAI, which say nothing of whose cluster it is."""

import re
from collections.abc import Mapping
from typing import Final

PUBLIC_DOMAINS: Final = (
    "kubernetes.io", "k8s.io", "x-k8s.io", "kai.scheduler", "run.ai", "nvidia.com", "amd.com", "intel.com", "habana.ai",
    "kubeflow.org", "ray.io",
)  # fmt: skip
"""A key below one of them keeps its domain."""
PUBLIC_KEYS: Final = frozenset(
    {
        "app", "gpu-fraction", "gpu-fraction-container-name", "gpu-fraction-num-devices", "gpu-memory", "mps",
        "pod-group-name", "received-resource-type", "runai-gpu-group", "runai/shared-gpu-configmap", "selected-node",
        "kai.scheduler/accounting", "kai.scheduler/last-eviction-timestamp", "kai.scheduler/last-start-timestamp",
        "kai.scheduler/node-pool", "kai.scheduler/numa-placement-observed", "kai.scheduler/numa-placement-predicted",
        "kai.scheduler/queue", "kai.scheduler/skip-podgrouper", "kai.scheduler/stale-podgroup-timestamp",
        "kai.scheduler/subgroup-name", "kai.scheduler/task-priority", "run.ai/stale-podgroup-timestamp",
        "beta.kubernetes.io/arch", "beta.kubernetes.io/instance-type", "beta.kubernetes.io/os", "kubernetes.io/arch",
        "kubernetes.io/hostname", "kubernetes.io/metadata.name", "kubernetes.io/os",
        "app.kubernetes.io/component", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by",
        "app.kubernetes.io/name", "app.kubernetes.io/part-of", "app.kubernetes.io/version",
        "batch.kubernetes.io/job-completion-index", "batch.kubernetes.io/job-name",
        "failure-domain.beta.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone",
        "node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/cpu-worker",
        "node-role.kubernetes.io/gpu-worker", "node-role.kubernetes.io/master", "node-role.kubernetes.io/mig-enabled",
        "node-role.kubernetes.io/worker", "node.kubernetes.io/disk-pressure", "node.kubernetes.io/instance-type",
        "node.kubernetes.io/memory-pressure", "node.kubernetes.io/network-unavailable",
        "node.kubernetes.io/not-ready", "node.kubernetes.io/out-of-service", "node.kubernetes.io/pid-pressure",
        "node.kubernetes.io/unreachable", "node.kubernetes.io/unschedulable",
        "node.cloudprovider.kubernetes.io/uninitialized", "node.cloudprovider.kubernetes.io/shutdown",
        "topology.kubernetes.io/region", "topology.kubernetes.io/zone",
        "pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller", "pv.kubernetes.io/provisioned-by",
        "resource.kubernetes.io/extended-resource-claim", "resource.kubernetes.io/pod-claim-name",
        "storageclass.kubernetes.io/is-default-class", "volume.beta.kubernetes.io/storage-class",
        "volume.kubernetes.io/selected-node",
        "kubernetes.io/pv-protection", "kubernetes.io/pvc-protection", "kubernetes.io/no-provisioner",
        "nvidia.com/gpu", "nvidia.com/gpu.count", "nvidia.com/gpu.deploy.operands", "nvidia.com/gpu.family",
        "nvidia.com/gpu.memory", "nvidia.com/gpu.present", "nvidia.com/gpu.product", "nvidia.com/gpu.replicas",
        "nvidia.com/mig.capable", "nvidia.com/mig.config", "nvidia.com/mig.config.state", "nvidia.com/mig.strategy",
        "ray.io/cluster", "ray.io/node-type", "training.kubeflow.org/job-role",
    }
)  # fmt: skip
"""Keys of labels, annotations, taints and finalizers that stay as they are."""
QUEUE_LABEL: Final = "kai.scheduler/queue"
MIG_PREFIX: Final = "nvidia.com/mig-"
"""By it KAI tells resources of MIG, and annotations of pods that ask for them."""
MIG: Final = re.compile(re.escape(MIG_PREFIX) + r"(?:[0-9]{1,2}c\.)?[0-9]{1,2}g\.[0-9]{1,4}gb(?:[.-](?:me|gfx|all))*")
"""NVIDIA's profiles, as resources."""
NUMBER: Final = re.compile(
    r"[+-]?(?:[0-9]{1,19}(?:\.[0-9]{0,19})?|\.[0-9]{1,19})(?:[eE][+-]?[0-9]{1,3})?|[+-]?(?i:inf(?:inity)?|nan)"
)
DURATION: Final = re.compile(r"[+-]?(?:[0-9.]{1,20}(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h|d|w|y)){1,7}|0")
PUBLIC_VALUES: Final[Mapping[str, re.Pattern[str]]] = {
    key: re.compile(pattern)
    for keys, pattern in (
        (("app",), r"kai-resource-reservation|runai-reservation|scaling-pod"),
        (("beta.kubernetes.io/arch", "kubernetes.io/arch"), r"amd64|arm64|ppc64le|s390x|riscv64"),
        (("beta.kubernetes.io/os", "kubernetes.io/os"), r"linux|windows"),
        (("gpu-fraction", "gpu-fraction-num-devices", "gpu-memory"), NUMBER.pattern),
        (("kai.scheduler/task-priority",), NUMBER.pattern),
        (("received-resource-type",), r"Regular|Fraction|MIG|DraGpu"),
        (("kai.scheduler/accounting", "kai.scheduler/skip-podgrouper", "mps"), r"true|false"),
        (("pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller"), r"yes"),
        (("resource.kubernetes.io/extended-resource-claim",), r"true|false"),
        (("storageclass.kubernetes.io/is-default-class",), r"true|false"),
        (("node-role.kubernetes.io/mig-enabled",), r"1|t|T|TRUE|true|True|0|f|F|FALSE|false|False"),
        (("nvidia.com/gpu.count", "nvidia.com/gpu.memory", "nvidia.com/gpu.replicas"), NUMBER.pattern),
        (("nvidia.com/gpu.present", "nvidia.com/mig.capable", "nvidia.com/gpu.deploy.operands"), r"true|false"),
        (("nvidia.com/gpu.family",), r"kepler|maxwell|pascal|volta|turing|ampere|ada-lovelace|hopper|blackwell"),
        (("nvidia.com/gpu.product",), r"(?:NVIDIA|Tesla|Quadro|GeForce)[A-Za-z0-9._-]{0,56}"),
        (("nvidia.com/mig.strategy",), r"none|single|mixed"),
        (("ray.io/node-type",), r"head|worker"),
        (("training.kubeflow.org/job-role",), r"master|launcher|worker"),
    )
    for key in keys
}
"""What stays of the values of those keys."""
RESOURCES: Final = re.compile(
    r"cpu|memory|ephemeral-storage|storage|pods|hugepages-[0-9]{1,4}[KMG]i|(?:requests\.)?nvidia\.com/gpu(?:\.shared)?"
    r"|amd\.com/gpu|gpu|rdma/hca(?:_shared_devices_[a-z])?|count/[a-z]+|" + MIG.pattern
)
"""Names of resources that stay as they are."""
KINDS: Final = frozenset(
    {
        "Pod", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Node", "PodGroup", "Queue",
        "BindRequest", "ConfigMap", "PriorityClass", "PersistentVolume", "PersistentVolumeClaim", "StorageClass",
        "CSIDriver", "CSIStorageCapacity", "ResourceClaim", "ResourceSlice", "DeviceClass", "Topology",
        "NodeResourceTopology", "PyTorchJob", "MPIJob", "TFJob", "XGBoostJob", "JAXJob", "TrainJob", "RayCluster",
        "RayJob", "RayService", "JobSet", "LeaderWorkerSet", "SparkApplication", "Notebook", "Workflow",
    }
)  # fmt: skip
CONDITIONS: Final = frozenset(
    {
        "Ready", "MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable", "PodScheduled", "Initialized",
        "ContainersReady", "PodReadyToStartContainers", "DisruptionTarget", "PodResizePending", "PodResizeInProgress",
        "UnschedulableOnNodePool", "Pending", "Scheduled", "Unschedulable",
    }
)  # fmt: skip
SETTINGS: Final = frozenset(
    {
        "default", "allocate", "consolidation", "reclaim", "preempt", "stalegangeviction", "NodeLocalGreedy",
        "MultiNodeGang", "maxActionSearchDuration", "maxJobSearchDuration", "minJobSearchDuration",
        "maxGeneratorSearchDuration",
    }
)  # fmt: skip
KUBELET: Final = frozenset({"topologyManagerPolicy", "topologyManagerScope"})
SCHEDULERS: Final = frozenset({"kai-scheduler", "default-scheduler"})
ARGUMENTS: Final[Mapping[str, re.Pattern[str]]] = {
    name: re.compile(pattern)
    for names, pattern in (
        (("cpu", "gpu"), r"binpack|spread"),
        (("kValue", "relcaimerSaturationMultiplier"), NUMBER.pattern),
        (("defaultPreemptMinRuntime", "defaultReclaimMinRuntime"), DURATION.pattern),
        (("reclaimResolveMethod",), r"lca|queue"),
        (("reconstructAvailable",), r"true|false"),
    )
    for name in names
}
"""Arguments of plugins, and what stays of their values."""


def is_public_domain(domain: str) -> bool:
    """Whether it is one of those, or below one."""
    return any(domain == known or domain.endswith("." + known) for known in PUBLIC_DOMAINS)
