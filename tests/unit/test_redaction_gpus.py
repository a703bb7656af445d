"""Redaction of names by which KAI tells what a GPU is: those of resources, MIG profiles, and classes of devices."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot.redaction.key import Key
from kai_snapshot.redaction.pseudonyms import PSEUDONYM, Pseudonyms
from kai_snapshot.views.devices import claim_of
from support.redactable import KEY, OTHER, Object, cluster, meta, redacted_document, strings

NVIDIA = (
    "gpu.nvidia.com", "mig.nvidia.com", "vfio.gpu.nvidia.com", "compute-domain-daemon.nvidia.com",
    "compute-domain-default-channel.nvidia.com",
)  # fmt: skip
OWN = ("falcon-gpu", "gpu-of-falcon", "Falcon-GPU-l40", "ngpus.acme.com", "falcon-fpga", "acme", "zebra-nic", "default")
ANY_CLASS = st.sampled_from([*NVIDIA, *OWN]) | st.text("acdefgpmuv.-", min_size=1, max_size=30)


def made(key: Key = KEY) -> Pseudonyms:
    return Pseudonyms(key, lambda pseudonym, name: None)


def is_gpu_class(name: str) -> bool:
    return "gpu" in name.lower()


@pytest.mark.parametrize("key", [KEY, OTHER])
@pytest.mark.parametrize("name", [*NVIDIA, *OWN])
def test_a_class_of_gpus_stays_one_and_another_becomes_none(name: str, key: Key) -> None:
    replaced = made(key).device_class(name)
    assert is_gpu_class(replaced) == is_gpu_class(name)
    assert replaced.endswith("gpu") == name.endswith("gpu")
    assert (replaced == name) == (name in NVIDIA)


@given(st.text(min_size=1, max_size=80) | ANY_CLASS)
def test_nothing_is_taken_for_a_gpu_by_chance(name: str) -> None:
    resource, device_class = made().resource(name), made().device_class(name)
    assert resource == name or "u" not in resource.removesuffix("gpu")
    assert resource.endswith("gpu") == name.endswith("gpu")
    assert is_gpu_class(device_class) == is_gpu_class(name)
    assert name in NVIDIA or "u" not in device_class.replace("gpu", "").removeprefix("compute-domain-dd")


@given(st.lists(ANY_CLASS, min_size=2, max_size=20))
def test_classes_keep_their_order_among_those_that_stay(names: list[str]) -> None:
    pseudonyms = made()
    replaced = [pseudonyms.device_class(name) for name in sorted(set(names))]
    assert replaced == sorted(set(replaced))


@given(st.lists(st.text("agpu-.", min_size=1, max_size=35), min_size=2, max_size=20))
def test_so_do_resources(names: list[str]) -> None:
    pseudonyms = made()
    replaced = [pseudonyms.resource(name) for name in sorted(set(names))]
    assert replaced == sorted(set(replaced))


def claim(name: str, **request: Any) -> Object:
    return {"metadata": meta(name, "team-falcon"), "spec": {"devices": {"requests": [{"name": "r", **request}]}}}


def claims() -> list[Object]:
    """For each class one in each form that there is."""
    return [
        each
        for i, name in enumerate((*NVIDIA, *OWN))
        for exact in ({"deviceClassName": name, "allocationMode": "ExactCount", "count": i + 1},)
        for each in (
            claim(f"exactly-{i}", exactly=exact),
            claim(f"first-{i}", firstAvailable=[{"name": "s", **exact}]),
            claim(f"v1beta1-{i}", **exact),
        )
    ]


@pytest.fixture
def document() -> Object:
    made = cluster()
    raw = made["rawObjects"]
    raw["resourceClaims"] = claims()
    raw["deviceClasses"] = [{"metadata": meta(name), "spec": {}} for name in (*NVIDIA, *OWN)]
    request = {"name": "r", "exactly": {"deviceClassName": "falcon-gpu", "count": 1}}
    raw["bindRequests"][0]["spec"]["extendedResourceClaimAllocation"] = {"deviceRequests": [request]}
    return made


def class_names(value: Any) -> list[str]:
    """All that are asked for, as they come."""
    if isinstance(value, dict):
        return [
            found
            for member, below in value.items()
            for found in ([below] if member == "deviceClassName" else class_names(below))
        ]
    return [found for each in value for found in class_names(each)] if isinstance(value, list) else []


def test_claims_are_for_as_many_gpus_of_classes_that_are_there(document: Object, tmp_path: Path) -> None:
    before, (changed, table, _) = document["rawObjects"], redacted_document(document, tmp_path)
    after = changed["rawObjects"]
    assert [[each.count for claim in raw["resourceClaims"] for each in claim_of(claim)] for raw in (before, after)] == [
        [i + 1 for i, name in enumerate((*NVIDIA, *OWN)) if is_gpu_class(name) for _ in range(3)]
    ] * 2
    there = {each["metadata"]["name"] for each in after["deviceClasses"]}
    assert len(there) == len((*NVIDIA, *OWN))
    assert set(class_names(after)) == there
    for kind in ("resourceClaims", "bindRequests", "deviceClasses"):
        asked, found = class_names(before[kind]), class_names(after[kind])
        assert list(map(is_gpu_class, asked)) == list(map(is_gpu_class, found))
        assert [table.get(name, name) for name in found] == asked
    assert not [text for text in strings(after) if "falcon" in text.lower()]


def test_the_resource_that_a_class_has_by_itself_is_still_that_of_the_class(document: Object, tmp_path: Path) -> None:
    names = [*NVIDIA, *OWN, "gpu-memory"]
    document["rawObjects"]["deviceClasses"] = [{"metadata": meta(name), "spec": {}} for name in names]
    node = document["rawObjects"]["nodes"][0]
    node["status"]["allocatable"] = {f"deviceclass.resource.kubernetes.io/{name}": "1" for name in names}
    changed, _, _ = redacted_document(document, tmp_path)
    classes = [each["metadata"]["name"] for each in changed["rawObjects"]["deviceClasses"]]
    resources = list(changed["rawObjects"]["nodes"][0]["status"]["allocatable"])
    assert resources == [f"deviceclass.resource.kubernetes.io/{name}" for name in classes]
    assert [each.endswith("gpu") for each in resources] == [name.endswith("gpu") for name in names]


def test_a_class_is_found_again_in_what_is_said_of_it() -> None:
    replaced = made().device_class("gpu-of-falcon")
    assert PSEUDONYM.findall(f"device class {replaced} does not exist") == [replaced]


def with_mig(profile: str) -> Object:
    """A cluster with a node that offers it, a pod that asks for it, and one that has it in an annotation as of old."""
    made, name = cluster(), f"nvidia.com/mig-{profile}"
    raw = made["rawObjects"]
    raw["nodes"][0]["status"]["allocatable"] = {name: "2"}
    raw["pods"][0]["spec"]["containers"][0]["resources"]["requests"] = {name: "1"}
    raw["pods"][0]["metadata"]["annotations"] = {name: "1"}
    raw["queues"][0]["status"] = {"requested": {f"requests.{name}": "1"}}
    return made


def found_mig(document: Object) -> tuple[str, ...]:
    """What became of the name, without what stands before it in a quota."""
    raw = document["rawObjects"]
    (offered,) = raw["nodes"][0]["status"]["allocatable"]
    (asked,) = raw["pods"][0]["spec"]["containers"][0]["resources"]["requests"]
    ((old, number),) = raw["pods"][0]["metadata"]["annotations"].items()
    (quota,) = raw["queues"][0]["status"]["requested"]
    assert number == "1"
    assert quota.startswith("requests.")
    return offered, asked, old, quota.removeprefix("requests.")


@pytest.mark.parametrize(
    "profile",
    [
        "1g.5gb", "3g.20gb", "1g.10gb.me", "1g.24gb.gfx", "1g.24gb.me.all", "1g.24gb-me", "1c.3g.20gb", "7g.141gb",
        "2g.1024gb",
    ],
)  # fmt: skip
def test_a_profile_of_mig_stays(profile: str, tmp_path: Path) -> None:
    changed, _, _ = redacted_document(with_mig(profile), tmp_path)
    assert found_mig(changed) == (f"nvidia.com/mig-{profile}",) * 4


@pytest.mark.parametrize("profile", ["falcon", "1g.falcon", "1g.5gb.falcon", "1g.5gb.count", "falcon-gpu", "3g.20gb-"])
def test_what_is_no_profile_is_replaced_and_is_still_of_mig(profile: str, tmp_path: Path) -> None:
    changed, table, _ = redacted_document(with_mig(profile), tmp_path)
    (name,) = set(found_mig(changed))
    prefix, mig, rest = name.partition("nvidia.com/mig-")
    assert (prefix, mig, table[rest]) == ("", "nvidia.com/mig-", profile)
    assert rest.endswith("gpu") == profile.endswith("gpu")
