"""Views of small snapshots: each rule of the documents alone."""

from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kai_snapshot.api.base import rfc3339
from kai_snapshot.api.visualizer import JobView, NodeView, QueueView
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.views import Views
from support.fuzz import fuzzed
from support.viewed import NOW, SCHEMAS, Object, documents, every_queue, job, node, pod, queue, shared, views


def one_queue(found: Views, name: str = "q") -> QueueView:
    return next(each for each in every_queue(found.queues) if each.id == name)


def one_node(found: Views, name: str = "n") -> NodeView:
    return next(each for each in found.nodes if each.name == name)


def one_job(found: Views, name: str = "j") -> JobView:
    return next(each for each in found.jobs if each.name == name)


def occupied(found: Views, name: str = "n") -> list[str]:
    return [slot.occupied_by for slot in one_node(found, name).gpu_slots]


def reasons(found: Views, name: str = "n") -> list[str | None]:
    return [slot.fragmented_reason for slot in one_node(found, name).gpu_slots]


class TestSummary:
    def test_an_empty_cluster_has_nothing(self) -> None:
        found = views()
        assert documents(found) == {
            "summary": {
                "totalNodes": 0, "healthyNodes": 0, "totalGPUs": 0, "allocatedGPUs": 0, "totalQueues": 0,
                "jobCounts": {}, "totalSlots": 0, "fragmentedGPUs": 0, "warnings": [],
                "source": {"kind": "file", "capturedAt": rfc3339(NOW), "builtFromAPI": False, "redacted": False},
            },
            "queues": [], "jobs": [], "nodes": [],
        }  # fmt: skip

    def test_lists_that_old_versions_do_not_have_or_write_as_null_are_empty(self) -> None:
        assert views(pods=None, nodes=[node()], resourceClaims=None).summary.total_nodes == 1

    def test_it_counts_nodes_gpus_and_jobs(self) -> None:
        found = views(
            nodes=[node("a"), node("b", ready="False"), node("c", gpus=0)],
            queues=[queue()],
            podGroups=[job("j"), job("k")],
            pods=[pod("p", "a", gpus=3), pod("w", job="k")],
        )
        summary = found.summary
        assert (summary.total_nodes, summary.healthy_nodes) == (3, 2)
        assert (summary.total_gpus, summary.allocated_gpus, summary.total_slots) == (16, 3, 16)
        assert summary.job_counts == {"Pending": 1, "Running": 1}

    def test_ten_pods_that_share_five_gpus_take_five(self) -> None:
        pods = [shared(f"p{i}", "n", group=f"g{i // 2}") for i in range(10)]
        found = views(nodes=[node()], queues=[queue()], podGroups=[job()], pods=pods)
        assert found.summary.allocated_gpus == 5
        assert one_queue(found).resources.allocated.gpu_fraction == 5.0

    def test_it_names_the_queues_that_have_or_are_granted_the_most_gpus(self) -> None:
        quota = {"quota": 4, "limit": -1, "overQuotaWeight": 1}
        found = views(
            nodes=[node()],
            queues=[queue("top", gpu=quota), queue("low", "top", gpu=quota), *(queue(f"q{i:02}") for i in range(60))],
            podGroups=[job("j", "low"), job("k", "q59")],
            pods=[pod("a", "n", gpus=2), pod("b", gpus=1), pod("c", "n", gpus=1, job="k")],
        )
        gpus = found.summary.queue_gpus
        assert gpus is not None
        assert len(gpus) == 50
        assert [(each.id, each.allocated, each.requested) for each in gpus[:3]] == [
            ("low", 2, 3), ("top", 2, 3), ("q59", 1, 1),
        ]  # fmt: skip
        assert {each.id: each.fair_share for each in gpus}["low"] == 3


