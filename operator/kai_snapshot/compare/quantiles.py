"""What of many times is told."""

from collections.abc import Sequence
from math import ceil

from kai_snapshot.api.backtestdocument import Quantiles


def quantiles(times: Sequence[int]) -> Quantiles | None:
    """By nearest rank: a quantile is one of the times. None of no times."""
    if not times:
        return None
    ordered = sorted(times)
    p50, p90, p99 = (ordered[ceil(percent * len(ordered) / 100) - 1] for percent in (50, 90, 99))
    return Quantiles(p50_ms=p50, p90_ms=p90, p99_ms=p99, max_ms=ordered[-1])
