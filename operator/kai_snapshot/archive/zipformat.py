"""The records of a ZIP archive, as far as an archive of one member has them (PKWARE's APPNOTE.TXT, 4.3 to 4.5)."""

import struct
from enum import Enum
from typing import NamedTuple

STORED, DEFLATED = 0, 8
ENCRYPTED, HAS_DESCRIPTOR = 0x1, 0x8
FULL16, FULL32 = 0xFFFF, 0xFFFFFFFF
"""In place of a number that does not fit and stands in a zip64 record."""
BUILT_FROM_API = b"built from the Kubernetes API server by kai-snapshot"
"""The comment of an archive that no scheduler served: it says so wherever it goes."""
LOCAL_LENGTH, CENTRAL_LENGTH, END_LENGTH, DESCRIPTOR_MAX = 30, 46, 22, 24


class Signature(bytes, Enum):
    """What a record begins with."""

    LOCAL = b"PK\x03\x04"
    DESCRIPTOR = b"PK\x07\x08"
    CENTRAL = b"PK\x01\x02"
    END = b"PK\x05\x06"
    END64 = b"PK\x06\x06"
    LOCATOR64 = b"PK\x06\x07"


class Sizes(NamedTuple):
    """What a record says of the member."""

    crc: int
    compressed: int
    size: int


class LocalHeader(NamedTuple):
    """Before the member."""

    flags: int
    method: int
    sizes: Sizes
    name_length: int
    extra_length: int

    @classmethod
    def read(cls, data: bytes) -> "LocalHeader":
        """From its fixed part."""
        flags, method, crc, compressed, size, *rest = struct.unpack("<6xHH4xIIIHH", data)
        return cls(flags, method, Sizes(crc, compressed, size), *rest)


class CentralHeader(NamedTuple):
    """The member's entry in the directory at the end."""

    flags: int
    method: int
    sizes: Sizes
    name_length: int
    extra_length: int
    comment_length: int
    offset: int

    @classmethod
    def read(cls, data: bytes) -> "CentralHeader":
        """From its fixed part."""
        flags, method, crc, compressed, size, *rest = struct.unpack("<8xHH4xIIIHHH8xI", data)
        return cls(flags, method, Sizes(crc, compressed, size), *rest)


class EndRecord(NamedTuple):
    """The end of the directory and of the archive."""

    disk: int
    first_disk: int
    entries_here: int
    entries: int
    length: int
    offset: int
    comment_length: int

    @classmethod
    def read(cls, data: bytes) -> "EndRecord":
        """From its fixed part."""
        return cls(*struct.unpack("<4xHHHHIIH", data))


def descriptor_length(data: bytes, actual: Sizes) -> int | None:
    """How many bytes the descriptor behind the member takes, or None if there is none that says what is so.

    It comes with or without a signature, with sizes of 4 or 8 bytes, and nothing says which.
    """
    for layout in ("<4sIQQ", "<4sIII", "<IQQ", "<III"):
        length = struct.calcsize(layout)
        *signature, crc, compressed, size = struct.unpack(layout, data[:length])
        if signature in ([], [Signature.DESCRIPTOR]) and (crc, compressed, size) == actual:
            return length
    return None


class End64(NamedTuple):
    """The zip64 record before the end, where a number of the end does not fit."""

    disk: int
    first_disk: int
    entries_here: int
    entries: int
    length: int
    offset: int

    @classmethod
    def read(cls, data: bytes) -> "End64 | None":
        """From what follows its length; None if it is too short."""
        layout = struct.Struct("<4xIIQQQQ")
        return cls(*layout.unpack_from(data)) if len(data) >= layout.size else None


def offset64(header: CentralHeader, extra: bytes) -> int:
    """Where the member's own header is, from the zip64 field where the directory has no room for it."""
    if header.offset != FULL32:
        return header.offset
    before = [header.sizes.size, header.sizes.compressed].count(FULL32)
    wide = _wide(extra)
    return wide[before] if len(wide) > before else FULL32


def sizes64(sizes: Sizes, extra: bytes) -> Sizes:
    """The sizes, from the zip64 field in a header's `extra` part where the header has no room for them."""
    crc, compressed, size = sizes
    wide = _wide(extra)
    size = wide.pop(0) if size == FULL32 and wide else size
    compressed = wide.pop(0) if compressed == FULL32 and wide else compressed
    return Sizes(crc, compressed, size)


def _wide(extra: bytes) -> list[int]:
    """The numbers of the zip64 field."""
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        field, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == 0x0001:
            return [number for (number,) in struct.iter_unpack("<Q", field[: len(field) // 8 * 8])]
    return []