class TestQueues:
    def test_cpu_is_in_millicores_and_memory_in_megabytes(self) -> None:
        amount = {"quota": 4000, "limit": 8000, "overQuotaWeight": 1}
        memory = {"quota": 1000, "limit": 2000, "overQuotaWeight": 2}
        found = views(queues=[queue(cpu=amount, memory=memory, gpu={"quota": 1.5, "limit": 3})])
        resources = one_queue(found).resources
        assert (resources.guaranteed.milli_cpu, resources.max.milli_cpu) == (4000, 8000)
        assert (resources.guaranteed.memory, resources.max.memory) == (1_000_000_000, 2_000_000_000)
        assert (resources.guaranteed.gpu, resources.guaranteed.gpu_fraction, resources.max.gpu) == (1, 1.5, 3)
        assert resources.over_quota_weight == {"cpu": 1, "memory": 2, "gpu": 0}
        assert resources.unlimited is None

    def test_what_is_unlimited_is_zero_and_named(self) -> None:
        unlimited = {"quota": -1, "limit": -1, "overQuotaWeight": 1}
        found = views(queues=[queue(gpu=unlimited, cpu={"quota": 1, "limit": 2}, memory={"quota": 1, "limit": -1})])
        resources = one_queue(found).resources
        assert (resources.guaranteed.gpu, resources.max.gpu, resources.max.memory) == (0, 0, 0)
        assert resources.unlimited is not None
        assert (resources.unlimited.guaranteed, resources.unlimited.max) == (("gpu",), ("memory", "gpu"))

    def test_allocated_is_that_of_pods_below_and_requested_counts_those_that_wait_but_are_not_gated(self) -> None:
        found = views(
            nodes=[node()],
            queues=[queue("d"), queue("a", "d"), queue("b", "d")],
            podGroups=[job("j", "a"), job("k", "b")],
            pods=[
                pod("r", "n", gpus=2),
                shared("s", "n", part=0.25, group="g", job="k"),
                pod("w", gpus=4, job="k"),
                pod("g", gpus=1, job="k", spec={"schedulingGates": [{"name": "x"}]}),
                pod("done", "n", gpus=1, job="k", phase="Succeeded"),
            ],
        )
        top = one_queue(found, "d").resources
        assert top.requested is not None
        assert (top.allocated.gpu, top.allocated.gpu_fraction, top.requested.gpu_fraction) == (2, 2.25, 6.25)
        assert one_queue(found, "b").resources.allocated.gpu_fraction == 0.25
        assert [child.id for child in one_queue(found, "d").children] == ["a", "b"]

    def test_the_important_come_first_then_names(self) -> None:
        listed = [queue("c"), queue("b", spec={"priority": 200}), queue("a")]
        found = views(queues=listed)
        assert [(each.id, each.weight) for each in found.queues] == [("b", 200), ("a", 100), ("c", 100)]

    def test_it_is_called_what_people_call_it(self) -> None:
        found = views(queues=[queue("q", "p", spec={"displayName": "Team A", "parentQueue": "p"}), queue("p")])
        view = one_queue(found)
        assert (view.name, view.id, view.parent) == ("Team A", "q", "p")

    @pytest.mark.parametrize(
        ("listed", "roots", "orphans"),
        [
            ([queue("a", "gone"), queue("b", "a")], ["a"], {"a": "ParentMissing"}),
            ([queue("a", "b"), queue("b", "a"), queue("c", "b")], ["b"], {"a": "Circle", "b": "Circle"}),
            ([queue("a", "b"), queue("b", "c"), queue("c", "b")], ["c"], {"b": "Circle", "c": "Circle"}),
            ([queue("a", "a")], ["a"], {"a": "Circle"}),
        ],
        ids=["missing", "a circle", "a circle from below", "itself"],
    )
    def test_a_queue_whose_parent_is_no_parent_is_a_root_that_the_scheduler_leaves_out(
        self, listed: list[Object], roots: list[str], orphans: dict[str, str]
    ) -> None:
        found = views(queues=listed)
        assert [each.id for each in found.queues] == roots
        assert {each.id: each.orphan_reason for each in every_queue(found.queues) if each.orphan} == orphans
        assert len(list(every_queue(found.queues))) == len(listed) == found.summary.total_queues

    def test_one_that_is_too_far_down_is_shown_apart_and_not_left_out(self) -> None:
        listed = [queue("q0"), *(queue(f"q{i}", f"q{i - 1}") for i in range(1, 60))]
        found = views(queues=listed)
        assert {each.id: each.orphan_reason for each in found.queues} == {"q0": None, "q50": "TooDeep"}
        assert one_queue(found, "q50").resources.fair_share is not None

    @pytest.mark.parametrize("depth", [3, 49, 500])
    def test_no_queue_of_a_deep_tree_is_lost(self, depth: int) -> None:
        listed = [queue("q0"), *(queue(f"q{i}", f"q{i - 1}") for i in range(1, depth))]
        found = views(params={"fullHierarchyFairness": False}, queues=listed)
        assert {each.id for each in every_queue(found.queues)} == {f"q{i}" for i in range(depth)}
        SCHEMAS["queues"].validate(documents(found)["queues"])

    def test_shares_are_those_of_the_scheduler(self) -> None:
        amount = {"quota": 2, "limit": -1, "overQuotaWeight": 1}
        found = views(
            nodes=[node()],
            queues=[queue("d"), queue("a", "d", gpu=amount), queue("b", "d", gpu=amount), queue("o", "gone")],
            podGroups=[job("j", "a"), job("k", "b")],
            pods=[pod("p", gpus=8), pod("q", gpus=8, job="k")],
        )
        shares = {each.id: each.resources.fair_share for each in every_queue(found.queues)}
        assert shares["o"] is None
        assert [each.gpu for name in "dab" if (each := shares[name])] == [8, 4, 4]

    def test_a_status_that_says_otherwise_is_warned_of(self) -> None:
        found = views(
            nodes=[node()],
            queues=[queue(status={"allocated": {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "3"}})],
            podGroups=[job()],
            pods=[pod("p", "n", gpus=2)],
        )
        assert found.summary.warnings == ("the status of queues says otherwise what they have: q",)


