"""A unit of systemd, by the values that D-Bus has of it."""

from collections.abc import Mapping
from typing import Final

from kai_snapshot.api.environmentdocument import Subtype
from kai_snapshot.environment.readings import go_text, reading, without

NOT_KEPT: Final = (
    "AllowedCPUs", "AllowedMemoryNodes", "Asserts", "BPFProgram", "BusName", "Id", "*Credential*",
    "Environment",
)  # fmt: skip
"""As aicr, and without `Environment`: that is where people put the passwords of their proxies."""
_KEPT_AS_THEY_ARE: Final = frozenset("bsxtd")
"""D-Bus types that are Go's bool, string, int64, uint64 and float64; of all others aicr makes text."""


def unit(name: str, properties: Mapping[str, tuple[str, object]]) -> Subtype:
    """What systemd says of a unit: each property with its D-Bus signature and its value."""
    data = {
        key: reading(value) if signature in _KEPT_AS_THEY_ARE else go_text(_plain(signature, value))
        for key, (signature, value) in properties.items()
    }
    return Subtype(subtype=name, data=without(data, NOT_KEPT))


def object_path(name: str) -> str:
    """The unit's object: `/org/freedesktop/systemd1/unit/kubelet_2eservice`."""
    escaped = [
        chr(byte)
        if (chr(byte).isalnum() and byte < 128) and not (position == 0 and chr(byte).isdigit())
        else f"_{byte:02x}"
        for position, byte in enumerate(name.encode())
    ]
    return f"/org/freedesktop/systemd1/unit/{''.join(escaped) or '_'}"


def _plain(signature: str, value: object) -> object:
    """Bytes as Go prints them, and variants as what is in them."""
    if signature == "v" and isinstance(value, tuple):
        return _plain(*value)
    return value
