"""Pods, as far as they are decided on."""

import re
from typing import Final

from kai_snapshot.redaction import keyed, settings
from kai_snapshot.redaction import rules as of
from kai_snapshot.redaction.rules import one_of
from kai_snapshot.redaction.shapes.common import (
    CONDITIONS,
    NODE_SELECTOR,
    NODE_TERM,
    REFERENCE,
    SELECTOR,
    Members,
    Shape,
    all_of,
    in_common,
)

_POD_TERM: Final[Members] = {
    "topologyKey": keyed.key,
    "namespaces": [of.name],
    **all_of(SELECTOR, "labelSelector", "namespaceSelector"),
    **all_of([keyed.key], "matchLabelKeys", "mismatchLabelKeys"),
}
_REQUIRED, _PREFERRED = (f"{each}DuringSchedulingIgnoredDuringExecution" for each in ("required", "preferred"))
_PODS_APART: Final[Members] = {
    _REQUIRED: [_POD_TERM],
    _PREFERRED: [{"weight": of.number, "podAffinityTerm": _POD_TERM}],
}
_AFFINITY: Final[Shape] = {
    "nodeAffinity": {_REQUIRED: NODE_SELECTOR, _PREFERRED: [{"weight": of.number, "preference": NODE_TERM}]},
    **all_of(_PODS_APART, "podAffinity", "podAntiAffinity"),
}
_CONFIG_MAP: Final[Shape] = {**REFERENCE, "items": of.gone, "defaultMode": of.number}
_VOLUME: Final[Shape] = {
    "name": of.part,
    "configMap": _CONFIG_MAP,
    "secret": {"secretName": of.name, **all_of(of.number, "optional", "defaultMode"), "items": of.gone},
    "projected": {
        "sources": [{**all_of(_CONFIG_MAP, "configMap", "secret"),
                     **all_of(of.gone, "downwardAPI", "serviceAccountToken", "clusterTrustBundle", "podCertificate")}],
        "defaultMode": of.number,
    },
    "persistentVolumeClaim": {"claimName": of.name, "readOnly": of.number},
    "emptyDir": {"medium": one_of("Memory", "HugePages"), "sizeLimit": of.quantity},
    "csi": {"driver": keyed.driver, "readOnly": of.number,
            **all_of(of.gone, "fsType", "volumeAttributes", "nodePublishSecretRef")},
    **all_of(of.gone, "hostPath", "nfs", "downwardAPI", "image", "gitRepo", "glusterfs", "cephfs", "fc", "flexVolume",
             "azureFile", "azureDisk", "awsElasticBlockStore", "gcePersistentDisk", "cinder", "iscsi", "rbd",
             "portworxVolume", "vsphereVolume", "quobyte", "scaleIO", "storageos", "photonPersistentDisk", "flocker"),
}  # fmt: skip
_RESOURCES: Final[Shape] = {
    **all_of(keyed.amounts, "requests", "limits"),
    "claims": [all_of(of.part, "name", "request")],
}
_ENVIRONMENT: Final[Shape] = [
    {
        **all_of(of.text, "name", "value"),
        "valueFrom": {
            **all_of(REFERENCE, "configMapKeyRef", "secretKeyRef"),
            **all_of(of.gone, "fieldRef", "resourceFieldRef", "fileKeyRef"),
        },
    }
]
_ANY_ADDRESS: Final = of.matching(re.compile(r"(?:0\.){3}0|::"))
"""A port on it is taken on all others as well."""
_CONTAINER: Final[Shape] = {
    "name": of.part,
    "image": of.text,
    "resources": in_common(_RESOURCES, "pods.spec.containers.resources"),
    "restartPolicy": one_of("Always", "Never", "OnFailure"),
    "ports": [
        {**all_of(of.number, "containerPort", "hostPort"), "protocol": one_of("TCP", "UDP", "SCTP"),
         "hostIP": _ANY_ADDRESS, "name": of.gone}
    ],
    "env": in_common(_ENVIRONMENT, "pods.spec.containers.env"),
    "envFrom": [{"prefix": of.text, **all_of(REFERENCE, "configMapRef", "secretRef")}],
    "volumeMounts": [
        {"name": of.part, "mountPath": of.text, "readOnly": of.number,
         **all_of(of.gone, "subPath", "subPathExpr", "mountPropagation", "recursiveReadOnly")}
    ],
    **all_of(
        of.gone, "command", "args", "workingDir", "imagePullPolicy", "terminationMessagePath",
        "terminationMessagePolicy", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "securityContext",
        "stdin", "stdinOnce", "tty", "volumeDevices", "resizePolicy", "restartPolicyRules", "targetContainerName",
    ),
}  # fmt: skip
_STATE: Final[Shape] = {
    "running": {"startedAt": of.time},
    "waiting": all_of(of.gone, "reason", "message"),
    "terminated": {
        **all_of(of.number, "exitCode", "signal"),
        **all_of(of.time, "startedAt", "finishedAt"),
        **all_of(of.gone, "reason", "message", "containerID"),
    },
}
_CONTAINER_STATUS: Final[Shape] = {
    "name": of.part,
    **all_of(of.number, "ready", "started", "restartCount"),
    **all_of(_STATE, "state", "lastState"),
    "allocatedResources": keyed.amounts,
    "resources": _RESOURCES,
    **all_of(
        of.gone, "image", "imageID", "containerID", "volumeMounts", "user", "allocatedResourcesStatus", "stopSignal"
    ),
}
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
POD: Final[Members] = {
    "spec": {
        **all_of([_CONTAINER], *_CONTAINERS),
        **all_of(of.name, "nodeName", "priorityClassName", "runtimeClassName", "serviceAccountName", "serviceAccount"),
        **all_of(of.number, "priority", "terminationGracePeriodSeconds", "activeDeadlineSeconds", "hostNetwork",
                 "hostPID", "hostIPC", "hostUsers", "shareProcessNamespace", "enableServiceLinks",
                 "automountServiceAccountToken"),
        "schedulerName": settings.scheduler,
        "schedulingGates": [{"name": keyed.key}],
        "preemptionPolicy": one_of("PreemptLowerPriority", "Never"),
        "restartPolicy": one_of("Always", "OnFailure", "Never"),
        "dnsPolicy": one_of("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
        "nodeSelector": keyed.labels,
        "affinity": in_common(_AFFINITY, "pods.spec.affinity"),
        "tolerations": in_common([keyed.taint], "pods.spec.tolerations"),
        "topologySpreadConstraints": [
            {**all_of(of.number, "maxSkew", "minDomains"), "topologyKey": keyed.key, "labelSelector": SELECTOR,
             "whenUnsatisfiable": one_of("DoNotSchedule", "ScheduleAnyway"), "matchLabelKeys": [keyed.key],
             **all_of(one_of("Honor", "Ignore"), "nodeAffinityPolicy", "nodeTaintsPolicy")}
        ],
        "overhead": keyed.amounts,
        "resources": _RESOURCES,
        "volumes": [_VOLUME],
        "resourceClaims": [{"name": of.part, **all_of(of.name, "resourceClaimName", "resourceClaimTemplateName")}],
        "imagePullSecrets": [{"name": of.name}],
        "os": {"name": one_of("linux", "windows")},
        "readinessGates": [{"conditionType": keyed.key}],
        **all_of(of.gone, "hostname", "subdomain", "securityContext", "dnsConfig", "hostAliases", "setHostnameAsFQDN",
               "hostnameOverride"),
    },
    "status": {
        "phase": one_of("Pending", "Running", "Succeeded", "Failed", "Unknown"),
        "conditions": CONDITIONS,
        "nominatedNodeName": of.name,
        "startTime": of.time,
        "qosClass": one_of("Guaranteed", "Burstable", "BestEffort"),
        "resize": one_of("Proposed", "InProgress", "Deferred", "Infeasible"),
        **all_of([_CONTAINER_STATUS], *(f"{name[:-1]}Statuses" for name in _CONTAINERS)),
        "resourceClaimStatuses": [{"name": of.part, "resourceClaimName": of.name}],
        "extendedResourceClaimStatus": {
            "resourceClaimName": of.name,
            "requestMappings": [{"containerName": of.part, "resourceName": keyed.resource, "requestName": of.part}],
        },
        "allocatedResources": keyed.amounts,
        "resources": _RESOURCES,
        "observedGeneration": of.number,
        **all_of(of.gone, "message", "reason", "hostIP", "hostIPs", "podIP", "podIPs"),
    },
}  # fmt: skip
