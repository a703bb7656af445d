"""How many differences chance alone may give.

An element that comes in half of the runs, whatever the version, comes in all of one version's three and in none of the
other's once in 32 comparisons: it is then counted as differing, and otherwise, nearly always, as varying. So the number
of elements that vary tells how many differences to expect from chance.
"""

from functools import cache

_STEPS = 1000


def expected(varying: int, *, yes_or_no: int, runs: tuple[int, int]) -> float | None:
    """At most so many elements differ by chance, on average.

    `varying`: elements that vary; `yes_or_no`: how many more of those that have two values only (evicted or not).
    None if either version ran only once: then nothing is known of what varies.
    """
    if min(runs) < 2:
        return None
    return varying * _odds(*runs, values=None) + yes_or_no * _odds(*runs, values=2)


@cache
def _odds(first: int, second: int, *, values: int | None) -> float:
    """The most differing elements that chance gives for each varying one, over all frequencies that it may have.

    With a and b runs, n together, a value of frequency p is in all runs of one version and in none of the other with a
    probability of s(p) = p^a (1-p)^b + p^b (1-p)^a. If there are two values, that is the probability of a difference,
    and 1 - p^n - (1-p)^n - s(p) that of varying. If there can be more, whose frequencies add up to one, that of a
    difference is at most the sum of all s(p), and that of varying at least the sum of all p - p^n - s(p): the first is
    never more than r times the second if no term is, so r is the maximum over p of the terms' ratio.
    """

    def odds(p: float) -> float:
        separated = p**first * (1 - p) ** second + p**second * (1 - p) ** first
        one = 1 - (1 - p) ** (first + second) if values == 2 else p
        return separated / (one - p ** (first + second) - separated)

    return max(odds(step / _STEPS) for step in range(1, _STEPS))
