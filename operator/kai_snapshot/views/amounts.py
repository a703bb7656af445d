"""Amounts as documents have them."""

import math
from collections.abc import Mapping
from functools import lru_cache

from kai_snapshot.api.visualizer import ResourceStats
from kai_snapshot.simulator.model import UNLIMITED, Triple


def stats(amount: Triple, *, devices: int | None = None, mig: Mapping[str, int] | None = None) -> ResourceStats:
    """An amount; where devices in use are counted, `gpu` is their number, else the GPUs rounded down.

    Nothing is less than nothing: what is unlimited has no amount.
    """
    return _stats(amount, devices, tuple(sorted(mig.items())) if mig else ())


@lru_cache(maxsize=1 << 12)
def _stats(amount: Triple, devices: int | None, mig: tuple[tuple[str, int], ...]) -> ResourceStats:
    """The same for the same: most pods ask for what others do."""
    cpu, memory, gpus = (max(each, 0.0) for each in amount)
    gpus = round(gpus, 6)
    return ResourceStats(
        milli_cpu=round(cpu),
        memory=round(memory),
        gpu=math.floor(gpus) if devices is None else devices,
        gpu_fraction=gpus,
        scalar_resources=dict(mig) or None,
    )


def plus(left: Triple, right: Triple) -> Triple:
    """Both together."""
    return left[0] + right[0], left[1] + right[1], left[2] + right[2]


def unlimited(amount: Triple) -> tuple[bool, bool, bool]:
    """Of what there is no bound."""
    return amount[0] == UNLIMITED, amount[1] == UNLIMITED, amount[2] == UNLIMITED
