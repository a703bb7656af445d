"""What if: patches to what is loaded, held against the archive that `prepare` writes with the same patches."""

import json
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kai_snapshot.api.preparation import Patch, PatchTarget
from kai_snapshot.archive.prepare import Preparation, prepare
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.simulator.collect import Collected
from kai_snapshot.simulator.samples import sample
from kai_snapshot.simulator.simulate import load, simulate
from kai_snapshot.simulator.whatif import EVERY_LIST, lists_of, patched, prepared
from support.simulated import CASES, CORPUS, MINI, MINI_CASES, RECORDED_AT
from support.zips import archive

ARCHIVES = {
    **{case: CORPUS / case / "snapshot.zip" for case in (*CASES, "23-pre-v0.16-config")},
    **{f"mini/{case}": MINI / f"{case}.zip" for case in MINI_CASES},
}
LIVE = ARCHIVES["20-live-bindrequests"]
Document = dict[str, Any]
REMOVAL = [{"op": "remove", "path": ""}]


def patch(kind: str, value: Any, operations: Sequence[Document]) -> Patch:
    """For an object."""
    metadata = value["metadata"]
    target = PatchTarget(kind=kind, name=metadata["name"], namespace=metadata.get("namespace", ""))
    return Patch(target=target, patch=yaml.safe_dump(list(operations), sort_keys=False))


def part(kind: str, operations: Sequence[Document]) -> Patch:
    return Patch(target=PatchTarget(kind=kind), patch=yaml.safe_dump(list(operations), sort_keys=False))


def put(path: str, value: object) -> Document:
    return {"op": "add", "path": path, "value": value}


def named(value: Document, name: str, **changes: Any) -> Document:
    """A copy of an object under another name."""
    metadata = {**value["metadata"], "name": name, "uid": name}
    return {**value, "metadata": metadata, **changes}


def leaf_queues(found: Document) -> list[Document]:
    """All queues, if none is below another."""
    queues: list[Document] = found["rawObjects"]["queues"]
    return [each for each in queues if (each.get("spec") or {}).get("parentQueue")] or queues


@cache
def document(path: Path) -> Document:
    with zipfile.ZipFile(path) as reader:
        found: Document = json.loads(reader.read("snapshot.json"))
    return found


@cache
def loaded(path: Path) -> Collected:
    return load(path, not_after=RECORDED_AT, changeable=EVERY_LIST)


def decided(collected: Collected) -> Document:
    result = simulate(collected, clock=time.perf_counter, now=RECORDED_AT).dump()
    return {**result, "durationsMs": None}


def of_written(path: Path, directory: Path, wanted: Preparation) -> Document:
    """The result of the archive that `prepare` writes."""
    target = directory / "prepared.zip"
    said = prepare(path, target, wanted, now=RECORDED_AT)
    return {**decided(load(target, not_after=RECORDED_AT)), "adaptations": said}


def verbatim(patches: Sequence[Patch]) -> Preparation:
    return Preparation(config="Verbatim", clock="Verbatim", patches=patches)


def changes(found: Document) -> Iterator[Patch]:
    """One of each kind of change that such a document can have."""
    objects = {kind: values or [] for kind, values in found["rawObjects"].items()}
    leaves = leaf_queues(found)
    groups, nodes, pods = objects["podGroups"], objects["nodes"], objects["pods"]
    waiting = [each for each in pods if not each["spec"].get("nodeName")]
    yield patch("Queue", leaves[0], [put("/spec/resources", {"gpu": {"quota": 1, "limit": 2, "overQuotaWeight": 1}})])
    yield patch(
        "Queue", leaves[-1], [put("/spec/priority", 200), {"op": "test", "path": "/spec/priority", "value": 200}]
    )
    yield patch("PodGroup", groups[0], [put("/spec/minMember", 1), put("/spec/priorityClassName", "none")])
    yield patch("PodGroup", groups[-1], [put("/spec/queue", leaves[0]["metadata"]["name"])])
    yield patch("Node", nodes[0], [put("/spec/unschedulable", True)])
    yield patch(
        "Node", nodes[-1], [put("/status/allocatable/nvidia.com~1gpu", "16"), put("/metadata/labels", {"a": "b"})]
    )
    for each in waiting[:1]:
        yield patch("Pod", each, [put("/metadata/annotations/gpu-fraction", "0.5"), put("/spec/hostNetwork", True)])
    for each in objects["priorityClasses"][:1]:
        yield patch("PriorityClass", each, [put("/value", 1000)])
    for each in objects["bindRequests"][:1]:
        yield patch("BindRequest", each, [put("/spec/selectedNode", nodes[0]["metadata"]["name"])])
    for each in objects.get("topologies", [])[:1]:
        yield patch("Topology", each, [put("/spec/levels", [])])
    yield part("Config", [put("/actions", "allocate,reclaim")])
    yield part("SchedulerParams", [put("/useSchedulingSignatures", False)])


