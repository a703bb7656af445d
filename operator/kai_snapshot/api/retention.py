"""Which archives of a scheduled capture are kept."""

import re
from datetime import timedelta

from pydantic import Field, field_validator

from kai_snapshot.api.base import ApiModel

DURATION = r"^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,9}s)?$"
_AT_LEAST = timedelta(minutes=1)


class Retention(ApiModel):
    """What to keep. An archive stays if any keep rule wants it and it is not older than maxAge.

    Without any keep rule all stay that are not older than maxAge. Only successful captures are counted; the newest is
    always kept, and so is what an unfinished replay reads. Hours, days, weeks (from Monday) and months are UTC's.
    """

    keep_last: int | None = Field(default=None, ge=1, le=10000)
    """Keep the newest this many."""
    keep_hourly: int | None = Field(default=None, ge=1, le=10000)
    """Keep the newest of each hour, for this many hours that have one."""
    keep_daily: int | None = Field(default=None, ge=1, le=10000)
    """Keep the newest of each day, for this many days that have one."""
    keep_weekly: int | None = Field(default=None, ge=1, le=10000)
    """Keep the newest of each week, for this many weeks that have one."""
    keep_monthly: int | None = Field(default=None, ge=1, le=10000)
    """Keep the newest of each month, for this many months that have one."""
    max_age: str | None = Field(
        default=None,
        min_length=2,
        max_length=24,
        pattern=DURATION,
        json_schema_extra={
            "x-kubernetes-validations": [
                {"rule": "duration(self) >= duration('1m')", "message": "maxAge must be at least 1m"}
            ]
        },
    )
    """Keep nothing older than this but the newest, in hours, minutes and seconds, such as 2160h for 90 days."""

    @field_validator("max_age")
    @classmethod
    def _at_least_a_minute(cls, value: str | None) -> str | None:
        if value is not None and duration(value) < _AT_LEAST:
            raise ValueError("maxAge must be at least 1m")
        return value


def duration(text: str) -> timedelta:
    """`2160h`, `1h30m`, `90s` as a length of time. Raises ValueError on anything else."""
    match = re.fullmatch(DURATION, text)
    if match is None or not text:
        raise ValueError(f"not a duration such as 2160h or 1h30m: {text!r}")
    hours, minutes, seconds = (int(part[:-1]) if part else 0 for part in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)
