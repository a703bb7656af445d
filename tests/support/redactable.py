"""A snapshot with an object of each kind, and each field that a redaction has to think about."""

import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from kai_snapshot.errors import TerminalError
from kai_snapshot.redaction.key import Key
from kai_snapshot.redaction.pseudonyms import PSEUDONYM
from kai_snapshot.redaction.redact import Dropped, redact
from kai_snapshot.simulator.simulate import load, simulate
from support.zips import archive as zipped

Object = dict[str, Any]
KEY = Key(b"a key of a test, thirty-two bytes or more", where="the test")
OTHER = Key(b"another key of thirty-two bytes or more..", where="the test")
NOW = datetime(2026, 12, 1, tzinfo=UTC)


def meta(name: str, namespace: str | None = None, **more: Any) -> Object:
    """The metadata of an object."""
    return {
        "name": name,
        **({"namespace": namespace} if namespace else {}),
        "uid": f"uid-of-{name}",
        "creationTimestamp": "2026-11-20T08:00:00Z",
        "resourceVersion": "17",
        "managedFields": [{"manager": "acme-controller", "time": "2026-11-20T08:00:00Z"}],
        **more,
    }


def pod(**spec: Any) -> Object:
    """A pod of the job `merger-llm` with all that people put into one."""
    return {
        "metadata": meta(
            "merger-llm-0",
            "team-falcon",
            labels={"app": "merger-llm", "acme.com/cost-center": "cc-4711", "kai.scheduler/queue": "falcon"},
            annotations={
                "pod-group-name": "merger-llm",
                "acme.com/owner": "jane.doe@acme.com",
                "gpu-fraction": "0.5",
                "runai/shared-gpu-configmap": "merger-llm-shared",
            },
            ownerReferences=[{"apiVersion": "acme.com/v1", "kind": "AcmeTrainer", "name": "merger", "uid": "u-9"}],
        ),
        "spec": {
            "schedulerName": "kai-scheduler",
            "nodeName": "gpu-rack7-03",
            "priorityClassName": "falcon-high",
            "serviceAccountName": "falcon-runner",
            "hostname": "merger-host",
            "nodeSelector": {"acme.com/hall": "hall-b"},
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [
                            {
                                "matchExpressions": [
                                    {"key": "acme.com/hall", "operator": "In", "values": ["hall-b", "hall-c"]},
                                    {"key": "acme.com/generation", "operator": "Gt", "values": ["3"]},
                                ],
                                "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["gpu-rack7-03"]}],
                            }
                        ]
                    }
                },
                "podAntiAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "topologyKey": "kubernetes.io/hostname",
                            "labelSelector": {"matchLabels": {"app": "merger-llm"}},
                            "namespaces": ["team-falcon"],
                        }
                    ]
                },
            },
            "tolerations": [{"key": "acme.com/falcon-only", "operator": "Equal", "value": "yes-falcon"}],
            "containers": [
                {
                    "name": "trainer",
                    "image": "registry.acme.com/falcon/merger:1.2",
                    "command": ["/opt/falcon/train"],
                    "args": ["--dataset=s3://falcon-data"],
                    "env": [
                        {"name": "FALCON_TOKEN", "value": "hunter2"},
                        {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "falcon-settings", "key": "mode"}}},
                        {"name": "C", "valueFrom": {"secretKeyRef": {"name": "falcon-secret", "key": "password"}}},
                    ],
                    "envFrom": [{"configMapRef": {"name": "merger-llm-shared-0"}}],
                    "resources": {"requests": {"cpu": "1", "acme.com/fpga": "2", "acme.com/supergpu": "1"}},
                    "volumeMounts": [{"name": "falcon-vol", "mountPath": "/mnt/falcon"}],
                }
            ],
            "volumes": [
                {"name": "falcon-vol", "configMap": {"name": "falcon-settings", "items": [{"key": "k", "path": "p"}]}},
                {"name": "claim", "persistentVolumeClaim": {"claimName": "falcon-data"}},
                {"name": "nfs", "nfs": {"server": "nfs.acme.com", "path": "/falcon"}},
            ],
            "resourceClaims": [{"name": "falcon-gpu", "resourceClaimName": "falcon-claim"}],
            **spec,
        },
        "status": {
            "phase": "Pending",
            "hostIP": "10.47.11.3",
            "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no room for falcon"},
                {"type": "acme.com/Blessed", "status": "True"},
            ],
        },
    }


