"""How much an archive may hold. Real ones stay far below; the limits stop a hostile or broken one."""

from dataclasses import dataclass

from kai_snapshot.errors import Reason, TerminalError

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

    def check(self, member: str, size: int, compressed: int) -> None:
        """Raises TerminalError (ArchiveTooLarge) if a member that is inflated so far is too large already."""
        if size > self.uncompressed_bytes:
            raise TerminalError(
                Reason.ARCHIVE_TOO_LARGE,
                f"{member} inflates to more than {self.uncompressed_bytes} bytes, which is the limit.",
            )
        if size > self.ratio_from and size > self.ratio * compressed:
            raise TerminalError(
                Reason.ARCHIVE_TOO_LARGE,
                f"{member} inflates to more than {self.ratio} times its compressed size: a ZIP bomb, not a snapshot.",
            )


DEFAULT = Limits()
