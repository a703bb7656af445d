"""docs/chaos.md, as the run of test_chaos_*.py writes it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

HEAD = """# What was broken, and what came of it

Written by `make chaos`. After each trouble it is checked that no run is lost or doubled, that each archive has its
manifest and the SHA-256 which that says, that each result and log is whole and where the status says, that Jobs, pods
and Secrets go, that nothing lies in the spool directory, and that what the status says is so. Every status that any
object has meanwhile is checked as well.
"""
STEPS = """
## At every step

A story is played again and again. Its first write meets the trouble, then its second, and so on until it comes to its
end without. What is written are objects of the API server and of the storage, by the operator or by its children; the
Lease is not counted. *Killed*: operator and children, once the write is done. *Refused*: the write is answered with
409, 429, 500 and 503 in turn, and not done.
"""
AWAY = """
## What went away

"""


@dataclass
class Told:
    """What the tests of chaos tell."""

    steps: list[tuple[str, str, Sequence[str]]] = field(default_factory=list)
    """The story, the trouble, and the writes that met it."""
    away: list[tuple[str, str, float]] = field(default_factory=list)
    """What went away, what came of it, seconds until all was well."""


def page(told: Told) -> str:
    """The page."""
    return "\n".join((HEAD.rstrip(), STEPS.rstrip(), "", *_steps(told), AWAY.rstrip(), "", *_away(told))) + "\n"


def _steps(told: Told) -> Iterator[str]:
    yield "| story | trouble | steps | all came to the same end |"
    yield "|---|---|---:|---|"
    for story, trouble, writes in told.steps:
        yield f"| {story} | {trouble} | {len(writes)} | yes |"
    yield ""
    for story, trouble, writes in told.steps:
        if trouble == "killed":
            yield f"The steps of *{story}*, by what was written: {', '.join(writes)}."
            yield ""


def _away(told: Told) -> Iterator[str]:
    yield "| trouble | what came of it | all well after, s |"
    yield "|---|---|---:|"
    for trouble, end, seconds in told.away:
        yield f"| {trouble} | {end} | {seconds:.0f} |"