def additions(found: Document) -> Iterator[Patch]:
    """Objects that are not there."""
    objects = {kind: values or [] for kind, values in found["rawObjects"].items()}
    leaf = leaf_queues(found)[0]
    node, pod, group = objects["nodes"][0], objects["pods"][-1], objects["podGroups"][-1]
    of_pod = {**pod["metadata"], "annotations": {"pod-group-name": "new-job"}}
    spec = {name: value for name, value in pod["spec"].items() if name != "nodeName"}
    spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "new"}}]
    new = [
        ("Queue", named(leaf, "new-queue")),
        ("Node", named(node, "new-node")),
        ("PodGroup", named(group, "new-job", spec={**group["spec"], "queue": "new-queue"})),
        ("Pod", named({**pod, "metadata": of_pod}, "new-pod", spec=spec, status={"phase": "Pending"})),
        ("ResourceClaim", {"metadata": {"name": "new", "namespace": "a"}, "spec": {}}),
        ("StorageClass", {"metadata": {"name": "new"}}),
    ]
    for kind, value in new:
        yield patch(kind, value, [put("", value)])


def removals(found: Document) -> Iterator[Patch]:
    """Objects of every kind that there is, and nodes with all that is on them."""
    objects = {kind: values or [] for kind, values in found["rawObjects"].items()}
    leaves = leaf_queues(found)
    yield patch("Queue", leaves[-1], REMOVAL)
    yield patch("PodGroup", objects["podGroups"][0], REMOVAL)
    yield patch("Pod", objects["pods"][0], REMOVAL)
    for kind, values in (("PriorityClass", "priorityClasses"), ("ConfigMap", "configMaps"), ("Topology", "topologies")):
        yield from (patch(kind, each, REMOVAL) for each in objects.get(values, [])[-1:])
    busy = {each["spec"].get("nodeName") for each in objects["pods"]}
    bound = {each["spec"]["selectedNode"] for each in objects["bindRequests"]}
    gone = [each for each in objects["nodes"] if each["metadata"]["name"] in busy | bound]
    for each in gone[: (len(objects["nodes"]) + 1) // 2]:
        yield patch("Node", each, REMOVAL)


MAKERS = {"changes": changes, "additions": additions, "removals": removals}


EVERY_KIND_ON_CLUSTERS = [(case, what) for case in ARCHIVES if "mini/" not in case for what in MAKERS]
ONE_KIND_ON_EACH_RULE = [(f"mini/{case}", list(MAKERS)[number % 3]) for number, case in enumerate(MINI_CASES)]


@pytest.mark.parametrize(("case", "what"), [*EVERY_KIND_ON_CLUSTERS, *ONE_KIND_ON_EACH_RULE])
def test_what_if_is_what_the_patched_archive_gives(case: str, what: str, tmp_path: Path) -> None:
    path = ARCHIVES[case]
    patches = list(MAKERS[what](document(path)))
    assert decided(patched(loaded(path), patches)) == of_written(path, tmp_path, verbatim(patches))


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_of_them_in_any_order_in_one_step_or_in_two(data: st.DataObject, tmp_path: Path) -> None:
    path = ARCHIVES[data.draw(st.sampled_from(sorted(ARCHIVES)))]
    all_there_are = [each for maker in MAKERS.values() for each in maker(document(path))]
    of_one_target = {each.target: each for each in data.draw(st.permutations(all_there_are))}  # which could not follow
    drawn = data.draw(st.lists(st.sampled_from(list(of_one_target.values())), unique_by=id, max_size=6))
    expected = of_written(path, tmp_path, verbatim(drawn))
    assert decided(patched(loaded(path), drawn)) == expected
    twice = decided(patched(patched(loaded(path), drawn[:2]), drawn[2:]))
    assert {**twice, "adaptations": None} == {**expected, "adaptations": None}


@pytest.mark.parametrize("case", CASES)
def test_what_is_loaded_stays_as_it_is(case: str) -> None:
    before = decided(load(ARCHIVES[case], not_after=RECORDED_AT))
    for maker in MAKERS.values():
        patched(loaded(ARCHIVES[case]), list(maker(document(ARCHIVES[case]))))
    assert decided(loaded(ARCHIVES[case])) == before


def test_pods_of_a_removed_node_wait_again_and_that_is_said() -> None:
    path = ARCHIVES["10-gang+running"]
    busy = next(each for each in document(path)["rawObjects"]["pods"] if each["spec"].get("nodeName"))
    changed = patched(loaded(path), [patch("Node", {"metadata": {"name": busy["spec"]["nodeName"]}}, REMOVAL)])
    name = f"{busy['metadata']['namespace']}/{busy['metadata']['name']}"
    assert next(each for each in changed.pods if each.name == name).node == ""
    assert "; pods that ran on it and wait for a place again: " in changed.adaptations[0]


def test_the_capture_was_when_it_was() -> None:
    newest = max(document(LIVE)["rawObjects"]["pods"], key=lambda each: each["metadata"]["creationTimestamp"])
    later = named(
        newest, "later", metadata={**newest["metadata"], "name": "later", "creationTimestamp": "2026-11-22T12:38:59Z"}
    )
    changed = patched(loaded(LIVE), [patch("Pod", newest, REMOVAL), patch("Pod", later, [put("", later)])])
    assert changed.captured_at == loaded(LIVE).captured_at


def test_only_the_lists_that_patches_are_for_need_be_kept() -> None:
    queue = next(each for each in document(LIVE)["rawObjects"]["queues"] if each["spec"].get("parentQueue"))
    patches = [patch("Queue", queue, [put("/spec/priority", 1)])]
    collected = load(LIVE, not_after=RECORDED_AT, changeable=lists_of(patches))
    assert [name for name, kept in collected.originals.items() if kept] == ["queues"]
    assert decided(patched(collected, patches)) == decided(patched(loaded(LIVE), patches))
    assert not any(load(LIVE, not_after=RECORDED_AT).originals.values())


@pytest.mark.parametrize(
    ("kind", "name", "operations"),
    [
        ("Queue", "nobody", [put("/spec/priority", 1)]),
        ("Queue", "default", [{"op": "test", "path": "/metadata/name", "value": "x"}]),
        ("Queue", "default", [put("/metadata/name", "other")]),
        ("Queue", "default", [{"op": "replace", "path": "/spec/no/such", "value": 1}]),
        ("NodeResourceTopology", "nobody", [put("/spec", {})]),
        ("Gadget", "x", [put("/spec", {})]),
    ],
    ids=["nobody", "test", "rename", "path", "none of the kind", "kind"],
)
def test_what_does_not_fit_is_refused_as_prepare_refuses_it(
    kind: str, name: str, operations: list[Document], tmp_path: Path
) -> None:
    patches = [patch(kind, {"metadata": {"name": name}}, operations)]
    with pytest.raises(TerminalError) as theirs:
        prepare(LIVE, tmp_path / "target.zip", verbatim(patches), now=RECORDED_AT)
    with pytest.raises(TerminalError) as ours:
        patched(loaded(LIVE), patches)
    assert (ours.value.reason, ours.value.message) == (Reason.PATCH_FAILED, theirs.value.message)


def test_a_list_that_the_snapshot_does_not_have_is_refused(tmp_path: Path) -> None:
    found = document(LIVE)
    without = {kind: values for kind, values in found["rawObjects"].items() if kind != "topologies"}
    path = tmp_path / "older.zip"
    path.write_bytes(archive(json.dumps({**found, "rawObjects": without}).encode()))
    with pytest.raises(TerminalError, match="the snapshot has no list `topologies`"):
        patched(
            load(path, not_after=RECORDED_AT, changeable=EVERY_LIST),
            [patch("Topology", {"metadata": {"name": "x"}}, REMOVAL)],
        )


@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        ("Queue", put("/spec/resources/gpu/quota", "eight")),
        ("PodGroup", put("/spec/minMember", "all")),
        ("Pod", put("/spec/containers", "none")),
        ("Node", put("/status/allocatable", [1])),
        ("PriorityClass", put("/value", "high")),
    ],
)
def test_what_is_no_object_of_its_kind_any_more_is_the_patches_fault(kind: str, operation: Document) -> None:
    lists = {
        "Queue": "queues",
        "PodGroup": "podGroups",
        "Pod": "pods",
        "Node": "nodes",
        "PriorityClass": "priorityClasses",
    }
    value = document(LIVE)["rawObjects"][lists[kind]][-1]
    with pytest.raises(TerminalError) as caught:
        decided(patched(loaded(LIVE), [patch(kind, value, [operation])]))
    assert caught.value.reason is Reason.PATCH_FAILED


