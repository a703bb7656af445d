"""Nodes, and the kinds and settings of KAI, as far as they are decided on."""

from collections.abc import Mapping
from typing import Final

from kai_snapshot.redaction import keyed, settings
from kai_snapshot.redaction import rules as of
from kai_snapshot.redaction.rules import one_of
from kai_snapshot.redaction.shapes.common import CONDITIONS, STATUS, Members, Shape, all_of
from kai_snapshot.redaction.shapes.devices import ALLOCATION, REQUEST

NODE: Final[Members] = {
    "spec": {
        "unschedulable": of.number,
        "taints": [keyed.taint],
        **all_of(of.gone, "podCIDR", "podCIDRs", "providerID", "externalID", "configSource"),
    },
    "status": {
        **all_of(keyed.amounts, "capacity", "allocatable"),
        "conditions": CONDITIONS,
        **all_of(of.gone, "addresses", "daemonEndpoints", "images", "nodeInfo", "volumesInUse", "volumesAttached",
               "runtimeHandlers", "features", "config", "phase", "declaredFeatures"),
    },
}  # fmt: skip
_QUEUE_RESOURCE: Final[Shape] = all_of(of.number, "quota", "limit", "overQuotaWeight")
QUEUE: Final[Members] = {
    "spec": {
        **all_of(of.name, "displayName", "parentQueue"),
        "priority": of.number,
        "resources": all_of(_QUEUE_RESOURCE, "cpu", "memory", "gpu"),
        **all_of(of.duration, "preemptMinRuntime", "reclaimMinRuntime"),
    },
    "status": {
        "conditions": CONDITIONS,
        "childQueues": [of.name],
        **all_of(keyed.amounts, "allocated", "allocatedNonPreemptible", "requested"),
    },
}
_STAY_TOGETHER: Final[Shape] = {
    "topology": of.name,
    **all_of(keyed.key, "requiredTopologyLevel", "preferredTopologyLevel"),
}
_GANG: Final[Mapping[str, Shape]] = {
    **all_of(of.number, "minMember", "minSubGroup"),
    "topologyConstraint": _STAY_TOGETHER,
}
POD_GROUP: Final[Members] = {
    "spec": {
        **_GANG,
        **all_of(of.name, "queue", "priorityClassName"),
        **all_of(of.number, "priority", "markUnschedulable", "schedulingBackoff"),
        "preemptibility": one_of("preemptible", "non-preemptible", "semi-preemptible"),
        **all_of(of.duration, "preemptionDelay", "stalenessGracePeriod"),
        "subGroups": [{**_GANG, "name": of.part, "parent": of.parent}],
    },
    "status": {
        "conditions": [{**all_of(of.gone, "message", "reason"), "type": keyed.condition, "status": STATUS,
                        "transitionID": of.integer, "lastTransitionTime": of.time}],
        "schedulingConditions": [
            {"type": keyed.condition, "nodePool": of.part, "status": STATUS, "transitionID": of.integer,
             "lastTransitionTime": of.time, **all_of(of.gone, "message", "reason", "reasons")}
        ],
        "resourcesStatus": all_of(keyed.amounts, "allocated", "allocatedNonPreemptible", "requested"),
        **all_of(of.number, "running", "succeeded", "failed", "pending"),
        "phase": one_of("Pending", "Running", "Unknown", "Unschedulable"),
    },
}  # fmt: skip
BIND_REQUEST: Final[Members] = {
    "spec": {
        **all_of(of.name, "podName", "selectedNode"),
        "receivedResourceType": one_of("Regular", "Fraction", "MIG", "DraGpu"),
        "receivedGPU": {"count": of.number, "portion": of.decimal},
        "selectedGPUGroups": [of.part],
        "resourceClaimAllocations": [{"name": of.part, "allocation": ALLOCATION}],
        "extendedResourceClaimAllocation": {
            "allocation": ALLOCATION,
            "deviceRequests": [REQUEST],
            "containerMappings": [{"containerName": of.part, "resourceName": keyed.resource, "requestName": of.part}],
        },
        "predictedNUMAZones": keyed.numa_zones,
        "backoffLimit": of.number,
    },
    "status": {
        "phase": one_of("Pending", "Succeeded", "Failed"),
        "failedAttempts": of.number,
        "reason": of.gone,
    },
}
CONFIGURATION: Final[Shape] = {
    "actions": settings.actions,
    "tiers": [
        {
            "plugins": [
                {
                    "name": settings.plugin,
                    "arguments": settings.arguments,
                    **all_of(of.number, "disableJobOrder", "disableTaskOrder", "disablePreemptable",
                             "disableReclaimable", "disableQueueOrder", "disablePredicate", "disableNodeOrder"),
                }
            ]
        }
    ],
    "queueDepthPerAction": settings.depths,
    "usageDBConfig": {
        "clientType": one_of("prometheus", "fake", "fake-with-history"),
        **all_of(of.text, "connectionString", "connectionStringEnvVar"),
        "usageParams": {
            **all_of(of.duration, "halfLifePeriod", "windowSize", "fetchInterval", "stalenessPeriod", "waitTimeout"),
            "windowType": one_of("sliding", "tumbling", "cron"),
            "tumblingWindowStartTime": of.time,
            **all_of(of.gone, "cronString", "extraParams"),
        },
    },
    "scenarioSearchBudgets": settings.budgets,
}  # fmt: skip
PARAMETERS: Final[Shape] = {
    "schedulerName": settings.scheduler,
    "partitionParams": {"NodePoolLabelKey": keyed.key, "NodePoolLabelValue": of.part},
    "queueLabelKey": keyed.key,
    **all_of(of.number, "restrictSchedulingNodes", "maxNumberConsolidationPreemptees", "scheduleCSIStorage",
           "useSchedulingSignatures", "fullHierarchyFairness", "allowConsolidatingReclaim",
           "numOfStatusRecordingWorkers", "detailedFitErrors", "updatePodEvictionCondition"),
    **all_of(of.duration, "globalDefaultStalenessGracePeriod", "schedulePeriod", "stuckInReleasingThreshold"),
}  # fmt: skip
