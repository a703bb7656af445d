"""What the scheduler saw, to look at: from an archive to the documents of the visualizer API."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kai_snapshot.api.visualizer import ClusterSummary, JobView, NodeView, QueueView, Source
from kai_snapshot.archive.read import FORM_ERRORS, incomplete
from kai_snapshot.views.asked import Asked, asked
from kai_snapshot.views.facts import understand
from kai_snapshot.views.gather import Gathered, gather
from kai_snapshot.views.inventory import Inventory, take_stock
from kai_snapshot.views.jobs import job_counts, jobs
from kai_snapshot.views.nodes import nodes
from kai_snapshot.views.queues import queue_gpus, queues

__all__ = ["Gathered", "Views", "compute", "gather"]


@dataclass(frozen=True)
class Views:
    """The documents about one archive."""

    summary: ClusterSummary
    queues: tuple[QueueView, ...]
    jobs: tuple[JobView, ...]
    nodes: tuple[NodeView, ...]
    source: Source
    asked: Mapping[str, Asked]
    """What pods ask of GPUs, by namespace/name."""
    inventory: Inventory
    """What the documents do not show, and what may yet differ between archives."""
    configured: bool
    """Whether it is known what the scheduler was told to do."""

    @property
    def can_be_simulated(self) -> bool:
        """Whether the simulator can say what comes next: the present is over before that."""
        return self.configured and self.source.kind != "live"

    @property
    def name(self) -> str:
        """What the archive is called where it lies, and can be wanted by again; empty for what is not kept."""
        return self.source.capture or ""

    def jobs_in(self, namespace: str) -> tuple[JobView, ...]:
        """Those of a namespace; all if it is empty."""
        return tuple(job for job in self.jobs if namespace in ("", job.namespace))


def compute(gathered: Gathered, *, source: Source, config: dict[str, Any] | None = None) -> Views:
    """The documents about an archive, as of the time its source says.

    `config`: the scheduler's configuration where the archive says null and another place has it.
    Raises TerminalError(IncompleteSnapshot).
    """
    if config is not None and gathered.collected.config is None:
        gathered = replace(gathered, collected=replace(gathered.collected, config=config))
    try:
        return _compute(gathered, source)
    except (*FORM_ERRORS, RecursionError) as error:
        raise incomplete("it holds an object that is not one of its kind") from error


def _compute(gathered: Gathered, source: Source) -> Views:
    facts = understand(gathered, now=source.captured_at)
    of_nodes, of_queues = nodes(facts), queues(facts)
    slots = [slot for node in of_nodes.views for slot in node.gpu_slots]
    summary = ClusterSummary(
        total_nodes=len(of_nodes.views),
        healthy_nodes=sum(node.status == "Ready" for node in of_nodes.views),
        total_gpus=sum(node.allocatable.gpu for node in of_nodes.views),
        allocated_gpus=sum(node.used.gpu for node in of_nodes.views),
        total_queues=len(facts.queues),
        job_counts=job_counts(facts.jobs),
        total_slots=len(slots),
        fragmented_gpus=round(sum(1 - (slot.used_fraction or 0.0) for slot in slots if slot.fragmented), 6),
        queue_gpus=queue_gpus(of_queues.views, most=50) or None,
        warnings=(*of_nodes.warnings, *of_queues.warnings),
        source=source,
    )
    return Views(
        summary,
        of_queues.views,
        jobs(facts),
        of_nodes.views,
        source,
        asked(facts),
        take_stock(gathered),
        configured=gathered.collected.config is not None,
    )
