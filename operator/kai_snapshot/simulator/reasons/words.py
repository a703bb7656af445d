"""Numbers and names in messages: amounts with their units, the first of many names."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kai_snapshot.api.waiting import Need, WaitingReason
from kai_snapshot.simulator.request import CPU, GPU, MEMORY, PODS

NAMED = 3
"""Names of a list in a message."""
QUEUE_RESOURCES = (CPU, MEMORY, GPU)
"""In the order of a queue's numbers."""


@dataclass(frozen=True, slots=True)
class Why:
    """Why a job waits."""

    reason: WaitingReason
    message: str
    needs: tuple[Need, ...] = ()
    evicting: bool = False
    """Whether evicting others could help."""


@dataclass(frozen=True, slots=True)
class Measure:
    """How amounts of a resource are told."""

    unit: str
    factor: float
    """Amounts as they are compared, of one unit."""
    grain: float
    """What amounts to free or add are rounded up to, in units."""


_MEASURES = {
    CPU: Measure("cores", 1000.0, 0.001),
    MEMORY: Measure("GB", 1e9, 0.001),
    GPU: Measure("GPUs", 1.0, 0.01),
    PODS: Measure("pods", 1.0, 1.0),
    "ephemeral-storage": Measure("GB", 1e9, 0.001),
}
_PAGES = Measure("bytes", 1000.0, 1.0)
_OTHER = Measure("", 1000.0, 0.001)


def measure(resource: str) -> Measure:
    """How amounts of that resource are told; extended ones are plain numbers."""
    return _MEASURES.get(resource) or (_PAGES if resource.startswith("hugepages-") else _OTHER)


def in_units(resource: str, amount: float) -> float:
    """In units, rounded up to what can be said of it; never less than what is needed."""
    told = measure(resource)
    return round(math.ceil(round(amount / told.factor / told.grain, 6)) * told.grain, 3)


def told(resource: str, amount: float) -> str:
    """`4 GPUs`, `0.5 cores`, `2 GB of memory`, `1 pod slot`, `2 nvidia.com/mig-1g.10gb`."""
    how = measure(resource)
    text = number(amount / how.factor)
    if resource == PODS:
        return f"{text} pod slot{'' if text == '1' else 's'}"
    if how.unit in ("GB", "bytes"):
        return f"{text} {how.unit} of {resource}"
    return f"{text} {how.unit.removesuffix('s') if text == '1' else how.unit}" if how.unit else f"{text} {resource}"


def number(amount: float) -> str:
    """Plainly, with three decimals at the most."""
    text = f"{amount:,.3f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def counted(count: int, noun: str) -> str:
    """`1 pod`, `2 pods`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def few(names: Sequence[str]) -> str:
    """The first names, and how many more."""
    more = len(names) - NAMED
    listed = [*names[:NAMED], *([f"{more} more"] if more > 0 else [])]
    return " and ".join((", ".join(listed[:-1]), listed[-1])) if len(listed) > 1 else "".join(listed)