def cluster() -> Object:
    """The snapshot."""
    allocatable = {"cpu": "8", "memory": "64Gi", "nvidia.com/gpu": "8", "acme.com/fpga": "4", "pods": "110"}
    return {
        "config": {
            "actions": "allocate, falcon-defrag",
            "tiers": [
                {
                    "plugins": [
                        {"name": "predicates"},
                        {"name": "nodeplacement", "arguments": {"gpu": "binpack", "falcon": "on"}},
                        {"name": "falcon-plugin"},
                    ]
                }
            ],
            "usageDBConfig": {"clientType": "prometheus", "connectionString": "http://user:hunter2@prom.acme.com"},
        },
        "schedulerParams": {
            "schedulerName": "kai-scheduler",
            "partitionParams": {"NodePoolLabelKey": "acme.com/pool", "NodePoolLabelValue": "falcon-pool"},
            "queueLabelKey": "kai.scheduler/queue",
        },
        "rawObjects": {
            "pods": [pod()],
            "nodes": [
                {
                    "metadata": meta(
                        "gpu-rack7-03",
                        labels={
                            "acme.com/hall": "hall-b",
                            "acme.com/generation": "4",
                            "acme.com/asset": "884712",
                            "acme.com/pool": "falcon-pool",
                            "kubernetes.io/hostname": "gpu-rack7-03",
                            "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3",
                            "nvidia.com/gpu.count": "8",
                        },
                    ),
                    "spec": {
                        "taints": [{"key": "acme.com/falcon-only", "value": "yes-falcon", "effect": "NoSchedule"}],
                        "providerID": "acme://dc7/gpu-rack7-03",
                    },
                    "status": {
                        "allocatable": allocatable,
                        "capacity": allocatable,
                        "addresses": [{"type": "InternalIP", "address": "10.47.11.3"}],
                        "images": [{"names": ["registry.acme.com/falcon/merger:1.2"], "sizeBytes": 1}],
                        "nodeInfo": {"machineID": "0badcafe", "kernelVersion": "6.1.0-acme"},
                        "conditions": [{"type": "Ready", "status": "True", "message": "kubelet of falcon is ready"}],
                    },
                }
            ],
            "queues": [
                {"metadata": meta("falcon"), "spec": {"displayName": "Project Falcon", "parentQueue": "research"}},
                {"metadata": meta("research"), "spec": {"resources": {"gpu": {"quota": 8, "limit": -1}}}},
            ],
            "podGroups": [
                {
                    "metadata": meta("merger-llm", "team-falcon"),
                    "spec": {
                        "queue": "falcon",
                        "priorityClassName": "falcon-high",
                        "minMember": 1,
                        "subGroups": [{"name": "falcon-leader", "minMember": 1}],
                        "topologyConstraint": {"topology": "falcon-net", "requiredTopologyLevel": "acme.com/hall"},
                    },
                    "status": {
                        "schedulingConditions": [
                            {"nodePool": "falcon-pool", "transitionID": "1", "message": "falcon has no room"}
                        ]
                    },
                }
            ],
            "bindRequests": [
                {"metadata": meta("merger-llm-0", "team-falcon"),
                 "spec": {"podName": "merger-llm-0", "selectedNode": "gpu-rack7-03", "receivedGPU": {"portion": "0.5"}}}
            ],
            "priorityClasses": [{"metadata": meta("falcon-high"), "value": 60, "description": "for falcon"}],
            "configMaps": [{"metadata": meta("falcon-settings", "team-falcon"), "data": {"mode": "secret-mode"}}],
            "persistentVolumes": [
                {
                    "metadata": meta("pv-falcon"),
                    "spec": {
                        "capacity": {"storage": "10Gi"},
                        "csi": {"driver": "csi.acme.com", "volumeHandle": "vol-falcon", "volumeAttributes": {"a": "b"}},
                        "claimRef": {"kind": "PersistentVolumeClaim", "name": "falcon-data",
                                     "namespace": "team-falcon"},
                        "storageClassName": "falcon-fast",
                    },
                }
            ],
            "persistentVolumeClaims": [
                {"metadata": meta("falcon-data", "team-falcon"),
                 "spec": {"volumeName": "pv-falcon", "storageClassName": "falcon-fast",
                          "accessModes": ["ReadWriteOnce"]},
                 "status": {"phase": "Bound"}}
            ],
            "csiStorageCapacities": [
                {"metadata": meta("cap-falcon", "team-falcon"), "storageClassName": "falcon-fast", "capacity": "5Gi",
                 "nodeTopology": {"matchLabels": {"acme.com/hall": "hall-b"}}}
            ],
            "storageClasses": [
                {"metadata": meta("falcon-fast"), "provisioner": "csi.acme.com", "volumeBindingMode": "Immediate",
                 "parameters": {"pool": "falcon"}}
            ],
            "csiDrivers": [{"metadata": meta("csi.acme.com"), "spec": {"attachRequired": True}}],
            "resourceClaims": [
                {"metadata": meta("falcon-claim", "team-falcon"),
                 "spec": {"devices": {"requests": [{"name": "falcon-gpu", "exactly": {
                          "deviceClassName": "gpu.nvidia.com", "selectors": [{"cel": {"expression": "true"}}]}}]}},
                 "status": {"reservedFor": [
                     {"resource": "pods", "name": "merger-llm-0", "uid": "uid-of-merger-llm-0"}]}}
            ],
            "resourceSlices": [
                {"metadata": meta("gpu-rack7-03-gpus"),
                 "spec": {"driver": "gpu.nvidia.com", "nodeName": "gpu-rack7-03", "pool": {"name": "gpu-rack7-03"},
                          "devices": [{"name": "gpu-0", "attributes": {"model": {"string": "H100"}}}]}}
            ],
            "deviceClasses": [
                {"metadata": meta("gpu.nvidia.com"),
                 "spec": {"selectors": [{"cel": {"expression": "device.driver == 'gpu.nvidia.com'"}}],
                          "extendedResourceName": "acme.com/fpga"}}
            ],
            "topologies": [{"metadata": meta("falcon-net"), "spec": {"levels": [{"nodeLabel": "acme.com/hall"}]}}],
            "nodeResourceTopologies": [
                {"metadata": meta("gpu-rack7-03"),
                 "attributes": [{"name": "topologyManagerPolicy", "value": "restricted"},
                                {"name": "x", "value": "falcon"}],
                 "zones": [{"name": "node-0", "type": "Node",
                            "resources": [{"name": "acme.com/fpga", "capacity": "4", "available": "2"}]}]}
            ],
            "newKinds": [{"metadata": meta("falcon-secret-kind")}],
        },
        "discovery": {
            "serverVersion": {"major": "1", "minor": "35", "gitVersion": "v1.35.4-acme.7", "platform": "linux/amd64"},
            "resources": [
                {"groupVersion": "v1", "resources": [{"name": "pods", "kind": "Pod"}]},
                {"groupVersion": "acme.com/v1", "resources": [{"name": "falcons", "kind": "Falcon"}]},
            ],
        },
    }  # fmt: skip