def test_what_was_captured_and_is_no_object_of_its_kind_is_the_archives_fault(tmp_path: Path) -> None:
    found = json.loads(json.dumps(document(LIVE)))
    found["rawObjects"]["queues"][-1]["spec"]["resources"] = {"gpu": {"quota": "eight"}}
    path = tmp_path / "strange.zip"
    path.write_bytes(archive(json.dumps(found).encode()))
    with pytest.raises(TerminalError, match="of `queues` is not one of its kind") as caught:
        decided(load(path, not_after=RECORDED_AT))
    assert caught.value.reason is Reason.INCOMPLETE_SNAPSHOT


class TestConfiguration:
    NULL = CORPUS / "21-config-null" / "snapshot.zip"
    OLD = ARCHIVES["23-pre-v0.16-config"]

    @pytest.mark.parametrize("captured", [None, "v0.14.7", "v0.17.0"])
    @pytest.mark.parametrize("config", ["TargetDefaults", "Verbatim"])
    def test_is_made_ready_as_for_the_tool(self, config: Any, captured: str | None, tmp_path: Path) -> None:
        wanted = Preparation(config=config, clock="Verbatim", captured_version=captured, target_version="v0.17.0")
        result = decided(prepared(loaded(self.OLD), wanted))
        assert result == of_written(self.OLD, tmp_path, wanted)
        assert bool(result["evictions"]) == (config == "TargetDefaults" and captured != "v0.17.0")

    def test_that_is_null_is_healed_and_then_patched(self, tmp_path: Path) -> None:
        healed = document(LIVE)["config"]
        patches = (part("Config", [put("/actions", "allocate")]),)
        wanted = Preparation(clock="Verbatim", healed_config=healed, patches=patches, target_version="v0.17.0")
        result = decided(prepared(loaded(self.NULL), wanted))
        assert result == of_written(self.NULL, tmp_path, wanted)
        assert list(result["adaptations"])[1].startswith("config: the configuration of the scheduler's ConfigMap")

    def test_that_is_null_can_be_put_in_by_a_patch(self) -> None:
        patches = [part("Config", [put("", document(LIVE)["config"])])]
        assert decided(patched(loaded(self.NULL), patches))["outcome"] == "Succeeded"
        with pytest.raises(TerminalError) as caught:
            decided(loaded(self.NULL))
        assert caught.value.reason is Reason.CONFIG_NULL


