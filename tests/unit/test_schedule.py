"""When a capture is due: zones, changing clocks, absence, suspension, and schedules that are none."""

import time
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.schedule import MISSED_LIMIT, Due, Timetable, due, jitter

CREATED = datetime(2026, 11, 20, 8, 0, 30, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 10, 0, 20, tzinfo=UTC)
TEN_MINUTES = timedelta(minutes=10)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ask(
    cron: str,
    now: datetime,
    *,
    zone: str = "Etc/UTC",
    base: datetime = CREATED,
    last: datetime | None = None,
    deadline: timedelta = TEN_MINUTES,
    delay: timedelta = timedelta(),
) -> Due:
    return due(Timetable.parse(cron, zone), now, base=base, last=last, deadline=deadline, delay=delay)


class TestReading:
    @pytest.mark.parametrize(
        ("cron", "slots"),
        [
            ("0 * * * *", ["2026-11-22T11:00", "2026-11-22T12:00"]),
            ("*/15 * * * *", ["2026-11-22T10:15", "2026-11-22T10:30"]),
            ("  5   4  *  *  * ", ["2026-11-23T04:05", "2026-11-24T04:05"]),
            ("0 3 * * MON-FRI", ["2026-11-23T03:00", "2026-11-24T03:00"]),
            ("0 3 * * 7", ["2026-11-29T03:00", "2026-12-06T03:00"]),
            ("0 0 1 JAN,jul *", ["2027-01-01T00:00", "2027-07-01T00:00"]),
            ("0 0 29 2 *", ["2028-02-29T00:00", "2032-02-29T00:00"]),
            ("0 0 L * *", ["2026-11-30T00:00", "2026-12-31T00:00"]),
            ("0 0 * * MON#1", ["2026-12-07T00:00", "2027-01-04T00:00"]),
            ("@hourly", ["2026-11-22T11:00", "2026-11-22T12:00"]),
            ("@daily", ["2026-11-23T00:00", "2026-11-24T00:00"]),
            ("@midnight", ["2026-11-23T00:00", "2026-11-24T00:00"]),
            ("@weekly", ["2026-11-29T00:00", "2026-12-06T00:00"]),
            ("@monthly", ["2026-12-01T00:00", "2027-01-01T00:00"]),
            ("@yearly", ["2027-01-01T00:00", "2028-01-01T00:00"]),
            ("@annually", ["2027-01-01T00:00", "2028-01-01T00:00"]),
        ],
    )
    def test_an_expression_means_what_cron_says(self, cron: str, slots: list[str]) -> None:
        assert list(islice(Timetable.parse(cron, "Etc/UTC").after(NOW), 2)) == [at(slot) for slot in slots]

    @pytest.mark.parametrize(
        ("cron", "says"),
        [
            ("", "it has 0 fields"),
            ("* * * *", "it has 4 fields"),
            ("0 */5 * * * *", "it has 6 fields; it takes five"),
            ("0 0 3 * * * 2026", "it has 7 fields"),
            ("TZ=Europe/Berlin 0 3 * * *", "the time zone goes into timeZone"),
            ("CRON_TZ=Europe/Berlin 0 3 * * *", "the time zone goes into timeZone"),
            ("@every 5m", "it takes five fields"),
            ("@reboot", "it takes five fields"),
            ("@Daily", "it takes five fields"),
            ("60 * * * *", "bad minute"),
            ("* 24 * * *", "bad hour"),
            ("* * 32 * *", "bad day-of-month"),
            ("* * * 13 *", "bad month"),
            ("* * * * 8", "bad day-of-week"),
            ("99 99 99 99 99", "bad minute"),
            ("*/0 * * * *", "bad minute"),
            ("5-1 * * * *", "bad minute"),
            ("a b c d e", "bad minute"),
            ("1,, * * * *", "bad minute"),
            ("0 0 30 2 *", "a day that never comes"),
            ("0 0 31 4,6,9,11 *", "a day that never comes"),
            ("0 0 */31 2 6#5", "it never fires"),
            ("0 0 " + "1," * 100 + "1 * *", "longer than 128 characters"),
        ],
    )
    def test_what_is_no_schedule_is_refused_with_the_reason(self, cron: str, says: str) -> None:
        with pytest.raises(TerminalError, match=says) as info:
            Timetable.parse(cron, "Etc/UTC")
        assert info.value.reason is Reason.INVALID_SCHEDULE
        assert len(info.value.message) < 500

    @pytest.mark.parametrize(
        "zone", ["", "Mars/Olympus", "europe/berlin ", "Europe", "../etc/passwd", "/etc/localtime", "UTC+1", "x" * 300]
    )
    def test_an_unknown_zone_is_refused(self, zone: str) -> None:
        with pytest.raises(TerminalError, match="no time zone of the IANA database") as info:
            Timetable.parse("@daily", zone)
        assert info.value.reason is Reason.UNKNOWN_TIME_ZONE

    @given(st.text(alphabet="0123456789*/,-LW#@ MONJAN\t", max_size=40) | st.text(max_size=200))
    def test_any_text_is_read_or_refused(self, cron: str) -> None:
        try:
            timetable = Timetable.parse(cron, "Europe/Berlin")
        except TerminalError as error:
            assert error.reason is Reason.INVALID_SCHEDULE  # noqa: PT017
        else:
            assert next(timetable.after(NOW)) > NOW


