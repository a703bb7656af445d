"""Volumes, as far as they are decided on."""

from typing import Final

from kai_snapshot.redaction import keyed
from kai_snapshot.redaction import rules as of
from kai_snapshot.redaction.rules import one_of
from kai_snapshot.redaction.shapes.common import CONDITIONS, NODE_SELECTOR, SELECTOR, Members, Shape, all_of

_ACCESS_MODES: Final[Shape] = [one_of("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")]
_VOLUME_MODE: Final = one_of("Filesystem", "Block")
CLAIM_SPEC: Final[Shape] = {
    "accessModes": _ACCESS_MODES,
    "resources": {"requests": keyed.amounts, "limits": keyed.amounts},
    **all_of(of.name, "storageClassName", "volumeName", "volumeAttributesClassName"),
    "volumeMode": _VOLUME_MODE,
    "selector": SELECTOR,
    **all_of(of.gone, "dataSource", "dataSourceRef"),
}
VOLUME: Final[Members] = {
    "spec": {
        "capacity": keyed.amounts,
        "accessModes": _ACCESS_MODES,
        "persistentVolumeReclaimPolicy": one_of("Retain", "Delete", "Recycle"),
        **all_of(of.name, "storageClassName", "volumeAttributesClassName"),
        "volumeMode": _VOLUME_MODE,
        "claimRef": {
            "apiVersion": keyed.api_version,
            "kind": keyed.owner_kind,
            **all_of(of.name, "name", "namespace"),
    "uid": of.uid,
            **all_of(of.gone, "resourceVersion", "fieldPath"),
        },
        "nodeAffinity": {"required": NODE_SELECTOR},
        "csi": {
            "driver": keyed.driver,
            "volumeHandle": of.text,
            "readOnly": of.number,
            **all_of(
                of.gone, "fsType", "volumeAttributes", "controllerPublishSecretRef", "nodeStageSecretRef",
                "nodePublishSecretRef", "controllerExpandSecretRef", "nodeExpandSecretRef",
            ),
        },
        "local": {"path": of.text, "fsType": of.gone},
        "hostPath": {"path": of.text, "type": of.gone},
        "nfs": {**all_of(of.text, "server", "path"), "readOnly": of.number},
        "mountOptions": of.gone,
    },
    "status": {
        "phase": one_of("Pending", "Available", "Bound", "Released", "Failed"),
        "lastPhaseTransitionTime": of.time,
        **all_of(of.gone, "message", "reason"),
    },
}  # fmt: skip
CLAIM: Final[Members] = {
    "spec": CLAIM_SPEC,
    "status": {
        "phase": one_of("Pending", "Bound", "Lost"),
        "accessModes": _ACCESS_MODES,
        **all_of(keyed.amounts, "capacity", "allocatedResources"),
        "conditions": CONDITIONS,
        **all_of(of.gone, "allocatedResourceStatuses", "currentVolumeAttributesClassName", "modifyVolumeStatus"),
    },
}
STORAGE_CLASS: Final[Members] = {
    "provisioner": keyed.driver,
    "volumeBindingMode": one_of("Immediate", "WaitForFirstConsumer"),
    "reclaimPolicy": one_of("Retain", "Delete", "Recycle"),
    "allowVolumeExpansion": of.number,
    "allowedTopologies": [{"matchLabelExpressions": [keyed.expression]}],
    **all_of(of.gone, "parameters", "mountOptions"),
}
CSI_DRIVER: Final[Members] = {
    "spec": {
        **all_of(
            of.number, "attachRequired", "podInfoOnMount", "storageCapacity", "requiresRepublish", "seLinuxMount",
            "nodeAllocatableUpdatePeriodSeconds", "serviceAccountTokenInSecrets",
        ),
        "fsGroupPolicy": one_of("ReadWriteOnceWithFSType", "File", "None"),
        "volumeLifecycleModes": [one_of("Persistent", "Ephemeral")],
        "tokenRequests": of.gone,
    }
}  # fmt: skip
STORAGE_CAPACITY: Final[Members] = {
    "nodeTopology": SELECTOR,
    "storageClassName": of.name,
    **all_of(of.quantity, "capacity", "maximumVolumeSize"),
}
