"""How much an archive may hold. Real ones stay far below; the limits stop a hostile or broken one."""

from dataclasses import dataclass

GIB, MIB = 1 << 30, 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused as `ArchiveTooLarge`."""

    uncompressed_bytes: int = 64 * GIB
    ratio: int = 200
    """Uncompressed to compressed bytes, looked at from `ratio_from` uncompressed bytes on. Real ones have 10 to 60."""
    ratio_from: int = 64 * MIB
    nesting: int = 200
    """Objects and lists within each other, counted from the outermost."""


DEFAULT = Limits()
