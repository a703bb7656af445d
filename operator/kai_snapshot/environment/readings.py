"""Values as aicr has them: scalars as they are, everything else as the text that Go's `%v` makes of it."""

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Final

from kai_snapshot.api.environmentdocument import Reading, Readings

LONGEST: Final = 64 * 1024
"""Characters of a text made of something nested; what is longer is cut."""
DEEPEST: Final = 32
"""Levels of nesting that are shown; what refers to itself ends there."""


def reading(value: object) -> Reading:
    """The value itself if it is a scalar that JSON can hold, else its text."""
    if isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return go_text(value)


def go_text(value: object) -> str:
    """As `fmt.Sprintf("%v", value)`: `true`, `[a b]`, `map[k:v]`, `<nil>`."""
    text, length = [], 0
    for piece in _pieces(value, DEEPEST):
        text.append(piece)
        length += len(piece)
        if length > LONGEST:
            break
    return "".join(text)[:LONGEST]


def without(readings: Readings, patterns: Sequence[str]) -> dict[str, Reading]:
    """The readings whose keys match none of the patterns (`*` for any text)."""
    return {key: value for key, value in readings.items() if not any(fnmatchcase(key, pattern) for pattern in patterns)}


def _pieces(value: object, depth: int) -> Iterator[str]:
    if depth == 0:
        yield "..."
    elif isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        yield f"[{' '.join(map(str, value))}]"
    elif isinstance(value, Mapping):
        yield from _between("map[", "]", ((key, value[key]) for key in sorted(value, key=str)), depth)
    elif isinstance(value, Set | Sequence):
        yield from _between("[", "]", ((None, each) for each in value), depth)
    else:
        yield _scalar(value)


def _between(start: str, end: str, members: Iterator[tuple[object, object]], depth: int) -> Iterator[str]:
    yield start
    separator = ""
    for key, value in members:
        yield separator
        if key is not None:
            yield f"{key}:"
        yield from _pieces(value, depth - 1)
        separator = " "
    yield end


def _scalar(value: object) -> str:
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float(value)
    return str(value)


def _float(value: float) -> str:
    """The shortest text that gives the number back, with an exponent below 1e-4 and from 1e6 on."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'+' if value > 0 else '-'}Inf"
    exact = Decimal(repr(value)).normalize()
    if value == 0 or -4 <= exact.adjusted() < 6:
        return f"{exact:f}"
    sign, digits, _ = exact.as_tuple()
    fraction = "".join(map(str, digits[1:]))
    return f"{'-' * sign}{digits[0]}{'.' * bool(fraction)}{fraction}e{exact.adjusted():+03d}"
