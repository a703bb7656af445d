"""Reads what `busybox time -v` wrote about the tool's run."""

import re
from dataclasses import dataclass

_SIGNAL = re.compile(r"^Command terminated by signal (\d+)$", re.MULTILINE)
_FIELD = re.compile(r"^\t(.+): (.+)$", re.MULTILINE)
_ELAPSED = re.compile(r"(?:(\d+)h )?(\d+)m ([\d.]+)s")


@dataclass(frozen=True)
class Times:
    """What a run of the tool took."""

    elapsed_seconds: float
    """Wall clock, to a hundredth of a second; whole seconds from an hour on."""
    cpu_seconds: float
    """User and system time."""
    peak_memory_bytes: int
    """The largest resident set."""
    signal: int | None
    """The signal that ended it."""


def read_times(text: str) -> Times | None:
    """The figures in the output of `busybox time -v`; None if it is not whole, as when `time` itself was killed."""
    fields = {name.rsplit(" (", 1)[0]: value for name, value in _FIELD.findall(text)}
    elapsed = _ELAPSED.fullmatch(fields.get("Elapsed (wall clock) time", ""))
    signal = _SIGNAL.search(text)
    try:
        hours, minutes, seconds = elapsed.groups() if elapsed else ("", "", "")
        page_kib = int(fields["Page size"]) // 1024
        return Times(
            elapsed_seconds=int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds),
            cpu_seconds=float(fields["User time"]) + float(fields["System time"]),
            # busybox takes the kernel's KiB for pages and so says it page_kib times too large
            peak_memory_bytes=int(fields["Maximum resident set size"]) * 1024 // page_kib,
            signal=int(signal[1]) if signal else None,
        )
    except (KeyError, ValueError):
        return None
