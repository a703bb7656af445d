"""What changed between two archives."""

import json
from itertools import pairwise
from typing import Any

import pytest

from kai_snapshot.api.archivediff import ArchiveDiff, ListDiff
from kai_snapshot.api.visualizer import Source
from kai_snapshot.simulator.collect import Collected
from kai_snapshot.views import Gathered, Views, compute
from kai_snapshot.views.diff import diff, shown
from support.simulated import CASES, CORPUS
from support.viewed import NOW, job, node, pod, queue, views, views_of

SECRET = "s3cr3t"


def changed(found: ListDiff) -> dict[str, dict[str, tuple[object, object]]]:
    """By object and field."""
    return {
        each.name: {change.field: (change.before, change.after) for change in each.changes} for each in found.changed
    }


def configured(config: dict[str, Any], params: dict[str, Any] | None = None) -> Views:
    """An empty cluster with that configuration."""
    gathered = Gathered(Collected(NOW))
    gathered.value(("config",), config, (0, 0))
    gathered.value(("schedulerParams",), params or {}, (0, 0))
    return compute(gathered, source=Source(kind="file", captured_at=NOW))


class TestNodes:
    def test_those_that_came_and_went_are_named(self) -> None:
        found = diff(views(nodes=[node("a"), node("b")]), views(nodes=[node("b"), node("c")]))
        assert (found.nodes.added, found.nodes.removed, found.nodes.changed) == (("c",), ("a",), ())

    @pytest.mark.parametrize(
        ("after", "field", "values"),
        [
            (node(gpus=7), "allocatable.gpu", (8, 7)),
            (node(gpus=7), "gpus", (8, 7)),
            (node(allocatable={"cpu": "32"}), "allocatable.milliCPU", (64000, 32000)),
            (node(allocatable={"memory": "1Gi"}), "allocatable.memory", (512 * 2**30, 2**30)),
            (node(ready="False"), "status", ("Ready", "NotReady")),
            (node(spec={"unschedulable": True}), "unschedulable", (False, True)),
            (
                node(spec={"taints": [{"key": "gpu", "value": "x", "effect": "NoSchedule"}]}),
                "taint gpu=x:NoSchedule",
                (None, True),
            ),
            (node(labels={"nvidia.com/gpu.product": "H100"}), "label nvidia.com/gpu.product", (None, "H100")),
            (node(labels={"kai.scheduler/node-pool": "a"}), "label kai.scheduler/node-pool", (None, "a")),
        ],
    )
    def test_what_changed_of_one_is_told(
        self, after: dict[str, Any], field: str, values: tuple[object, object]
    ) -> None:
        found = diff(views(nodes=[node()]), views(nodes=[after]))
        assert changed(found.nodes)["n"][field] == values

    def test_labels_that_nothing_is_chosen_by_do_not_matter(self) -> None:
        found = diff(views(nodes=[node(labels={"rack": "1"})]), views(nodes=[node(labels={"rack": "2"})]))
        assert not found.differs

    @pytest.mark.parametrize(
        "spec",
        [
            {"nodeSelector": {"rack": "1"}},
            {
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [{"matchExpressions": [{"key": "rack", "operator": "Exists"}]}]
                        }
                    }
                }
            },
        ],
        ids=["selector", "affinity"],
    )
    def test_labels_that_pods_choose_by_do(self, spec: dict[str, Any]) -> None:
        before = views(nodes=[node(labels={"rack": "1"})])
        after = views(nodes=[node(labels={"rack": "2"})], podGroups=[job()], pods=[pod(spec=spec)])
        assert changed(diff(before, after).nodes) == {"n": {"label rack": ("1", "2")}}

    def test_labels_that_are_levels_of_a_topology_do(self) -> None:
        topology = {"metadata": {"name": "t"}, "spec": {"levels": [{"nodeLabel": "rack"}]}}
        before, after = (views(nodes=[node(labels={"rack": rack})], topologies=[topology]) for rack in ("1", "2"))
        assert changed(diff(before, after).nodes) == {"n": {"label rack": ("1", "2")}}


