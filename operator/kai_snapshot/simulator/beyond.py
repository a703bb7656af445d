"""What of an archive's objects and settings is beyond the simulator, and can change what the scheduler decides."""

from collections.abc import Iterator, Mapping
from typing import Any

from kai_snapshot.api.schedulerconfig import configured_plugins, wants_usage_history
from kai_snapshot.simulator.budget import OWN, limits
from kai_snapshot.simulator.duration import duration
from kai_snapshot.simulator.request import GPU_NAMES
from kai_snapshot.simulator.unmodelled import Use

Object = Mapping[str, Any]
ALWAYS_ON = (
    "predicates", "proportion", "priority", "elastic", "kubeflow", "ray", "subgrouporder", "taskorder", "minruntime",
    "topology",
)  # fmt: skip
"""Plugins whose rules the simulator follows whether they are configured or not."""
AS_CONFIGURED = (
    "nodeavailability", "gpusharingorder", "gpupack", "gpuspread", "resourcetype", "nominatednode", "nodeplacement",
    "sg-nodelocalgreedy", "sg-multinodegang",
)  # fmt: skip
WITHOUT_EFFECT = ("snapshot", "reflectjoborder", "dynamicresources", "podaffinity")
"""On what is modelled: claims and affinity between pods are told of by the pods that have them."""
_MODELLED = {
    "config": frozenset({"actions", "tiers", "queueDepthPerAction", "usageDBConfig", "scenarioSearchBudgets"}),
    "schedulerParams": frozenset(
        {
            "schedulerName", "restrictSchedulingNodes", "partitionParams", "maxNumberConsolidationPreemptees",
            "useSchedulingSignatures", "fullHierarchyFairness", "allowConsolidatingReclaim",
            "globalDefaultStalenessGracePeriod", "stuckInReleasingThreshold",
            "scheduleCSIStorage", "numOfStatusRecordingWorkers", "schedulePeriod", "detailedFitErrors",
            "updatePodEvictionCondition", "queueLabelKey",
        }
    ),
}  # fmt: skip
"""Settings that are followed, and those that change no decision but about volumes."""
CLAIMS = "resource claims (DRA)"
BETWEEN_PODS = "affinity between pods"


def of_object(kind: str, value: Object) -> tuple[Use, ...]:
    """What an object uses that is not modelled; `kind` is the list it is in."""
    found = _IN.get(kind)
    return tuple(found(value)) if found is not None else ()


def of_settings(member: str, value: Object) -> Iterator[tuple[Use, str]]:
    """What of `config`, or of `schedulerParams`, is not modelled, and where it says so."""
    for name in sorted(value.keys() - _MODELLED[member]):
        yield Use("settings of the scheduler that are not known"), f"{member}.{name}"
    if member != "config":
        return
    if wants_usage_history(value):
        yield Use("past usage of queues"), "usageDBConfig"
    for name in _short_budgets(value.get("scenarioSearchBudgets") or {}):
        yield Use("limits of the search for victims that are shorter than KAI's own"), f"scenarioSearchBudgets.{name}"
    plugins = configured_plugins(value)
    if "numa" in plugins:
        yield Use("NUMA topology of nodes"), "plugin numa"
    for name in plugins:
        if name not in (*ALWAYS_ON, *AS_CONFIGURED, *WITHOUT_EFFECT, "numa"):
            yield Use("plugins that KAI does not have"), name
    for name in ALWAYS_ON:
        if name not in plugins:
            yield Use("plugins that are switched off"), name


def _short_budgets(budgets: Object) -> Iterator[str]:
    found = limits(budgets)
    if found.fault or found.unknown:  # nothing is searched for
        return
    for name, value in budgets.items():
        for of, text in value.items() if isinstance(value, Mapping) else (("", value),):
            least, said = OWN.get(of, OWN.get(name)), duration(text)
            if least is not None and said is not None and said < least:
                yield f"{name}.{of}" if of else name


def _pod(pod: Object) -> Iterator[Use]:
    metadata, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    if (pod.get("status") or {}).get("phase") not in ("Pending", "Running"):
        return
    yield from _gpu_names(pod)
    affinity = spec.get("affinity") or {}
    if not (metadata.get("annotations") or {}).get("pod-group-name"):  # nobody places it or moves it
        if required := (affinity.get("podAntiAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution"):
            yield Use(BETWEEN_PODS, _kept_away(required, metadata.get("namespace", "")))
        return
    if affinity.get("podAffinity") or affinity.get("podAntiAffinity"):
        yield Use(BETWEEN_PODS)
    if spec.get("resourceClaims"):
        yield Use(CLAIMS)
    if any("persistentVolumeClaim" in each or "ephemeral" in each for each in spec.get("volumes") or ()):
        yield Use("volume claims")
    if any(port.get("hostPort") for each in _containers(spec) for port in each.get("ports") or ()):
        yield Use("host ports")


def _kept_away(terms: list[Object], own: str) -> frozenset[str] | None:
    """The namespaces of the pods that anti-affinity keeps away; None if it is not known without their labels."""
    if any(term.get("namespaceSelector") is not None for term in terms):
        return None
    return frozenset(name for term in terms for name in term.get("namespaces") or (own,))


def _gpu_names(pod: Object) -> Iterator[Use]:
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    if any(name.startswith("nvidia.com/mig-") for name in annotations):
        yield Use("MIG devices asked for by annotation")
    containers = _containers(pod.get("spec") or {})
    asked = {name for each in containers for name in (each.get("resources") or {}).get("requests") or {}}
    yield from _other_gpus(asked)
    if asked & GPU_NAMES and not annotations.keys().isdisjoint({"gpu-fraction", "gpu-memory"}):
        yield Use("pods that ask for parts of a GPU and for whole ones")


def _other_gpus(names: set[str]) -> Iterator[Use]:
    if any(name.endswith("gpu") for name in names - GPU_NAMES):
        yield Use("GPUs of other makers than NVIDIA and AMD")


def _containers(spec: Object) -> list[Object]:
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def _node(node: Object) -> Iterator[Use]:
    return _other_gpus(set((node.get("status") or {}).get("allocatable") or {}))


def _resource_slice(value: Object) -> Iterator[Use]:
    """Its GPUs are counted as the node's, whether claimed or not."""
    if "gpu" in str((value.get("spec") or {}).get("driver") or "").lower():
        yield Use("GPUs of resource slices (DRA)")


def _device_class(value: Object) -> Iterator[Use]:
    if (value.get("spec") or {}).get("extendedResourceName"):
        yield Use("extended resources of device classes (DRA)")


_IN = {"pods": _pod, "nodes": _node, "resourceSlices": _resource_slice, "deviceClasses": _device_class}