class TestJobs:
    @pytest.mark.parametrize(
        ("pods", "status"),
        [
            ([], "Pending"),
            ([pod("p", "n")], "Running"),
            ([pod("p", "n"), pod("w")], "Running"),
            ([pod("p", spec={"schedulingGates": [{"name": "x"}]})], "Pending"),
            ([pod("p", phase="Succeeded"), pod("q", phase="Failed")], "Completed"),
            ([pod("p", phase="Failed")], "Failed"),
            ([pod("p", phase="Failed"), pod("q")], "Pending"),
        ],
        ids=["just made", "runs", "runs and waits", "gated", "done", "failed", "tries again"],
    )
    def test_a_job_is_what_its_liveliest_pods_are(self, pods: list[Object], status: str) -> None:
        assert one_job(views(nodes=[node()], podGroups=[job()], pods=pods)).status == status

    def test_jobs_of_one_name_in_two_namespaces_have_their_own_pods_and_uids(self) -> None:
        groups = [job(namespace="x"), job(namespace="y")]
        found = views(podGroups=groups, pods=[pod("p", namespace="x"), pod("q", namespace="y")])
        assert [(each.namespace, [task.name for task in each.tasks]) for each in found.jobs] == [
            ("x", ["p"]),
            ("y", ["q"]),
        ]
        assert len({each.uid for each in found.jobs}) == 2

    def test_a_namespace_chooses(self) -> None:
        found = views(podGroups=[job(namespace="x"), job(namespace="y")])
        assert [each.namespace for each in found.jobs_in("x")] == ["x"]
        assert len(found.jobs_in("")) == 2
        assert found.jobs_in("z") == ()

    def test_priority_and_reason_are_told(self) -> None:
        conditions = [
            {"transitionID": "1", "message": "old"},
            {"transitionID": "10", "reasons": [{"message": "no node has 8 GPUs"}], "message": "all"},
        ]
        group = job(priorityClassName="build", minMember=3) | {"status": {"schedulingConditions": conditions}}
        classes = [{"metadata": {"name": "build"}, "value": 100}]
        found = one_job(views(podGroups=[group], pods=[pod()], priorityClasses=classes))
        assert (found.priority, found.preemptible, found.min_member) == (100, False, 3)
        assert found.pending_reason == "no node has 8 GPUs"

    def test_without_a_class_it_is_the_default(self) -> None:
        found = one_job(views(podGroups=[job()]))
        assert (found.priority, found.preemptible, found.priority_class_name) == (50, True, None)

    def test_a_job_without_a_time_has_that_of_go(self) -> None:
        group = job()
        group["metadata"]["creationTimestamp"] = None
        assert documents(views(podGroups=[group]))["jobs"][0]["createTime"] == "0001-01-01T00:00:00Z"

    @pytest.mark.parametrize(("ago", "status"), [(60, "Releasing"), (180, "StuckInReleasing")])
    def test_how_long_a_pod_is_on_its_way_out_is_told_by_the_time_of_the_capture(self, ago: int, status: str) -> None:
        ending = pod("p", "n", deleted=rfc3339(NOW - timedelta(seconds=ago)))
        assert one_job(views(nodes=[node()], podGroups=[job()], pods=[ending])).tasks[0].status == status

    @pytest.mark.parametrize(
        ("more", "status"),
        [
            ({}, "Binding"),
            ({"status": {"phase": "Failed", "failedAttempts": 3}}, "Pending"),
            ({"status": {"phase": "Failed", "failedAttempts": 2}}, "Binding"),
        ],
        ids=["on its way", "given up", "tried again"],
    )
    def test_a_pod_that_is_being_bound_is_on_its_node_already(self, more: Object, status: str) -> None:
        bind = {
            "metadata": {"name": "p", "namespace": "ns"},
            "spec": {"podName": "p", "selectedNode": "n", "backoffLimit": 3},
        } | more
        found = views(nodes=[node()], podGroups=[job()], pods=[pod("p", gpus=1)], bindRequests=[bind])
        task = one_job(found).tasks[0]
        assert (task.status, task.node_name) == (status, "n" if status == "Binding" else "")
        assert occupied(found)[0] == ("p" if status == "Binding" else "")


