"""Patches to a snapshot: what is read, what is refused, and what comes of them."""

import contextlib
import json
import time
import zipfile
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kai_snapshot.api.preparation import Patch, PatchTarget
from kai_snapshot.archive.patches import KINDS, PATCH_BYTES, check_patches
from kai_snapshot.archive.patchtext import read_value
from kai_snapshot.archive.prepare import Preparation, prepare
from kai_snapshot.errors import Reason, TerminalError
from support.zips import archive

CORPUS = Path(__file__).parent.parent / "data" / "corpus"
NOW = datetime(2026, 11, 30, 8, 30, tzinfo=UTC)
Prepared = Callable[..., tuple[Any, list[str]]]
SNAPSHOT: dict[str, Any] = {
    "config": {"actions": "allocate", "tiers": [{"plugins": [{"name": "predicates"}]}]},
    "schedulerParams": {"schedulerName": "kai-scheduler", "maxNumberConsolidationPreemptees": 16},
    "rawObjects": {
        "pods": [
            {"metadata": {"name": "train-0", "namespace": "a"}, "spec": {"priority": 1}},
            {"metadata": {"name": "train-0", "namespace": "b"}, "spec": {"priority": 2}},
        ],
        "nodes": [{"metadata": {"name": f"gpu-{n}"}, "status": {"allocatable": {"cpu": "8"}}} for n in range(4)],
        "queues": [{"metadata": {"name": "team"}, "spec": {"resources": {"gpu": {"quota": 8, "limit": -1}}}}],
        "topologies": None,
        "deviceClasses": [],
    },
    "discovery": {"serverVersion": None, "resources": [{"metadata": {"name": "team"}}]},
}
REMOVED = '[{op: remove, path: ""}]'
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=8)
VALUES_OF_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)


def patch(text: object, *, kind: str = "Queue", name: str = "team", namespace: str = "") -> Patch:
    """A patch for an object; what is no text is written as YAML."""
    text = text if isinstance(text, str) else yaml.safe_dump(text, sort_keys=False)
    return Patch(target=PatchTarget(kind=kind, name=name, namespace=namespace), patch=text)


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    """What comes of a document that is patched, and what is said of it."""

    def do(*patches: Patch, document: Any = SNAPSHOT) -> tuple[Any, list[str]]:
        source, target = tmp_path / "source.zip", tmp_path / "target.zip"
        source.write_bytes(archive(json.dumps(document).encode()))
        wanted = Preparation(config="Verbatim", clock="Verbatim", patches=patches)
        try:
            said = prepare(source, target, wanted, now=NOW)
        except TerminalError:
            assert not target.exists()
            raise
        with zipfile.ZipFile(target) as reader:
            return json.loads(reader.read("snapshot.json")), said

    return do


def refused(prepared: Prepared, *patches: Patch, document: Any = SNAPSHOT) -> str:
    """The message with which patches are refused."""
    with pytest.raises(TerminalError) as caught:
        prepared(*patches, document=document)
    assert caught.value.reason is Reason.PATCH_FAILED
    return caught.value.message