class TestSamples:
    CASE = ARCHIVES["12-gang+fraction+running"]

    def test_of_one_are_the_run_without_a_seed(self) -> None:
        one = sample(loaded(self.CASE), clock=time.perf_counter, now=RECORDED_AT, samples=1)
        assert {**one.dump(), "durationsMs": None} == decided(loaded(self.CASE))

    def test_count_how_often_each_element_comes(self) -> None:
        several = sample(loaded(self.CASE), clock=time.perf_counter, now=RECORDED_AT, samples=4)
        each = [simulate(loaded(self.CASE), clock=time.perf_counter, now=RECORDED_AT, seed=n) for n in range(1, 5)]
        assert several.runs is not None
        assert several.runs.frequencies is not None
        assert several.runs.count == 4
        assert several.runs.frequencies.evictions == Counter(one.pod for run in each for one in run.evictions)
        assert several.placements == each[several.runs.shown - 1].placements

    @pytest.mark.parametrize(("samples", "simulations"), [(1, 1), (3, 4)], ids=["one", "three, and the typical again"])
    def test_each_simulation_is_told(self, samples: int, simulations: int) -> None:
        told: list[None] = []
        sample(
            loaded(self.CASE),
            clock=time.perf_counter,
            now=RECORDED_AT,
            samples=samples,
            tell=lambda: told.append(None),
        )
        assert len(told) == simulations

    def test_are_of_what_was_changed(self) -> None:
        patches = [part("Config", [put("/actions", "allocate")])]
        several = sample(patched(loaded(self.CASE), patches), clock=time.perf_counter, now=RECORDED_AT, samples=2)
        assert (several.evictions, len(several.adaptations)) == ((), 1)
