"""Puts the document of one node together, from what was found on it and what is known of its cluster."""

from collections.abc import Iterable
from datetime import datetime

from kai_snapshot import __version__
from kai_snapshot.api.environmentdocument import (
    ApiVersion,
    CollectorReport,
    EnvironmentDocument,
    Measurement,
    MeasurementType,
)
from kai_snapshot.environment.cluster import ClusterFacts
from kai_snapshot.errors import Reason, TerminalError

CLUSTER = "cluster"
"""The name of what a document without a node describes."""


def assemble(
    measurements: Iterable[Measurement],
    reports: Iterable[CollectorReport],
    *,
    node_name: str,
    at: datetime,
    api_version: ApiVersion,
) -> EnvironmentDocument:
    """A document to be written."""
    return EnvironmentDocument.compose(
        measurements, collectors=reports, source_node=node_name, version=__version__, at=at, api_version=api_version
    )


def in_cluster(
    document: EnvironmentDocument,
    facts: ClusterFacts,
    reports: Iterable[CollectorReport],
    *,
    max_nodes_per_entry: int = 0,
) -> EnvironmentDocument:
    """The document of a node with what is known of its cluster: K8s and NodeTopology take the place of its own."""
    cluster = (facts.k8s(document.source_node), facts.topology.measurement(max_nodes_per_entry))
    about = {each.type for each in cluster}
    measurements = [*cluster, *(each for each in document.measurements if each.type not in about)]
    order = list(MeasurementType)
    return document.model_copy(
        update={
            "measurements": tuple(sorted(measurements, key=lambda each: order.index(MeasurementType(each.type)))),
            "collectors": (*reports, *document.collectors),
        }
    )


def require_gpu(document: EnvironmentDocument) -> None:
    """Raises TerminalError(GPUNotFound), with what the driver said, if the node has no GPU that anything sees."""
    if document.gpu_count:
        return
    gpu = document.measurement(MeasurementType.GPU)
    smi = gpu.subtype("smi") if gpu is not None else None
    why = smi.context.get("reason", "nvidia-smi shows none") if smi is not None else _why_not(document)
    raise TerminalError(
        Reason.GPU_NOT_FOUND,
        f"A GPU is required, and {document.source_node or 'this node'} shows none: {why}; none on the PCI bus either. "
        "Choose nodes with GPUs (nvidia.com/gpu.present=true), or look at the driver there.",
    )


def _why_not(document: EnvironmentDocument) -> str:
    return next((each.message or each.status for each in document.collectors if each.name == "gpu"), "nothing looked")