class TestReading:
    @pytest.mark.parametrize(
        "text",
        [
            '[{"op": "replace", "path": "/spec/priority", "value": 5}]',
            "[{op: replace, path: /spec/priority, value: 5}]",
            "- op: test\n  path: /spec\n  value: {}\n- {op: add, path: /spec/since, value: 2026-11-22T10:00:00Z}",
            "- {op: copy, from: /a, path: /b}\n- {op: move, from: /a, path: /c}",
            REMOVED,
            f"- {{op: test, path: /spec/x, value: 1}}\n- {REMOVED[1:-1]}",
        ],
        ids=["JSON", "YAML in a line", "YAML lines", "with from", "removal", "tested removal"],
    )
    def test_operations_are_read_as_json_or_yaml(self, text: str) -> None:
        assert check_patches([patch(text)]) is None

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("[", "cannot be read as YAML or JSON, line 1: did not find expected node content"),
            ("- op: add\n  path: [", "line 2"),
            ("[{op: add, path: /a, value: .nan}]", "cannot be read as YAML or JSON"),
            ("\0", "cannot be read as YAML or JSON"),
            ("[" * 60_000, "it is nested too deeply"),
            ("- " * 30_000, "line 1: it is nested too deeply"),
            ("[]\n---\n[]", "line 2: there is more than one document"),
            ("[{op: add, path: /a, value: {[1]: 2}}]", "line 1: a key can only be text, without a tag"),
            ("[{op: add, path: /a, value: {!!int 1: 2}}]", "line 1: a key can only be text, without a tag"),
            ('[{"op": "add", "path": "/a", "value": "\\ud800"}]', "half of a surrogate pair"),
            ('[{"op": "add", "path": "/a", "value": 1e999}]', "64 bits do not hold the number 1e999"),
            ('[{"op": "add", "path": "/a", "value": NaN}]', "64 bits do not hold the number NaN"),
            (f'[{{"op": "add", "path": "/a", "value": {2**64}}}]', f"64 bits do not hold the number {2**64}"),
            (f'[{{"op": "add", "path": "/a", "value": {"9" * 9999}}}]', "64 bits do not hold the number 9999"),
            ("[{op: add, path: /a, value: 1e999}]", "64 bits do not hold the number 1e999"),
            ("[{op: add, path: /a, value: -1.5e999}]", "64 bits do not hold the number -1.5e999"),
            (f"[{{op: add, path: /a, value: {-(2**63) - 1}}}]", f"64 bits do not hold the number {-(2**63) - 1}"),
            ("[{op: add, path: /a, value: 0x10}]", "0x10 is a number to some: write it as JSON does, or in quotes"),
            ("[{op: add, path: /a, value: 010}]", "010 is a number to some"),
            ("[{op: add, path: /a, value: 12:30}]", "12:30 is a number to some"),
            ("[{op: add, path: /a, value: .inf}]", ".inf is a number to some"),
            ("- &a {op: add, path: /a, value: 1}\n- *a", "line 2: aliases and tags are not allowed"),
            ("[{op: add, path: /a, value: !!binary aGk=}]", "line 1: aliases and tags are not allowed"),
            ("[{op: add, path: /a, value: !!python/object:os.system x}]", "aliases and tags are not allowed"),
            ("null", "no list of RFC 6902 operations"),
            ("{op: add, path: /a, value: 1}", "no list of RFC 6902 operations"),
            ("[/a]", "no list of RFC 6902 operations"),
            ("[{op: increase, path: /a}]", "no list of RFC 6902 operations: Unknown operation"),
            ("[{op: add, path: a, value: 1}]", "no list of RFC 6902 operations: Location must start with /"),
            ("[{op: add, path: 1, value: 1}]", "no list of RFC 6902 operations"),
            ("[{op: move, path: /a, from: 7}]", "no list of RFC 6902 operations: Location must start with /"),
            ("[]", "it has no operations"),
            ("[{op: remove, path: /a}, {op: add, path: /a}]", "operation 2, `add`, has no `value`"),
            ("[{op: test, path: /a}]", "operation 1, `test`, has no `value`"),
            ("[{op: copy, path: /a}]", "operation 1, `copy`, has no `from`"),
            ('[{op: remove, path: ""}, {op: remove, path: ""}]', "nothing can follow that"),
        ],
    )
    def test_what_cannot_be_done_is_refused_before_there_is_an_archive(self, text: str, says: str) -> None:
        found = check_patches([patch(REMOVED), patch(text)])
        assert found is not None
        assert found.reason is Reason.PATCH_FAILED
        assert found.message.startswith("patch 2 (Queue team): ")
        assert says in found.message
        assert len(found.message) < 400

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            (f"{2**64 - 1}", 2**64 - 1),
            (f"{-(2**63)}", -(2**63)),
            ("1e3", 1000.0),
            ("1.5", 1.5),
            ('"1e999"', "1e999"),
            ('"010"', "010"),
            ("{1: a, yes: b}", {"1": "a", "yes": "b"}),
            ("[null, ~, true, off]", [None, None, True, False]),
            ("2026-11-22", "2026-11-22"),
            ("v0.17.0", "v0.17.0"),
            ("500m", "500m"),
        ],
    )
    def test_a_value_is_what_json_would_say(self, prepared: Prepared, text: str, value: object) -> None:
        after, _ = prepared(patch(f"[{{op: add, path: /spec/x, value: {text}}}]"))
        read = after["rawObjects"]["queues"][0]["spec"]["x"]
        assert (read, type(read)) == (value, type(value))

    @given(VALUES_OF_JSON)
    def test_json_is_read_as_it_is(self, value: object) -> None:
        assert read_value(json.dumps(value)) == value

    @given(VALUES_OF_JSON)
    def test_yaml_says_the_same(self, value: object) -> None:
        assert read_value(yaml.safe_dump(value, allow_unicode=True)) == value

    def test_all_patches_together_are_bounded(self) -> None:
        text = f'[{{"op": "test", "path": "/{"x" * 65_000}", "value": 1}}]'
        assert check_patches([patch(text)] * 4) is None
        found = check_patches([patch(text)] * 5)
        assert found is not None
        assert found.reason is Reason.PATCH_FAILED
        assert "together, and may have 262144: make several replays of them" in found.message

    @pytest.mark.parametrize(
        ("begins", "goes_on"),
        [
            ("[", "1,"),
            ("[", "[],"),
            ("[", "{op: test},"),
            ("[" * 90, "a,"),
            ("", "- a\n"),
            ("", "a:\n- b:\n  - "),
            ("", "["),
            ("", "- "),
            ("", "{a: "),
            ("", "? "),
        ],
    )
    def test_no_text_takes_long(self, begins: str, goes_on: str) -> None:
        text = (begins + goes_on * PATCH_BYTES)[:PATCH_BYTES]
        began = time.process_time()
        with contextlib.suppress(ValueError):
            read_value(text)
        assert time.process_time() - began < 2

    @pytest.mark.parametrize(
        ("target", "says"),
        [
            ({"kind": "Deployment", "name": "a"}, "no such kind in a snapshot; there are Config, SchedulerParams, Pod"),
            ({"kind": "Queue"}, "target.name is missing"),
            ({"kind": "Pod", "name": "a"}, "target.namespace is missing"),
            ({"kind": "Node", "name": "a", "namespace": "b"}, "the kind has no namespaces"),
            ({"kind": "Config", "name": "a"}, "it has neither name nor namespace"),
            ({"kind": "Config"}, "no snapshot is without it"),
        ],
    )
    def test_a_target_that_no_snapshot_has_is_refused(self, target: dict[str, str], says: str) -> None:
        found = check_patches([Patch(target=PatchTarget.model_validate(target), patch=REMOVED)])
        assert found is not None
        assert says in found.message

    @settings(deadline=None)
    @given(st.text(max_size=60) | st.text("[]{}:,-!&*\"' \n/opathvalue0.", max_size=60))
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        if text:
            found = check_patches([patch(text)])
            assert found is None or found.reason is Reason.PATCH_FAILED


