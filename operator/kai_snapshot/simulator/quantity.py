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
_EXPONENTS = 40
"""Larger ones say nothing of what there can be, and take long to reckon with."""


@lru_cache(maxsize=1 << 12)
def quantity(value: str | float) -> Fraction:
    """The number that a quantity stands for. Raises ValueError for what is none, which no API server lets pass."""
    form = _FORM.fullmatch(str(value).strip())
    if form is None:
        raise ValueError("not a quantity")
    number, suffix = Fraction(form[1]), form[2] or ""
    if suffix[:1] in ("e", "E") and len(suffix) > 1:
        exponent = int(suffix[1:])
        if abs(exponent) >= _EXPONENTS:
            raise ValueError("a quantity that nothing has")
        return number * Fraction(10) ** exponent
    return number * _FACTORS[suffix] if suffix else number


def units(number: Fraction) -> float:
    """In whole units, rounded up."""
    return float(math.ceil(number))


def thousandths(number: Fraction) -> float:
    """In whole thousandths, rounded up."""
    return float(math.ceil(number * 1000))