class TestNodes:
    def test_what_pods_of_other_schedulers_have_is_used_too(self) -> None:
        other = pod("daemon", "n", gpus=1, job="", spec={"schedulerName": "default-scheduler"})
        found = views(nodes=[node()], podGroups=[job()], pods=[pod("p", "n", gpus=2), other])
        used = one_node(found).used
        assert (used.milli_cpu, used.memory, used.gpu) == (2000, 2 << 30, 3)
        assert len(found.jobs) == 1

    def test_a_node_without_gpus_has_no_slots(self) -> None:
        assert one_node(views(nodes=[node(gpus=0)])).gpu_slots == ()

    def test_a_pod_on_a_node_of_another_shard_is_kept_with_its_job(self) -> None:
        found = views(nodes=[node()], queues=[queue()], podGroups=[job()], pods=[pod("p", "elsewhere", gpus=1)])
        assert one_job(found).tasks[0].node_name == "elsewhere"
        assert one_queue(found).resources.allocated.gpu == 1
        assert found.summary.allocated_gpus == 0

    def test_the_label_says_how_many_there_are(self) -> None:
        found = views(nodes=[node(gpus=7, labels={"nvidia.com/gpu.count": "8"})])
        assert len(one_node(found).gpu_slots) == 8
        assert found.summary.warnings == ("node n has 8 GPUs, as its label says, and offers 7",)

    def test_a_label_cannot_fill_the_memory(self) -> None:
        found = views(nodes=[node(labels={"nvidia.com/gpu.count": "999999999999"})])
        assert len(one_node(found).gpu_slots) == 1024

    def test_labels_of_many_nodes_cannot_either_and_true_ones_are_shown_whole(self) -> None:
        liars = [node(f"n{i:03}", labels={"nvidia.com/gpu.count": "1000000"}) for i in range(300)]
        found = views(nodes=[*liars, node("true", gpus=16)])
        assert found.summary.total_slots == 300 * 256 + 16
        assert found.summary.warnings is not None
        assert found.summary.warnings[0] == "node n000 says that it has 1000000 GPUs: 256 are shown"

    @pytest.mark.parametrize(
        ("label", "memory"), [("81559", 81500), (str(80 << 30), 81900), ("much", None), (None, None)]
    )
    def test_memory_is_that_of_the_label_in_mib(self, label: str | None, memory: int | None) -> None:
        labels = {} if label is None else {"nvidia.com/gpu.memory": label}
        assert one_node(views(nodes=[node(labels=labels)])).gpu_memory_mib == memory


