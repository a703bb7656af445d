"""The Go runtime's last words: a panic, or a fatal error such as a deadlock, and the stack behind it."""

import re

from kai_snapshot.toollog.line import plain

_BEGINS = (b"panic: ", b"fatal error: ")
_MAX_LINES = 200
_MAX_LENGTH = 500
_FRAME = re.compile(rb"\t[^\s@]*?/((?:pkg|cmd)/[^\s@]+\.go:\d+)")
"""Paths of other modules have an @ and their version in them."""


class Crash:
    """What stands in the log from a panic on."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []

    def take(self, raw: bytes) -> bool:
        """Takes a line that is no log line; whether it belongs to a crash."""
        if not self._lines and not raw.startswith(_BEGINS):
            return False
        if len(self._lines) < _MAX_LINES:
            self._lines.append(raw[:_MAX_LENGTH])
        return True

    def summary(self) -> str:
        """The panic, and the line of KAI's own code it came from; empty if there was none."""
        if not self._lines:
            return ""
        frames = (_FRAME.match(raw) for raw in self._lines)
        frame = next((frame[1] for frame in frames if frame), None)
        return plain(self._lines[0]) + ("" if frame is None else f" ({plain(frame)})")