class TestQueues:
    def test_quota_and_limit_are_told_and_no_bound_is_null(self) -> None:
        before = views(queues=[queue(gpu={"quota": 4, "limit": -1, "overQuotaWeight": 1})])
        after = views(queues=[queue(gpu={"quota": 6, "limit": 8, "overQuotaWeight": 2})])
        assert changed(diff(before, after).queues)["q"] == {
            "quota.gpu": (4, 6), "limit.gpu": (None, 8), "overQuotaWeight.gpu": (1, 2),
        }  # fmt: skip

    def test_fair_share_and_use_are_told(self) -> None:
        quota = {"quota": 4, "limit": -1, "overQuotaWeight": 1}
        before, after = (
            views(nodes=[node()], queues=[queue(gpu=quota)], podGroups=[job()], pods=pods)
            for pods in ([], [pod(gpus=2), pod("x", "n", gpus=1)])
        )
        found = diff(before, after)
        fields = changed(found.queues)["q"]
        assert (fields["allocated.gpu"], fields["requested.gpu"], fields["fairShare.gpu"]) == ((0, 1), (0, 3), (0, 3))

    def test_those_below_others_are_compared_too(self) -> None:
        before = views(queues=[queue("top"), queue("low", "top")])
        after = views(queues=[queue("top"), queue("low")])
        assert changed(diff(before, after).queues) == {"low": {"parent": ("top", None)}}


class TestJobsAndPods:
    def test_jobs_that_came_went_and_changed_are_told(self) -> None:
        before = views(nodes=[node()], podGroups=[job("a"), job("b")], pods=[pod("a1", gpus=1, job="a")])
        after = views(
            nodes=[node()], podGroups=[job("a", "other", minMember=2), job("c")], pods=[pod("a1", "n", gpus=1, job="a")]
        )
        found = diff(before, after)
        assert (found.jobs.added, found.jobs.removed) == (("ns/c",), ("ns/b",))
        assert changed(found.jobs) == {
            "ns/a": {
                "status": ("Pending", "Running"), "queue": ("q", "other"), "minMember": (1, 2), "podsOnNodes": (0, 1),
            }
        }  # fmt: skip

    def test_a_job_made_anew_under_its_name_is_told(self) -> None:
        again = job()
        again["metadata"]["uid"] = "other"
        assert changed(diff(views(podGroups=[job()]), views(podGroups=[again])).jobs) == {
            "ns/j": {"uid": ("uid-ns-j", "other")}
        }

    def test_pods_that_moved_are_told_with_their_nodes(self) -> None:
        nodes = [node("m"), node("n")]
        before = views(nodes=nodes, podGroups=[job()], pods=[pod("a", "m"), pod("b"), pod("c", "n"), pod("d")])
        after = views(nodes=nodes, podGroups=[job()], pods=[pod("a", "n"), pod("b", "m"), pod("c"), pod("e")])
        pods = diff(before, after).pods
        assert [(each.name, each.before, each.after) for each in pods.moved] == [
            ("ns/a", "m", "n"), ("ns/b", None, "m"), ("ns/c", "n", None),
        ]  # fmt: skip
        assert (pods.added, pods.removed, pods.moved[0].job) == (1, 1, "ns/j")


