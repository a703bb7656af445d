"""Labels and taints, folded into readings."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot.api.environmentdocument import Measurement, Subtype
from kai_snapshot.environment.topology import Topology


def node(name: str, *taints: tuple[str, str, str], **labels: str) -> dict[str, Any]:
    spec = {"taints": [{"key": key, "effect": effect, "value": value} for key, effect, value in taints]}
    return {"metadata": {"name": name, "labels": labels}, "spec": spec if taints else {}}


def topology(nodes: Iterable[dict[str, Any]], max_nodes_per_entry: int = 0) -> Measurement:
    gathered = Topology()
    for each in nodes:
        gathered.add(each)
    return gathered.measurement(max_nodes_per_entry)


def part(of: Measurement, name: str) -> Subtype:
    found = of.subtype(name)
    assert found is not None
    return found


def test_equal_labels_are_one_reading_and_different_values_of_one_key_two() -> None:
    found = topology([node("b", gpu="h100", zone="x"), node("a", gpu="h100", zone="y")])
    assert part(found, "label").data == {"gpu": "h100|a,b", "zone.x": "x|b", "zone.y": "y|a"}
    assert part(found, "summary").data == {"node-count": 2, "taint-count": 0, "label-count": 3}


def test_a_taint_of_one_effect_has_it_in_its_value_and_of_two_in_its_key() -> None:
    found = topology(
        [node("a", ("gpu", "NoSchedule", "present"), ("down", "NoSchedule", "")), node("b", ("down", "NoExecute", ""))]
    )
    assert part(found, "taint").data == {
        "gpu": "NoSchedule|present|a",
        "down.NoSchedule": "|a",
        "down.NoExecute": "|b",
    }


@pytest.mark.parametrize(
    ("limit", "text", "truncated"),
    [(0, "1|a,b,c", False), (3, "1|a,b,c", False), (2, "1|a,b (+1 more)", True), (1, "1|a (+2 more)", True)],
)
def test_a_limit_names_only_so_many_nodes(limit: int, text: str, truncated: bool) -> None:
    labels = part(topology([node(name, x="1") for name in "cab"], limit), "label")
    assert labels.data == {"x": text}
    assert labels.items[0].data == {"node-count": 3, "node-list": text[2:], "truncated": truncated}


def test_keys_that_collide_are_apart_in_the_items() -> None:
    """`zone` with two values, of which one reads like the other label's key."""
    labels = part(topology([node("a", **{"zone": "x", "zone.y": "1"}), node("b", zone="y")]), "label")
    assert labels.data == {"zone.x": "x|a", "zone.y": "1|a"}
    assert [(each.context["key"], each.context["value"]) for each in labels.items] == [
        ("zone", "x"), ("zone", "y"), ("zone.y", "1"),
    ]  # fmt: skip


names = st.text("ab.-", min_size=1, max_size=4)
nodes = st.lists(
    st.builds(
        lambda name, labels, taints: node(name, *taints, **labels),
        st.text("nm", min_size=1, max_size=3),
        st.dictionaries(names, names, max_size=3),
        st.lists(st.tuples(names, st.sampled_from(["NoSchedule", "NoExecute"]), names), max_size=3, unique=True),
    ),
    max_size=6,
    unique_by=lambda each: each["metadata"]["name"],
)


@given(nodes, st.integers(0, 3))
def test_the_items_say_everything_whatever_collides(cluster: list[dict[str, Any]], limit: int) -> None:
    found = topology(cluster, limit)
    summary = part(found, "summary").data
    assert summary["node-count"] == len(cluster)
    for name, count in (("label", "label-count"), ("taint", "taint-count")):
        folded = part(found, name)
        assert len(folded.items) == summary[count]
        assert len(folded.data) <= len(folded.items)
        for each in folded.items:
            listed, _, more = str(each.data["node-list"]).partition(" (+")
            named = listed.split(",")
            assert named == sorted(named)
            assert len(named) + int(more.removesuffix(" more)") or 0) == each.data["node-count"]
            assert bool(more) == each.data["truncated"] == (0 < limit < int(each.data["node-count"]))
    pairs = {(key, value) for each in cluster for key, value in each["metadata"]["labels"].items()}
    assert {(each.context["key"], each.context["value"]) for each in part(found, "label").items} == pairs


@given(nodes)
def test_the_order_of_the_nodes_changes_nothing(cluster: list[dict[str, Any]]) -> None:
    assert topology(cluster).dump() == topology(reversed(cluster)).dump()
