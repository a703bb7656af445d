"""Kubernetes quantities, exactly: `500m`, `1Gi`, `2e3`."""

import math
import re
from fractions import Fraction
from functools import lru_cache

_FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))([eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?")
_FACTORS = {
    **{suffix: Fraction(10) ** power for suffix, power in zip("num", (-9, -6, -3), strict=True)},
    **{suffix: Fraction(10) ** power for suffix, power in zip("kMGTPE", (3, 6, 9, 12, 15, 18), strict=True)},
    **{f"{prefix}i": Fraction(1024) ** power for power, prefix in enumerate("KMGTPE", start=1)},
}
ZERO = Fraction(0)


@lru_cache(maxsize=1 << 12)
def quantity(value: str | float) -> Fraction:
    """The number that a quantity stands for; zero for what is none, which no API server lets pass."""
    form = _FORM.fullmatch(str(value).strip())
    if form is None:
        return ZERO
    number, suffix = Fraction(form[1]), form[2] or ""
    if suffix[:1] in ("e", "E") and len(suffix) > 1:
        return number * Fraction(10) ** int(suffix[1:]) if abs(int(suffix[1:])) < 40 else ZERO
    return number * _FACTORS[suffix] if suffix else number


def units(number: Fraction) -> float:
    """In whole units, rounded up."""
    return float(math.ceil(number))


def thousandths(number: Fraction) -> float:
    """In whole thousandths, rounded up."""
    return float(math.ceil(number * 1000))
