"""Whole numbers in the text of labels and annotations, as Go reads them."""

import re

_FORM = re.compile(r"[+-]?[0-9]{1,30}")
_MOST = 1 << 63


def integer(text: str | None) -> int | None:
    """The number; None for no text, what is no whole number, or one that 64 bits do not hold."""
    if text is None or not _FORM.fullmatch(text):
        return None
    number = int(text)
    return number if -_MOST <= number < _MOST else None