class TestApplying:
    def test_an_object_is_changed_and_nothing_else(self, prepared: Prepared) -> None:
        after, said = prepared(patch([{"op": "replace", "path": "/spec/resources/gpu/quota", "value": 24}]))
        expected = deepcopy(SNAPSHOT)
        expected["rawObjects"]["queues"][0]["spec"]["resources"]["gpu"]["quota"] = 24
        assert after == expected
        assert said == ["patch 1: Queue team is changed: replace /spec/resources/gpu/quota"]

    def test_an_object_is_found_by_its_namespace_too(self, prepared: Prepared) -> None:
        text = [{"op": "add", "path": "/spec/nodeName", "value": "gpu-1"}]
        after, said = prepared(patch(text, kind="Pod", name="train-0", namespace="b"))
        assert [pod["spec"] for pod in after["rawObjects"]["pods"]] == [
            {"priority": 1},
            {"priority": 2, "nodeName": "gpu-1"},
        ]
        assert said == ["patch 1: Pod b/train-0 is changed: add /spec/nodeName"]

    @pytest.mark.parametrize("gone", [[0], [3], [1, 2], [0, 1, 2, 3]], ids=["first", "last", "middle", "all"])
    def test_objects_are_removed(self, prepared: Prepared, gone: list[int]) -> None:
        after, said = prepared(*(patch(REMOVED, kind="Node", name=f"gpu-{n}") for n in gone))
        expected = deepcopy(SNAPSHOT)
        expected["rawObjects"]["nodes"] = [
            node for n, node in enumerate(SNAPSHOT["rawObjects"]["nodes"]) if n not in gone
        ]
        assert after == expected
        assert said == [f"patch {place}: Node gpu-{n} is removed" for place, n in enumerate(gone, 1)]

    @pytest.mark.parametrize(
        ("kind", "name"), [("Node", "nodes"), ("Topology", "topologies"), ("DeviceClass", "deviceClasses")],
        ids=["behind others", "where the list is null", "where the list is empty"],
    )  # fmt: skip
    def test_objects_are_added_at_the_end_of_their_list(self, prepared: Prepared, kind: str, name: str) -> None:
        new = [{"metadata": {"name": f"new-{n}"}, "spec": {}} for n in range(2)]
        patches = [
            patch([{"op": "add", "path": "", "value": value}], kind=kind, name=value["metadata"]["name"])
            for value in new
        ]
        after, said = prepared(*patches)
        expected = deepcopy(SNAPSHOT)
        expected["rawObjects"][name] = [*(SNAPSHOT["rawObjects"][name] or ()), *new]
        assert after == expected
        assert said == [f"patch 1: {kind} new-0 is added", f"patch 2: {kind} new-1 is added"]

    def test_an_object_takes_the_place_of_one_that_was_removed(self, prepared: Prepared) -> None:
        new = {"metadata": {"name": "gpu-0"}}
        after, said = prepared(
            patch(REMOVED, kind="Node", name="gpu-0"),
            patch([{"op": "add", "path": "", "value": new}], kind="Node", name="gpu-0"),
        )
        assert after["rawObjects"]["nodes"] == [new, *SNAPSHOT["rawObjects"]["nodes"][1:]]
        assert said == ["patch 1: Node gpu-0 is removed", "patch 2: Node gpu-0 is added"]

    def test_the_configuration_and_the_parameters_are_changed(self, prepared: Prepared) -> None:
        after, said = prepared(
            patch([{"op": "replace", "path": "/actions", "value": "allocate, reclaim"}], kind="Config", name=""),
            patch([{"op": "add", "path": "/fullHierarchyFairness", "value": True}], kind="SchedulerParams", name=""),
        )
        assert after["config"] == SNAPSHOT["config"] | {"actions": "allocate, reclaim"}
        assert after["schedulerParams"] == SNAPSHOT["schedulerParams"] | {"fullHierarchyFairness": True}
        assert after["rawObjects"] == SNAPSHOT["rawObjects"]
        assert said == [
            "patch 1: Config is changed: replace /actions",
            "patch 2: SchedulerParams is changed: add /fullHierarchyFairness",
        ]

    def test_patches_to_one_object_come_one_after_the_other_and_are_said_in_their_order(
        self, prepared: Prepared
    ) -> None:
        after, said = prepared(
            patch([{"op": "add", "path": "/spec/a", "value": {}}]),
            patch(REMOVED, kind="Node", name="gpu-2"),
            patch([{"op": "add", "path": f"/spec/a/{n}", "value": n} for n in range(7)]),
        )
        assert after["rawObjects"]["queues"][0]["spec"]["a"] == {str(n): n for n in range(7)}
        assert said == [
            "patch 1: Queue team is changed: add /spec/a",
            "patch 2: Node gpu-2 is removed",
            f"patch 3: Queue team is changed: {', '.join(f'add /spec/a/{n}' for n in range(5))}, and 2 more",
        ]

    def test_every_kind_finds_its_list(self, prepared: Prepared) -> None:
        objects = {
            kind.list: [{"metadata": {"name": "a", "namespace": "n"} if kind.namespaced else {"name": "a"}}]
            for kind in KINDS.values()
        }
        patches = [
            patch([{"op": "add", "path": "/is", "value": name}], kind=name, name="a", namespace="n" * kind.namespaced)
            for name, kind in KINDS.items()
        ]
        after, _ = prepared(*patches, document=SNAPSHOT | {"rawObjects": objects})
        assert {name: [value["is"] for value in values] for name, values in after["rawObjects"].items()} == {
            kind.list: [name] for name, kind in KINDS.items()
        }

    @pytest.mark.parametrize(
        ("made", "says"),
        [
            (patch(REMOVED, name="other"), "patch 1 (Queue other): the snapshot has no such object"),
            (patch(REMOVED, kind="Topology", name="a"), "patch 1 (Topology a): the snapshot has no such object"),
            (patch(REMOVED, kind="Pod", name="train-0", namespace="c"), "(Pod c/train-0): the snapshot has no"),
            (patch(REMOVED, kind="CSIDriver", name="a"), "the snapshot has no list `csiDrivers`"),
            (patch([{"op": "add", "path": "", "value": {}}], kind="CSIDriver", name="a"), "no list `csiDrivers`"),
            (patch("[{op: remove, path: /spec/x}]"), "operation 1, `remove /spec/x`, does not fit"),
            (patch("[{op: add, path: /spec/x/y, value: 1}]"), "operation 1, `add /spec/x/y`, does not fit"),
            (patch("[{op: replace, path: /spec/x, value: 1}]"), "operation 1, `replace /spec/x`, does not fit"),
            (patch("[{op: add, path: /metadata/name/x, value: 1}]"), "does not fit"),
            (patch("[{op: move, from: /spec, path: /spec/resources}]"), "does not fit"),
            (patch("[{op: copy, from: /spec/x, path: /y}]"), "does not fit"),
            (patch("[{op: test, path: /spec/resources/gpu/limit, value: secret}]"), "gpu/limit`, does not hold"),
            (patch("[{op: test, path: /nothing, value: 1}]"), "does not hold"),
            (patch('[{op: replace, path: "", value: 5}]'), "what comes out is not an object"),
            (patch('[{op: add, path: "", value: null}]'), "what comes out is not an object"),
            (patch("[{op: remove, path: /metadata/name}]"), "what comes out has another name"),
            (patch("[{op: replace, path: /metadata/name, value: b}]"), "what comes out has another name"),
            (patch("[{op: replace, path: /metadata, value: []}]"), "what comes out has another name"),
            (patch("[{op: add, path: /metadata/namespace, value: b}]"), "what comes out has another name or namespace"),
            (patch('[{op: add, path: "", value: {metadata: {name: b}}}]', name="new"), "has another name or namespace"),
        ],
    )  # fmt: skip
    def test_what_does_not_fit_is_refused(self, prepared: Prepared, made: Patch, says: str) -> None:
        message = refused(prepared, made)
        assert says in message
        assert "quota" not in message

    def test_what_gets_too_deep_is_refused(self, prepared: Prepared) -> None:
        value = json.loads("[" * 253 + "]" * 253)
        made = patch(json.dumps([{"op": "add", "path": "/spec/x", "value": value}]))
        assert "nested too deeply" in refused(prepared, made)

    def test_an_object_that_is_doubled_again_and_again_is_refused(self, prepared: Prepared) -> None:
        doubling = [{"op": "copy", "from": "/spec", "path": f"/spec/{n}"} for n in range(100)]
        assert "more than 4194304 bytes" in refused(prepared, patch(doubling))

    def test_a_part_that_is_not_there_is_refused(self, prepared: Prepared) -> None:
        made = patch("[{op: add, path: /x, value: 1}]", kind="SchedulerParams", name="")
        assert "no such part" in refused(prepared, made, document={"config": {}, "rawObjects": {}})
        assert "no such object" in refused(prepared, made, document=SNAPSHOT | {"schedulerParams": None})


