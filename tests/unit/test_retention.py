"""What retention lets go, and what it never does."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kai_snapshot.api.ids import run_id
from kai_snapshot.api.manifest import CaptureIdentity, Manifest
from kai_snapshot.api.retention import Retention, duration
from kai_snapshot.retention import ORPHAN_AGE, Stored, expired, orphans

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
SHA256 = "9f2c6b1e" * 8


def manifest(moment: datetime, *, cluster: str = "ours") -> Manifest:
    return Manifest(
        id=run_id(moment),
        archive=f"{run_id(moment)}-{SHA256[:8]}.zip",
        capture=CaptureIdentity(cluster_uid=cluster, namespace="ns", name="cap"),
        sha256=SHA256,
        size_bytes=1,
        uncompressed_bytes=2,
        scheduled_for=moment,
        captured_at=moment + timedelta(seconds=3),
        trigger="Schedule",
    )


def every(step: timedelta, times: int) -> list[datetime]:
    return [NOW.replace(minute=0) - step * index for index in range(times)]


def ours(candidate: Manifest) -> bool:
    return candidate.capture.cluster_uid == "ours"


def gone(moments: Sequence[datetime], policy: Retention, *, pinned: Sequence[str] = ()) -> list[datetime]:
    return [m.scheduled_for for m in expired(map(manifest, moments), policy, now=NOW, pinned=pinned, ours=ours)]


def kept(moments: Sequence[datetime], policy: Retention) -> list[datetime]:
    lost = set(gone(moments, policy))
    return [moment for moment in moments if moment not in lost]


HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class TestPolicies:
    def test_keep_last_keeps_the_newest(self) -> None:
        hours = every(HOUR, 10)
        assert kept(hours, Retention(keep_last=3)) == hours[:3]

    def test_where_the_clock_was_set_back_what_is_taken_now_counts_and_what_is_ahead_of_it_stays(self) -> None:
        ahead = [NOW + 3 * HOUR, NOW + 2 * HOUR]
        hours = every(HOUR, 4)
        assert kept([*ahead, *hours], Retention(keep_last=1)) == [*ahead, hours[0]]

    def test_what_goes_is_named_oldest_first(self) -> None:
        hours = every(HOUR, 5)
        assert gone(hours, Retention(keep_last=3)) == [hours[4], hours[3]]

    def test_keep_hourly_keeps_the_newest_of_each_hour(self) -> None:
        quarters = every(timedelta(minutes=15), 12)
        assert kept(quarters, Retention(keep_hourly=2)) == [quarters[0], quarters[1]]
        assert [moment.minute for moment in kept(quarters, Retention(keep_hourly=3))] == [0, 45, 45]

    def test_keep_daily_keeps_the_newest_of_each_day(self) -> None:
        assert [moment.strftime("%d %H") for moment in kept(every(HOUR, 72), Retention(keep_daily=3))] == [
            "22 10", "21 23", "20 23",
        ]  # fmt: skip

    def test_keep_weekly_counts_weeks_from_monday(self) -> None:
        sundays = ["22", "15", "08"]
        assert [moment.strftime("%d") for moment in kept(every(DAY, 30), Retention(keep_weekly=3))] == sundays

    def test_keep_weekly_goes_by_iso_weeks_over_new_year(self) -> None:
        days = [datetime(2026, 1, 4, tzinfo=UTC) - DAY * index for index in range(7)]  # Monday 29 December to Sunday
        assert kept(days, Retention(keep_weekly=5)) == [days[0]]

    def test_keep_monthly_keeps_the_newest_of_each_month(self) -> None:
        assert [moment.strftime("%m-%d") for moment in kept(every(DAY, 90), Retention(keep_monthly=3))] == [
            "11-22", "10-31", "09-30",
        ]  # fmt: skip

    def test_months_without_an_archive_do_not_count(self) -> None:
        moments = [NOW - DAY, datetime(2026, 3, 5, tzinfo=UTC), datetime(2025, 3, 5, tzinfo=UTC)]
        assert kept(moments, Retention(keep_monthly=2)) == moments[:2]

    def test_days_are_those_of_utc(self) -> None:
        evening, night = datetime(2026, 11, 20, 23, 59, tzinfo=UTC), datetime(2026, 11, 21, 0, 1, tzinfo=UTC)
        assert kept([night, evening], Retention(keep_daily=2)) == [night, evening]

    def test_an_archive_stays_if_any_rule_wants_it(self) -> None:
        hours = every(HOUR, 72)
        assert kept(hours, Retention(keep_last=2, keep_daily=2)) == [hours[0], hours[1], hours[11]]

    def test_max_age_alone_keeps_all_that_is_young_enough(self) -> None:
        hours = every(HOUR, 10)
        assert kept(hours, Retention(max_age="4h30m")) == hours[:5]

    def test_max_age_overrules_what_other_rules_want(self) -> None:
        days = every(DAY, 10)
        assert kept(days, Retention(keep_daily=10, max_age="72h")) == days[:3]

    def test_without_rules_all_stay(self) -> None:
        assert gone(every(DAY, 1000), Retention()) == []


class TestNever:
    def test_the_newest_stays_however_old_it_is(self) -> None:
        old = [NOW - 400 * DAY, NOW - 401 * DAY]
        assert kept(old, Retention(keep_last=1, max_age="1h")) == [old[0]]

    def test_what_a_replay_reads_stays(self) -> None:
        hours = every(HOUR, 5)
        assert gone(hours, Retention(keep_last=1), pinned=[run_id(hours[3])]) == [hours[4], hours[2], hours[1]]

    def test_what_is_not_ours_neither_goes_nor_counts(self) -> None:
        theirs = [manifest(moment + timedelta(minutes=1), cluster="theirs") for moment in every(HOUR, 5)]
        mine = [manifest(moment) for moment in every(HOUR, 3)]
        assert expired(theirs + mine, Retention(keep_last=2), now=NOW, pinned=(), ours=ours) == [mine[2]]

    def test_nothing_stored_nothing_goes(self) -> None:
        assert gone([], Retention(keep_last=1)) == []


policies = st.builds(
    Retention,
    keep_last=st.none() | st.integers(1, 5),
    keep_hourly=st.none() | st.integers(1, 5),
    keep_daily=st.none() | st.integers(1, 5),
    keep_weekly=st.none() | st.integers(1, 5),
    keep_monthly=st.none() | st.integers(1, 5),
    max_age=st.none() | st.integers(1, 2000).map(lambda hours: f"{hours}h"),
)
stores = st.lists(
    st.integers(0, 100 * 24 * 60).map(lambda minutes: NOW - timedelta(minutes=minutes)), unique=True, max_size=60
)


class TestAlways:
    @given(stores, policies)
    def test_the_newest_is_kept_and_only_what_was_there_goes(self, moments: list[datetime], policy: Retention) -> None:
        lost = gone(moments, policy)
        assert set(lost) <= set(moments)
        assert not moments or max(moments) not in lost
        assert lost == sorted(lost)

    @given(stores, policies)
    def test_pruning_again_at_once_takes_nothing_more(self, moments: list[datetime], policy: Retention) -> None:
        assert gone(kept(moments, policy), policy) == []

    @given(stores, policies)
    def test_the_order_in_which_they_are_listed_does_not_matter(
        self, moments: list[datetime], policy: Retention
    ) -> None:
        assert gone(moments, policy) == gone(moments[::-1], policy)

    @given(stores, policies, st.sampled_from(["keep_last", "keep_hourly", "keep_daily", "keep_weekly", "keep_monthly"]))
    def test_a_larger_count_never_loses_more(self, moments: list[datetime], policy: Retention, rule: str) -> None:
        count = getattr(policy, rule)
        if count is not None:
            assert set(gone(moments, policy.model_copy(update={rule: count + 1}))) <= set(gone(moments, policy))

    @given(stores, policies)
    def test_no_more_stay_than_all_rules_together_ask_for(self, moments: list[datetime], policy: Retention) -> None:
        counts = [policy.keep_last, policy.keep_hourly, policy.keep_daily, policy.keep_weekly, policy.keep_monthly]
        if any(counts):
            assert len(kept(moments, policy)) <= sum(count or 0 for count in counts)

    @given(stores, policies, st.data())
    def test_what_is_pinned_stays_and_nothing_else_changes(
        self, moments: list[datetime], policy: Retention, data: st.DataObject
    ) -> None:
        pinned = data.draw(st.lists(st.sampled_from(moments)) if moments else st.just([]))
        assert set(gone(moments, policy, pinned=list(map(run_id, pinned)))) == set(gone(moments, policy)) - set(pinned)


def stored(key: str, age: timedelta) -> Stored:
    kind = "manifest" if key.endswith(".json") else "archive" if key.endswith(".zip") else "replay"
    return Stored(key=f"ns/cap/{key}", id=key[:16], kind=kind, modified=NOW - age)  # type: ignore[arg-type]


A, B = "20261120T000000Z", "20261121T000000Z"
OLD, YOUNG = ORPHAN_AGE, ORPHAN_AGE - timedelta(seconds=1)


class TestOrphans:
    @pytest.mark.parametrize(
        ("lies_there", "named", "left_over"),
        [
            ([(f"{A}-1.zip", OLD), (f"{A}.json", OLD)], [f"{A}-1.zip"], []),
            ([(f"{A}-1.zip", OLD)], [], [f"{A}-1.zip"]),
            ([(f"{A}-1.zip", YOUNG)], [], []),
            ([(f"{A}-1.zip", YOUNG), (f"{A}-2.zip", YOUNG), (f"{A}.json", YOUNG)], [f"{A}-2.zip"], [f"{A}-1.zip"]),
            ([(f"{A}-1.zip", timedelta()), (f"{A}-2.zip", YOUNG), (f"{A}.json", YOUNG)], [f"{A}-2.zip"], []),
            ([(f"{A}-1.zip", OLD), (f"{A}.json", OLD)], [], []),
            ([(f"{A}/replays/r/plan", OLD), (f"{A}-1.zip", OLD), (f"{A}.json", OLD)], [f"{A}-1.zip"], []),
            (
                [(f"{A}/replays/r/plan", OLD), (f"{A}/replays/r/0", OLD)],
                [],
                [f"{A}/replays/r/0", f"{A}/replays/r/plan"],
            ),
            ([(f"{A}/replays/r/plan", YOUNG)], [], []),
            ([(f"{A}/replays/r/plan", OLD), (f"{A}.json", OLD)], [], []),
            ([(f"{A}-1.zip", OLD), (f"{B}-1.zip", OLD), (f"{B}.json", OLD)], [f"{B}-1.zip"], [f"{A}-1.zip"]),
            ([], [], []),
        ],
        ids=[
            "an archive with its manifest stays",
            "an archive without a manifest goes after 24 hours",
            "an archive without a manifest has 24 hours",
            "an archive goes at once when its run was repeated and wrote another",
            "an archive younger than the manifest of its run may be about to replace it",
            "an archive stays when its manifest cannot be read",
            "a replay stays with its archive",
            "a replay goes when its archive is gone",
            "a replay that was just written stays",
            "a replay stays while there is a manifest",
            "runs do not answer for each other",
            "nothing is left over of nothing",
        ],
    )
    def test_left_over(self, lies_there: list[tuple[str, timedelta]], named: list[str], left_over: list[str]) -> None:
        found = orphans([stored(*item) for item in lies_there], [f"ns/cap/{key}" for key in named], now=NOW)
        assert found == [f"ns/cap/{key}" for key in left_over]


class TestPolicyModel:
    @pytest.mark.parametrize(
        ("text", "length"),
        [
            ("2160h", 90 * DAY),
            ("1h30m", timedelta(minutes=90)),
            ("60s", timedelta(minutes=1)),
            ("1h0m1s", timedelta(seconds=3601)),
        ],
    )
    def test_a_duration_is_read_as_go_writes_it(self, text: str, length: timedelta) -> None:
        assert duration(text) == length
        assert Retention(max_age=text).max_age == text

    @pytest.mark.parametrize("text", ["", "90d", "h", "1.5h", "-1h", "1h ", "30m1h", "0h", "59s", "9999999h"])
    def test_other_durations_are_refused(self, text: str) -> None:
        with pytest.raises(ValidationError):
            Retention(max_age=text)

    @pytest.mark.parametrize("count", [0, -1, 10001])
    def test_a_count_is_at_least_one(self, count: int) -> None:
        with pytest.raises(ValidationError):
            Retention(keep_last=count)