def redacted(archive: Path, target: Path, key: Key = KEY) -> tuple[Dropped, Mapping[str, str]]:
    """Redacts it; what was left out, and the table."""
    table: dict[str, str] = {}
    return redact(archive, target, key, table.__setitem__), table


def redacted_document(document: object, folder: Path, key: Key = KEY) -> tuple[Object, Mapping[str, str], Dropped]:
    """The same of a document, and the document that comes of it."""
    source, target = folder / "source.zip", folder / "redacted.zip"
    source.write_bytes(zipped(orjson.dumps(document)))
    dropped, table = redacted(source, target, key)
    return content(target), table, dropped


def content(archive: Path) -> Object:
    """The document in an archive."""
    with zipfile.ZipFile(archive) as file:
        document: Object = orjson.loads(file.read("snapshot.json"))
    return document


def strings(value: object) -> Iterator[str]:
    """All texts in a document, the names of members too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, dict):
        for name, below in value.items():
            yield name
            yield from strings(below)


def decided(archive: Path, table: Mapping[str, str] | None = None) -> object:
    """What the simulator makes of an archive, translated back with the table; all of it, reasons too."""
    try:
        result = simulate(load(archive, not_after=NOW), clock=lambda: 0.0, now=None).dump()
    except TerminalError as error:
        return error.reason
    if table is None:
        return result
    return orjson.loads(PSEUDONYM.sub(lambda found: table.get(found[0], found[0]), orjson.dumps(result).decode()))