NAMES = st.sampled_from(["a", "b", "c"])
KEYS = st.sampled_from(["a", "b", "~/", "0"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("xyz~/", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "~/", "0"]), inner, max_size=3)
    ),
    max_leaves=6,
)
PATHS = st.lists(st.sampled_from(["spec", "a", "b", "~0~1", "0", "1", "-"]), min_size=1, max_size=3).map(
    lambda steps: "".join(f"/{step}" for step in steps)
)
OPERATIONS = st.one_of(
    st.fixed_dictionaries({"op": st.sampled_from(["add", "replace", "test"]), "path": PATHS, "value": VALUES}),
    st.fixed_dictionaries({"op": st.just("remove"), "path": PATHS}),
    st.fixed_dictionaries({"op": st.sampled_from(["move", "copy"]), "path": PATHS, "from": PATHS}),
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=3).map(
    lambda specs: [{"metadata": {"name": name}, "spec": spec, "a": {"b": [1, 2]}} for name, spec in specs.items()]
)


WANTED = st.tuples(NAMES, st.just([{"op": "remove", "path": ""}]) | st.lists(OPERATIONS, min_size=1, max_size=3))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(objects=OBJECTS, wanted=st.lists(WANTED, max_size=4))
def test_what_comes_out_is_what_the_library_makes_of_the_whole_document(
    objects: list[Any], wanted: list[tuple[str, list[Any]]], prepared: Prepared
) -> None:
    document: Any = {"config": {}, "rawObjects": {"pods": [], "queues": objects, "nodes": [{"a": 1}]}}
    patches = [patch(operations, name=name) for name, operations in wanted]
    expected: Any = deepcopy(document)
    try:
        for name, operations in wanted:
            names = [queue["metadata"]["name"] for queue in expected["rawObjects"]["queues"]]
            at = f"/rawObjects/queues/{names.index(name)}"
            of_whole = [
                {key: at + value if key in ("path", "from") else value for key, value in operation.items()}
                for operation in operations
            ]
            expected = jsonpatch.JsonPatch(of_whole).apply(expected)
    except (ValueError, jsonpatch.JsonPatchException, jsonpatch.JsonPointerException):
        refused(prepared, *patches, document=document)
    else:
        after, _ = prepared(*patches, document=document)
        assert json.dumps(after) == json.dumps(expected)