class TestSlots:
    def test_shared_ones_come_first_then_whole_ones_by_age(self) -> None:
        found = views(
            nodes=[node(gpus=4)],
            podGroups=[job()],
            pods=[
                pod("young", "n", gpus=1, created="2026-11-22T11:00:00Z"),
                pod("old", "n", gpus=2, created="2026-11-22T09:00:00Z"),
                shared("b", "n", part=0.5, group="g"),
                shared("a", "n", part=0.25, group="g"),
            ],
        )
        assert occupied(found) == ["a,b", "old", "old", "young"]
        first = one_node(found).gpu_slots[0]
        assert (first.gpu_group, first.used_fraction, first.synthetic) == ("g", 0.75, True)
        assert one_node(found).used.gpu_fraction == 3.75

    def test_a_pod_on_several_shared_gpus_is_on_each(self) -> None:
        both = shared("p", "n", part=0.5)
        both["metadata"]["annotations"]["gpu-fraction-num-devices"] = "2"
        both["metadata"]["labels"] = {"runai-gpu-group": "x", "runai-gpu-group/y": "y"}
        found = views(nodes=[node()], queues=[queue()], podGroups=[job()], pods=[both])
        assert occupied(found)[:3] == ["p", "p", ""]
        assert one_queue(found).resources.allocated.gpu_fraction == 1.0

    def test_memory_is_a_part_of_the_gpu_it_is_on(self) -> None:
        asks = pod("p", "n", annotations={"gpu-memory": "20000"}, labels={"runai-gpu-group": "g"})
        found = views(nodes=[node(labels={"nvidia.com/gpu.memory": "81559"})], podGroups=[job()], pods=[asks])
        assert one_node(found).gpu_slots[0].used_fraction == 0.25

    def test_who_holds_a_gpu_for_others_tells_which_and_takes_none(self) -> None:
        holder = pod(
            "reservation", "n", gpus=1, job="", namespace="kai-resource-reservation",
            labels={"app": "kai-resource-reservation", "runai-gpu-group": "g"},
            annotations={"run.ai/reserve_for_gpu_index": "GPU-1234"},
        )  # fmt: skip
        found = views(nodes=[node()], podGroups=[job()], pods=[holder, shared("p", "n", group="g")])
        assert occupied(found)[:2] == ["p", ""]
        assert one_node(found).gpu_slots[0].gpu_uuid == "GPU-1234"
        assert one_node(found).used.gpu_fraction == 0.5

    def test_a_pod_that_stands_for_a_node_to_come_takes_none(self) -> None:
        scaling = pod("s", "n", gpus=1, job="", labels={"app": "scaling-pod"})
        assert occupied(views(nodes=[node()], pods=[scaling])) == [""] * 8

    def test_mig_devices_are_packed_into_gpus(self) -> None:
        mig = {"nvidia.com/mig-1g.10gb": "7", "nvidia.com/mig-3g.40gb": "2"}
        labels = {"nvidia.com/gpu.count": "2", "nvidia.com/mig.strategy": "mixed"}
        pods = [
            *(pod(f"small-{i}", "n", asks={"nvidia.com/mig-1g.10gb": "1"}) for i in range(3)),
            pod("large", "n", asks={"nvidia.com/mig-3g.40gb": "2"}),
        ]
        found = views(
            nodes=[node(gpus=0, labels=labels, allocatable=mig)], queues=[queue()], podGroups=[job()], pods=pods
        )
        view = one_node(found)
        assert (view.allocatable.gpu, view.used.gpu, view.used.gpu_fraction) == (13, 2, 9.0)
        assert view.used.scalar_resources == {"nvidia.com/mig-1g.10gb": 3, "nvidia.com/mig-3g.40gb": 2}
        assert [slot.used_fraction for slot in view.gpu_slots] == pytest.approx([1, 2 / 7], abs=1e-6)

    def test_what_is_beyond_all_gpus_is_counted_and_not_packed(self) -> None:
        count = 10**12
        greedy = [
            pod("mig", "n", asks={"nvidia.com/mig-7g.80gb": str(count), "nvidia.com/mig-3g.40gb": "2"}),
            pod("whole", "n", gpus=count),
        ]
        found = views(nodes=[node(gpus=2)], queues=[queue()], podGroups=[job()], pods=greedy)
        assert occupied(found) == ["whole", "whole"]
        assert found.summary.warnings == (f"pods on node n have {2 * count - 1} GPUs more than it has",)

    def test_a_small_part_finds_the_first_gap_that_larger_ones_left(self) -> None:
        asks = [("a", "4g.40gb"), ("b", "4g.40gb"), ("c", "3g.40gb"), ("d", "3g.40gb"), ("e", "1g.10gb")]
        pods = [pod(name, "n", asks={f"nvidia.com/mig-{size}": "1"}) for name, size in asks]
        found = views(nodes=[node(gpus=0, labels={"nvidia.com/gpu.count": "3"})], podGroups=[job()], pods=pods)
        assert occupied(found) == ["a,c", "b,d", "e"]

    def test_more_than_there_is_is_not_invented_but_said(self) -> None:
        found = views(nodes=[node(gpus=2)], queues=[queue()], podGroups=[job()], pods=[pod("p", "n", gpus=5)])
        assert occupied(found) == ["p", "p"]
        assert found.summary.warnings == ("pods on node n have 3 GPUs more than it has",)


