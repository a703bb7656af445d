"""`smi`: what the driver says of its GPUs, from the XML of `nvidia-smi -q -x`."""

from typing import Final
from xml.etree import ElementTree as Xml

from kai_snapshot.api.environmentdocument import REASON, Item, Reading, Subtype

_OF_FIRST_GPU: Final = {
    "gpu.model": "product_name",
    "gpu.product-architecture": "product_architecture",
    "gpu.display-mode": "display_mode",
    "gpu.display-active": "display_active",
    "gpu.persistence-mode": "persistence_mode",
    "gpu.addressing-mode": "addressing_mode",
    "gpu.vbios-version": "vbios_version",
    "gpu.gsp-firmware-version": "gsp_firmware_version",
}
"""aicr keeps of the first GPU only: readings are flat, and the GPUs of a node are of one kind."""
_NOT_KNOWN: Final = ("", "N/A", "[N/A]")


class NotUnderstoodError(ValueError):
    """What nvidia-smi printed is not its XML; the message says why."""


def smi(output: bytes) -> Subtype:
    """The driver, the GPUs' number, the first one's properties, each one as an item. Raises NotUnderstoodError."""
    try:
        log = Xml.fromstring(output)  # noqa: S314 - of a program that we started; expat bounds the growth of entities
    except Xml.ParseError as error:
        raise NotUnderstoodError(f"nvidia-smi printed no XML: {error}; {_beginning(output)!r}") from error
    if log.tag != "nvidia_smi_log":
        raise NotUnderstoodError(f"nvidia-smi printed the XML of something else: <{log.tag}>")
    gpus = log.findall("gpu")
    data: dict[str, Reading] = {"gpu-count": len(gpus)}
    data.update(_present(log, {"driver": "driver_version", "cuda-version": "cuda_version"}))
    if gpus:
        data.update(_present(gpus[0], _OF_FIRST_GPU, keep_all=True))
    items = tuple(_gpu(index, gpu) for index, gpu in enumerate(gpus))
    return Subtype(subtype="smi", data=data, items=items)


def no_gpu(reason: str) -> Subtype:
    """`smi` where there is no driver."""
    return Subtype(subtype="smi", data={"gpu-count": 0}, context={REASON: reason})


def no_answer(reason: str) -> Subtype:
    """`smi` where there is a driver, which does not say what there is. aicr counts no GPU then."""
    return no_gpu(reason).lacking(reason)


def _gpu(index: int, gpu: Xml.Element) -> Item:
    """A GPU: KAI's reservation pods name it by its UUID, the node's device files by its minor number."""
    context = {"index": str(index)}
    names = {"uuid": "uuid", "minor": "minor_number", "pci": "pci/pci_bus_id"}
    context.update({key: str(value) for key, value in _present(gpu, names).items()})
    data = _present(gpu, {"model": "product_name", "mig-mode": "mig_mode/current_mig"})
    memory = _text(gpu, "fb_memory_usage/total").removesuffix(" MiB")
    if memory.isdecimal():
        data["memory-mib"] = int(memory)
    if data.get("mig-mode") == "Enabled":
        data["mig-device-count"] = len(gpu.findall("mig_devices/mig_device"))
    return Item(context=context, data=data)


def _present(element: Xml.Element, fields: dict[str, str], *, keep_all: bool = False) -> dict[str, Reading]:
    texts = {key: _text(element, path) for key, path in fields.items()}
    return {key: text for key, text in texts.items() if text and (keep_all or text not in _NOT_KNOWN)}


def _text(element: Xml.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _beginning(output: bytes) -> str:
    """What it said instead, such as that it cannot communicate with the driver."""
    return " ".join(output[:400].decode("utf-8", "replace").split())[:200]