class TestZonesAndChangingClocks:
    """Europe/Berlin goes from 02:00 to 03:00 on 2026-03-29 and from 03:00 to 02:00 on 2026-10-25, both at 01:00 UTC."""

    @pytest.mark.parametrize(
        ("zone", "cron", "after", "slots"),
        [
            ("Europe/Berlin", "0 3 * * *", "2026-07-01T00:00", ["07-01 01:00", "07-02 01:00"]),
            ("Europe/Berlin", "0 3 * * *", "2026-12-01T00:00", ["12-01 02:00", "12-02 02:00"]),
            ("Asia/Kathmandu", "0 0 * * *", "2026-07-01T00:00", ["07-01 18:15", "07-02 18:15"]),
            ("Europe/Berlin", "30 2 * * *", "2026-03-28T12:00", ["03-29 01:00", "03-30 00:30"]),
            ("Europe/Berlin", "0,15,30 2 * * *", "2026-03-28T12:00", ["03-29 01:00", "03-30 00:00", "03-30 00:15"]),
            ("Europe/Berlin", "0 1-3 * * *", "2026-03-28T12:00", ["03-29 00:00", "03-29 01:00", "03-29 23:00"]),
            ("Europe/Berlin", "*/30 * * * *", "2026-03-29T00:00", ["03-29 00:30", "03-29 01:00", "03-29 01:30"]),
            ("Europe/Berlin", "17 * * * *", "2026-03-29T00:00", ["03-29 00:17", "03-29 01:17", "03-29 02:17"]),
            ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00", ["10-25 00:30", "10-26 01:30"]),
            ("Europe/Berlin", "30 2 * * *", "2026-10-25T00:30", ["10-26 01:30"]),
            ("Europe/Berlin", "30 2 * * *", "2026-10-25T01:10", ["10-26 01:30"]),
            ("Europe/Berlin", "*/30 * * * *", "2026-10-25T00:00", ["10-25 00:30", "10-25 01:00", "10-25 01:30"]),
            ("Europe/Berlin", "17 * * * *", "2026-10-25T00:00", ["10-25 00:17", "10-25 01:17", "10-25 02:17"]),
            ("America/New_York", "30 2 * * *", "2026-03-07T12:00", ["03-08 07:00", "03-09 06:30"]),
            ("America/New_York", "30 1 * * *", "2026-10-31T12:00", ["11-01 05:30", "11-02 06:30"]),
            ("America/Havana", "30 0 * * *", "2026-03-07T12:00", ["03-08 05:00", "03-09 04:30"]),
            ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T00:00", ["10-03 15:30", "10-04 15:15"]),
        ],
        ids=[
            "a zone has its summer time",
            "a zone has its winter time",
            "a zone may be off by a quarter of an hour",
            "a run in the hour left out starts right after it",
            "several runs in the hour left out are one",
            "a run in the hour left out and one right after it are one",
            "every half hour goes on over the hour left out",
            "hourly leaves no hour out",
            "a run in the hour that comes twice starts once",
            "after the first of the two hours it is done",
            "in the second of the two hours it is not started again",
            "every half hour goes on through both hours",
            "hourly runs in both hours",
            "New York leaves out another hour",
            "New York repeats another hour",
            "Havana leaves out midnight",
            "Lord Howe leaves out half an hour",
        ],
    )
    def test_slots(self, zone: str, cron: str, after: str, slots: list[str]) -> None:
        found = islice(Timetable.parse(cron, zone).after(at(after)), len(slots))
        assert [slot.strftime("%m-%d %H:%M") for slot in found] == slots

    @pytest.mark.parametrize("moment", ["2026-03-29T01:00", "2026-03-29T01:05", "2026-10-25T00:31", "2026-10-25T01:35"])
    def test_a_daily_run_is_found_back_from_around_the_change(self, moment: str) -> None:
        answer = ask(
            "30 2 * * *", at(moment), zone="Europe/Berlin", base=at("2026-01-01T00:00"), deadline=timedelta(hours=2)
        )
        assert answer.run in (at("2026-03-29T01:00"), at("2026-10-25T00:30"))