class TestClaims:
    slices = [
        {
            "metadata": {"name": "s"},
            "spec": {
                "driver": "gpu.nvidia.com",
                "nodeName": "n",
                "pool": {"name": "n"},
                "devices": [
                    {"name": f"gpu-{i}", "attributes": {"type": {"string": "gpu"}, "uuid": {"string": f"GPU-{i}"}}}
                    for i in range(4)
                ],
            },
        }
    ]

    @staticmethod
    def claim(request: Object, **more: Any) -> Object:
        return {
            "metadata": {"name": "c", "namespace": "ns"} | more.get("metadata", {}),
            "spec": {"devices": {"requests": [{"name": "r"} | request]}},
            "status": more.get("status", {}),
        }

    @pytest.mark.parametrize(
        "request_",
        [
            {"exactly": {"deviceClassName": "gpu.nvidia.com", "count": 2}},
            {"deviceClassName": "gpu.nvidia.com", "count": 2},
        ],
        ids=["v1", "v1beta1"],
    )
    def test_claimed_gpus_are_where_they_were_allocated(self, request_: Object) -> None:
        results = [{"driver": "gpu.nvidia.com", "pool": "n", "device": f"gpu-{i}"} for i in (3, 1)]
        claims = [self.claim(request_, status={"allocation": {"devices": {"results": results}}})]
        made = pod("p", "n", status={"resourceClaimStatuses": [{"name": "x", "resourceClaimName": "c"}]})
        found = views(
            nodes=[node(gpus=0)], queues=[queue()], podGroups=[job()], pods=[made], resourceClaims=claims,
            resourceSlices=self.slices,
        )  # fmt: skip
        assert occupied(found) == ["", "p", "", "p"]
        assert one_node(found).gpu_slots[3].gpu_uuid == "GPU-3"
        assert one_node(found).gpu_slots[3].synthetic is False
        assert one_queue(found).resources.allocated.gpu == 2

    def test_a_gpu_that_is_offered_in_both_ways_is_one(self) -> None:
        found = views(nodes=[node(gpus=4)], resourceSlices=self.slices)
        assert (found.summary.total_gpus, found.summary.total_slots) == (4, 4)

    @pytest.mark.parametrize(
        ("request_", "metadata"),
        [
            ({"exactly": {"deviceClassName": "nic.example.com"}}, {}),
            (
                {"exactly": {"deviceClassName": "gpu.nvidia.com"}},
                {"annotations": {"resource.kubernetes.io/extended-resource-claim": "true"}},
            ),
        ],
        ids=["no GPU", "counted already"],
    )
    def test_other_claims_count_nothing(self, request_: Object, metadata: Object) -> None:
        uses = pod("p", "n", spec={"resourceClaims": [{"name": "x", "resourceClaimName": "c"}]})
        claims = [self.claim(request_, metadata=metadata)]
        found = views(
            nodes=[node(gpus=0)], podGroups=[job()], pods=[uses], resourceClaims=claims, resourceSlices=self.slices
        )
        assert found.summary.allocated_gpus == 0


class TestFragments:
    def test_without_pods_that_wait_for_gpus_nothing_is_wasted(self) -> None:
        found = views(nodes=[node()], podGroups=[job()], pods=[pod("p", "n", gpus=6), pod("w")])
        assert reasons(found) == [None] * 8

    @pytest.mark.parametrize(
        ("waiting", "wasted"),
        [
            (pod("w", gpus=4), "idle 2 < smallest pending 4"),
            (pod("w", gpus=2), None),
            (shared("w", part=0.5), None),
            (pod("w", gpus=1, asks={"cpu": "64"}), "cpu exhausted"),
            (pod("w", gpus=1, asks={"memory": "512Gi"}), "memory exhausted"),
            (
                pod("w", gpus=1, spec={"nodeSelector": {"zone": "a"}}),
                "no pending pod tolerates or selects this node",
            ),
            (pod("w", gpus=4, spec={"schedulingGates": [{"name": "x"}]}), None),
        ],
        ids=["too few", "enough", "a part", "no cpu", "no memory", "elsewhere", "gated"],
    )
    def test_a_free_gpu_is_wasted_if_no_pod_that_waits_fits(self, waiting: Object, wasted: str | None) -> None:
        found = views(nodes=[node()], podGroups=[job()], pods=[pod("p", "n", gpus=6), waiting])
        assert reasons(found) == [None] * 6 + [wasted] * 2
        assert found.summary.fragmented_gpus == (2 if wasted else 0)

    def test_what_is_left_of_a_shared_gpu_can_be_too_little(self) -> None:
        pods = [pod("p", "n", gpus=7), shared("s", "n", part=0.7, group="g"), shared("w", part=0.5)]
        found = views(nodes=[node()], podGroups=[job()], pods=pods)
        assert reasons(found)[0] == "free 0.3 < smallest pending fraction 0.5"
        assert found.summary.fragmented_gpus == pytest.approx(0.3)

    @pytest.mark.parametrize(
        "closed",
        [node(ready="False"), node(spec={"unschedulable": True})],
        ids=["not ready", "cordoned"],
    )
    def test_a_node_that_takes_no_pods_is_wasted(self, closed: Object) -> None:
        found = views(nodes=[closed], podGroups=[job()], pods=[pod("w", gpus=1)])
        assert set(reasons(found)) == {"node unschedulable"}


