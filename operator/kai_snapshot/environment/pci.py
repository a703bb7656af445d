"""`hardware`: which GPUs are plugged in, by their PCI ids. It takes no driver."""

from collections.abc import Iterable, Set
from typing import Final, NamedTuple

from kai_snapshot.api.environmentdocument import Item, Reading, Subtype

_NVIDIA: Final = 0x10DE
_DISPLAY_CONTROLLERS: Final = (0x0300, 0x0302)
"""Class and subclass: VGA compatible, and 3D without a display. The audio device beside a GPU is another class."""
_MODELS: Final = {
    "p100": (0x15F7, 0x15F8, 0x15F9),
    "v100": (0x1DB1, 0x1DB4, 0x1DB5, 0x1DB6, 0x1DB8, 0x1DF5),
    "t4": (0x1EB8,),
    "a10": (0x2236,),
    "a30": (0x20B7,),
    "a40": (0x2235,),
    "a100": (0x20B0, 0x20B1, 0x20B2, 0x20B3, 0x20B5, 0x20F1),
    "a800": (0x20BD, 0x20F3, 0x20F5, 0x20F6),
    "l4": (0x27B8,),
    "l40": (0x26B5,),
    "l40s": (0x26B9,),
    "h100": (0x2330, 0x2331, 0x2336, 0x2337, 0x2338, 0x2339, 0x233D),
    "h800": (0x2322, 0x2324),
    "h20": (0x2329, 0x232C),
    "h200": (0x2335, 0x233B),
    "gh200": (0x2342, 0x2348),
    "b100": (0x2920, 0x29BC),
    "b200": (0x2901, 0x2909),
    "gb200": (0x2941,),
    "b300": (0x3182,),
    "gb300": (0x31A1, 0x31C2, 0x31C3),
}
"""The data centre's models by PCI device id (pci-ids.ucw.cz), in the words of aicr's recipes."""
MODEL_BY_ID: Final = {device: model for model, devices in _MODELS.items() for device in devices}


class PciDevice(NamedTuple):
    """A directory of /sys/bus/pci/devices: its name, and three of its files as they are."""

    address: str
    vendor: str
    device: str
    class_: str


def hardware(devices: Iterable[PciDevice], modules: Set[str]) -> Subtype:
    """How many NVIDIA GPUs there are, of which model if all are of one that is known, and if the driver is loaded."""
    gpus = sorted(each for each in devices if _is_gpu(each))
    models = {MODEL_BY_ID.get(_number(gpu.device)) for gpu in gpus}
    model = models.pop() if len(models) == 1 else None
    data: dict[str, Reading] = {
        "gpu-present": bool(gpus),
        "gpu-count": len(gpus),
        "driver-loaded": "nvidia" in modules,
        "detection-source": "sysfs",
        **({"model": model} if model else {}),
    }
    return Subtype(subtype="hardware", data=data, items=tuple(map(_item, gpus)))


def _is_gpu(device: PciDevice) -> bool:
    return _number(device.vendor) == _NVIDIA and _number(device.class_) >> 8 in _DISPLAY_CONTROLLERS


def _item(gpu: PciDevice) -> Item:
    model = MODEL_BY_ID.get(_number(gpu.device))
    return Item(
        context={"pci": gpu.address},
        data={"device-id": f"{_number(gpu.device):04x}", **({"model": model} if model else {})},
    )


def _number(text: str) -> int:
    """`0x10de`; 0 for what is no number."""
    try:
        return int(text.strip(), 16)
    except ValueError:
        return 0
