"""The page of `make agreement` says of each figure whether it is what was wanted."""

from typing import Any

import pytest

from bench import agreement as page
from bench.agreement import Measured
from kai_snapshot.agreement import Agreement, Category

ALL = Agreement(1000, 1000, 1000, 1000)
NONE_REACHED, GOAL_MISSED = " **not reached**", " *goal not reached*"


def row(title: str, **measured: Any) -> str:
    """The cell of one group."""
    binds = Agreement(1000, measured.pop("certain", 1000), 1000, measured.pop("possible", 1000))
    jobs = Agreement(1000, measured.pop("jobs", 1000), 1000, 1000)
    found = {**dict.fromkeys(Category, ALL), Category.PLACEMENTS: binds, Category.JOB_OUTCOMES: jobs}
    figures = {"equal": 5, "queues": 5, "one": 0.9, "samples": 0.9, "itself": 0.9, **measured}
    lines = page._summary({"corpus": Measured(name="all", found=found, **figures)})
    cells = next(line for line in lines if line.startswith(f"| {title} |")).split("|")
    return cells[4].rstrip()


@pytest.mark.parametrize(
    ("title", "measured", "cell"),
    [
        ("fair shares equal", {}, " 5/5"),
        ("fair shares equal", {"equal": 4}, f" 4/5{NONE_REACHED}"),
        ("certain binds", {}, " 100.0%"),
        ("certain binds", {"certain": 979}, f" 97.9%{NONE_REACHED}"),
        ("certain binds", {"certain": 987}, f" 98.7%{GOAL_MISSED}"),
        ("possible binds", {"possible": 992}, f" 99.2%{GOAL_MISSED}"),
        ("possible binds", {"possible": 900}, f" 90.0%{NONE_REACHED}"),
        ("certain job outcomes", {"jobs": 949}, f" 94.9%{NONE_REACHED}"),
        ("certain job outcomes", {"jobs": 950}, " 95.0%"),
        ("overlap, one run", {"one": 0.93, "itself": 0.92}, " 0.93"),
        ("overlap, one run", {"one": 0.891, "itself": 0.904}, f" 0.89{GOAL_MISSED}"),
        ("overlap, samples", {"samples": 0.876, "itself": 0.89}, f" 0.88{GOAL_MISSED}"),
        ("overlap, samples", {"samples": 0.8951, "itself": 0.9}, " 0.90"),
    ],
)
def test_what_is_required_and_what_is_aimed_at_can_be_missed(title: str, measured: dict[str, Any], cell: str) -> None:
    assert row(title, **measured) == cell


def test_what_is_not_all_is_not_shown_as_all() -> None:
    assert page._percent(0.9999) == "99.9%"
    assert page._percent(1.0) == "100.0%"
