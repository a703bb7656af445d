"""Durations as Go writes them: `1h30m`, `-1s`; or as a number of nanoseconds."""

import re
from datetime import timedelta

_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(value: object) -> timedelta | None:
    """How long that is; None for none, or what is no duration."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return timedelta(microseconds=value / 1000)
    if not isinstance(value, str) or not value:
        return None
    text = value.lstrip("+-")
    if text == "0":
        return timedelta(0)
    if not text or _PART.sub("", text):
        return None
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    return timedelta(seconds=-seconds if value.startswith("-") else seconds)