NAMES = st.one_of(
    st.sampled_from(
        ["<script>alert(1)</script>", "a" * 63, "\u202eeulav\u202c", "שלום", '"><img src=x>', "a,b", "{{7*7}}"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=63),
)


@given(name=NAMES)
@settings(max_examples=60, deadline=None)
def test_any_text_may_be_a_name(name: str) -> None:
    found = views(
        nodes=[node(name)],
        queues=[queue(name, spec={"displayName": name})],
        podGroups=[job(name, name, namespace=name)],
        pods=[pod(name, name, gpus=1, job=name, namespace=name)],
    )
    for kind, document in documents(found).items():
        SCHEMAS[kind].validate(document)
    assert occupied(found, name)[0] == name
    assert one_queue(found, name).resources.allocated.gpu == 1


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(max_size=8),
    st.sampled_from(["nan", "inf", "-1", "1e999", "9" * 40, "1Ei", [], {}, [1], {"a": 1}, [{}], [[]]]),
)  # fmt: skip


WHOLE: dict[str, list[Object]] = {
    "nodes": [node(labels={"nvidia.com/gpu.count": "8", "nvidia.com/gpu.memory": "80000"})],
    "queues": [queue("d", spec={"priority": 7}, status={"allocated": {"cpu": 1}}), queue("q", "d")],
    "podGroups": [job(subGroups=[{"name": "s", "minMember": 1}], priorityClassName="train")],
    "pods": [
        pod("p", "n", gpus=1, status={"startTime": "2026-11-22T10:00:00Z"}),
        shared("s", "n", group="g"),
        pod("w", gpus=2),
    ],
    "priorityClasses": [{"metadata": {"name": "train"}, "value": 50}],
    "bindRequests": [{"metadata": {"name": "w", "namespace": "ns"}, "spec": {"podName": "w", "selectedNode": "n"}}],
    "resourceSlices": TestClaims.slices,
    "resourceClaims": [
        TestClaims.claim(
            {"exactly": {"deviceClassName": "gpu", "count": 2}},
            status={"reservedFor": [{"resource": "pods", "name": "w"}]},
        )
    ],
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [each for key, below in inner for each in [(*path, key), *places(below, (*path, key))]]


def test_a_number_without_an_end_is_refused() -> None:
    lists: dict[str, Any] = deepcopy(WHOLE)
    lists["resourceClaims"][0]["spec"]["devices"]["requests"][0]["exactly"]["count"] = float("inf")
    with pytest.raises(TerminalError) as refused:
        views(NOW, **lists)
    assert refused.value.reason is Reason.INCOMPLETE_SNAPSHOT


@fuzzed(300)
@given(data=st.data())
def test_what_is_not_a_snapshot_is_refused_and_breaks_nothing(data: st.DataObject) -> None:
    lists: dict[str, Any] = deepcopy(WHOLE)
    *path, last = data.draw(st.sampled_from([each for each in places(lists) if len(each) > 2]))
    holder: Any = lists
    for step in path:
        holder = holder[step]
    holder[last] = data.draw(ODD)
    refused: list[Reason] = []
    try:
        found = views(NOW, **lists)
    except TerminalError as error:
        refused.append(error.reason)
        found = views()
    assert refused in ([], [Reason.INCOMPLETE_SNAPSHOT])
    for kind, document in documents(found).items():
        SCHEMAS[kind].validate(document)
