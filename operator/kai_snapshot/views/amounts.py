"""Amounts as documents have them."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from kai_snapshot.api.visualizer import ResourceStats
from kai_snapshot.simulator.model import UNLIMITED, Triple

PARTS: Final = 1_000_000
"""That a GPU is counted in."""


class Amount(NamedTuple):
    """An amount in whole numbers, so that sums agree wherever, and in whatever order, they are taken."""

    cpu: int
    """Millicores."""
    memory: int
    """Bytes."""
    gpu: int
    """Millionths of a GPU."""

    @property
    def gpus(self) -> float:
        """GPUs, with parts of them."""
        return self.gpu / PARTS


NOTHING: Final = Amount(0, 0, 0)


def counted(amount: Triple) -> Amount:
    """Rounded, once. Nothing is less than nothing: what is unlimited has no amount."""
    cpu, memory, gpus = (max(each, 0.0) for each in amount)
    return Amount(round(cpu), round(memory), round(gpus * PARTS))


def plus(left: Amount, right: Amount) -> Amount:
    """Both together."""
    return Amount(left.cpu + right.cpu, left.memory + right.memory, left.gpu + right.gpu)


def stats(amount: Amount, *, devices: int | None = None, mig: Mapping[str, int] | None = None) -> ResourceStats:
    """An amount; where devices in use are counted, `gpu` is their number, else the GPUs rounded down."""
    return _stats(amount, devices, tuple(sorted(mig.items())) if mig else ())


@lru_cache(maxsize=1 << 12)
def _stats(amount: Amount, devices: int | None, mig: tuple[tuple[str, int], ...]) -> ResourceStats:
    """The same for the same: most pods ask for what others do."""
    return ResourceStats(
        milli_cpu=amount.cpu,
        memory=amount.memory,
        gpu=amount.gpu // PARTS if devices is None else devices,
        gpu_fraction=amount.gpus,
        scalar_resources=dict(mig) or None,
    )


def unlimited(amount: Triple) -> tuple[bool, bool, bool]:
    """Of what there is no bound."""
    return amount[0] == UNLIMITED, amount[1] == UNLIMITED, amount[2] == UNLIMITED
