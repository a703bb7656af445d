"""Waiting for something to become true, the only way tests wait."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T | None], *, timeout: float = 60, interval: float = 0.5, what: str = "") -> T:
    """Calls `look` until it returns something true and returns that; AssertionErrors count as not yet.

    Raises AssertionError with the last value or assertion when `timeout` seconds have passed.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            last: object = look()
            if last:
                return last  # type: ignore[return-value]
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {timeout:g} s: {what or getattr(look, '__name__', 'condition')}; last seen: {last!r}"
            )
        time.sleep(interval)
