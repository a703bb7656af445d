"""When a scheduled capture is due. Pure: the moment is an argument.

cronsim reads the expression as Debian's cron does. Where clocks change, a run at a fixed time (minute and hour are no
`*`) that falls into the hour left out starts right after it, and one in the hour that comes twice starts the first time
only; a run every so many minutes or hours simply goes on.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from kai_snapshot.errors import Reason, TerminalError

MISSED_LIMIT = 100
"""Missed slots are counted up to here."""

_SHORTHANDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS = "five fields (minute hour day month weekday) or one of " + ", ".join(_SHORTHANDS)
_BAD_DAY = {"Bad day-of-month": "bad day-of-month, or a day that never comes"}  # cronsim says the same of both
_LONGEST = 128
# cronsim leaves out and repeats hours by the clock on the wall: begin before the last change that could still matter
_CLOCK_CHANGE = timedelta(hours=3)
_FIRST_LOOK_BACK = timedelta(hours=1)
_LEAP_YEARS = timedelta(days=8 * 366)
"""The longest from one 29 February to the next."""


@dataclass(frozen=True)
class Timetable:
    """A cron expression in a time zone, both known to be good."""

    cron: str
    """Five fields."""
    zone: ZoneInfo

    @classmethod
    def parse(cls, cron: str, time_zone: str) -> "Timetable":
        """Raises TerminalError: InvalidSchedule, UnknownTimeZone."""
        if time_zone not in _zones():
            raise TerminalError(
                Reason.UNKNOWN_TIME_ZONE,
                f"{time_zone[:80]!r} is no time zone of the IANA database: name one such as Europe/Berlin or Etc/UTC.",
            )
        timetable = cls(_five_fields(cron), ZoneInfo(time_zone))
        try:
            next(CronSim(timetable.cron, datetime(2000, 1, 1)))  # noqa: DTZ001 - any day does
        except CronSimError as error:
            raise _invalid(cron, f"{_BAD_DAY.get(str(error), str(error).lower())}; it takes {_FIELDS}") from error
        except StopIteration as error:
            raise _invalid(cron, "it never fires: no such day exists") from error
        return timetable

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The slots later than `moment`, in order, in UTC."""
        start = (moment - _CLOCK_CHANGE).astimezone(self.zone)
        previous = moment
        for local in CronSim(self.cron, start):
            slot = local.astimezone(UTC)
            if slot > previous:  # cronsim names the end of a left-out hour once for each run that fell into it
                yield slot
                previous = slot

    def newest(self, after: datetime, until: datetime) -> datetime | None:
        """The last slot in (after, until], found from its end, however long ago `after` is."""
        look_back = _FIRST_LOOK_BACK
        while True:
            start = max(after, until - look_back)
            slots = list(takewhile(lambda slot: slot <= until, self.after(start)))
            if slots:
                return slots[-1]
            if start == after:
                return None
            look_back *= 2


@dataclass(frozen=True)
class Due:
    """What a schedule asks for at a moment."""

    run: datetime | None
    """The slot to capture now; it names the run."""
    newest: datetime | None
    """The newest slot that has come, to be run or given up: the last one from now on."""
    missed: int
    """Slots that came and are given up, MISSED_LIMIT at most."""
    next: datetime
    """When the next run will start, jitter included."""


def jitter(uid: str, seconds: int) -> timedelta:
    """How much later than its slots an object starts: below `seconds`, the same for a UID each time."""
    if seconds <= 0:
        return timedelta()
    return timedelta(seconds=int.from_bytes(hashlib.sha256(uid.encode()).digest()[:8], "big") % seconds)


def due(
    timetable: Timetable, now: datetime, *, base: datetime, last: datetime | None, deadline: timedelta, delay: timedelta
) -> Due:
    """What is due at `now`.

    base: slots up to here are none of ours: creation, or the last time the schedule was resumed or changed.
    last: the newest slot that was started or given up.
    deadline: how late a run may still start; of several slots that came, only the newest is run.
    delay: between a slot and its start (see `jitter`).
    """
    handled = max(base, last or base)
    latest = now - delay
    newest = timetable.newest(handled, latest)
    if newest is None:
        return Due(None, None, 0, next(timetable.after(max(handled, latest))) + delay)
    run = newest if latest - newest <= deadline else None
    came = sum(1 for _ in islice(takewhile(lambda slot: slot <= newest, timetable.after(handled)), MISSED_LIMIT + 1))
    missed = min(came - (run is not None), MISSED_LIMIT)
    return Due(run, newest, missed, next(timetable.after(latest)) + delay)


def interval(timetable: Timetable, slot: datetime) -> timedelta:
    """From the slot before to `slot`."""
    before = timetable.newest(slot - _LEAP_YEARS, slot - timedelta(seconds=1))
    return slot - before if before is not None else _LEAP_YEARS


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _five_fields(cron: str) -> str:
    words = cron.split()
    if len(cron) > _LONGEST:
        raise _invalid(cron, f"it is longer than {_LONGEST} characters")
    if re.match(r"(CRON_)?TZ=", cron.strip(), re.IGNORECASE):
        raise _invalid(cron, "the time zone goes into timeZone")
    if cron.strip().startswith("@"):
        if cron.strip() not in _SHORTHANDS:
            raise _invalid(cron, f"it takes {_FIELDS}")
        return _SHORTHANDS[cron.strip()]
    if len(words) != 5:
        raise _invalid(cron, f"it has {len(words)} fields; it takes {_FIELDS}, and no seconds")
    return " ".join(words)


def _invalid(cron: str, why: str) -> TerminalError:
    return TerminalError(Reason.INVALID_SCHEDULE, f"The schedule {cron[:_LONGEST]!r} cannot be used: {why}.")
