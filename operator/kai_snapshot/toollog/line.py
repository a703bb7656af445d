"""A line of the log: tab-separated time, level, source, and a message behind the logger's and the action's name.

    2026-11-22T11:21:23.986Z<tab>INFO<tab>reclaim/reclaim.go:98<tab>[snapshot-runner] [reclaim] Reclaimed ...

Level and names are coloured (ANSI) as the tool writes them; logs that lost their colours are read as well. A message
may have several lines; those after its first have none of this.
"""

import re

_ANSI = rb"\x1b\[[\d;]*m"
_UNPRINTABLE = re.compile(rb"%b|[\x00-\x08\x0b-\x1f\x7f]" % _ANSI)
_NAMES = re.compile(
    rb"(?:\[(?:%(c)b)?[\w-]+(?:%(c)b)?\] )?(?:\[(?:%(c)b)?(?P<action>[a-z]+)(?:%(c)b)?\] )?" % {b"c": _ANSI}
)
_PRINTED = 4096


class Line:
    """The line at hand. One object is used for all lines, because there may be many millions."""

    __slots__ = ("_length", "_names", "action", "level", "message", "source", "time")

    def __init__(self) -> None:
        self.time = b""
        """ISO 8601 with milliseconds."""
        self.level = b""
        """INFO, WARN, ERROR or FATAL; coloured, unless the log has lost its colours."""
        self.source = b""
        """Source file and line."""
        self.action = b""
        """The action the session is in; the last one's name stays when it is over."""
        self.message = b""
        """The text, or its first line."""
        self._names = b""
        self._length = 0

    def take(self, raw: bytes) -> bool:
        """Reads `raw`; False if it is not the first line of a message, and this object still the line before."""
        try:
            time, level, source, text = raw.split(b"\t", 3)
        except ValueError:
            return False
        if time[10:11] != b"T":
            return False
        self.time, self.level, self.source = time, level, source
        self.message = text[self._length :]
        if not text.startswith(self._names) or self.message.startswith(b"["):
            self._name(text)
        return True

    def _name(self, text: bytes) -> None:
        """The names change seldom, so they are looked at only when they do."""
        names = _NAMES.match(text)
        assert names is not None  # every part of it is optional
        self._names, self._length = names[0], names.end()
        self.action = names["action"] or self.action
        self.message = text[self._length :]


def plain(text: bytes) -> str:
    """The first 4 KiB, without colours and other control characters, a replacement character for what is not UTF-8."""
    return _UNPRINTABLE.sub(b"", text[:_PRINTED]).decode(errors="replace")