class TestDue:
    def test_nothing_runs_at_creation(self) -> None:
        assert ask("0 * * * *", CREATED) == Due(None, None, 0, at("2026-11-20T09:00"))

    def test_an_object_created_on_the_slot_waits_for_the_next(self) -> None:
        slot = at("2026-11-20T09:00")
        assert ask("0 * * * *", slot, base=slot) == Due(None, None, 0, at("2026-11-20T10:00"))

    def test_a_second_before_its_time_it_is_not_due(self) -> None:
        assert ask("0 * * * *", at("2026-11-20T08:59:59")).run is None

    def test_on_the_second_it_is_due(self) -> None:
        slot = at("2026-11-20T09:00")
        assert ask("0 * * * *", slot) == Due(slot, slot, 0, at("2026-11-20T10:00"))

    def test_a_slot_that_was_started_does_not_start_again(self) -> None:
        slot = at("2026-11-22T10:00")
        assert ask("0 * * * *", NOW, last=slot) == Due(None, None, 0, at("2026-11-22T11:00"))

    def test_a_slot_started_although_the_clock_went_back_does_not_start_again(self) -> None:
        last = at("2026-11-22T10:00")
        assert ask("0 * * * *", last - timedelta(seconds=5), last=last) == Due(None, None, 0, at("2026-11-22T11:00"))

    def test_away_over_several_slots_it_runs_the_newest_once_and_counts_the_others(self) -> None:
        newest = at("2026-11-22T10:00")
        answer = ask("0 * * * *", NOW, last=at("2026-11-22T04:00"))
        assert answer == Due(newest, newest, 5, at("2026-11-22T11:00"))
        assert ask("0 * * * *", NOW, last=answer.newest) == Due(None, None, 0, at("2026-11-22T11:00"))

    def test_away_over_200_slots_it_runs_once(self) -> None:
        answer = ask("*/15 * * * *", NOW)
        assert answer.run == at("2026-11-22T10:00")
        assert answer.missed == MISSED_LIMIT
        assert ask("*/15 * * * *", NOW + timedelta(seconds=1), last=answer.newest).run is None

    @pytest.mark.parametrize(
        ("late", "runs"),
        [(timedelta(minutes=10), True), (timedelta(minutes=10, seconds=1), False)],
        ids=["at the deadline it still runs", "a second later it is given up"],
    )
    def test_the_deadline(self, late: timedelta, runs: bool) -> None:
        slot = at("2026-11-22T10:00")
        answer = ask("0 10 * * *", slot + late, last=at("2026-11-21T10:00"))
        assert answer == Due(slot if runs else None, slot, 0 if runs else 1, at("2026-11-23T10:00"))

    def test_a_slot_that_was_given_up_is_told_once(self) -> None:
        given_up = ask("0 * * * *", at("2026-11-22T10:30"), last=at("2026-11-22T07:00"))
        assert given_up == Due(None, at("2026-11-22T10:00"), 3, at("2026-11-22T11:00"))
        assert ask("0 * * * *", at("2026-11-22T10:31"), last=given_up.newest).missed == 0

    def test_resumed_after_200_slots_nothing_runs_at_once(self) -> None:
        resumed = NOW
        answer = ask("*/15 * * * *", resumed, base=resumed, last=at("2026-11-20T08:15"))
        assert answer == Due(None, None, 0, at("2026-11-22T10:15"))

    def test_after_resuming_the_next_slot_runs(self) -> None:
        slot = at("2026-11-22T10:15")
        assert ask("*/15 * * * *", slot, base=NOW, last=at("2026-11-20T08:15")) == Due(
            slot, slot, 0, at("2026-11-22T10:30")
        )

    @pytest.mark.parametrize(
        ("cron", "deadline"),
        [
            ("* * * * *", TEN_MINUTES),
            ("* * * * *", timedelta(days=7)),
            ("* * 1 1 *", TEN_MINUTES),
            ("0 0 29 2 *", TEN_MINUTES),
        ],
        ids=["every minute", "every minute with a week's patience", "every minute of one day", "every fourth year"],
    )
    def test_a_base_of_decades_ago_costs_nothing(self, cron: str, deadline: timedelta) -> None:
        begun = time.process_time()
        ask(cron, NOW, zone="Europe/Berlin", base=at("1996-01-01T00:00"), deadline=deadline)
        assert time.process_time() - begun < 0.5


