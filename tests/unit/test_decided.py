"""What a cycle decided, on the GPUs of the nodes."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from kai_snapshot.api.base import rfc3339
from kai_snapshot.api.decodedresult import DecodedResult
from kai_snapshot.api.result import Engine, Eviction, Outcome, Pipelined, Placement, ReplayResult
from kai_snapshot.api.visualizer import NodeView, Occupant
from kai_snapshot.views import Views
from kai_snapshot.views.decided import Overlay, carried_out, overlay
from support.results import VERSIONS, recorded, repeated
from support.simulated import CASES, CORPUS, of_case
from support.viewed import NOW, SCHEMAS, job, node, pod, queue, shared, views, views_of

JUST_NOW = rfc3339(NOW - timedelta(seconds=30))


def decided(
    bound: dict[str, str] | None = None,
    *,
    evicted: dict[str, str] | None = None,
    pipelined: dict[str, str | None] | None = None,
    groups: dict[str, tuple[str, ...]] | None = None,
) -> ReplayResult:
    """A result in which pods of the namespace `ns` are bound to nodes, evicted for a job, or pipelined."""
    return ReplayResult(
        engine=Engine(version="v0.17.0"),
        outcome=Outcome.SUCCEEDED,
        placements=tuple(
            Placement(pod=f"ns/{name}", node=where, gpu_groups=(groups or {}).get(name, ()))
            for name, where in (bound or {}).items()
        ),
        evictions=tuple(
            Eviction(pod=f"ns/{name}", action="reclaim", preemptor=f"ns/{who}") for name, who in (evicted or {}).items()
        ),
        pipelined=tuple(Pipelined(pod=f"ns/{name}", node=where) for name, where in (pipelined or {}).items()),
    )


def cluster(*pods: dict[str, Any], gpus: int = 4, names: tuple[str, ...] = ("n",), **more: Any) -> Views:
    """Nodes with so many GPUs each, and pods of the job `j`."""
    return views(nodes=[node(name, gpus, **more) for name in names], queues=[queue()], podGroups=[job()], pods=pods)


def told(found: Overlay, name: str = "n") -> list[str]:
    """Each GPU: as it was, and after the arrow as it becomes, if that is not the same."""
    (shown,) = (each for each in found.nodes if each.name == name)
    return [
        _pods(slot.occupants) + ("" if slot.after is None else f" -> {_pods(slot.after)}") for slot in shown.gpu_slots
    ]


def _pods(occupants: tuple[Occupant, ...] | None) -> str:
    marks = {None: "", "Bound": "+", "Pipelined": "~", "Evicted": "-", "Moved": "^"}
    return " ".join(
        f"{marks[each.decision]}{each.pod}" + (f"*{each.portion:g}" if each.portion < 1 else "")
        for each in occupants or ()
    )


class TestPlaces:
    def test_a_pod_that_comes_takes_the_first_free_gpus_and_others_stay_where_they_are(self) -> None:
        found = overlay(cluster(pod("a", "n", gpus=1), pod("b", gpus=2)), decided({"b": "n"}))
        assert told(found) == ["a", " -> +b", " -> +b", ""]

    def test_a_pod_that_goes_leaves_a_gap_that_another_can_take(self) -> None:
        found = overlay(
            cluster(pod("a", "n", gpus=2), pod("b", "n", gpus=1), pod("c", gpus=1)),
            decided(evicted={"a": "j"}, pipelined={"c": "n"}),
        )
        assert told(found) == ["-a -> ~c", "-a -> ", "b", ""]

    def test_a_pod_that_moves_is_seen_in_both_places(self) -> None:
        found = overlay(
            cluster(pod("a", "n", gpus=1), names=("m", "n")), decided(evicted={"a": "j"}, pipelined={"a": "m"})
        )
        assert (told(found), told(found, "m")) == (["^a -> ", "", "", ""], [" -> ^a", "", "", ""])

    def test_one_that_shares_a_gpu_joins_its_group(self) -> None:
        there = [shared("a", "n", part=0.5, group="g"), shared("b", "n", part=0.5, group="h")]
        found = overlay(cluster(*there, shared("c", part=0.25)), decided({"c": "n"}, groups={"c": ("h",)}))
        assert told(found) == ["a*0.5", "b*0.5 -> b*0.5 +c*0.25", "", ""]

    def test_those_of_a_new_group_are_together_on_a_gpu_of_their_own(self) -> None:
        found = overlay(
            cluster(shared("a", part=0.5), shared("b", part=0.5), shared("c", "n", part=0.5, group="g")),
            decided({"a": "n", "b": "n"}, groups={"a": ("new",), "b": ("new",)}),
        )
        assert told(found) == ["c*0.5", " -> +a*0.5 +b*0.5", "", ""]

    def test_where_the_group_is_not_told_a_shared_gpu_with_room_is_taken_before_a_free_one(self) -> None:
        found = overlay(
            cluster(
                shared("a", "n", part=0.75, group="g"), shared("b", "n", part=0.5, group="h"), shared("c", part=0.5)
            ),
            decided(pipelined={"c": "n"}),
        )
        assert told(found) == ["a*0.75", "b*0.5 -> b*0.5 ~c*0.5", "", ""]

    def test_one_may_share_several_gpus(self) -> None:
        two = pod("a", annotations={"gpu-fraction": "0.5", "gpu-fraction-num-devices": "2"})
        found = overlay(cluster(two), decided({"a": "n"}, groups={"a": ("g", "h")}))
        assert told(found) == [" -> +a*0.5", " -> +a*0.5", "", ""]

    def test_memory_is_a_part_of_the_gpus_of_the_node_it_comes_to(self) -> None:
        wants = pod("a", annotations={"gpu-memory": "20000"})
        found = overlay(cluster(wants, labels={"nvidia.com/gpu.memory": "80000"}), decided({"a": "n"}))
        assert told(found)[0] == " -> +a*0.25"

    def test_mig_devices_are_parts_of_gpus(self) -> None:
        slices = {"nvidia.com/mig-3g.40gb": "1"}
        found = overlay(
            cluster(pod("a", asks=slices), pod("b", asks=slices), allocatable={"nvidia.com/mig-3g.40gb": "4"}, gpus=2),
            decided({"a": "n", "b": "n"}),
        )
        assert told(found)[0] == " -> +a*0.428571 +b*0.428571"

    def test_pods_without_gpus_are_listed_and_on_no_gpu(self) -> None:
        found = overlay(cluster(pod("a")), decided({"a": "n"}))
        assert told(found) == ["", "", "", ""]
        assert [(each.name, each.decision, each.after) for each in found.pods] == [("ns/a", "Bound", "n")]
        assert (found.unknown, found.displaced) == (0, 0)

    def test_where_a_pod_goes_may_not_be_known(self) -> None:
        found = overlay(cluster(pod("a", gpus=1), pod("b", gpus=1)), decided({"b": "gone"}, pipelined={"a": None}))
        assert told(found) == ["", "", "", ""]
        assert (found.unknown, found.displaced) == (2, 0)

    def test_what_was_given_away_again_is_counted(self) -> None:
        found = overlay(cluster(pod("a", gpus=3), pod("b", gpus=3)), decided({"a": "n"}, pipelined={"b": "n"}))
        assert told(found) == [" -> +a", " -> +a", " -> +a", ""]
        assert (found.unknown, found.displaced) == (0, 1)

    def test_one_that_waits_gets_the_gpus_that_others_were_leaving_before_the_cycle(self) -> None:
        pods = [pod("a", "n", gpus=3, deleted=JUST_NOW), pod("b", "n", gpus=1), pod("c", gpus=2)]
        found = overlay(cluster(*pods), decided(pipelined={"c": "n"}))
        assert told(found) == ["a -> ~c", "a -> ~c", "a -> ", "b"]
        assert found.displaced == 0
        assert [slot.occupants and slot.occupants[0].leaving for slot in found.nodes[0].gpu_slots] == [True] * 3 + [
            None
        ]

    def test_a_free_gpu_is_taken_before_one_that_another_is_leaving(self) -> None:
        found = overlay(
            cluster(pod("a", "n", gpus=3, deleted=JUST_NOW), pod("b", gpus=1)), decided(pipelined={"b": "n"})
        )
        assert told(found) == ["a", "a", "a", " -> ~b"]

    def test_a_part_of_a_gpu_is_left_to_one_that_waits_too(self) -> None:
        there = [shared("a", "n", part=0.5, group="g", deleted=JUST_NOW), shared("b", "n", part=0.5, group="g")]
        found = overlay(cluster(*there, shared("c", part=0.4), gpus=1), decided(pipelined={"c": "n"}))
        assert told(found) == ["a*0.5 b*0.5 -> b*0.5 ~c*0.4"]

    @pytest.mark.parametrize(
        ("deleted", "result"),
        [("now", decided({"b": "n"})), ("long ago", decided(pipelined={"b": "n"}))],
        ids=["one that is bound does not wait", "one that is stuck does not leave"],
    )
    def test_else_there_is_no_room(self, deleted: str, result: ReplayResult) -> None:
        at = JUST_NOW if deleted == "now" else rfc3339(NOW - timedelta(minutes=30))
        found = overlay(cluster(pod("a", "n", gpus=4, deleted=at), pod("b", gpus=1)), result)
        assert (told(found), found.displaced) == (["a"] * 4, 1)

    def test_one_that_is_there_already_is_not_there_twice(self) -> None:
        found = overlay(cluster(pod("a", "n", gpus=1)), decided({"a": "n"}))
        assert told(found) == ["a", "", "", ""]

    def test_without_the_archive_there_are_decisions_and_no_nodes(self) -> None:
        found = overlay(None, decided({"a": "n"}, evicted={"b": "j"}))
        assert found.nodes == ()
        assert [(each.name, each.decision) for each in found.pods] == [("ns/a", "Bound"), ("ns/b", "Evicted")]


class TestDecisions:
    def test_each_says_from_where_to_where_and_for_whom(self) -> None:
        found = overlay(
            cluster(pod("a", "n", gpus=2), pod("b", gpus=1), names=("m", "n")),
            decided({"b": "m"}, evicted={"a": "big"}),
        )
        bound, evicted = found.pods
        assert (bound.name, bound.decision, bound.gpus, bound.before, bound.after) == ("ns/b", "Bound", 1, "", "m")
        assert (evicted.decision, evicted.before, evicted.after) == ("Evicted", "n", "")
        assert (evicted.action, evicted.preemptor, evicted.job, evicted.queue) == ("reclaim", "ns/big", "ns/j", "q")
        assert found.counts == {"Bound": 1, "Pipelined": 0, "Moved": 0, "Evicted": 1}

    def test_one_can_be_bound_and_moved_on_in_the_same_cycle(self) -> None:
        found = overlay(
            cluster(pod("a", gpus=1), names=("m", "n")),
            decided({"a": "m"}, evicted={"a": "j"}, pipelined={"a": "n"}),
        )
        (moved,) = found.pods
        assert (moved.decision, moved.before, moved.after) == ("Moved", "m", "n")
        assert (told(found, "m"), told(found)) == (["", "", "", ""], [" -> ^a", "", "", ""])

    def test_of_several_runs_each_says_in_how_many_it_came(self) -> None:
        document = repeated(3, placements={"ns/a": {"n": 2, "m": 1}}, evictions={"ns/b": 3}, pipelined={"ns/b": 1}) | {
            "placements": [{"pod": "ns/a", "node": "n"}],
            "evictions": [{"pod": "ns/b", "action": "reclaim"}],
            "pipelined": [{"pod": "ns/b"}],
        }
        result = DecodedResult.model_validate(document)
        found = overlay(cluster(pod("a", gpus=1), pod("b", "n", gpus=1)), result)
        assert found.runs == 3
        assert [(each.name, each.decision, each.runs) for each in found.pods] == [
            ("ns/a", "Bound", 2),
            ("ns/b", "Moved", 1),
        ]


@pytest.mark.parametrize(
    "decided_of_run",
    [
        {"placements": [{"pod": "ns/a", "node": "n"}]},
        {"evictions": [{"pod": "ns/a", "action": "reclaim"}]},
        {"pipelined": [{"pod": "ns/a"}]},
    ],
    ids=lambda each: next(iter(each)),
)
def test_a_result_that_contradicts_itself_is_shown_all_the_same(decided_of_run: dict[str, Any]) -> None:
    result = DecodedResult.model_validate(repeated(3, placements={"ns/b": {"n": 2}}) | decided_of_run)
    assert [each.runs for each in overlay(cluster(pod("a", "n", gpus=1)), result).pods] == [0]


def test_carried_out_only_what_is_there_afterwards_is_left() -> None:
    found = overlay(
        cluster(pod("a", "n", gpus=2), pod("b", gpus=1), pod("w", gpus=8)), decided({"b": "n"}, evicted={"a": "j"})
    )
    (after,) = carried_out(found.nodes)
    assert [_pods(slot.occupants) for slot in after.gpu_slots] == ["+b", "", "", ""]
    assert not any(slot.fragmented for slot in after.gpu_slots)
    assert [slot.used_fraction for slot in after.gpu_slots] == [1, 0, 0, 0]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("version", [*VERSIONS, "simulated"])
def test_of_every_result_all_is_shown_once_and_nothing_is_on_too_few_gpus(case: str, version: str) -> None:
    found = views_of(CORPUS / case / "snapshot.zip")
    result = of_case(case) if version == "simulated" else recorded(case, version)
    laid = overlay(found, result)
    going = {each.name for each in laid.pods if each.decision in ("Evicted", "Moved")}
    decided_of = {each.pod for listed in (result.placements, result.pipelined, result.evictions) for each in listed}
    assert {each.name for each in laid.pods} == decided_of
    shown = Counter[str]()
    for before, after in zip(found.nodes, laid.nodes, strict=True):
        for was, slot in zip(before.gpu_slots, after.gpu_slots, strict=True):
            names = [f"{each.namespace}/{each.pod}" for each in was.occupants or ()]
            assert [f"{each.namespace}/{each.pod}" for each in slot.occupants or ()] == names
            assert slot.after is not None or slot == was
            if slot.after is None:
                assert not going & set(names)
                continue
            assert sum(each.portion for each in slot.after) <= 1.01
            stays = [f"{each.namespace}/{each.pod}" for each in slot.after if each.decision is None]
            assert stays == [name for name in names if name not in going]
            shown.update({f"{each.namespace}/{each.pod}" for each in slot.after if each.decision is not None})
    comes = {each.name for each in laid.pods if each.decision != "Evicted" and each.name in found.asked}
    assert set(shown) <= comes
    assert len(comes - set(shown)) == laid.unknown + laid.displaced
    SCHEMAS["nodes"].validate(_documents(laid.nodes))


def _documents(nodes: tuple[NodeView, ...]) -> list[Any]:
    return [each.dump() for each in nodes]


def test_a_large_cluster_is_filled() -> None:
    nodes = [node(f"n{i:03}") for i in range(300)]
    pods = [pod(f"p{i}", gpus=1) for i in range(2400)]
    found = views(nodes=nodes, queues=[queue()], podGroups=[job()], pods=pods)
    laid = overlay(found, decided({f"p{i}": f"n{i // 8:03}" for i in range(2400)}))
    assert (laid.unknown, laid.displaced) == (0, 0)
    assert all(slot.after for each in laid.nodes for slot in each.gpu_slots)