def pod(name: str, *, node: str | None = None, phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    """A pod as a snapshot has it."""
    spec = {"priority": 1, **({} if node is None else {"nodeName": node}), "schedulerName": "kai-scheduler"}
    return {"metadata": {"name": name, "namespace": "a", **metadata}, "spec": spec, "status": {"phase": phase, "x": 1}}


class TestPodsOfNodesThatAreRemoved:
    PODS = (
        pod("running", node="gpu-0", labels={"app": "a", "runai-gpu-group": "g", "runai-gpu-group/g": "g"},
            annotations={"gpu-fraction": "0.5", "received-resource-type": "Fraction"}),
        pod("bound", node="gpu-0", phase="Pending"),
        pod("leaving", node="gpu-0", deletionTimestamp="2026-11-22T10:00:00Z"),
        pod("done", node="gpu-0", phase="Succeeded"),
        pod("elsewhere", node="gpu-1", labels={"runai-gpu-group": "g"}),
        pod("pending", phase="Pending"),
        {"metadata": {"name": "odd"}, "spec": None},
        {"metadata": [], "spec": {"nodeName": "gpu-0"}},
    )  # fmt: skip
    DOCUMENT = SNAPSHOT | {"rawObjects": SNAPSHOT["rawObjects"] | {"pods": list(PODS)}}

    def test_they_wait_for_a_place_again(self, prepared: Prepared) -> None:
        after, said = prepared(patch(REMOVED, kind="Node", name="gpu-0"), document=self.DOCUMENT)
        running = pod("running", phase="Pending", labels={"app": "a"}, annotations={"gpu-fraction": "0.5"})
        bound = pod("bound", phase="Pending")
        for each in (running, bound):
            each["status"] = {"phase": "Pending"}
        assert after["rawObjects"]["pods"] == [running, bound, *self.PODS[3:]]
        counted = "pods that ran on it and wait for a place again: 2; pods that were being deleted and are gone: 1"
        assert said == [f"patch 1: Node gpu-0 is removed; {counted}"]

    def test_bind_requests_go_with_the_node_so_that_pods_being_bound_wait_again(self, prepared: Prepared) -> None:
        requests: list[Any] = [
            {"metadata": {"name": f"to-{node}", "namespace": "a"}, "spec": {"podName": "p", "selectedNode": node}}
            for node in ("gpu-0", "gpu-1", "gpu-0")
        ]
        requests += [{"metadata": {"name": "odd"}, "spec": None}, "odd"]
        raw = SNAPSHOT["rawObjects"] | {"pods": [pod("pending", phase="Pending")], "bindRequests": requests}
        document = SNAPSHOT | {"rawObjects": raw}
        after, said = prepared(patch(REMOVED, kind="Node", name="gpu-0"), document=document)
        assert after["rawObjects"] == raw | {
            "nodes": SNAPSHOT["rawObjects"]["nodes"][1:],
            "bindRequests": [requests[1], *requests[3:]],
        }
        assert said == ["patch 1: Node gpu-0 is removed; BindRequests to it that are gone: 2"]

    def test_a_live_archive_has_none_left_to_the_node(self, tmp_path: Path) -> None:
        wanted = Preparation(
            config="Verbatim", clock="Verbatim", patches=(patch(REMOVED, kind="Node", name="gpu-001"),)
        )
        source = CORPUS / "20-live-bindrequests" / "snapshot.zip"
        said = prepare(source, tmp_path / "target.zip", wanted, now=NOW)
        before, after = (
            json.loads(zipfile.ZipFile(file).read("snapshot.json"))["rawObjects"]["bindRequests"]
            for file in (source, tmp_path / "target.zip")
        )
        others = [request for request in before if request["spec"]["selectedNode"] != "gpu-001"]
        assert after == others
        assert f"BindRequests to it that are gone: {len(before) - len(others)}" in said[0]

    def test_they_stay_where_the_node_comes_back(self, prepared: Prepared) -> None:
        back = patch([{"op": "add", "path": "", "value": {"metadata": {"name": "gpu-0"}}}], kind="Node", name="gpu-0")
        after, _ = prepared(patch(REMOVED, kind="Node", name="gpu-0"), back, document=self.DOCUMENT)
        assert after["rawObjects"]["pods"] == list(self.PODS)

    def test_a_patch_of_a_pod_comes_first(self, prepared: Prepared) -> None:
        elsewhere = patch(
            "[{op: replace, path: /spec/nodeName, value: gpu-2}]", kind="Pod", name="bound", namespace="a"
        )
        removals = [patch(REMOVED, kind="Node", name="gpu-0"), patch(REMOVED, kind="Node", name="gpu-3")]
        after, said = prepared(*removals, elsewhere, document=self.DOCUMENT)
        assert after["rawObjects"]["pods"][1] == pod("bound", node="gpu-2", phase="Pending")
        assert "wait for a place again: 1" in said[0]
        assert said[1] == "patch 2: Node gpu-3 is removed"

    def test_the_nodes_may_stand_before_the_pods(self, prepared: Prepared) -> None:
        raw = self.DOCUMENT["rawObjects"]
        document = self.DOCUMENT | {"rawObjects": {"nodes": raw["nodes"], "pods": raw["pods"]}}
        after, _ = prepared(patch(REMOVED, kind="Node", name="gpu-0"), document=document)
        assert [value["status"] for value in after["rawObjects"]["pods"][:2]] == [{"phase": "Pending"}] * 2

    def test_there_may_be_none(self, prepared: Prepared) -> None:
        nodes = {"nodes": SNAPSHOT["rawObjects"]["nodes"]}
        for raw in (nodes, nodes | {"pods": None}, nodes | {"pods": []}):
            document = SNAPSHOT | {"rawObjects": raw}
            _, said = prepared(patch(REMOVED, kind="Node", name="gpu-0"), document=document)
            assert said == ["patch 1: Node gpu-0 is removed"]
