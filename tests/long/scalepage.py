"""docs/scale.md, as the run of test_scale.py writes it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil

HEAD = """# How it grows

Written by `make scale`, from a run on a cluster of one machine with two cores: API server, etcd, storage, operator and
the test itself share them. Statuses of what is finished are those of objects that really ran; half of the captures are
scheduled. What runs has Jobs on a node that [kwok](https://kwok.sigs.k8s.io/) plays; results are handed in through the
transfer endpoint, four a second.

Promised up to 1,000 captures, 5,000 finished replays and 100 that run: no write at rest, less than 256 MiB, a true
picture within 60 s, 95 % of the results in the status within 2 s.

"""
TAIL = """
After a start everything is looked at once, and what is due waits meanwhile. Most of that time goes into listing the
finished replays: delete those that nobody reads any more. The operator may take 1,536 MiB as it is installed, two
captures of 256 MiB at most included; where there is more than here, give it more, or make a second installation with
namespaces of its own.
"""


@dataclass
class Measured:
    """What was found with so many objects."""

    captures: int
    replays: int
    running: int
    start_seconds: float = 0.0
    """From the new pod to a true picture."""
    writes_at_start: dict[str, int] = field(default_factory=dict)
    rest_seconds: int = 0
    at_rest: dict[str, int] = field(default_factory=dict)
    """What was written meanwhile, but for the Lease."""
    looks_at_rest: int = 0
    """At objects: one with a schedule is looked at every five to ten minutes."""
    cpu_at_rest: float = 0.0
    """Cores."""
    memory: float = 0.0
    """MiB at rest."""
    peak: float = 0.0
    """MiB at the most, since the start."""
    capture_seconds: float = 0.0
    """From the wish for a run to its end, with an archive that retention removes, amid all the others."""
    to_status: tuple[float, ...] = ()
    """Seconds from a result that was handed in to a replay that is Finished, one for each replay."""
    after_crash: float = 0.0
    """Seconds from the killed process to a true picture."""


def page(found: Sequence[Measured]) -> str:
    """The page."""
    return HEAD + "\n".join(_table(found)) + "\n" + TAIL


def share(times: Sequence[float], percent: int) -> float:
    """By nearest rank: the time that so many percent do not exceed."""
    return sorted(times)[ceil(percent * len(times) / 100) - 1]


def _table(found: Sequence[Measured]) -> Iterator[str]:
    rows: list[tuple[str, Callable[[Measured], str]]] = [
        ("captures", lambda each: f"{each.captures:,}"),
        ("finished replays", lambda each: f"{each.replays:,}"),
        ("running replays", lambda each: f"{each.running:,}"),
        ("at rest for, s", lambda each: f"{each.rest_seconds:,}"),
        ("looks at objects meanwhile", lambda each: f"{each.looks_at_rest:,}"),
        ("API writes meanwhile", lambda each: _writes(each.at_rest)),
        ("cores used meanwhile", lambda each: f"{each.cpu_at_rest:.3f}"),
        ("memory of the operator at rest, MiB", lambda each: f"{each.memory:.0f}"),
        ("and at its most, MiB", lambda each: f"{each.peak:.0f}"),
        ("new pod to a true picture, s", lambda each: f"{each.start_seconds:.0f}"),
        ("and API writes, for what had changed", lambda each: _writes(each.writes_at_start)),
        ("killed process to a true picture, s", lambda each: f"{each.after_crash:.0f}"),
        ("a run of a schedule to its end, an archive removed, s", lambda each: f"{each.capture_seconds:.1f}"),
        ("result handed in to status, half of them, s", lambda each: f"{share(each.to_status, 50):.2f}"),
        ("and 95 %, s", lambda each: f"{share(each.to_status, 95):.2f}"),
    ]
    yield f"| | {' | '.join(f'{each.captures:,} captures' for each in found)} |"
    yield "|---|" + "---:|" * len(found)
    for name, told in rows[1:]:
        yield f"| {name} | {' | '.join(told(each) for each in found)} |"


def _writes(counted: dict[str, int]) -> str:
    return f"{sum(counted.values()):,}"