class TestJitter:
    def test_it_is_the_same_each_time_and_below_its_bound(self) -> None:
        delays = [jitter(f"uid-{index}", 120) for index in range(200)]
        assert delays == [jitter(f"uid-{index}", 120) for index in range(200)]
        assert all(timedelta() <= delay < timedelta(seconds=120) for delay in delays)
        assert len(set(delays)) > 60

    def test_without_jitter_runs_start_on_the_slot(self) -> None:
        assert jitter("uid", 0) == timedelta()

    def test_it_moves_the_start_and_not_the_name_of_the_run(self) -> None:
        slot, delay = at("2026-11-22T10:00"), timedelta(seconds=67)
        before = ask("0 * * * *", slot + timedelta(seconds=66), last=at("2026-11-22T09:00"), delay=delay)
        assert before == Due(None, None, 0, slot + delay)
        then = ask("0 * * * *", slot + delay, last=at("2026-11-22T09:00"), delay=delay)
        assert then == Due(slot, slot, 0, at("2026-11-22T11:00") + delay)

    def test_it_may_be_longer_than_the_time_between_slots(self) -> None:
        answer = ask("* * * * *", at("2026-11-22T10:10"), last=at("2026-11-22T10:04"), delay=timedelta(minutes=5))
        assert answer == Due(at("2026-11-22T10:05"), at("2026-11-22T10:05"), 0, at("2026-11-22T10:11"))

    def test_the_deadline_counts_from_the_delayed_start(self) -> None:
        slot, delay = at("2026-11-22T10:00"), timedelta(seconds=300)
        assert ask("0 * * * *", slot + delay + TEN_MINUTES, last=at("2026-11-22T09:00"), delay=delay).run == slot


crons = st.sampled_from(
    [
        "* * * * *",
        "*/7 * * * *",
        "30 2 * * *",
        "0,15,30,45 1,2,3 * * *",
        "17 * * * *",
        "0 */5 * * *",
        "0 0 1 * *",
        "@weekly",
    ]
)
zones = st.sampled_from(
    ["Etc/UTC", "Europe/Berlin", "America/New_York", "America/Havana", "Asia/Kolkata", "Africa/Cairo"]
)
moments = st.one_of(
    st.integers(-3_000_000, 5_000_000).map(lambda minutes: NOW + timedelta(minutes=minutes)),
    # around the changes of clocks
    st.integers(-240, 240).map(lambda minutes: at("2026-10-25T01:00") + timedelta(minutes=minutes)),
    st.integers(-240, 240).map(lambda minutes: at("2026-03-29T01:00") + timedelta(minutes=minutes)),
)


class TestAlways:
    @given(crons, zones, moments)
    def test_slots_are_later_than_asked_in_order_and_in_utc(self, cron: str, zone: str, moment: datetime) -> None:
        slots = list(islice(Timetable.parse(cron, zone).after(moment), 30))
        assert slots[0] > moment
        assert slots == sorted(set(slots))
        assert all(slot.tzinfo is UTC and slot.second == 0 for slot in slots)

    @given(crons, zones, moments, st.integers(1, 20))
    def test_slots_do_not_depend_on_where_one_begins(self, cron: str, zone: str, moment: datetime, skip: int) -> None:
        timetable = Timetable.parse(cron, zone)
        slots = list(islice(timetable.after(moment), skip + 5))
        assert list(islice(timetable.after(slots[skip - 1]), 5)) == slots[skip:]
        between = slots[skip - 1] + (slots[skip] - slots[skip - 1]) / 2
        assert list(islice(timetable.after(between), 5)) == slots[skip:]

    @given(crons, zones, moments, st.integers(0, 40))
    def test_the_newest_slot_is_the_last_that_came(self, cron: str, zone: str, moment: datetime, number: int) -> None:
        timetable = Timetable.parse(cron, zone)
        slots = list(islice(timetable.after(moment), number + 1))
        came = slots[:-1]
        assert timetable.newest(moment, slots[-1] - timedelta(seconds=1)) == (came[-1] if came else None)

    @given(crons, zones, moments, st.integers(0, 600), st.integers(1, 7200))
    def test_hands_are_never_raised_twice_nor_for_nothing(
        self, cron: str, zone: str, moment: datetime, delay: int, patience: int
    ) -> None:
        answer = ask(
            cron,
            moment,
            zone=zone,
            base=moment - timedelta(days=40),
            deadline=timedelta(seconds=patience),
            delay=timedelta(seconds=delay),
        )
        assert answer.next > moment
        assert answer.run in (None, answer.newest)
        assert 0 <= answer.missed <= MISSED_LIMIT
        if answer.newest is not None:
            late = moment - timedelta(seconds=delay) - answer.newest
            assert late >= timedelta()
            assert (answer.run is not None) == (late <= timedelta(seconds=patience))
            again = ask(cron, moment, zone=zone, base=answer.newest, delay=timedelta(seconds=delay))
            assert again == Due(None, None, 0, answer.next)

    @given(zones, moments)
    def test_a_daily_run_starts_once_on_every_day(self, zone: str, moment: datetime) -> None:
        slots = islice(Timetable.parse("30 2 * * *", zone).after(moment), 60)
        days = [slot.astimezone(ZoneInfo(zone)).date() for slot in slots]
        assert all(after - before == timedelta(days=1) for before, after in pairwise(days))
