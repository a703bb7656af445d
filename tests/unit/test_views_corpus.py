"""The documents about every archive there is: they keep the contract, and their sums agree."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kai_snapshot.api.visualizer import ResourceStats
from kai_snapshot.views import Views
from support import clusters
from support.simulated import CORPUS, MINI
from support.viewed import SCHEMAS, documents, every_queue, views, views_of

ARCHIVES = sorted([*CORPUS.glob("*/snapshot.zip"), *MINI.glob("*.zip")])
EXACT = 1e-5
HOLDING = ("Binding", "Bound", "Running", "Releasing", "StuckInReleasing")


def name(path: Path) -> str:
    return path.parent.name if path.name == "snapshot.zip" else path.stem


def triple(stats: ResourceStats | None) -> tuple[int, int, int]:
    """CPU and memory as they are, GPUs in millionths, which all documents have whole."""
    assert stats is not None
    assert stats.gpu_fraction is not None
    gpu = round(stats.gpu_fraction * 1_000_000)
    assert gpu / 1_000_000 == stats.gpu_fraction
    return stats.milli_cpu, stats.memory, gpu


def total(parts: Iterable[ResourceStats | None]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*map(triple, parts), strict=True))) or (0, 0, 0)


def check(found: Views) -> None:
    """What holds of any snapshot."""
    for kind, document in documents(found).items():
        SCHEMAS[kind].validate(document)
        assert orjson.loads(orjson.dumps(document)) == document
    check_queues(found)
    check_nodes(found)
    listed = list(every_queue(found.queues))
    assert found.summary.total_queues == len(listed)
    assert sum(found.summary.job_counts.values()) == len(found.jobs)
    assert [job.namespace + "/" + job.name for job in found.jobs] == sorted(
        job.namespace + "/" + job.name for job in found.jobs
    )


def check_queues(found: Views) -> None:
    held, wanted = (
        defaultdict[str, list[ResourceStats | None]](list),
        defaultdict[str, list[ResourceStats | None]](list),
    )
    for job in found.jobs:
        for task in job.tasks:
            holds = task.status in HOLDING
            if holds:
                held[job.queue].append(task.requested)
            if holds or task.status == "Pending":
                wanted[job.queue].append(task.requested)

    for queue in every_queue(found.queues):
        has, wants, below = held[queue.id or ""], wanted[queue.id or ""], queue.children
        assert triple(queue.resources.allocated) == total([*has, *(child.resources.allocated for child in below)])
        assert triple(queue.resources.requested) == total([*wants, *(child.resources.requested for child in below)])


def check_nodes(found: Views) -> None:
    on: dict[str, set[str]] = defaultdict(set)
    for node in found.nodes:
        occupied = [slot for slot in node.gpu_slots if slot.occupied_by]
        assert [slot.id for slot in node.gpu_slots] == list(range(len(node.gpu_slots)))
        assert node.used.gpu == len(occupied)
        for slot in occupied:
            assert slot.occupants is not None
            assert slot.used_fraction is not None
            together = sum(each.portion for each in slot.occupants)
            assert together <= 1.01 + EXACT * len(slot.occupants)  # parts asked for in MiB are rounded up
            assert slot.used_fraction == pytest.approx(min(together, 1), abs=EXACT)
            assert set(slot.occupied_by.split(",")) == {each.pod for each in slot.occupants}
            assert not slot.fragmented or slot.used_fraction < 1
            on[node.name] |= {f"{each.namespace}/{each.pod}" for each in slot.occupants}
        if not node.allocatable.scalar_resources:
            assert len(node.gpu_slots) == node.allocatable.gpu or any(node.name in each for each in warnings(found))
    for job in found.jobs:
        for task in job.tasks:
            if task.status in HOLDING and triple(task.requested)[2] and task.node_name and not warnings(found):
                assert f"{job.namespace}/{task.name}" in on[task.node_name]
    assert found.summary.allocated_gpus == sum(node.used.gpu for node in found.nodes)


def warnings(found: Views) -> tuple[str, ...]:
    return found.summary.warnings or ()


@pytest.mark.parametrize("path", ARCHIVES, ids=name)
def test_documents_keep_the_contract_and_their_sums_agree(path: Path) -> None:
    check(views_of(path))


@pytest.mark.parametrize("path", ARCHIVES, ids=name)
def test_what_pods_hold_is_the_same_by_node_and_by_queue(path: Path) -> None:
    found = views_of(path)
    names = {node.name for node in found.nodes}
    if any(task.node_name and task.node_name not in names for job in found.jobs for task in job.tasks):
        pytest.skip("a pod is on a node that the snapshot does not have")
    known = {queue.id for queue in every_queue(found.queues)}
    if any(job.queue not in known for job in found.jobs):
        pytest.skip("a job is in a queue that the snapshot does not have")
    by_queue = total(root.resources.allocated for root in found.queues)
    in_jobs = total(task.requested for job in found.jobs for task in job.tasks if task.status in HOLDING)
    by_node = total(node.used for node in found.nodes)
    assert by_queue == in_jobs
    assert all(queues <= nodes for queues, nodes in zip(by_queue, by_node, strict=True))


@settings(max_examples=25, deadline=None)
@example(number=277)  # its pods ask for parts of GPUs that no sum of floats has exactly
@given(number=st.integers(0, 10_000))
def test_of_made_up_clusters_too(number: int) -> None:
    raw = clusters.snapshot(clusters.drawn(number), number)
    found = views(datetime(2026, 11, 21, tzinfo=UTC), params=raw["schedulerParams"], **raw["rawObjects"])
    check(found)
    assert not found.summary.warnings
    assert total(root.resources.allocated for root in found.queues) == total(node.used for node in found.nodes)
