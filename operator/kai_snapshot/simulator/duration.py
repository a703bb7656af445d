"""Durations as Go writes them: `1h30m`, `-1s`; or as a number of nanoseconds."""

import math
import re
from datetime import timedelta

_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_MOST = 2.0**63 / 1e9
"""Seconds: what 64 bits of nanoseconds hold, about 292 years."""


def duration(value: object) -> timedelta | None:
    """How long that is; None for none, or what is no duration."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _of(value / 1e9)
    if not isinstance(value, str) or not value:
        return None
    text = value.lstrip("+-")
    if text == "0":
        return timedelta(0)
    if not text or _PART.sub("", text):
        return None
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    return _of(-seconds if value.startswith("-") else seconds)


def _of(seconds: float) -> timedelta | None:
    """To the microsecond, away from zero: one nanosecond less than nothing is still less than nothing."""
    if not abs(seconds) <= _MOST:
        return None
    return timedelta(microseconds=math.copysign(math.ceil(abs(seconds) * 1e6 - 1e-6), seconds))
