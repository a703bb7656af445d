"""What of each kind stays, in which form: the fields that KAI and the filters of Kubernetes it runs decide on.

A field that is not here is left out. Go writes the document from structs, so the names of fields are those of
Kubernetes and KAI; where a map has names that people give, a rule replaces them.
"""

from collections.abc import Mapping
from typing import Final

from kai_snapshot.archive.content import CONFIG, PARAMS
from kai_snapshot.redaction import keyed, settings
from kai_snapshot.redaction import rules as of
from kai_snapshot.redaction.derived import write_out
from kai_snapshot.redaction.rules import Leaf, Rules, one_of
from kai_snapshot.redaction.shapes import devices, kai, pods, volumes
from kai_snapshot.redaction.shapes.common import CONDITIONS, METADATA, Members, all_of, compiled

_FORMS: Final[Mapping[str, Members]] = {
    "pods": pods.POD,
    "nodes": kai.NODE,
    "queues": kai.QUEUE,
    "podGroups": kai.POD_GROUP,
    "bindRequests": kai.BIND_REQUEST,
    "priorityClasses": {
        **all_of(of.number, "value", "globalDefault"),
        "preemptionPolicy": one_of("PreemptLowerPriority", "Never"),
        "description": of.gone,
    },
    "configMaps": {**all_of(keyed.data, "data", "binaryData"), "immutable": of.number},
    "persistentVolumes": volumes.VOLUME,
    "persistentVolumeClaims": volumes.CLAIM,
    "csiStorageCapacities": volumes.STORAGE_CAPACITY,
    "storageClasses": volumes.STORAGE_CLASS,
    "csiDrivers": volumes.CSI_DRIVER,
    "resourceClaims": devices.RESOURCE_CLAIM,
    "resourceSlices": devices.RESOURCE_SLICE,
    "deviceClasses": devices.DEVICE_CLASS,
    "topologies": {"spec": {"levels": [all_of(keyed.key, "nodeLabel", "alias")]}, "status": of.gone},
    "nodeResourceTopologies": devices.NODE_RESOURCE_TOPOLOGY,
    "podDisruptionBudgets": {"spec": of.gone, "status": {"conditions": CONDITIONS}},
}
"""By list of a snapshot. KAI decides nothing on disruption budgets, which versions before v0.5 wrote."""
_OBJECT: Final[Members] = {"metadata": METADATA, "apiVersion": keyed.api_version, "kind": keyed.owner_kind}

_COMPILED: Final = {name: compiled({**_OBJECT, **form}, name) for name, form in _FORMS.items()}


def _pod(rules: Rules, value: object) -> object:
    if isinstance(value, dict):
        write_out(value)
    return _COMPILED["pods"](rules, value)


LISTS: Final[Mapping[str, Leaf]] = {**_COMPILED, "pods": _pod}
"""The rule of an object, by its list. It may change what it is given."""
PARTS: Final[Mapping[str, Leaf]] = {
    CONFIG: compiled(kai.CONFIGURATION, CONFIG),
    PARAMS: compiled(kai.PARAMETERS, PARAMS),
}
"""The rules of the configuration and the parameters of the scheduler."""
SERVER_VERSION: Final[Leaf] = compiled(
    {
        **all_of(settings.version, "major", "minor", "gitVersion", "emulationMajor", "emulationMinor"),
        **all_of(settings.version, "minCompatibilityMajor", "minCompatibilityMinor"),
        **all_of(of.gone, "gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform"),
    },
    "discovery.serverVersion",
)
"""The rule of what the API server says of itself."""
