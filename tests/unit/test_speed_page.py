"""The page of `make growth`."""

from bench import growth
from bench.growth import Size
from bench.simulation import Used

SMALL = Size(nodes=50, jobs=375, pods=846, running=266, simulator=Used(1.0, 70.4), ended=(), tool=None)
LARGE = Size(
    nodes=1000,
    jobs=7500,
    pods=16_800,
    running=5000,
    simulator=Used(10.0, 160.0),
    ended=("reclaim", "preempt"),
    tool=None,
)


def test_what_was_recorded_of_the_tool_stands_beside_the_size_it_was_recorded_for() -> None:
    assert list(growth._table([SMALL, LARGE]))[2:] == [
        "| 50 | 375 | 846 (266) | 1.0 | 70 |  | 1.8 | 119 |",
        "| 1,000 | 7,500 | 16,800 (5,000) | 10.0 | 160 | reclaim, preempt |  |  |",
    ]


def test_the_tool_has_columns_where_it_was_at_hand() -> None:
    beside = Size(**{**vars(SMALL), "tool": Used(1.75, 121.0)})
    head, _, small, large = growth._table([beside, LARGE])
    assert head.count("|") == small.count("|") == large.count("|")
    assert "same run" in head
    assert small == "| 50 | 375 | 846 (266) | 1.0 | 70 |  | 1.8 | 121 | 1.8 | 119 |"


def test_a_bar_is_as_much_longer_for_ten_times_as_many_seconds_everywhere() -> None:
    lengths = [line.count("#") for line in growth._chart([SMALL, LARGE])]
    assert lengths == [0, 20, 40]
