"""What a person sees of work that takes long: what is being done, how far it is, how long it took."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SECONDS_BETWEEN_LINES = 30


@contextmanager
def step(name: str) -> Iterator[None]:
    """Say what begins, and when it is done how long it took."""
    print(f"==> {name}", flush=True)
    begun = time.monotonic()
    yield
    print(f"    done in {time.monotonic() - begun:.0f} s", flush=True)


def counter(unit: str) -> Callable[[int, int], None]:
    """A function to call with how much is done and in all: one moving line on a terminal, else a line now and then."""
    said = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal said
        text = f"    {done} of {total} {unit}"
        if sys.stdout.isatty():
            print(f"\r{text}", end="\r" if done < total else "\n", flush=True)
        elif time.monotonic() - said > _SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            print(text, flush=True)

    return report
