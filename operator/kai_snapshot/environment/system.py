"""What kernel and distribution write about themselves, as readings: command line, modules, sysctl, os-release."""

from collections.abc import Iterable, Iterator
from typing import Final

from kai_snapshot.api.environmentdocument import Reading, Subtype
from kai_snapshot.environment.readings import without

PROC_SYS: Final = "/proc/sys"
LARGEST_FILE: Final = 1 << 20
"""Bytes: what is larger is no setting."""
NOT_KEPT_SYSCTL: Final = ("/proc/sys/dev/cdrom/*",)
NOT_KEPT_CMDLINE: Final = ("root", "*password*", "*passwd*", "*secret*", "*token*")
"""aicr leaves out `root` only; what may be a secret does not leave the node either."""


def command_line(text: str) -> Subtype:
    """`grub`: the kernel's parameters from /proc/cmdline; a flag has an empty value, of equal keys the last counts."""
    data: dict[str, Reading] = {}
    for parameter in _lines(text, " "):
        key, _, value = parameter.partition("=")
        data[key.strip()] = value.strip()
    return Subtype(subtype="grub", data=without(data, NOT_KEPT_CMDLINE))


def modules(text: str) -> Subtype:
    """`kmod`: the loaded modules from /proc/modules."""
    return Subtype(subtype="kmod", data={line.split()[0]: True for line in _lines(text)})


def module_names(text: str) -> set[str]:
    """The names in /proc/modules."""
    return {line.split()[0] for line in _lines(text)}


def os_release(text: str) -> Subtype:
    """`release`: the fields of os-release, without quotes; empty ones are left out."""
    data: dict[str, Reading] = {}
    for line in _lines(text):
        key, assigned, value = line.partition("=")
        value = value.strip().strip("\"'")
        if assigned and value:
            data[key.strip()] = value
    return Subtype(subtype="release", data=data)


def sysctl(files: Iterable[tuple[str, bytes]]) -> Subtype:
    """`sysctl`: the files below /proc/sys, each with its whole path.

    A file of several lines that all have a name and a value is one reading for each line, under `<path>/<name>`.
    """
    data: dict[str, Reading] = {}
    for path, content in files:
        data.update(_setting(path, content))
    return Subtype(subtype="sysctl", data=without(data, NOT_KEPT_SYSCTL))


def _setting(path: str, content: bytes) -> dict[str, Reading]:
    if len(content) > LARGEST_FILE:
        return {}
    try:
        lines = list(_lines(content.decode("utf-8")))
    except UnicodeDecodeError:
        return {}
    fields = [line.split() for line in lines]
    if len(lines) > 1 and all(len(each) > 1 for each in fields):
        return {f"{path}/{name}": " ".join(value) for name, *value in fields}
    return {path: "\n".join(lines)}


def _lines(text: str, separator: str = "\n") -> Iterator[str]:
    """What is neither blank nor a comment, trimmed."""
    for part in text.split(separator):
        line = part.strip()
        if line and not line.startswith("#"):
            yield line
