"""A line of the log: tab-separated time, level, source, and a message behind the logger's and the action's name.

    2026-11-22T11:21:23.986Z<tab>INFO<tab>reclaim/reclaim.go:98<tab>[snapshot-runner] [reclaim] Reclaimed ...

Level and names are coloured (ANSI) as the tool writes them; logs that lost their colours are read as well. A message
may have several lines; those after its first have none of this.
"""

import re
from typing import NamedTuple

_ANSI = rb"\x1b\[[\d;]*m"
_UNPRINTABLE = re.compile(rb"%b|[\x00-\x08\x0b-\x1f\x7f]" % _ANSI)
_LINE = re.compile(
    rb"(\d{4}-\d\d-\d\dT[^\t]*)(\t[^\t]*\t)([^\t]*)"
    rb"(\t(?:\[(?:%(c)b)?[\w-]+(?:%(c)b)?\] )?(?:\[(?:%(c)b)?([a-z]+)(?:%(c)b)?\] )?)(.*)" % {b"c": _ANSI},
    re.DOTALL,
)
_PRINTED = 4096


class Line(NamedTuple):
    """The first line of a message, or its only one."""

    time: bytes
    """ISO 8601 with milliseconds."""
    level: bytes
    """INFO, WARN, ERROR or FATAL between its tabs; coloured, unless the log has lost its colours."""
    source: bytes
    """Source file and line."""
    names: bytes
    """From the tab behind the source to the message: who logs, and in which action."""
    action: bytes
    """The action the session is in; the last one's name stays when it is over. Empty before the first."""
    message: bytes
    """The text."""


def parse(raw: bytes) -> Line | None:
    """The line's parts; None if no message begins here."""
    line = _LINE.match(raw)
    return None if line is None else Line(line[1], line[2], line[3], line[4], line[5] or b"", line[6])


class Shape:
    """What a line has in common with most that follow: so its message is found without taking it apart."""

    def __init__(self) -> None:
        self._time = 0
        self._level = b"\t"
        self._names = b"\t"

    def learn(self, line: Line) -> None:
        """Takes the shape of this line, if its level is INFO."""
        if b"INFO" in line.level:
            self._time, self._level, self._names = len(line.time), line.level, line.names

    def message_at(self, raw: bytes) -> int:
        """Where the message begins in an INFO line of this shape; 0 if the line is of another."""
        if raw.startswith(self._level, self._time):
            end = raw.find(b"\t", self._time + len(self._level))
            if raw.startswith(self._names, end):
                return end + len(self._names)
        return 0


def time_of(raw: bytes) -> bytes:
    """The time of a line."""
    return raw.partition(b"\t")[0]


def source_of(raw: bytes) -> bytes:
    """The source file and line of a line."""
    return raw.split(b"\t", 3)[2]


def action_of(raw: bytes) -> bytes:
    """The action a line is logged in."""
    line = parse(raw)
    return b"" if line is None else line.action


def plain(text: bytes) -> str:
    """The first 4 KiB, without colours and other control characters, a replacement character for what is not UTF-8."""
    return _UNPRINTABLE.sub(b"", text[:_PRINTED]).decode(errors="replace")
