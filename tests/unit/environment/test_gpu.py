"""What nvidia-smi prints, and what is on the PCI bus."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot.environment.pci import PciDevice, hardware
from kai_snapshot.environment.smi import NotUnderstoodError, smi

DATA = Path(__file__).parents[2] / "data/environment"
FIRST = {
    "cuda-version": "12.8", "driver": "570.158.01", "gpu.addressing-mode": "HMM", "gpu.display-active": "Disabled",
    "gpu.display-mode": "Enabled", "gpu.gsp-firmware-version": "570.158.01", "gpu.model": "NVIDIA H100 80GB HBM3",
    "gpu.persistence-mode": "Enabled", "gpu.product-architecture": "Hopper", "gpu.vbios-version": "96.00.99.00.01",
}  # fmt: skip


def printed(name: str) -> bytes:
    return (DATA / f"nvidia-smi-{name}.xml").read_bytes()


@pytest.mark.parametrize("count", [1, 8])
def test_the_readings_are_of_the_first_gpu_and_the_items_of_each(count: int) -> None:
    found = smi(printed(str(count)))
    assert found.data == {**FIRST, "gpu-count": count}
    assert [each.context["minor"] for each in found.items] == [str(index) for index in range(count)]
    assert len({each.context["uuid"] for each in found.items}) == count
    assert found.items[0].context["pci"] == "00000000:19:00.0"
    assert found.items[0].data == {"model": "NVIDIA H100 80GB HBM3", "memory-mib": 81559, "mig-mode": "Disabled"}


def test_a_partitioned_gpu_says_so() -> None:
    found = smi(printed("mig"))
    assert found.data == {**FIRST, "gpu-count": 2, "gpu.addressing-mode": "N/A"}
    assert found.items[0].data["mig-mode"] == "Enabled"
    assert found.items[0].data["mig-device-count"] == 2
    assert "mig-device-count" not in found.items[1].data


def test_a_driver_without_a_gpu_is_a_driver() -> None:
    found = smi(printed("0"))
    assert found.data == {"gpu-count": 0, "driver": "570.158.01", "cuda-version": "12.8"}


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (b"", "no XML"),
        (b"NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", "couldn't communicate"),
        (printed("8")[:5000], "no XML"),
        (b"<html></html>", "<html>"),
        (
            b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d SYSTEM "file:///etc/hostname">]><nvidia_smi_log>&d;</nvidia_smi_log>',
            "no XML",
        ),
    ],
    ids=["nothing", "no driver", "cut off", "something else", "a file of the host"],
)
def test_what_is_not_understood_is_told(output: bytes, says: str) -> None:
    with pytest.raises(NotUnderstoodError, match="nvidia-smi printed") as caught:
        smi(output)
    assert says in str(caught.value)


@given(st.integers(0, 10_000), st.binary(max_size=3))
def test_damaged_output_is_understood_or_told(position: int, damage: bytes) -> None:
    whole = printed("1")
    at = position % len(whole)
    try:
        found = smi(whole[:at] + damage + whole[at + len(damage) :])
    except NotUnderstoodError:
        return
    assert found.data["gpu-count"] in (0, 1)


def device(address: str, *, vendor: str = "0x10de", device: str = "0x2330", class_: str = "0x030200") -> PciDevice:
    return PciDevice(address, vendor, device, class_)


def test_gpus_are_found_on_the_bus_without_a_driver() -> None:
    bus = [
        device("0000:3b:00.0"),
        device("0000:19:00.0"),
        device("0000:19:00.1", device="0x10f0", class_="0x040300"),
        device("0000:00:1f.0", vendor="0x8086", class_="0x030000"),
        device("0000:40:00.0", device="0x22a3", class_="0x068000"),
    ]
    found = hardware(bus, set())
    assert found.data == {
        "gpu-present": True, "gpu-count": 2, "driver-loaded": False, "detection-source": "sysfs", "model": "h100",
    }  # fmt: skip
    assert [each.context["pci"] for each in found.items] == ["0000:19:00.0", "0000:3b:00.0"]


@pytest.mark.parametrize(
    ("devices", "model"),
    [(["0x2330", "0x2335"], None), (["0xffff"], None), (["0x2335", "0x233b"], "h200"), (["0x2941"], "gb200")],
    ids=["of two models", "of an unknown one", "of one model in two forms", "of one"],
)
def test_a_model_is_named_if_all_are_of_it(devices: list[str], model: str | None) -> None:
    found = hardware([device(str(index), device=each) for index, each in enumerate(devices)], {"nvidia"})
    assert found.data.get("model") == model
    assert found.data["driver-loaded"] is True


@given(st.lists(st.builds(PciDevice, st.text(), st.text(), st.text(), st.text()), max_size=4))
def test_whatever_the_files_hold_there_is_an_answer(bus: list[PciDevice]) -> None:
    assert hardware(bus, set()).data["gpu-count"] == len(hardware(bus, set()).items)
