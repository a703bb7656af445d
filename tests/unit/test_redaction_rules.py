"""Redaction of what people put into objects: what is replaced, what is left out, and what has to stay."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kai_snapshot.redaction.key import Key
from kai_snapshot.redaction.pseudonyms import PSEUDONYM
from support.redactable import KEY, OTHER, Object, cluster, pod, redacted_document, strings

SECRETS = (
    "falcon", "acme", "merger", "hunter2", "jane", "rack7", "hall-b", "4711", "884712", "10.47", "dc7", "badcafe",
    "secret-mode", "trainer", "s3:", "research", "Blessed",
)  # fmt: skip
DRA = ("attributes", "capacity", "expression", "driver", "matchAttribute", "distinctAttribute", "counters")


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Object:
    return redacted_document(cluster(), tmp_path_factory.mktemp("redaction"))[0]


def first(document: Object, kind: str) -> Any:
    return document["rawObjects"][kind][0]


@pytest.mark.parametrize("secret", SECRETS)
def test_what_people_put_into_objects_is_gone(changed: Object, secret: str) -> None:
    assert secret.lower() not in orjson.dumps(changed).decode().lower()


def test_references_still_lead_where_they_led(changed: Object) -> None:
    made, node, group, queue = (first(changed, kind) for kind in ("pods", "nodes", "podGroups", "queues"))
    settings_, pv, claim = (first(changed, kind) for kind in ("configMaps", "persistentVolumes", "resourceClaims"))
    spec = made["spec"]
    assert made["metadata"]["annotations"]["pod-group-name"] == group["metadata"]["name"]
    assert spec["nodeName"] == node["metadata"]["name"]
    assert made["metadata"]["labels"]["kai.scheduler/queue"] == group["spec"]["queue"] == queue["metadata"]["name"]
    assert queue["spec"]["parentQueue"] == changed["rawObjects"]["queues"][1]["metadata"]["name"]
    assert spec["priorityClassName"] == first(changed, "priorityClasses")["metadata"]["name"]
    assert spec["volumes"][0]["configMap"]["name"] == settings_["metadata"]["name"]
    assert spec["volumes"][0]["name"] == spec["containers"][0]["volumeMounts"][0]["name"]
    assert spec["containers"][0]["env"][1]["valueFrom"]["configMapKeyRef"]["key"] in settings_["data"]
    assert spec["volumes"][1]["persistentVolumeClaim"]["claimName"] == pv["spec"]["claimRef"]["name"]
    assert pv["spec"]["csi"]["driver"] == first(changed, "csiDrivers")["metadata"]["name"]
    assert spec["resourceClaims"][0]["resourceClaimName"] == claim["metadata"]["name"]
    assert claim["status"]["reservedFor"][0]["uid"] == made["metadata"]["uid"]
    assert first(changed, "bindRequests")["spec"]["podName"] == made["metadata"]["name"]


def test_selectors_and_taints_still_match(changed: Object) -> None:
    spec, node = first(changed, "pods")["spec"], first(changed, "nodes")
    labels, affinity = node["metadata"]["labels"], spec["affinity"]
    assert spec["nodeSelector"].items() <= labels.items()
    (required,) = affinity["nodeAffinity"].values()
    hall, generation = required["nodeSelectorTerms"][0]["matchExpressions"]
    assert labels[hall["key"]] in hall["values"]
    assert (labels[generation["key"]], generation["values"]) == ("4", ["3"])
    assert required["nodeSelectorTerms"][0]["matchFields"][0]["values"] == [node["metadata"]["name"]]
    taint, toleration = node["spec"]["taints"][0], spec["tolerations"][0]
    assert (taint["key"], taint["value"]) == (toleration["key"], toleration["value"])
    level = first(changed, "podGroups")["spec"]["topologyConstraint"]["requiredTopologyLevel"]
    assert first(changed, "topologies")["spec"]["levels"] == [{"nodeLabel": level}]
    assert level in labels
    partition = changed["schedulerParams"]["partitionParams"]
    assert labels[partition["NodePoolLabelKey"]] == partition["NodePoolLabelValue"]


def test_resources_still_match_and_what_kai_takes_for_a_gpu_still_is_one(changed: Object) -> None:
    asked = first(changed, "pods")["spec"]["containers"][0]["resources"]["requests"]
    offered = first(changed, "nodes")["status"]["allocatable"]
    assert len(asked.keys() & offered.keys()) == 2
    assert sum(name.endswith("gpu") for name in asked) == 1
    assert "/" in next(name for name in asked if name.endswith("gpu"))
    assert first(changed, "deviceClasses")["spec"]["extendedResourceName"] in asked
    assert offered["nvidia.com/gpu"] == "8"


def test_words_of_kai_and_kubernetes_stay(changed: Object) -> None:
    made, labels = first(changed, "pods"), first(changed, "nodes")["metadata"]["labels"]
    assert made["metadata"]["annotations"]["gpu-fraction"] == "0.5"
    assert (labels["nvidia.com/gpu.product"], labels["nvidia.com/gpu.count"]) == ("NVIDIA-H100-80GB-HBM3", "8")
    assert [each["status"] for each in made["status"]["conditions"] if each["type"] == "PodScheduled"] == ["False"]
    assert changed["schedulerParams"]["schedulerName"] == made["spec"]["schedulerName"] == "kai-scheduler"
    assert changed["config"]["actions"].startswith("allocate, n")
    assert changed["config"]["tiers"][0]["plugins"][1]["arguments"]["gpu"] == "binpack"
    assert changed["discovery"]["serverVersion"] == {"major": "1", "minor": "35", "gitVersion": "v1.35.4"}
    assert [each["groupVersion"] for each in changed["discovery"]["resources"]] == ["v1"]


def test_a_config_map_that_kai_takes_for_its_own_still_is_by_the_beginning_of_its_name(changed: Object) -> None:
    made = first(changed, "pods")
    name = made["spec"]["containers"][0]["envFrom"][0]["configMapRef"]["name"]
    assert name.startswith(made["metadata"]["annotations"]["runai/shared-gpu-configmap"])


def test_the_claim_of_an_ephemeral_volume_is_still_found(tmp_path: Path) -> None:
    document = cluster()
    template = {"spec": {"storageClassName": "falcon-fast"}}
    volume = {"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}
    document["rawObjects"]["pods"] = [pod(volumes=[volume])]
    document["rawObjects"]["persistentVolumeClaims"][0]["metadata"]["name"] = "merger-llm-0-scratch"
    changed, _, _ = redacted_document(document, tmp_path)
    claimed = first(changed, "pods")["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"]
    assert claimed == first(changed, "persistentVolumeClaims")["metadata"]["name"]


@pytest.mark.parametrize("said", ["kai.scheduler/queue", "acme.com/queue", "", None])
@pytest.mark.parametrize("at_the_end", [False, True])
def test_a_queue_is_called_the_same_in_the_label_that_the_scheduler_reads(
    said: str | None, at_the_end: bool, tmp_path: Path
) -> None:
    document, queue = cluster(), "falcon-" * 20
    key = said or "kai.scheduler/queue"
    raw, params = document["rawObjects"], document.pop("schedulerParams")
    raw["queues"][0]["metadata"]["name"] = raw["podGroups"][0]["spec"]["queue"] = queue
    raw["resourceClaims"][0]["metadata"]["labels"] = raw["pods"][0]["metadata"]["labels"] = {key: queue}
    raw["pods"][0]["spec"]["nodeSelector"] = {"acme.com/other": queue}
    params = {**params, "queueLabelKey": said}
    document = {**document, "schedulerParams": params} if at_the_end else {"schedulerParams": params, **document}
    changed, _, _ = redacted_document(document, tmp_path)
    named, called = first(changed, "queues")["metadata"]["name"], changed["schedulerParams"]["queueLabelKey"]
    assert first(changed, "podGroups")["spec"]["queue"] == named
    for kind in ("pods", "resourceClaims"):
        assert first(changed, kind)["metadata"]["labels"] == {called or key: named}
    assert list(first(changed, "pods")["spec"]["nodeSelector"].values()) != [named]


def test_a_document_without_parameters_can_be_redacted(tmp_path: Path) -> None:
    document = cluster()
    del document["schedulerParams"]
    labels = first(redacted_document(document, tmp_path)[0], "pods")["metadata"]["labels"]
    assert "kai.scheduler/queue" in labels


@pytest.mark.parametrize("kind", ["persistentVolumeClaims", "persistentVolumes"])
def test_the_storage_class_that_is_said_as_of_old_is_still_found(kind: str, tmp_path: Path) -> None:
    document, key = cluster(), "volume.beta.kubernetes.io/storage-class"
    document["rawObjects"][kind][0]["metadata"]["annotations"] = {key: "falcon-fast"}
    changed, _, _ = redacted_document(document, tmp_path)
    named = first(changed, kind)["metadata"]["annotations"]
    assert named == {key: first(changed, "storageClasses")["metadata"]["name"]}


def test_a_list_and_a_field_that_are_not_known_are_left_out_and_said(tmp_path: Path) -> None:
    document = cluster()
    document["rawObjects"]["pods"] = [pod(acmeField={"falcon": 1})]
    document["novelty"] = {"falcon": "x"}
    changed, _, dropped = redacted_document(document, tmp_path)
    assert dropped == {"pods.spec.acmeField": 1, "rawObjects.newKinds": 1, "novelty": 1}
    assert (changed["rawObjects"]["newKinds"], changed["novelty"]) == ([], None)


def test_labels_compared_as_numbers_in_one_place_are_numbers_in_all(tmp_path: Path) -> None:
    document = cluster()
    document["rawObjects"]["pods"].append(pod(nodeSelector={"acme.com/generation": "4", "acme.com/asset": "884712"}))
    changed, table, _ = redacted_document(document, tmp_path)
    selector = changed["rawObjects"]["pods"][1]["spec"]["nodeSelector"]
    assert sorted(table.get(value, value) for value in selector.values()) == ["4", "884712"]
    assert "4" in selector.values()


@pytest.mark.parametrize("key", [KEY, OTHER])
def test_subgroups_are_found_by_their_parent_in_lower_case_as_kai_does(key: Key, tmp_path: Path) -> None:
    document = cluster()
    spec = document["rawObjects"]["podGroups"][0]["spec"]
    spec["subGroups"] = [{"name": "top"}, {"name": "leaf", "parent": "TOP"}]
    changed, _, _ = redacted_document(document, tmp_path, key)
    top, leaf = first(changed, "podGroups")["spec"]["subGroups"]
    assert leaf["parent"] == top["name"]


def marked(value: Any, mark: str, *, inside: str = "") -> Any:
    """A document in which every text, and every name that people give, is another one."""
    if isinstance(value, str):
        return value if inside in DRA else f"{mark}{len(value)}"
    if isinstance(value, list):
        return [marked(each, mark, inside=inside) for each in value]
    if isinstance(value, dict):
        if inside in DRA:
            return value
        free = inside in ("labels", "annotations", "nodeSelector", "matchLabels", "data", "requests", "allocatable")
        return {(f"{mark}{key}" if free else key): marked(below, mark, inside=key) for key, below in value.items()}
    return value


@settings(max_examples=30)
@given(mark=st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -./_", min_size=8, max_size=20))
def test_whatever_text_stands_wherever_does_not_come_through(mark: str) -> None:
    mark = f"Q{mark}z"
    with TemporaryDirectory() as folder:
        changed, _, _ = redacted_document(marked(cluster(), mark), Path(folder))
    assert [text for text in strings(changed) if mark.lower() in text.lower()] == []


def test_what_is_replaced_can_be_found_again(changed: Object) -> None:
    text = orjson.dumps(changed).decode()
    assert len(PSEUDONYM.findall(text)) > 60
    assert not re.search(r"[0-9a-z]{25,}", PSEUDONYM.sub("", text))