class TestConfiguration:
    def test_keys_are_told_and_plugins_go_by_their_names(self) -> None:
        before = {
            "actions": "allocate",
            "tiers": [{"plugins": [{"name": "a", "arguments": {"k": SECRET}}, {"name": "b"}]}],
        }
        after = {"actions": "allocate", "tiers": [{"plugins": [{"name": "a", "arguments": {"k": "x"}}, {"name": "c"}]}]}
        found = diff(configured(before), configured(after)).config
        assert (found.added, found.removed) == (("tiers[0].plugins[c].name",), ("tiers[0].plugins[b].name",))
        assert changed(found) == {"tiers[0].plugins[a].arguments.k": {}}

    def test_a_plugin_that_moved_in_its_tier_did_not_change(self) -> None:
        plugins = [{"name": "a"}, {"name": "b"}]
        configs = ({"actions": "allocate", "tiers": [{"plugins": listed}]} for listed in (plugins, plugins[::-1]))
        assert not diff(*map(configured, configs)).config.count

    def test_the_actions_are_shown(self) -> None:
        found = diff(configured({"actions": "allocate"}), configured({"actions": "allocate, reclaim"})).config
        assert changed(found) == {"actions": {"value": ("allocate", "allocate, reclaim")}}

    def test_a_configuration_that_is_null_has_no_keys(self) -> None:
        found = diff(configured({}), configured({"actions": "allocate"})).config
        assert (found.added, found.removed, found.changed) == (("actions",), (), ())

    def test_of_parameters_numbers_and_truths_are_shown(self) -> None:
        found = diff(
            configured({}, {"fullHierarchyFairness": True, "n": 1, "name": SECRET, "gone": 1}),
            configured({}, {"fullHierarchyFairness": False, "n": 2, "name": "x", "new": SECRET}),
        ).params
        assert changed(found) == {"fullHierarchyFairness": {"value": (True, False)}, "n": {"value": (1, 2)}, "name": {}}
        assert (found.added, found.removed) == (("new",), ("gone",))

    def test_priority_classes_are_compared_by_value_and_config_maps_by_name(self) -> None:
        def given(value: int, *names: str) -> Views:
            maps = [{"metadata": {"name": name, "namespace": "ns"}, "data": {"k": SECRET + name}} for name in names]
            return views(priorityClasses=[{"metadata": {"name": "p"}, "value": value}], configMaps=maps)

        found = diff(given(1, "a", "b"), given(2, "b", "c"))
        assert changed(found.priority_classes) == {"p": {"value": (1, 2)}}
        assert (found.config_maps.added, found.config_maps.removed) == (("ns/c",), ("ns/a",))

    def test_no_value_is_in_the_document(self) -> None:
        uses = pod("p", "n", gpus=1)
        uses["spec"]["containers"][0] |= {"env": [{"name": "PASSWORD", "value": SECRET}], "args": [SECRET]}
        maps = [{"metadata": {"name": "c", "namespace": "ns"}, "data": {"k": SECRET}}]
        before = configured({"tiers": [{"plugins": [{"name": "a", "arguments": {"k": SECRET}}]}]}, {"s": SECRET})
        after = views(nodes=[node()], podGroups=[job()], pods=[uses], configMaps=maps, params={"s": SECRET + "2"})
        for found in (diff(before, after), diff(after, before)):
            assert SECRET not in json.dumps(found.dump())


@pytest.mark.parametrize("case", CASES)
def test_nothing_changed_between_an_archive_and_itself(case: str) -> None:
    found = views_of(CORPUS / case / "snapshot.zip")
    assert not diff(found, found).differs


@pytest.mark.parametrize("cases", list(pairwise(CASES)), ids=lambda each: each[0][:2])
def test_backwards_it_is_the_reverse(cases: tuple[str, str]) -> None:
    before, after = (views_of(CORPUS / case / "snapshot.zip") for case in cases)
    there, back = diff(before, after), diff(after, before)
    for name, found in there.lists.items():
        other = back.lists[name]
        assert (found.added, found.removed) == (other.removed, other.added)
        assert {
            each: {field: values[::-1] for field, values in fields.items()} for each, fields in changed(found).items()
        } == changed(other)
    assert (there.pods.added, there.pods.removed) == (back.pods.removed, back.pods.added)
    assert [(each.name, each.before, each.after) for each in there.pods.moved] == [
        (each.name, each.after, each.before) for each in back.pods.moved
    ]
    assert ArchiveDiff.model_validate(there.dump()) == there


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"), (True, "true"), (60000000001, "60000000001"), (2**63 - 1, "9223372036854775807"), (0.1, "0.1"),
        (60000000001.0, "60000000001"), (0.30000000000000004, "0.30000000000000004"), ("v1.0", "v1.0"),
    ],
)  # fmt: skip
def test_a_value_is_shown_in_full(value: Any, text: str) -> None:
    assert shown(value) == text
